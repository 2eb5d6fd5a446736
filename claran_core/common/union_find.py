"""Groups that are joined step by step: each item names another of its group, its root names itself."""

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["root_of"]


@compiled
def root_of(parent: np.ndarray, item: int) -> int:
    """Return the root of an item, and shorten the path to it.

    Parameters
    ----------
    parent : (n,) int64 array
        The item that each item names; changed in place.
    item : int
        Index of the item.
    """
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item
