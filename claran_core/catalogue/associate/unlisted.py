"""Sets that a view could have proposed, but did not.

A list of candidates leaves out sets of several units that are hardly probable.  This matters for blends: a
coarse view that shows two sources as one unit may find it probable, while a finer view that shows both has
dismissed the pair.
"""

import numpy as np

from claran_core.catalogue.associate.sky_components import SkyComponents
from claran_core.catalogue.associate.views import Sky
from claran_core.common.compiled import compiled
from claran_core.common.ragged import Ragged
from claran_core.components.component_groups import MAX_MEMBERS

__all__ = ["UNLISTED_PROBABILITY", "dismissed_sets"]

# Sets of several units that are less probable are not listed (`claran_core.common.tables.CANDIDATES`).
UNLISTED_PROBABILITY = 0.01


def dismissed_sets(
    sky: Sky, atoms: SkyComponents, sets: Ragged, starts: np.ndarray, candidate: np.ndarray
) -> np.ndarray:
    """Return the sets that are one unit wherever they are proposed, and that a finer view dismissed.

    A finer view dismisses a set if it shows each of its atoms, up to `MAX_MEMBERS`, as a whole unit, but does
    not list them as a candidate.  The atoms of one coarse unit are near enough to be one.

    Parameters
    ----------
    sky, atoms
        Views, candidates and atoms.
    sets : Ragged
        Atoms of each of m sets.
    starts, candidate : int arrays
        Set k is proposed by the candidates ``candidate[starts[k]]`` .., sorted by scale.

    Returns
    -------
    (k,) int64 array
        Numbers of these sets.
    """
    sizes = np.diff(sets.starts)
    scale = sky.views.scale[sky.candidates.view[candidate[starts[:-1]]]]
    asked = np.flatnonzero((sizes > 1) & (sizes <= MAX_MEMBERS) & (scale > sky.views.scale.min(initial=1)))
    n_units = np.diff(sky.candidates.units.starts)[candidate]
    if len(asked):
        asked = asked[np.maximum.reduceat(n_units, starts[:-1])[asked] == 1]
    own = sets.take(asked)
    wanted = np.zeros(len(atoms.ids), bool)
    wanted[own.values] = True
    rows = sky.components
    unit = np.flatnonzero((np.diff(atoms.units.starts) == 1) & rows.usable & ~rows.at_edge)
    of_unit = atoms.units.values[atoms.units.starts[unit]]
    unit, of_unit = unit[wanted[of_unit]], of_unit[wanted[of_unit]]
    views = Ragged.grouped(of_unit, rows.view[unit], len(atoms.ids))
    return asked[_is_shown(own.starts, own.values, views.starts, views.values, sky.views.scale, scale[asked])]


@compiled
def _is_shown(
    starts: np.ndarray,
    atoms: np.ndarray,
    view_starts: np.ndarray,
    views: np.ndarray,
    scale: np.ndarray,
    below: np.ndarray,
) -> np.ndarray:
    """Return whether one view of a scale ``below[k]`` shows all atoms of set k; views of an atom ascend."""
    shown = np.zeros(len(starts) - 1, np.bool_)
    for k in range(len(shown)):
        lead = atoms[starts[k]]
        for view in views[view_starts[lead] : view_starts[lead + 1]]:
            n = 1
            for atom in atoms[starts[k] + 1 : starts[k + 1]]:
                own = views[view_starts[atom] : view_starts[atom + 1]]
                place = np.searchsorted(own, view)
                n += place < len(own) and own[place] == view
            if scale[view] < below[k] and n == starts[k + 1] - starts[k]:
                shown[k] = True
                break
    return shown
