"""The detectors in plain PyTorch."""
