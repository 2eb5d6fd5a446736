"""Which detections are one source on the sky."""
