"""Labels: boxes and classes of the true sources of each subject (paper section 3.3)."""
