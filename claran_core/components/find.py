"""Find the components of subjects in their radio cut-outs, as rows of tables.

The contour rule (`claran_core.components.contour_rule`) runs on the pixels of the cut-out inside the frame,
once for all contour levels.  Everything that does not depend on the pixels is computed for many subjects at
once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.linear_wcs import sky_of_vectors
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
from claran_core.components.islands import finite_pixels, touching_gaps, window_above
from claran_core.components.sky_identity import healpix_index

__all__ = ["ComponentTables", "component_tables"]


class ComponentTables(NamedTuple):
    """Rows of `claran_core.common.tables.COMPONENTS` and of `claran_core.common.tables.NOISE`."""

    components: pd.DataFrame
    noise: pd.DataFrame


@dataclass
class _Found:
    """Components of many subjects: lists of arrays to be joined, and one number per subject.

    The arrays of `rows` have one entry per component, in the order of the table; those of `secondary` have
    one entry per secondary peak, with the row of its component.
    """

    rows: dict[str, list[np.ndarray]] = field(default_factory=dict)
    secondary: dict[str, list[np.ndarray]] = field(default_factory=dict)
    n_rows: int = 0
    sigma: list[float] = field(default_factory=list)
    n_components: list[int] = field(default_factory=list)

    def add(self, columns: dict[str, np.ndarray]) -> None:
        for name, values in columns.items():
            self.rows.setdefault(name, []).append(values)
        self.n_rows += len(columns["level"])

    def add_secondary(self, columns: dict[str, np.ndarray]) -> None:
        for name, values in columns.items():
            self.secondary.setdefault(name, []).append(values)


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
        Geometry of all these subjects.

    Returns
    -------
    ComponentTables
        Subjects in the given order; in each, levels in the given order.

    Notes
    -----
    The centres of boxes are converted through the sky.  Their widths are those along the axes of the
    cut-out, whose north may differ from the frame's by about a degree.
    """
    found = _Found()
    places, zooms = [], []
    for number, (subject, cutout, levels) in enumerate(subjects):
        places.append((subject.subject_id, subject.ra_deg, subject.dec_deg))
        zooms.append(np.nan if cutout is None else cutout.pixel_scale_arcsec / frame.pixel_scale_arcsec)
        if cutout is None:
            found.sigma.append(float("nan"))
            found.n_components.append(0)
        else:
            _find(found, number, subject, cutout, levels)
    about = pd.DataFrame(places, columns=["subject_id", "ra", "dec"])
    noise = pd.DataFrame(
        {
            "subject_id": about["subject_id"],
            "scale": NATIVE_SCALE,
            "sigma": np.array(found.sigma, float),
            "n_components": np.array(found.n_components, int),
        },
        columns=NOISE.names,
    )
    if not found.n_rows:
        return ComponentTables(pd.DataFrame(columns=COMPONENTS.names), noise)
    return ComponentTables(_component_table(found, about, np.array(zooms), frame), noise)


def _find(found: _Found, number: int, subject: Subject, cutout: Cutout, levels: Sequence[float]) -> None:
    """Add the components of one subject."""
    visible = visible_in_frame(subject, cutout)
    sigma = noise_sigma(visible)
    found.sigma.append(sigma)
    found.n_components.append(0)
    if not sigma > 0:
        return
    lowest = min(levels) * COMPONENT_SIGMA * sigma
    visible = visible.astype(np.float64)
    y0, y1, x0, x1 = window_above(finite_pixels(visible), lowest)
    if y1 == y0:
        return
    window = np.ascontiguousarray(visible[y0:y1, x0:x1])
    maxima = find_maxima(window, lowest)
    secondary = np.flatnonzero(maxima.saddle > lowest)
    towards = cutout.wcs.pixels_to_vectors(*(maxima.places[secondary] + [x0, y0]).T)
    for level in levels:
        components = find_components(window, sigma, threshold=level * COMPONENT_SIGMA)
        if level == NOMINAL_LEVEL:
            found.n_components[-1] = len(components)
        if len(components):
            _add_secondary(found, components, maxima, secondary, towards)
            at_edge = touching_gaps(components.labels, len(components), window)
            found.add(
                {
                    "number": np.full(len(components), number),
                    "level": np.full(len(components), level),
                    "at_edge": at_edge,
                    **_measured(components, maxima, cutout, (x0, y0)),
                }
            )


def _measured(
    components: Components, maxima: Maxima, cutout: Cutout, offset: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Return the measurements of components in a window that starts at pixel `offset` of a cut-out."""
    boxes = components.boxes + np.tile(offset, 2)
    brightest = components.brightest + offset
    x, y = components.brightest.T
    points = np.concatenate([brightest, 0.5 * (boxes[:, :2] + boxes[:, 2:])])
    vectors = cutout.wcs.pixels_to_vectors(*points.T)
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


def _component_table(found: _Found, about: pd.DataFrame, zooms: np.ndarray, frame: Frame) -> pd.DataFrame:
    """Return the rows of all subjects."""
    rows = {name: np.concatenate(values) for name, values in found.rows.items()}
    number = rows["number"]
    sigma, zoom = np.array(found.sigma)[number], zooms[number]
    centre = about["ra"].to_numpy(float)[number], about["dec"].to_numpy(float)[number]
    ra, dec = sky_of_vectors(rows["towards"])
    peaks = frame.sky_to_frame(*centre, ra, dec)
    middles = np.stack(frame.sky_to_frame(*centre, *sky_of_vectors(rows["towards_box"])), axis=1)
    half = 0.5 * zoom[:, None] * rows["box_px"]
    boxes = np.concatenate([middles - half, middles + half], axis=1)
    columns = {
        "component_id": healpix_index(ra, dec),
        "subject_id": about["subject_id"].to_numpy()[number],
        "scale": NATIVE_SCALE,
        "level": rows["level"],
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
