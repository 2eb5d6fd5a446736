"""Fused images of radio and infrared, as paper section 3.4."""
