"""Measurements of one source on its images."""
