"""The association network, which scores groups of radio components."""
