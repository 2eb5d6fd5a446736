"""The command `claran`."""
