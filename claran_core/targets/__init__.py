"""The targets of a run: read a table, divide it into shards, cover an area with subjects."""

from claran_core.targets.target_table import read_targets

__all__ = ["read_targets"]
