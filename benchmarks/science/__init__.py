"""How good detections, measurements and catalogue are."""
