"""Which true source owns each component of a subject.

A component belongs to the source with the most flux in its contour, if that is at least a third of the flux
measured in it.  Otherwise it is an artefact or noise.  A component of a coarser view that contains components
of the survey's own resolution belongs to the source with the most flux among these.  All sources of the
simulation count, however faint.

A label table names the components of some sources only; the owner of every other component is unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from claran_core.common.compiled import compiled
from claran_core.common.cutout import Cutout
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.morphology import morphology_of
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.common.tables import NATIVE_SCALE
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.contour_rule import (
    COMPONENT_SIGMA,
    MIN_COMPONENT_PX,
    Components,
    find_components,
)
from claran_core.components.islands import finite_pixels, window_above
from claran_core.labels.true_sources import TrueSource

__all__ = [
    "NO_OWNER",
    "Rows",
    "classes_in_view",
    "is_unit",
    "of_parts",
    "owners_from_table",
    "owners_of",
    "simulated_owners",
    "true_flux",
]

# A contour belongs to a simulated source that has at least this share of the flux measured in it.
MIN_FLUX_SHARE = 1 / 3

# Index of the owner of a component without one.
NO_OWNER = -1

# Columns of `claran_core.common.tables.COMPONENTS` of one subject, as arrays.
Rows = Mapping[str, np.ndarray]


class Contours(NamedTuple):
    """The contours of an image of a subject at one level.

    Attributes
    ----------
    rows : (k,) int64 array
        Rows of the components of this scale and level.
    components : Components
        The components in a window of the image.
    numbers : (k,) int64 array
        Component of each row.
    wcs : LinearWCS
        Geometry of the window.
    zoom : int
        Width of a pixel of the window in pixels of the survey.
    """

    rows: np.ndarray
    components: Components
    numbers: np.ndarray
    wcs: LinearWCS
    zoom: int


def simulated_owners(
    subject: Subject, cutout: Cutout, sources: Sequence[TrueSource], rows: Rows, sigma: float
) -> np.ndarray:
    """Return the owner of each component of a subject, as index of `sources`, or `NO_OWNER`; ``(n,)`` int64.

    Parameters
    ----------
    subject : Subject
        The subject.
    cutout : Cutout
        Its radio image with noise.
    sources : sequence of TrueSource
        Sources whose emission reaches the window of the cut-out.
    rows : mapping of str to (n,) array
        Its components, at any levels.
    sigma : float
        Noise of the image.
    """
    owner = np.full(len(rows["level"]), NO_OWNER)
    for found in _contours(subject, cutout, rows, sigma):
        flux = true_flux(found.components, sources, found.wcs, found.zoom)
        owner[found.rows] = owners_of(flux, found.components.flux)[found.numbers]
    return of_parts(rows, owner)


def owners_from_table(
    subject: Subject,
    cutout: Cutout,
    positions: Sequence[tuple[Sequence[float], Sequence[float]]],
    rows: Rows,
    sigma: float,
) -> np.ndarray:
    """Return the owner of each component of a subject from labelled positions of components.

    Parameters as in `simulated_owners`, with the right ascensions and declinations (deg) of the components of
    each source.  The owner of a component with no labelled position, or with those of several sources, is
    `NO_OWNER`.
    """
    owner = np.full(len(rows["level"]), NO_OWNER)
    for found in _contours(subject, cutout, rows, sigma):
        of_component = np.full(len(found.components), NO_OWNER)
        several = np.zeros(len(found.components), bool)
        for source, (ra, dec) in enumerate(positions):
            places = zip(*found.wcs.sky_to_pixels(np.asarray(ra), np.asarray(dec)), strict=True)
            hit = [found.components.at(*place) for place in places]
            own = np.array([number for number in hit if number is not None], np.int64)
            several[own] |= of_component[own] != NO_OWNER
            of_component[own] = source
        owner[found.rows] = np.where(several, NO_OWNER, of_component)[found.numbers]
    return of_parts(rows, owner)


def classes_in_view(subject: Subject, rows: Rows, owner: np.ndarray) -> dict[int, str]:
    """Return the class of each source by its units at `NOMINAL_LEVEL`; sources without a unit are absent."""
    nominal = is_unit(subject, rows) & (rows["level"] == NOMINAL_LEVEL) & (owner != NO_OWNER)
    units, peaks = np.bincount(owner[nominal]), np.bincount(owner[nominal], rows["n_peaks"][nominal])
    return {
        int(index): morphology_of(int(units[index]), int(peaks[index]))[0] for index in np.flatnonzero(units)
    }


def is_unit(subject: Subject, rows: Rows) -> np.ndarray:
    """Return which components (n,) may be members of a source in this view.

    They have `MIN_COMPONENT_PX` pixels or more, and are those of the view's own scale and those of the
    survey's own resolution outside them.
    """
    alone = (rows["scale"] == subject.scale) | (rows["part_of"] < 0)
    return np.asarray(alone & (rows["n_pixels"] >= MIN_COMPONENT_PX))


def owners_of(flux: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Return the owner of each component, as index of the sources, or `NO_OWNER`; ``(n,)`` int64.

    Parameters
    ----------
    flux : (n, m) array
        True flux of each of m sources in each contour.
    measured : (n,) array
        Flux measured in it.
    """
    if not flux.shape[1]:
        return np.full(len(flux), NO_OWNER)
    return np.where(flux.max(axis=1) >= MIN_FLUX_SHARE * measured, flux.argmax(axis=1), NO_OWNER)


def true_flux(
    components: Components, sources: Sequence[TrueSource], wcs: LinearWCS, zoom: int = 1
) -> np.ndarray:
    """Return the sum of the emission of each source in each contour; ``(n, len(sources))`` float64.

    Parameters
    ----------
    components : Components
        The components of an image.
    sources : sequence of TrueSource
        The sources.
    wcs : LinearWCS
        Geometry of the image, which has the grid of the emission.
    zoom : int
        Width of a pixel of the image in pixels of the emission; the corners of pixels coincide.
    """
    flux = np.zeros((len(sources), len(components)))
    for own, source in zip(flux, sources, strict=True):
        rows, columns = source.part
        left, bottom = (
            first.start + round(zoom * (here + 0.5) - (there + 0.5))
            for first, here, there in ((columns, wcs.x, source.wcs.x), (rows, wcs.y, source.wcs.y))
        )
        _add_flux(components.labels, source.emission, left, bottom, zoom, own)
    return flux.T


@compiled
def _add_flux(
    labels: np.ndarray, emission: np.ndarray, left: int, bottom: int, zoom: int, flux: np.ndarray
) -> None:
    """Add the emission in each component to `flux` (count,).

    The first pixel of `emission` is `left`, `bottom` of its pixels from the corner of `labels`, whose pixels
    are `zoom` times as wide.
    """
    for j in range(max(0, -bottom), min(emission.shape[0], zoom * labels.shape[0] - bottom)):
        for i in range(max(0, -left), min(emission.shape[1], zoom * labels.shape[1] - left)):
            number = labels[(bottom + j) // zoom, (left + i) // zoom]
            if number:
                flux[number - 1] += emission[j, i]


def _contours(subject: Subject, cutout: Cutout, rows: Rows, sigma: float) -> Iterator[Contours]:
    """Yield the contours of all images and levels of a subject that have components."""
    native = cutout.native
    for scale in np.unique(rows["scale"]).tolist():
        image, noise = cutout, sigma
        if scale != subject.scale and native is not None and cutout.native_sigma is not None:
            image, noise = native, cutout.native_sigma
        of_scale = rows["scale"] == scale
        visible = finite_pixels(visible_in_frame(subject, image))
        base = rows["level"][of_scale] * COMPONENT_SIGMA * noise
        if not (visible[rows["pixel_y"][of_scale], rows["pixel_x"][of_scale]] > base).all():
            raise ValueError(f"subject {subject.subject_id!r}: its components are not those of its image")
        y0, y1, x0, x1 = window_above(visible, float(base.min()))
        window = np.ascontiguousarray(visible[y0:y1, x0:x1])
        for level in np.unique(rows["level"][of_scale]).tolist():
            own = np.flatnonzero(of_scale & (rows["level"] == level))
            components = find_components(window, noise, threshold=level * COMPONENT_SIGMA)
            numbers = components.labels[rows["pixel_y"][own] - y0, rows["pixel_x"][own] - x0] - 1
            yield Contours(own, components, numbers, image.wcs.window(x0, y0), scale)


def of_parts(rows: Rows, owner: np.ndarray) -> np.ndarray:
    """Return the owners, those of components with usable parts by the flux of these."""
    part = np.flatnonzero((rows["part_of"] >= 0) & (rows["n_pixels"] >= MIN_COMPONENT_PX))
    if not len(part):
        return owner
    keys = zip(rows["level"].tolist(), rows["component_id"].tolist(), rows["scale"].tolist(), strict=True)
    place = {(level, number): row for row, (level, number, scale) in enumerate(keys) if scale != NATIVE_SCALE}
    flux: dict[int, dict[int, float]] = {}
    for row in part.tolist():
        whole = flux.setdefault(place[rows["level"][row], rows["part_of"][row]], {})
        whole[int(owner[row])] = whole.get(int(owner[row]), 0.0) + float(rows["flux"][row])
    decided = owner.copy()
    for row, by_owner in flux.items():
        decided[row] = max(sorted(by_owner), key=by_owner.__getitem__)
    return decided
