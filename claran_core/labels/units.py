"""The units of a view at the nominal level: the components that the rule of DR1 counts and measures."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.flags import Flag
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.morphology import morphology_of
from claran_core.common.subject import Subject
from claran_core.components.contour_rule import COMPONENT_SIGMA, Components, dr1_extent, union_centre
from claran_core.labels.owners import Rows

__all__ = ["Units", "measured_row", "truth_box"]


@dataclass(frozen=True)
class Units:
    """Components of one view, in the pixels of one image.

    Attributes
    ----------
    wcs : LinearWCS
        Geometry of the image.
    boxes : (n, 4) float64 array
        Contour boxes ``x1 y1 x2 y2``, pixels of the image.
    ra_deg, dec_deg : (n,) float64 arrays
        Brightest pixel, ICRS.
    n_peaks : (n,) int64 array
        Peaks.
    snr : (n,) float64 array
        Brightest pixel over the noise of the image in which the component is found.
    """

    wcs: LinearWCS
    boxes: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    n_peaks: np.ndarray
    snr: np.ndarray

    @classmethod
    def of_image(cls, components: Components, wcs: LinearWCS) -> "Units":
        """Return the components of an image of this geometry."""
        x, y = components.brightest.T
        return cls(
            wcs,
            components.boxes,
            *wcs.pixels_to_sky(x, y),
            n_peaks=components.n_peaks,
            snr=components.image[y, x] * (COMPONENT_SIGMA / components.base),
        )

    @classmethod
    def of_rows(cls, subject: Subject, rows: Rows) -> "Units":
        """Return components from columns of `claran_core.common.tables.COMPONENTS`.

        The image is that of the subject's frame.
        """
        x1, y1, x2, y2 = (np.asarray(rows[name], float) for name in BOX_COLUMNS)
        north = subject.frame.size_px - 0.5
        return cls(
            subject.frame.wcs(subject.ra_deg, subject.dec_deg),
            np.stack([x1 - 0.5, north - y2, x2 - 0.5, north - y1], axis=1),
            ra_deg=rows["ra"],
            dec_deg=rows["dec"],
            n_peaks=rows["n_peaks"],
            snr=rows["snr"],
        )

    def label_row(self, subject: Subject, own: np.ndarray) -> dict[str, Any]:
        """Return the measured columns of a label: the source that consists of the units `own`."""
        boxes = self.boxes[own]
        ra, dec = self.wcs.pixels_to_sky(*union_centre(boxes))
        return measured_row(
            subject,
            centre=(float(ra), float(dec)),
            counts=(len(own), int(self.n_peaks[own].sum())),
            extent_arcsec=dr1_extent(boxes) * self.wcs.pixel_scale_arcsec,
            positions=(self.ra_deg[own].tolist(), self.dec_deg[own].tolist()),
        )


def measured_row(
    subject: Subject,
    *,
    centre: tuple[float, float],
    counts: tuple[int, int],
    extent_arcsec: float,
    positions: tuple[list[float], list[float]],
) -> dict[str, Any]:
    """Return the measured columns of a label; `positions` are those of its components, deg."""
    morphology, clipped = morphology_of(*counts)
    box = truth_box(subject, *centre, extent_arcsec)
    return {
        "subject_id": subject.subject_id,
        "split": subject.split,
        "ra": centre[0],
        "dec": centre[1],
        **dict(zip(BOX_COLUMNS, box, strict=True)),
        "morphology": morphology,
        "n_components": counts[0],
        "n_peaks": counts[1],
        "angular_size": extent_arcsec,
        "flags": int(Flag.COUNTS_CLIPPED if clipped else Flag(0)),
        "component_ra": positions[0],
        "component_dec": positions[1],
    }


def truth_box(subject: Subject, ra_deg: float, dec_deg: float, extent_arcsec: float) -> np.ndarray:
    """Return the square ``x1 y1 x2 y2`` (frame px) around a position, clipped to the frame.

    Its side is `extent_arcsec`.
    """
    x, y = subject.frame.sky_to_frame(subject.ra_deg, subject.dec_deg, ra_deg, dec_deg)
    half = extent_arcsec / subject.frame.pixel_scale_arcsec / 2
    return np.clip(np.array([x - half, y - half, x + half, y + half]), 0.0, subject.frame.size_px)
