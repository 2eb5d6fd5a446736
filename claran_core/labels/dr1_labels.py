"""Labels by the DR1 rule: boxes and classes of the true sources of each subject (paper section 3.3).

The grouping of components into sources comes from people (the RGZ label table) or from the simulation.
Everything else is computed from the image by `claran_core.components.contour_rule`.  The box of a source is
a square with the source's extent as its side, centred on the source and clipped to the frame.

The contour rule runs on the pixels of the cut-out inside the subject's frame, as in DR1.  If several
simulated sources share a contour, it belongs to the source with the largest flux in it.  A contour in which
that source has less than a third of the flux is noise.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from claran_core.common.cutout import Cutout
from claran_core.common.flags import Flag
from claran_core.common.morphology import morphology_of
from claran_core.common.noise import noise_sigma
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.common.tables import LABELS
from claran_core.components.contour_rule import (
    COMPONENT_SIGMA,
    MIN_COMPONENT_PX,
    Components,
    dr1_extent,
    find_components,
    union_centre,
)
from claran_core.labels.consensus import consensus_level, difficulty_of

__all__ = [
    "LocatedSource",
    "TrueSource",
    "components_in_frame",
    "label_from_table",
    "label_simulated",
    "label_table",
    "rows_from_table",
    "simulated_rows",
    "truth_box",
]

logger = logging.getLogger(__name__)

# A contour belongs to a simulated source that has at least this share of the flux measured in it.
MIN_FLUX_SHARE = 1 / 3

# Sources fainter than this have no label.  In 151 real subjects, islands of more than one pixel outside the
# central source are labelled in 14 of 17 cases above 10 sigma, but in 0 of 6 cases below
# (benchmarks/science/dr1_labels.py).
LABELLED_SNR = 10.0


class LocatedSource(Protocol):
    """A source of a sky with known truth: its name and the position of its host."""

    @property
    def source_id(self) -> str:
        """Unique name."""
        ...

    @property
    def ra_deg(self) -> float:
        """Right ascension of the host, deg, ICRS."""
        ...

    @property
    def dec_deg(self) -> float:
        """Declination of the host, deg, ICRS."""
        ...


class TrueSource(LocatedSource, Protocol):
    """A source of a sky with known truth, and its emission in the window of a cut-out."""

    @property
    def host_magnitude(self) -> float:
        """W1 magnitude of the host (Vega)."""
        ...

    @property
    def image(self) -> np.ndarray:
        """Noise-free emission of this source, ``(ny, nx)``, in the unit and pixels of the cut-out."""
        ...


def truth_box(subject: Subject, ra_deg: float, dec_deg: float, extent_arcsec: float) -> np.ndarray:
    """Return the square ``x1 y1 x2 y2`` (frame px) around a position, clipped to the frame.

    Its side is `extent_arcsec`.
    """
    x, y = subject.frame.sky_to_frame(subject.ra_deg, subject.dec_deg, ra_deg, dec_deg)
    half = extent_arcsec / subject.frame.pixel_scale_arcsec / 2
    return np.clip(np.array([x - half, y - half, x + half, y + half]), 0.0, subject.frame.size_px)


def label_simulated(
    subject: Subject,
    cutout: Cutout,
    sources: Sequence[TrueSource],
    *,
    sigma: float | None = None,
    faintest_snr: float = LABELLED_SNR,
) -> pd.DataFrame:
    """Label the simulated sources of a subject by the DR1 rule.

    Parameters
    ----------
    subject : Subject
        The subject.
    cutout : Cutout
        Its radio image with noise.
    sources : sequence of TrueSource
        Sources whose emission reaches the cut-out.
    sigma : float, optional
        Noise of the image inside the frame, if it is known.
    faintest_snr : float
        Sources whose brightest pixel is below this many sigma have no label; 0 labels all sources that the
        contour rule detects.

    Returns
    -------
    DataFrame
        Columns of `claran_core.common.tables.LABELS`; sources without a component have no row.  The
        consensus level is that of `claran_core.labels.consensus`.
    """
    return label_table(simulated_rows(subject, cutout, sources, sigma=sigma, faintest_snr=faintest_snr))


def simulated_rows(
    subject: Subject,
    cutout: Cutout,
    sources: Sequence[TrueSource],
    *,
    sigma: float | None = None,
    faintest_snr: float = LABELLED_SNR,
) -> list[dict[str, Any]]:
    """Return the rows of `label_simulated`, which `label_table` turns into a table."""
    components = components_in_frame(subject, cutout, sigma)
    owners = _owners(components, [source.image for source in sources])
    x, y = components.brightest.T
    snr = components.image[y, x] * (COMPONENT_SIGMA / components.base)
    owners[components.n_pixels < MIN_COMPONENT_PX] = -1
    rows = []
    for index in np.unique(owners[owners >= 0]):
        if snr[owners == index].max() < faintest_snr:
            continue
        row = _measured_row(subject, cutout, components, np.flatnonzero(owners == index))
        magnitude = sources[index].host_magnitude
        hardness = difficulty_of(components, snr, owners, index, host_magnitude=magnitude)
        rows.append(row | _known(sources[index], consensus_level(row["morphology"], hardness)))
    return [row for row in rows if _is_in_frame(row)]


def _known(source: TrueSource, consensus: float) -> dict[str, Any]:
    """Return the columns of a label that do not come from the image."""
    return {
        "label_id": source.source_id,
        "consensus": consensus,
        "host_ra": source.ra_deg,
        "host_dec": source.dec_deg,
    }


def label_from_table(
    subject: Subject, cutout: Cutout | None, rows: pd.DataFrame, *, sigma: float | None = None
) -> pd.DataFrame:
    """Label one subject from the RGZ label table.

    Parameters
    ----------
    subject : Subject
        The subject.
    cutout : Cutout or None
        Its radio image, if there is one.
    rows : DataFrame
        Rows of the subject from `claran_core.labels.rgz_table.read_label_table`.
    sigma : float, optional
        Noise of the image inside the frame, if it is known.

    Returns
    -------
    DataFrame
        Columns of `claran_core.common.tables.LABELS`.

    Notes
    -----
    The centre of a source is ``source_ra, source_dec`` if the table has them.  Otherwise it is the centre of
    the contours at the labelled component positions, or without an image the centre of those positions.
    """
    return label_table(rows_from_table(subject, cutout, rows, sigma=sigma))


def rows_from_table(
    subject: Subject, cutout: Cutout | None, rows: pd.DataFrame, *, sigma: float | None = None
) -> list[dict[str, Any]]:
    """Return the rows of `label_from_table`, which `label_table` turns into a table."""
    components = None if cutout is None else components_in_frame(subject, cutout, sigma)
    labels = []
    row: Any
    for row in rows.itertuples():
        ra, dec = float(row.source_ra), float(row.source_dec)
        if not (np.isfinite(ra) and np.isfinite(dec)):
            ra, dec = _centre_of(row.component_ra, row.component_dec, cutout, components)
        measured = _row(
            subject,
            centre=(ra, dec),
            counts=(int(row.num_cpnts), int(row.num_peaks)),
            extent_arcsec=float(row.ang_extent),
            positions=(list(row.component_ra), list(row.component_dec)),
        )
        known = {
            "label_id": str(row.catalog_id),
            "consensus": float(row.cl),
            "host_ra": float(row.host_ra),
            "host_dec": float(row.host_dec),
        }
        labels.append(measured | known)
    return [label for label in labels if _is_in_frame(label)]


def components_in_frame(subject: Subject, cutout: Cutout, sigma: float | None = None) -> Components:
    """Find the components in the part of a cut-out inside the frame; the noise is that of the same part."""
    visible = visible_in_frame(subject, cutout)
    return find_components(visible, noise_sigma(visible) if sigma is None else sigma)


def _owners(components: Components, models: Sequence[np.ndarray]) -> np.ndarray:
    """Return the index of the source of each component, -1 for noise; ``(len(components),)``."""
    if not len(components) or not models:
        return np.full(len(components), -1)
    inside = np.flatnonzero(components.labels)
    own = components.labels.ravel()[inside] - 1
    parts = np.stack([np.bincount(own, plane.ravel()[inside], len(components)) for plane in models])
    owner = parts.argmax(axis=0)
    return np.where(parts.max(axis=0) >= MIN_FLUX_SHARE * components.flux, owner, -1)


def _measured_row(
    subject: Subject, cutout: Cutout, components: Components, own: np.ndarray
) -> dict[str, Any]:
    """Measure the source that consists of components `own` by the DR1 rule."""
    boxes = components.boxes[own]
    points = np.concatenate([components.brightest[own], [union_centre(boxes)]])
    ra, dec = (axis.tolist() for axis in cutout.wcs.pixels_to_sky(*points.T))
    return _row(
        subject,
        centre=(ra.pop(), dec.pop()),
        counts=(len(own), int(components.n_peaks[own].sum())),
        extent_arcsec=dr1_extent(boxes) * cutout.pixel_scale_arcsec,
        positions=(ra, dec),
    )


def _row(
    subject: Subject,
    *,
    centre: tuple[float, float],
    counts: tuple[int, int],
    extent_arcsec: float,
    positions: tuple[list[float], list[float]],
) -> dict[str, Any]:
    """Return the measured columns of a label."""
    morphology, clipped = morphology_of(*counts)
    box = truth_box(subject, *centre, extent_arcsec)
    return {
        "subject_id": subject.subject_id,
        "split": subject.split,
        "ra": centre[0],
        "dec": centre[1],
        **dict(zip(("box_x1", "box_y1", "box_x2", "box_y2"), box, strict=True)),
        "morphology": morphology,
        "n_components": counts[0],
        "n_peaks": counts[1],
        "angular_size": extent_arcsec,
        "flags": int(Flag.COUNTS_CLIPPED if clipped else Flag(0)),
        "component_ra": positions[0],
        "component_dec": positions[1],
    }


def _centre_of(
    ra_deg: Sequence[float], dec_deg: Sequence[float], cutout: Cutout | None, components: Components | None
) -> tuple[float, float]:
    """Return the centre of a source: of its contours if the image shows them all, else of its positions."""
    if cutout is not None and components is not None:
        x, y = cutout.wcs.sky_to_pixels(np.asarray(ra_deg), np.asarray(dec_deg))
        indices = [components.at(*position) for position in zip(x, y, strict=True)]
        found = [index for index in indices if index is not None]
        if len(found) == len(indices):
            centre = cutout.wcs.pixels_to_sky(*union_centre(components.boxes[found]))
            return float(centre[0]), float(centre[1])
    # Offsets from the first position are continuous across RA 0.
    offset = (np.asarray(ra_deg) - ra_deg[0] + 180.0) % 360.0 - 180.0
    return (
        float((ra_deg[0] + (offset.min() + offset.max()) / 2) % 360.0),
        float((np.min(dec_deg) + np.max(dec_deg)) / 2),
    )


def _is_in_frame(row: Mapping[str, Any]) -> bool:
    """Return whether the clipped box is not empty; a source wholly outside the subject has no label."""
    return row["box_x2"] > row["box_x1"] and row["box_y2"] > row["box_y1"]


def label_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a table with the columns of `claran_core.common.tables.LABELS`."""
    return pd.DataFrame(list(rows), columns=LABELS.names)
