"""The command ``claran``: one module per group of commands."""
