"""The components of the sky ("atoms"), from the components of all views, and what each unit stands for.

Units are what candidates are made of.  A unit of scale 1 is an atom.  A coarser unit stands for the atoms of
scale 1 inside its contour.  If the view shows none there, other views decide: the unit stands for the finer
atoms in its box that no other unit of the view stands for, else it is an atom itself.
"""

from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.associate.same_component import box_area, inside_boxes, same_component
from claran_core.catalogue.associate.views import Components
from claran_core.common.compiled import compiled
from claran_core.common.ragged import Ragged
from claran_core.common.tables import NATIVE_SCALE

__all__ = ["SkyComponents", "find_sky_components"]

# Largest separation of two positions of one peak, in units of the beam's FWHM.
TOLERANCE_BEAMS = 0.5

# A fainter component, near the limit of 5.3 sigma, may be missed in a view whose noise is higher.
FAINT_SNR = 7.0


@dataclass(frozen=True)
class SkyComponents:
    """Atoms, sorted by identity and scale, and the atoms of each unit.

    Attributes
    ----------
    ids : (n,) int64 array
        `component_id` of the brightest row.
    scale : (n,) int32 array
        Finest scale that shows the atom.
    ra, dec : (n,) float64 arrays
        Brightest pixel, deg.
    snr : (n,) float32 array
        Brightest pixel over the noise; the highest of all views.
    n_views : (n,) int64 array
        Number of views that show it.
    view : (n,) int32 array
        The first of these views.
    usable : (n,) bool array
        Whether it has enough pixels in any view to be part of a source.
    units : Ragged
        For each row of `Components` the atoms that it stands for as a unit; none if it is part of another.
    members : int32 array
        For each entry of `units` the row that shows the atom in the unit's view; -1 if other views do.
    """

    ids: np.ndarray
    scale: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    snr: np.ndarray
    n_views: np.ndarray
    view: np.ndarray
    usable: np.ndarray
    units: Ragged
    members: np.ndarray


@dataclass
class _Links:
    """Which unit (a row) stands for which atom, and the row that shows it in the view, or -1."""

    unit: np.ndarray
    atom: np.ndarray
    member: np.ndarray

    def add(self, unit: np.ndarray, atom: np.ndarray, member: np.ndarray) -> None:
        self.unit = np.concatenate([self.unit, unit])
        self.atom = np.concatenate([self.atom, atom])
        self.member = np.concatenate([self.member, member])


def find_sky_components(rows: Components, beam_arcsec: float) -> SkyComponents:
    """Find the atoms.

    Parameters
    ----------
    rows : Components
        Rows of all views, sorted by view.
    beam_arcsec : float
        FWHM of the survey's beam, for images that state none.
    """
    beam = np.where(rows.beam_arcsec > 0, rows.beam_arcsec, beam_arcsec * rows.scale.astype(float))
    tolerance_arcsec = TOLERANCE_BEAMS * beam
    atom = np.full(len(rows.view), -1, np.int64)  # the atom that a row shows
    fine = np.flatnonzero(rows.scale == NATIVE_SCALE)
    atom[fine] = same_component(rows, fine, tolerance_arcsec)
    inside = rows.usable[fine] | (rows.parent[fine] < 0)
    unit = np.where(rows.parent[fine] >= 0, rows.parent[fine], fine)
    links = _Links(unit[inside], atom[fine[inside]], fine[inside])
    for scale in np.unique(rows.scale[rows.scale > NATIVE_SCALE]):
        own = np.flatnonzero(rows.scale == scale)
        _add_coarse(rows, own, tolerance_arcsec, atom, links)
    return _numbered(rows, atom, links)


def _add_coarse(
    rows: Components, own: np.ndarray, tolerance_arcsec: np.ndarray, atom: np.ndarray, links: _Links
) -> None:
    """Add to `links` what the coarse rows `own` stand for, and to `atom` those that are atoms themselves."""
    label = same_component(rows, own, tolerance_arcsec)
    n_labels = label.max(initial=-1) + 1
    of_label = np.full(len(rows.view), -1, np.int64)
    of_label[own] = label
    has = np.zeros(len(rows.view), bool)
    has[links.unit] = True
    # A component in which another view shows atoms stands for these.
    known = of_label[links.unit] >= 0
    _spread(of_label[links.unit[known]], links.atom[known], own[~has[own]], of_label, links)
    is_known = np.zeros(n_labels, bool)
    is_known[label[has[own]]] = True
    unit, found = _atoms_in_boxes(rows, own, ~is_known[label], has, tolerance_arcsec, atom, links)
    filled = has[unit]
    links.add(unit[filled], found[filled], np.full(filled.sum(), -1))
    bare = own[~is_known[label]]
    _spread(of_label[unit[~filled]], found[~filled], bare, of_label, links)
    is_known[of_label[unit]] = True
    new = own[~is_known[label]]
    number = np.cumsum(~is_known) - 1 + atom.max(initial=-1) + 1
    atom[new] = number[of_label[new]]
    links.add(new, atom[new], new)


def _spread(
    owner: np.ndarray, atoms: np.ndarray, unit: np.ndarray, of_label: np.ndarray, links: _Links
) -> None:
    """Let units stand for the atoms of their components: component ``owner[k]`` has the atom ``atoms[k]``."""
    if not len(owner) or not len(unit):
        return
    pairs = np.unique(np.stack([owner, atoms], axis=1), axis=0)
    lists = Ragged.grouped(pairs[:, 0], pairs[:, 1], int(of_label.max()) + 1).take(of_label[unit])
    units = np.repeat(unit, np.diff(lists.starts))
    links.add(units, lists.values, np.full(len(units), -1))


def _atoms_in_boxes(
    rows: Components,
    own: np.ndarray,
    is_bare: np.ndarray,
    has: np.ndarray,
    margin_arcsec: np.ndarray,
    atom: np.ndarray,
    links: _Links,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coarse rows and the finer atoms in their boxes that their views do not show.

    An atom belongs to the smallest box of a view.  Rows that stand for atoms already take only those that
    the view cannot show: faint ones, those of coarser scales, and those that no view shows whole.  Others
    would be inside their contour if they belonged to them.
    """
    shown = _describe(atom, rows.view, rows.snr, rows.usable, rows.at_edge, atom.max(initial=-1) + 1)
    row = shown.brightest
    loose = row[~shown.whole | (rows.scale[row] > NATIVE_SCALE) | (rows.snr[row] < FAINT_SNR)]
    unit, point = [], []
    for points, boxes in ((shown.brightest, own[is_bare]), (loose, own[has[own]])):
        at, box = inside_boxes(rows, points, boxes, margin_arcsec)
        unit.append(boxes[box])
        point.append(points[at])
    units, atoms = np.concatenate(unit), atom[np.concatenate(point)]
    of_view = rows.view[units] * np.int64(len(shown.brightest)) + atoms
    wanted = np.zeros(len(shown.brightest), bool)
    wanted[atoms] = True
    near = wanted[links.atom]
    known = rows.view[links.unit[near]] * np.int64(len(shown.brightest)) + links.atom[near]
    free = ~np.isin(of_view, known)
    units, atoms, of_view = units[free], atoms[free], of_view[free]
    order = np.lexsort((units, box_area(rows.extent[units]), of_view))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(of_view[order]) != 0
    return units[order[first]], atoms[order[first]]


@dataclass(frozen=True)
class _Shown:
    """How views show each atom: its brightest row, views, first view, and whether any is usable, whole."""

    brightest: np.ndarray
    n_views: np.ndarray
    view: np.ndarray
    usable: np.ndarray
    whole: np.ndarray


def _describe(
    atom: np.ndarray, view: np.ndarray, snr: np.ndarray, usable: np.ndarray, at_edge: np.ndarray, n: int
) -> _Shown:
    return _Shown(*_described(atom, view, snr, usable, at_edge, n))


@compiled
def _described(
    atom: np.ndarray, view: np.ndarray, snr: np.ndarray, usable: np.ndarray, at_edge: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the fields of `_Shown` for n atoms; row r, sorted by view, shows ``atom[r]`` or none (-1)."""
    brightest, n_views = np.full(n, -1, np.int64), np.zeros(n, np.int64)
    first, last = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    any_usable, whole = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    for row in range(len(atom)):
        own = atom[row]
        if own < 0:
            continue
        if brightest[own] < 0 or snr[row] > snr[brightest[own]]:
            brightest[own] = row
        if first[own] < 0:
            first[own] = view[row]
        if last[own] != view[row]:
            last[own] = view[row]
            n_views[own] += 1
        any_usable[own] |= usable[row]
        whole[own] |= not at_edge[row]
    return brightest, n_views, first, any_usable, whole


def _numbered(rows: Components, atom: np.ndarray, links: _Links) -> SkyComponents:
    """Sort the atoms by identity and scale, and the links by unit and atom."""
    shown = _describe(atom, rows.view, rows.snr, rows.usable, rows.at_edge, atom.max(initial=-1) + 1)
    order = np.lexsort((rows.scale[shown.brightest], rows.ids[shown.brightest]))
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    row = shown.brightest[order]
    by_unit = np.lexsort((links.member, number[links.atom], links.unit))
    units = Ragged.grouped(links.unit[by_unit], number[links.atom[by_unit]], len(rows.view))
    return SkyComponents(
        ids=rows.ids[row],
        scale=rows.scale[row],
        ra=rows.ra[row],
        dec=rows.dec[row],
        snr=rows.snr[row],
        n_views=shown.n_views[order],
        view=shown.view[order],
        usable=shown.usable[order],
        units=units,
        members=links.member[by_unit].astype(np.int32),
    )
