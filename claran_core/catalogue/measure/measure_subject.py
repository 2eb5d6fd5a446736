"""Measure the sources of one subject: flux densities, sizes, positions and flags.

Converts the measurements on the radio image (`claran_core.catalogue.measure.radio`) to the sky.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from claran_core.catalogue.measure.radio import (
    RadioImage,
    RadioMeasurement,
    interpolated_peak,
    largest_extent,
    measure,
)
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag
from claran_core.common.morphology import morphology_of
from claran_core.common.noise import noise_sigma
from claran_core.common.subject import Subject, frame_positions, visible_at
from claran_core.components.component_table import SubjectComponents
from claran_core.components.contour_rule import (
    COMPONENT_SIGMA,
    brightest_pixels,
    label_components,
    secondary_peaks,
)
from claran_core.labels.dr1_labels import LABELLED_SNR
from claran_core.survey.surveys import Survey

__all__ = ["NOTHING_MEASURED", "SubjectImage", "measured_columns"]

# A local maximum inside a component is a peak when it rises by this many sigma above the saddle to a higher
# maximum.
MIN_RISE_SIGMA = 2.0

# Columns of SOURCES that cannot be NaN, with their values where nothing was measured.
NOTHING_MEASURED: Mapping[str, Any] = {
    "rule_components": 0,
    "rule_peaks": 0,
    "rule_morphology": "",
    "component_ra": [],
    "component_dec": [],
    "component_peak_flux": [],
    "component_flux": [],
    "peak_ra": [],
    "peak_dec": [],
}


@dataclass(frozen=True)
class SubjectImage:
    """One subject with its components and its radio image.

    Attributes
    ----------
    subject : Subject
        The subject.
    components : SubjectComponents
        Components of the subject, in the order of the labels of `image`.
    image : RadioImage or None
        None without a radio image or a component.
    x, y : (ny, nx) arrays
        Frame positions of the image's pixels.
    peaks : (n, 3) array
        Component (from 0) and array position ``x y`` of each secondary peak.
    brightest : (k, 2) int array
        Brightest pixel ``x y`` of each component.
    """

    subject: Subject
    components: SubjectComponents
    image: RadioImage | None
    x: np.ndarray
    y: np.ndarray
    peaks: np.ndarray
    brightest: np.ndarray

    @classmethod
    def of(
        cls, subject: Subject, cutout: Cutout | None, components: SubjectComponents, survey: Survey
    ) -> "SubjectImage":
        """Prepare a subject; the cut-out may be missing and the components may be empty.

        Raises
        ------
        InputError
            If the number of components is not that of the cut-out.
        """
        nothing = np.empty((0, 0)), np.empty((0, 0)), np.empty((0, 3)), np.empty((0, 2), int)
        if cutout is None or not len(components):
            return cls(subject, components, None, *nothing)
        x, y = frame_positions(subject, cutout)
        visible = visible_at(subject, cutout, x, y)
        sigma = noise_sigma(visible)
        base = COMPONENT_SIGMA * sigma
        filled = np.nan_to_num(visible.astype(np.float64))
        labels, count = label_components(filled, base)
        if count != len(components):
            raise InputError(
                f"subject {subject.subject_id!r} has {count} components in its radio image but "
                f"{len(components)} in the table of the fused images; rerun the fusion stage"
            )
        image = RadioImage.of(visible, labels, base, cutout.pixel_scale_arcsec, survey)
        return cls(
            subject,
            components,
            image,
            x,
            y,
            _secondary(filled, labels, sigma),
            brightest_pixels(filled, labels, count),
        )

    def frame_px(self, points: np.ndarray) -> np.ndarray:
        """Return frame positions (n, 2) of array positions ``x y`` (n, 2), interpolated between pixels."""
        limit = np.array(self.x.shape[::-1]) - 1
        inside = np.clip(points, 0, limit)
        low = np.minimum(inside.astype(int), limit - 1)
        part = inside - low
        weights = [(1 - part[:, 0], 1 - part[:, 1]), (part[:, 0], 1 - part[:, 1])]
        weights += [(1 - part[:, 0], part[:, 1]), (part[:, 0], part[:, 1])]
        placed = np.zeros((len(points), 2))
        for (right, up), (one, two) in zip(weights, [(0, 0), (1, 0), (0, 1), (1, 1)], strict=True):
            where = low[:, 1] + two, low[:, 0] + one
            placed += (right * up)[:, None] * np.stack([self.x[where], self.y[where]], axis=1)
        return placed

    def sky(self, points_frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return right ascension and declination (deg) of frame positions (n, 2)."""
        subject = self.subject
        return subject.frame.frame_to_sky(subject.ra_deg, subject.dec_deg, *np.transpose(points_frame))


def _secondary(image: np.ndarray, labels: np.ndarray, sigma: float) -> np.ndarray:
    """Return the secondary peaks of the components: component, ``x``, ``y``."""
    found = secondary_peaks(image, COMPONENT_SIGMA * sigma)
    tall = found.peak - found.saddle >= MIN_RISE_SIGMA * sigma
    x, y = found.x[tall], found.y[tall]
    return np.stack([labels[y, x] - 1, x, y], axis=1)


def measured_columns(subject_image: SubjectImage, members: tuple[int, ...]) -> dict[str, Any]:
    """Measure the source that consists of some components of a subject.

    Returns
    -------
    dict
        The measured columns of `claran_core.catalogue.product.schema.SOURCES` and ``flags``.  Without
        components or an image the columns of numbers are left out.
    """
    if subject_image.image is None or not members:
        return {**NOTHING_MEASURED, "flags": int(Flag.NO_COMPONENT)}
    own = _brightest_first(subject_image.image.pixels, subject_image.brightest, members)
    brightest = subject_image.brightest[own]
    radio = measure(subject_image.image, own, brightest)
    n_peaks = int(subject_image.components.n_peaks[own].sum())
    others = subject_image.peaks[np.isin(subject_image.peaks[:, 0], own), 1:]
    middle = subject_image.frame_px(radio.centroid[None])
    centroid = subject_image.sky(middle)
    component_sky = subject_image.sky(subject_image.frame_px(brightest.astype(float)))
    peak_sky = subject_image.sky(subject_image.frame_px(np.concatenate([brightest, others]).astype(float)))
    row: dict[str, Any] = {
        "rule_components": len(own),
        "rule_peaks": n_peaks,
        "rule_morphology": morphology_of(len(own), n_peaks)[0],
        "peak_flux": radio.peak_flux,
        "peak_flux_err": radio.peak_flux_err,
        "integrated_flux": radio.integrated_flux,
        "integrated_flux_err": radio.integrated_flux_err,
        "local_rms": radio.peak_flux_err,
        "snr": radio.peak_flux / radio.peak_flux_err,
        "centroid_ra": centroid[0][0],
        "centroid_dec": centroid[1][0],
        **_extent(subject_image, radio.outline),
        "component_ra": component_sky[0].tolist(),
        "component_dec": component_sky[1].tolist(),
        "component_peak_flux": radio.component_peak_flux.tolist(),
        "component_flux": radio.component_flux.tolist(),
        "peak_ra": peak_sky[0].tolist(),
        "peak_dec": peak_sky[1].tolist(),
    }
    return row | {"flags": _measured_flags(radio, row["snr"], len(own), n_peaks)}


def _brightest_first(pixels: np.ndarray, brightest: np.ndarray, members: tuple[int, ...]) -> list[int]:
    return sorted(members, key=lambda k: (-interpolated_peak(pixels, *brightest[k]), k))


def _extent(subject_image: SubjectImage, outline: np.ndarray) -> dict[str, float]:
    """Return tight box, largest angular size and position angle from the contours of a source."""
    points = subject_image.frame_px(outline)
    scale = subject_image.subject.frame.pixel_scale_arcsec
    low, high = points.min(axis=0), points.max(axis=0)
    ra, dec = subject_image.sky((low + high)[None] / 2)
    extent, angle = largest_extent(-scale * points)  # frame columns run west, rows south
    return {
        "tight_ra": ra[0],
        "tight_dec": dec[0],
        "tight_width": scale * (high[0] - low[0]),
        "tight_height": scale * (high[1] - low[1]),
        "largest_angular_size": extent,
        "position_angle": angle,
    }


def _measured_flags(radio: RadioMeasurement, snr: float, n_components: int, n_peaks: int) -> int:
    conditions = {
        Flag.LOW_SNR: snr < LABELLED_SNR,
        Flag.BLEND: radio.is_blended,
        Flag.ARTEFACT: radio.is_suspect,
        Flag.EDGE: radio.is_cut,
        Flag.COUNTS_CLIPPED: morphology_of(n_components, n_peaks)[1],
    }
    return sum(int(flag) for flag, holds in conditions.items() if holds)
