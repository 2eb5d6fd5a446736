"""The targets of a run: reading them, sharding them, tiling an area."""

from claran_core.targets.target_table import read_targets

__all__ = ["read_targets"]
