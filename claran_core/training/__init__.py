"""Training of a detector, on one device or several nodes."""
