"""Measure the sources of one subject: flux densities, sizes, positions and flags.

Converts the measurements on the radio image (`claran_core.catalogue.measure.radio`) to the sky.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from claran_core.catalogue.measure.component_pixels import interpolated_peak, largest_extent
from claran_core.catalogue.measure.radio import RadioImage, RadioMeasurement, measure
from claran_core.catalogue.measure.stored_components import StoredComponents
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag
from claran_core.common.linear_wcs import LinearWCS, sky_of_vectors
from claran_core.common.morphology import morphology_of
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.components.contour_rule import find_components
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
    components : StoredComponents
        Components of the subject, in the order of the labels of `image`.
    image : RadioImage or None
        None without a radio image or a component.
    wcs : LinearWCS or None
        Geometry of the radio image; None without one.
    """

    subject: Subject
    components: StoredComponents
    image: RadioImage | None
    wcs: LinearWCS | None

    @classmethod
    def of(
        cls,
        subject: Subject,
        cutout: Cutout | None,
        components: StoredComponents,
        sigma: float,
        survey: Survey,
    ) -> "SubjectImage":
        """Prepare a subject; the cut-out may be missing and the components may be empty.

        Parameters
        ----------
        subject, cutout, components, survey
            The subject, its radio image, its components, and the radio survey.
        sigma : float
            Noise of the image, from which the components were found
            (`claran_core.common.tables.NOISE`).

        Raises
        ------
        InputError
            If the components are not those of the cut-out.
        """
        if cutout is None or not len(components):
            return cls(subject, components, None, None)
        visible = visible_in_frame(subject, cutout)
        found = find_components(visible, sigma)
        if not np.array_equal(found.brightest, components.pixels):
            raise InputError(
                f"subject {subject.subject_id!r} has {len(found)} components in its radio image, which are "
                f"not the {len(components)} in the table of components; rerun the stage components"
            )
        image = RadioImage.of(visible, found.labels, found.base, cutout.pixel_scale_arcsec, survey)
        return cls(subject, components, image, cutout.wcs)


def measured_columns(subject_image: SubjectImage, members: tuple[int, ...]) -> dict[str, Any]:
    """Measure the source that consists of some components of a subject.

    Returns
    -------
    dict
        The measured columns of `claran_core.catalogue.product.schema.SOURCES` and ``flags``.  Without
        components or an image the columns of numbers are left out.
    """
    image, wcs = subject_image.image, subject_image.wcs
    if image is None or wcs is None or not members:
        return {**NOTHING_MEASURED, "flags": int(Flag.NO_COMPONENT)}
    components = subject_image.components
    own = _brightest_first(image.pixels, components.pixels, members)
    radio = measure(image, own, components.pixels[own])
    n_peaks = int(components.n_peaks[own].sum())
    others = _secondary(components, own)
    ra, dec = sky_of_vectors(_vectors(wcs, radio.centroid[None], image.pixels.shape))
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
        "centroid_ra": float(ra[0]),
        "centroid_dec": float(dec[0]),
        **_extent(subject_image.subject, _vectors(wcs, radio.outline, image.pixels.shape)),
        "component_ra": components.ra[own].tolist(),
        "component_dec": components.dec[own].tolist(),
        "component_peak_flux": radio.component_peak_flux.tolist(),
        "component_flux": radio.component_flux.tolist(),
        "peak_ra": [*components.ra[own].tolist(), *others[:, 0].tolist()],
        "peak_dec": [*components.dec[own].tolist(), *others[:, 1].tolist()],
    }
    return row | {"flags": _measured_flags(radio, row["snr"], len(own), n_peaks)}


def _secondary(components: StoredComponents, own: list[int]) -> np.ndarray:
    """Return the secondary peaks (m, 4) of some components that count, the highest saddle first."""
    _, _, height, saddle = components.secondary.T
    counts = (height - saddle >= MIN_RISE_SIGMA) & np.array(
        [owner in own for owner in components.owner], bool
    )
    found = components.secondary[counts]
    return found[np.argsort(-found[:, 3], kind="stable")]


def _vectors(wcs: LinearWCS, points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return vectors (n, 3) towards array positions ``x y`` (n, 2), moved to the border if beyond it."""
    inside = np.clip(points, 0, [shape[1] - 1, shape[0] - 1])
    return wcs.pixels_to_vectors(inside[:, 0], inside[:, 1])


def _brightest_first(pixels: np.ndarray, brightest: np.ndarray, members: tuple[int, ...]) -> list[int]:
    return sorted(members, key=lambda k: (-interpolated_peak(pixels, *brightest[k]), k))


def _extent(subject: Subject, outline: np.ndarray) -> dict[str, float]:
    """Return tight box, largest angular size and position angle; vectors towards the contours are given."""
    frame = subject.frame
    points = np.stack(frame.vectors_to_frame(subject.ra_deg, subject.dec_deg, outline), axis=1)
    scale = frame.pixel_scale_arcsec
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    ra, dec = frame.frame_to_sky(subject.ra_deg, subject.dec_deg, middle[0], middle[1])
    extent, angle = largest_extent(-scale * points)  # frame columns run west, rows south
    return {
        "tight_ra": float(ra),
        "tight_dec": float(dec),
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
