"""From detections to the catalogue of radio sources."""
