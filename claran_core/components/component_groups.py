"""Groups of components that may be one source: connected sets of a few neighbours, and their boxes.

The detector scores these groups, and the catalogue looks up the components of a detection's box in them.
"""

import numpy as np

from claran_core.components.contour_rule import dr1_extents, union_centres

__all__ = ["MAX_CANDIDATES", "MAX_MEMBERS", "REACH_PX", "as_rows", "component_groups", "dr1_boxes"]

# Components in one group.  RGZ labels have up to three; a fourth allows for lobes in two pieces.
MAX_MEMBERS = 4

# Largest gap between linked components, edge to edge: 100 arcsec in frame px.
REACH_PX = 72.7

# Groups per subject.  In a crowded subject, the longest links are dropped first.
MAX_CANDIDATES = 128


def component_groups(usable: np.ndarray, gaps: np.ndarray) -> list[tuple[int, ...]]:
    """Return all connected sets of up to `MAX_MEMBERS` components, small sets and single components first.

    Parameters
    ----------
    usable : (m,) int array
        Components that may be in a set.
    gaps : (n, n) float array
        Distances from edge to edge of all components (`claran_core.components.contour_rule.box_gaps`), frame
        px.
    """
    reach = REACH_PX
    while True:
        sets = _connected_sets(usable, gaps <= reach)
        if len(sets) <= max(MAX_CANDIDATES, len(usable)):
            return sets
        reach *= 0.8
        if reach < 1e-3:
            return [(int(k),) for k in usable]


def _connected_sets(usable: np.ndarray, linked: np.ndarray) -> list[tuple[int, ...]]:
    """Return the connected sets in order of size; stop after the size that exceeds the limit."""
    limit = max(MAX_CANDIDATES, len(usable))
    level: set[tuple[int, ...]] = {(int(k),) for k in usable}
    found = sorted(level)
    for _ in range(MAX_MEMBERS - 1):
        level = {
            tuple(sorted((*own, int(k))))
            for own in level
            for k in usable
            if k not in own and linked[k, list(own)].any()
        }
        found += sorted(level)
        if len(found) > limit:
            break
    return found


def as_rows(sets: list[tuple[int, ...]]) -> np.ndarray:
    """Return sets of components as an array (K, `MAX_MEMBERS`), padded with -1."""
    return np.array([(*own, *[-1] * (MAX_MEMBERS - len(own))) for own in sets], np.int64).reshape(
        -1, MAX_MEMBERS
    )


def dr1_boxes(boxes: np.ndarray, is_component: np.ndarray) -> np.ndarray:
    """Return the boxes ``x1 y1 x2 y2`` (K, 4) of sources by the rule of DR1 and the paper.

    Source k consists of those components with boxes (K, n, 4) for which `is_component` (K, n) is True, at
    least one.
    """
    boxes = boxes.astype(np.float64)
    middle, half = union_centres(boxes, is_component), 0.5 * dr1_extents(boxes, is_component)[:, None]
    return np.concatenate([middle - half, middle + half], axis=1)
