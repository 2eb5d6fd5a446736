"""Labels by the DR1 rule: boxes and classes of the true sources of each subject (paper section 3.3).

The grouping of components into sources comes from people (the RGZ label table) or from the simulation.
Everything else is computed from the image by `claran_core.components.contour_rule`.  The box of a source is
a square with the source's extent as its side, centred on the source and clipped to the frame.

The contour rule runs on the pixels of the cut-out inside the subject's frame, as in DR1.  Which simulated
source a contour belongs to is decided in `claran_core.labels.owners`.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from claran_core.common.cutout import Cutout
from claran_core.common.noise import noise_sigma
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.common.tables import LABELS
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.contour_rule import (
    MIN_COMPONENT_PX,
    Components,
    find_components,
    union_centre,
)
from claran_core.labels.consensus import consensus_level, difficulty_of
from claran_core.labels.owners import NO_OWNER, Rows, is_unit, owners_of, true_flux
from claran_core.labels.true_sources import TrueSource
from claran_core.labels.units import Units, measured_row

__all__ = [
    "coarse_rows",
    "components_in_frame",
    "label_from_table",
    "label_simulated",
    "label_table",
    "rows_from_table",
    "simulated_rows",
]

logger = logging.getLogger(__name__)

# Sources fainter than this have no label.  In 151 real subjects, islands of more than one pixel outside the
# central source are labelled in 14 of 17 cases above 10 sigma, but in 0 of 6 cases below
# (benchmarks/science/dr1_labels.py).
LABELLED_SNR = 10.0


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
    owner = owners_of(true_flux(components, sources, cutout.wcs), components.flux)
    owner[components.n_pixels < MIN_COMPONENT_PX] = NO_OWNER
    if (owner == NO_OWNER).all():
        return []
    units = Units.of_image(components, cutout.wcs)
    return _labelled(subject, units, owner, sources, faintest_snr)


def coarse_rows(
    subject: Subject,
    rows: Rows,
    owner: np.ndarray,
    sources: Sequence[TrueSource],
    *,
    faintest_snr: float = LABELLED_SNR,
) -> list[dict[str, Any]]:
    """Return the labels of a coarser view, as `simulated_rows`.

    Parameters
    ----------
    subject : Subject
        The subject.
    rows : mapping of str to (n,) array
        Its components, which are found in two images (`claran_core.common.tables.COMPONENTS`).
    owner : (n,) int64 array
        Their owners (`claran_core.labels.owners.simulated_owners`).
    sources, faintest_snr
        As in `label_simulated`.
    """
    nominal = np.flatnonzero(is_unit(subject, rows) & (rows["level"] == NOMINAL_LEVEL))
    units = Units.of_rows(subject, {name: values[nominal] for name, values in rows.items()})
    return _labelled(subject, units, owner[nominal], sources, faintest_snr)


def _labelled(
    subject: Subject, units: Units, owner: np.ndarray, sources: Sequence[TrueSource], faintest_snr: float
) -> list[dict[str, Any]]:
    """Return the labels of the sources that own units."""
    rows = []
    for index in np.unique(owner[owner != NO_OWNER]).tolist():
        if units.snr[owner == index].max() < faintest_snr:
            continue
        row = units.label_row(subject, np.flatnonzero(owner == index))
        magnitude = sources[index].host_magnitude
        hardness = difficulty_of(units.boxes, units.snr, owner, index, host_magnitude=magnitude)
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
        measured = measured_row(
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
