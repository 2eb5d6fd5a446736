"""Truth: boxes and classes of the sources of each subject (paper section 3.3)."""
