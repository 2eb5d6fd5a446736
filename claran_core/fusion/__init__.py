"""Fused images (paper section 3.4)."""
