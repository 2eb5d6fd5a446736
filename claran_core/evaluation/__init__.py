"""Scores against the truth and against other catalogues (paper sections 5 and 6)."""
