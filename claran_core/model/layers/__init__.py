"""Parts that both detectors share."""
