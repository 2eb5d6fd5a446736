"""Measure detections and the catalogue against truth and other catalogues (paper sections 5 and 6)."""
