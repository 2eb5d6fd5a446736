"""The detector that scores groups of radio components."""
