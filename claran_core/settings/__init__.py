"""The settings of a run: one typed model per section of config.yaml."""
