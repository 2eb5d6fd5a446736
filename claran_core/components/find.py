"""Find the components of subjects in their radio cut-outs, as rows of tables.

The contour rule (`claran_core.components.contour_rule`) runs on the pixels of the cut-out inside the frame,
once for all contour levels.  In a coarser view it runs on the smoothed image and on the bright pixels of the
survey's own resolution, so that the view has components of two scales.  Everything that does not depend on
the pixels is computed for many subjects at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.linear_wcs import LinearWCS, sky_of_vectors
from claran_core.common.noise import noise_sigma
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.common.tables import COMPONENTS, NATIVE_SCALE, NOISE
from claran_core.components.component_table import NOMINAL_LEVEL, PROMINENCE_COLUMNS
from claran_core.components.contour_rule import (
    COMPONENT_SIGMA,
    LEVEL_RATIO,
    Components,
    Maxima,
    find_components,
    find_maxima,
)
from claran_core.components.islands import touching_gaps
from claran_core.components.sheets import Sheet, bright_sheet, image_sheet
from claran_core.components.sky_identity import healpix_index
from claran_core.components.units import NOT_PART

__all__ = ["ComponentTables", "component_tables"]


class ComponentTables(NamedTuple):
    """Rows of `claran_core.common.tables.COMPONENTS` and of `claran_core.common.tables.NOISE`."""

    components: pd.DataFrame
    noise: pd.DataFrame


class _Look(NamedTuple):
    """One image of a subject, a row of the table of noise.

    `subject` is the number of the subject, `pixel` the width of the image's pixels in frame px, `beam_arcsec`
    the FWHM of the beam that the image states, 0 without one.
    """

    subject: int
    scale: int
    sigma: float
    deepest: float
    pixel: float
    beam_arcsec: float
    n_components: int


@dataclass
class _Found:
    """Components of many subjects: lists of arrays to be joined, and the images they are found in.

    The arrays of `rows` have one entry per component, in the order of the table; those of `secondary` have
    one entry per secondary peak, with the row of its component.
    """

    rows: dict[str, list[np.ndarray]] = field(default_factory=dict)
    secondary: dict[str, list[np.ndarray]] = field(default_factory=dict)
    n_rows: int = 0
    looks: list[_Look] = field(default_factory=list)

    def add(self, columns: dict[str, np.ndarray]) -> None:
        for name, values in columns.items():
            self.rows.setdefault(name, []).append(values)
        self.n_rows += len(columns["level"])

    def add_secondary(self, columns: dict[str, np.ndarray]) -> None:
        for name, values in columns.items():
            self.secondary.setdefault(name, []).append(values)


class _Contours(NamedTuple):
    """The contours of an image: by level the row of the first component, and the labels of the pixels.

    The labels (ny, nx) are 1, 2, .. inside the components; they are those of a window of the image that has
    the geometry `wcs`.
    """

    labels: dict[float, tuple[int, np.ndarray]]
    wcs: LinearWCS

    def at(self, level: float, vectors: np.ndarray) -> np.ndarray:
        """Return the rows (n,) of the components in whose contours directions (n, 3) lie, else -1."""
        found = np.full(len(vectors), -1, np.int64)
        if level in self.labels:
            first, labels = self.labels[level]
            x, y = (np.rint(place).astype(np.int64) for place in self.wcs.vectors_to_pixels(vectors))
            in_window = np.flatnonzero((x >= 0) & (x < labels.shape[1]) & (y >= 0) & (y < labels.shape[0]))
            own = labels[y[in_window], x[in_window]]
            found[in_window[own > 0]] = first + own[own > 0] - 1
        return found


def component_tables(
    subjects: Iterable[tuple[Subject, Cutout | None, Sequence[float]]], frame: Frame
) -> ComponentTables:
    """Find the components of subjects.

    Parameters
    ----------
    subjects : iterable of (Subject, Cutout or None, sequence of float)
        Each subject with its radio image, if there is one, and the levels of its components: base contours
        in units of 5.3 sigma.  Pixels of the image outside the frame are ignored.
    frame : Frame
        Geometry of subjects at the finest scale.

    Returns
    -------
    ComponentTables
        Subjects in the given order; in each, its own scale before the finest; in each, levels in the given
        order.

    Notes
    -----
    The centres of boxes are converted through the sky.  Their widths are those along the axes of the
    cut-out, whose north may differ from the frame's by about a degree.
    """
    found = _Found()
    places = []
    for number, (subject, cutout, levels) in enumerate(subjects):
        places.append((subject.subject_id, subject.ra_deg, subject.dec_deg, subject.scale))
        if cutout is None:
            found.looks.append(_Look(number, subject.scale, np.nan, np.nan, np.nan, 0.0, 0))
        else:
            _find(found, number, subject, cutout, levels)
    about = pd.DataFrame(places, columns=["subject_id", "ra", "dec", "scale"])
    looks = pd.DataFrame(found.looks, columns=_Look._fields)
    looks["subject_id"] = about["subject_id"].to_numpy()[looks["subject"].to_numpy(int)]
    noise = looks[NOISE.names]
    if not found.n_rows:
        return ComponentTables(pd.DataFrame(columns=COMPONENTS.names), noise)
    return ComponentTables(_component_table(found, about, looks, frame), noise)


def _find(found: _Found, number: int, subject: Subject, cutout: Cutout, levels: Sequence[float]) -> None:
    """Add the components of one subject, in a coarser view those of both scales."""
    visible = visible_in_frame(subject, cutout)
    sigma = noise_sigma(visible)
    deepest = float(np.nanmin(visible)) / sigma if sigma > 0 else np.nan
    pixel = cutout.pixel_scale_arcsec / subject.frame.pixel_scale_arcsec
    beam_arcsec = cutout.beam.fwhm_arcsec if cutout.beam else 0.0
    found.looks.append(_Look(number, subject.scale, sigma, deepest, pixel, beam_arcsec, 0))
    base = min(levels) * COMPONENT_SIGMA
    sheet = image_sheet(visible, base * sigma if sigma > 0 else np.inf)
    labels = _search(found, sheet, cutout.wcs, levels, None)
    bright = cutout.bright
    if bright is None:
        return
    window = (int(sheet.first[0]), int(sheet.rows[0])) if labels else (0, 0)
    contours = _Contours(labels, cutout.wcs.window(*window))
    fine = pixel / bright.scale, beam_arcsec / bright.scale
    found.looks.append(_Look(number, NATIVE_SCALE, bright.sigma, np.nan, *fine, 0))
    sheet = bright_sheet(subject, cutout, bright, base * bright.sigma if bright.sigma > 0 else np.inf)
    _search(found, sheet, cutout.wcs.divided(bright.scale), levels, contours)


def _search(
    found: _Found, sheet: Sheet, wcs: LinearWCS, levels: Sequence[float], wider: _Contours | None
) -> dict[float, tuple[int, np.ndarray]]:
    """Add the components of the last image, and return their first row and their labels by level.

    `wider` are the contours of the subject's coarser image, if these components are parts of its components.
    """
    labels: dict[float, tuple[int, np.ndarray]] = {}
    look = found.looks[-1]
    if not sheet.pixels.size:
        return labels
    lowest = min(levels) * COMPONENT_SIGMA * look.sigma
    maxima = find_maxima(sheet.pixels, lowest)
    secondary = np.flatnonzero(maxima.saddle > lowest)
    places = maxima.places[secondary]
    towards = wcs.pixels_to_vectors(*(places + sheet.offsets(places)).T)
    for level in levels:
        components = find_components(sheet.pixels, look.sigma, threshold=level * COMPONENT_SIGMA)
        if level == NOMINAL_LEVEL:
            found.looks[-1] = look._replace(n_components=len(components))
        if len(components):
            labels[level] = found.n_rows, components.labels
            _add_secondary(found, components, maxima, secondary, towards)
            measured = _measured(components, maxima, wcs, sheet)
            n = len(components)
            found.add(
                {
                    "look": np.full(n, len(found.looks) - 1),
                    "level": np.full(n, level),
                    "whole": np.full(n, -1) if wider is None else wider.at(level, measured["towards"]),
                    "at_edge": touching_gaps(components.labels, n, sheet.pixels),
                    **measured,
                }
            )
    return labels


def _measured(components: Components, maxima: Maxima, wcs: LinearWCS, sheet: Sheet) -> dict[str, np.ndarray]:
    """Return the measurements of the components of a sheet of an image."""
    offsets = sheet.offsets(components.brightest)
    boxes = components.boxes + np.tile(offsets, 2)
    brightest = components.brightest + offsets
    x, y = components.brightest.T
    points = np.concatenate([brightest, 0.5 * (boxes[:, :2] + boxes[:, 2:])])
    vectors = wcs.pixels_to_vectors(*points.T)
    return {
        "pixel": brightest,
        "towards": vectors[: len(components)],
        "towards_box": vectors[len(components) :],
        "box_px": boxes[:, 2:] - boxes[:, :2],
        "n_peaks": components.count_peaks(maxima),
        "peak": components.image[y, x],
        "flux": components.flux,
        "n_pixels": components.n_pixels,
    }


def _add_secondary(
    found: _Found, components: Components, maxima: Maxima, secondary: np.ndarray, towards: np.ndarray
) -> None:
    """Add the secondary peaks whose saddles are inside a component; vectors `towards` them are given."""
    inside = maxima.saddle[secondary] > components.base
    if not inside.any():
        return
    own = secondary[inside]
    x, y = maxima.places[own].T
    found.add_secondary(
        {
            "row": found.n_rows + components.labels[y, x].astype(np.int64) - 1,
            "towards": towards[inside],
            "peak": maxima.peak[own],
            "saddle": maxima.saddle[own],
        }
    )


def _component_table(found: _Found, about: pd.DataFrame, looks: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """Return the rows of all subjects."""
    rows = {name: np.concatenate(values) for name, values in found.rows.items()}
    look = looks.iloc[rows["look"]]
    sigma, scale = look["sigma"].to_numpy(float), look["scale"].to_numpy(int)
    number, pixel = look["subject"].to_numpy(int), look["pixel"].to_numpy(float)
    centre = about["ra"].to_numpy(float)[number], about["dec"].to_numpy(float)[number]
    view = about["scale"].to_numpy(int)[number]
    zoom = pixel * (view / scale)  # width of a pixel in frame px of the row's scale
    ra, dec = sky_of_vectors(rows["towards"])
    peaks = frame.sky_to_frame(*centre, ra, dec, scale=view)
    middles = frame.sky_to_frame(*centre, *sky_of_vectors(rows["towards_box"]), scale=view)
    half = 0.5 * pixel[:, None] * rows["box_px"]
    boxes = np.concatenate([np.stack(middles, axis=1) - half, np.stack(middles, axis=1) + half], axis=1)
    ids = healpix_index(ra, dec)
    columns = {
        "component_id": ids,
        "subject_id": look["subject_id"].to_numpy(),
        "scale": scale,
        "level": rows["level"],
        "part_of": np.where(rows["whole"] >= 0, ids[rows["whole"]], NOT_PART),
        "ra": ra,
        "dec": dec,
        "pixel_x": rows["pixel"][:, 0],
        "pixel_y": rows["pixel"][:, 1],
        **dict(zip(BOX_COLUMNS, boxes.T, strict=True)),
        "peak_x": peaks[0],
        "peak_y": peaks[1],
        "n_peaks": rows["n_peaks"],
        "snr": rows["peak"] / sigma,
        "flux": rows["flux"] / sigma * zoom**2,
        "area": rows["n_pixels"] * zoom**2,
        "n_pixels": rows["n_pixels"],
        "at_edge": rows["at_edge"],
        "beam_arcsec": look["beam_arcsec"].to_numpy(float),
        **_secondary_columns(found, sigma),
    }
    return pd.DataFrame(columns, columns=COMPONENTS.names)


def _secondary_columns(found: _Found, sigma: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of secondary peaks, given the noise of each row."""
    prominences = np.zeros((len(sigma), len(PROMINENCE_COLUMNS)))
    names = ["secondary_ra", "secondary_dec", "secondary_snr", "secondary_saddle"]
    lists = {name: np.full(len(sigma), None, object) for name in names}
    empty = np.empty(0)
    for values in lists.values():
        values.fill(empty)
    if found.secondary:
        peaks = {name: np.concatenate(values) for name, values in found.secondary.items()}
        heights = np.log(peaks["peak"] / peaks["saddle"]) / np.log(LEVEL_RATIO)
        order = np.lexsort((-heights, peaks["row"]))  # most prominent first
        row, heights = peaks["row"][order], heights[order]
        starts = np.searchsorted(row, np.arange(len(sigma) + 1))
        rank = np.arange(len(row)) - starts[row]
        shown = rank < len(PROMINENCE_COLUMNS)
        prominences[row[shown], rank[shown]] = heights[shown]
        ra, dec = sky_of_vectors(peaks["towards"][order])
        ratios = peaks["peak"][order] / sigma[row], peaks["saddle"][order] / sigma[row]
        for name, values in zip(names, (ra, dec, *ratios), strict=True):
            for own in np.unique(row):
                lists[name][own] = values[starts[own] : starts[own + 1]]
    return dict(zip(PROMINENCE_COLUMNS, prominences.T, strict=True)) | lists
