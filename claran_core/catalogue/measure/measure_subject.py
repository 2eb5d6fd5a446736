"""Measure the sources of one subject: flux densities, sizes, positions and flags.

Converts the measurements on the radio image (`claran_core.catalogue.measure.radio`, and for subjects of a
larger scale `claran_core.catalogue.measure.smoothed_source`) to the sky.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claran_core.catalogue.measure.component_pixels import interpolated_peak, largest_extent
from claran_core.catalogue.measure.contours import Rings
from claran_core.catalogue.measure.emission import Emission, n_prominent_peaks
from claran_core.catalogue.measure.extent import UNKNOWN_ANGLE_DEG, Edge, extent_errors
from claran_core.catalogue.measure.layer import Layer
from claran_core.catalogue.measure.radio import measure
from claran_core.catalogue.measure.radio_image import JY_TO_MJY, RadioImage
from claran_core.catalogue.measure.second_radio import NOT_MEASURED, SecondImage, measure_second
from claran_core.catalogue.measure.shape import MIN_BEAMS
from claran_core.catalogue.measure.sky_measurement import MeasuredComponents, SkyMeasurement
from claran_core.catalogue.measure.smoothed_source import SmoothedImage, measure_smoothed
from claran_core.catalogue.measure.smoothed_survey import smoothed_survey
from claran_core.catalogue.measure.stored_components import NOTHING_STORED, StoredComponents
from claran_core.catalogue.product.schema import FITTED_COLUMNS
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag
from claran_core.common.morphology import morphology_of
from claran_core.common.subject import Subject
from claran_core.common.tables import NATIVE_SCALE
from claran_core.labels.dr1_labels import LABELLED_SNR
from claran_core.survey.surveys import Survey

__all__ = ["SubjectImage", "measured_columns"]

# A local maximum inside a component is a peak when it rises by this many sigma above the saddle to a higher
# maximum.
MIN_RISE_SIGMA = 2.0


@dataclass(frozen=True)
class SubjectImage:
    """One subject with its components and its radio image.

    Attributes
    ----------
    subject : Subject
        The subject.
    image : Layer or SmoothedImage
        Its image with the components; two images where it is a view of a larger scale.
    """

    subject: Subject
    image: Layer | SmoothedImage

    @property
    def native(self) -> RadioImage:
        """Its image with the survey's beam."""
        return (self.image.native if isinstance(self.image, SmoothedImage) else self.image).image

    @property
    def beam_arcsec(self) -> float:
        """FWHM of the beam of its native pixels, arcsec; of an elliptical one the geometric mean."""
        return self.native.beam_arcsec

    @property
    def astrometric_error_arcsec(self) -> float:
        """Error of the survey's positions along each axis, arcsec."""
        return self.native.survey.astrometric_error_arcsec

    @classmethod
    def of(
        cls,
        subject: Subject,
        cutout: Cutout | None,
        components: Mapping[int, StoredComponents],
        sigma: float,
        survey: Survey,
    ) -> "SubjectImage":
        """Prepare a subject with a radio image.

        Parameters
        ----------
        subject, cutout, survey
            The subject, its radio image, and the radio survey.
        components : mapping of int to StoredComponents
            Its components by scale; scales without any may be absent.
        sigma : float
            Noise of the image, from which the components of its scale were found
            (`claran_core.common.tables.NOISE`).

        Raises
        ------
        InputError
            If there is no image, or the components are not those of the image.
        """
        if cutout is None:
            raise InputError(
                f"subject {subject.subject_id!r} has a source but no radio image; rerun the stage components"
            )
        own = components.get(subject.scale, NOTHING_STORED)
        if subject.scale == NATIVE_SCALE:
            return cls(subject, Layer.of(subject, cutout, own, sigma, survey))
        native, native_sigma = cutout.native, cutout.native_sigma
        if native is None or native_sigma is None:
            raise InputError(
                f"subject {subject.subject_id!r} of scale {subject.scale} has no native pixels; "
                "rerun the stage cutouts"
            )
        wide = Layer.of(subject, cutout, own, sigma, smoothed_survey(survey, subject.scale))
        inside = components.get(NATIVE_SCALE, NOTHING_STORED)
        fine = Layer.of_bright_pixels(subject, native, inside, native_sigma, survey)
        return cls(subject, SmoothedImage(subject, wide, fine))


def measured_columns(
    subject_image: SubjectImage,
    unit_ids: Sequence[int],
    component_ids: Sequence[int],
    second: SecondImage | None = None,
) -> dict[str, Any]:
    """Measure the source that consists of some units of a subject.

    Parameters
    ----------
    subject_image : SubjectImage
        The subject.
    unit_ids, component_ids : sequences of int
        Identities of its units and components (`claran_core.common.tables.ASSOCIATED`).
    second : SecondImage, optional
        The subject in the second radio survey, if the run has one.

    Returns
    -------
    dict
        The measured columns of `claran_core.catalogue.product.schema.SOURCES` and ``flags``; also
        ``component_ids`` in the order of the lists, ``emission`` of a source that is large enough for a shape
        (`Emission`, else None), and the positions ``peak_ra`` and ``peak_dec`` of all
        peaks that have the beam of the survey, those of components first.

    Raises
    ------
    InputError
        If the subject has no such component.
    """
    image = subject_image.image
    if isinstance(image, SmoothedImage):
        found = measure_smoothed(image, unit_ids, component_ids)
    else:
        found = _measured(subject_image.subject, image, component_ids)
    beside = NOT_MEASURED if second is None else measure_second(second, found)
    parts = found.components
    peak_flux, rms = float(parts.peak_flux[0]), float(parts.rms[0])
    extent = _extent(subject_image.subject, found, subject_image.native)
    shortest = MIN_BEAMS * found.members[0][0].image.beam_arcsec
    has_shape = not found.is_unresolved and extent["largest_angular_size"] >= shortest
    return {
        "rule_components": len(parts.ids),
        "rule_peaks": parts.n_peaks,
        "rule_morphology": morphology_of(len(parts.ids), parts.n_peaks)[0],
        "peak_flux": peak_flux,
        "peak_flux_err": rms,
        "integrated_flux": found.integrated_flux,
        "integrated_flux_err": found.integrated_flux_err,
        "unresolved": found.is_unresolved,
        "local_rms": rms,
        "snr": peak_flux / rms,
        **_positions(found, subject_image.astrometric_error_arcsec),
        **extent,
        "n_prominent_peaks": n_prominent_peaks(found.members),
        "emission": Emission.of(subject_image.subject, found) if has_shape else None,
        **beside.columns,
        **found.rings.columns(subject_image.subject),
        "component_ids": parts.ids.tolist(),
        "component_ra": parts.ra.tolist(),
        "component_dec": parts.dec.tolist(),
        "component_peak_flux": parts.peak_flux.tolist(),
        "component_flux": parts.flux.tolist(),
        "peak_ra": [*parts.ra.tolist(), *parts.secondary[:, 0].tolist()],
        "peak_dec": [*parts.dec.tolist(), *parts.secondary[:, 1].tolist()],
        "flags": _measured_flags(found, peak_flux / rms) | int(beside.flags),
    }


def _measured(subject: Subject, layer: Layer, component_ids: Sequence[int]) -> SkyMeasurement:
    """Measure the source that consists of some components of a subject of scale 1."""
    stored = layer.components
    own = np.flatnonzero(np.isin(stored.ids, component_ids))
    unknown = sorted(set(component_ids) - set(stored.ids[own].tolist()))
    if unknown:
        raise InputError(f"subject {subject.subject_id!r} has no component {unknown[0]}")
    heights = [-interpolated_peak(layer.image.pixels, *stored.pixels[k]) for k in own]
    own = own[np.argsort(heights, kind="stable")]
    n_peaks = int(stored.n_peaks[own].sum())
    radio = measure(layer.image, own.tolist(), stored.pixels[own], n_peaks=n_peaks)
    return SkyMeasurement(
        components=MeasuredComponents(
            ids=stored.ids[own],
            ra=stored.ra[own],
            dec=stored.dec[own],
            peak_flux=radio.component_peak_flux,
            rms=np.full(len(own), layer.image.rms * JY_TO_MJY),
            flux=radio.component_flux,
            n_peaks=n_peaks,
            secondary=_secondary(stored, own)[:, :2],
        ),
        integrated_flux=radio.integrated_flux,
        integrated_flux_err=radio.integrated_flux_err,
        is_unresolved=radio.is_unresolved,
        centroid=layer.sky_place(radio.centroid),
        fitted=None if radio.fitted is None else layer.sky_place(radio.fitted),
        outline=layer.edge(radio.outline),
        rings=Rings.of(layer, own),
        faint=layer.edge(layer.faint_edge_of(own, radio.component_peak_flux)),
        is_blended=radio.is_blended,
        is_suspect=radio.is_suspect,
        layer=layer,
        labels=own + 1,
        members=((layer, own),),
    )


def _positions(found: SkyMeasurement, floor_arcsec: float) -> dict[str, float]:
    """Return the columns of the positions; `floor_arcsec` is the error of the survey's along each axis."""
    fitted = dict.fromkeys(FITTED_COLUMNS, math.nan)
    if found.fitted is not None:
        fitted = found.fitted.columns("fitted_", floor_arcsec)
    return {
        **found.best.columns("", floor_arcsec),
        **fitted,
        **found.centroid.columns("centroid_", floor_arcsec),
    }


def _secondary(components: StoredComponents, own: np.ndarray) -> np.ndarray:
    """Return the secondary peaks (m, 4) of some components that count, the highest saddle first."""
    _, _, height, saddle = components.secondary.T
    counts = (height - saddle >= MIN_RISE_SIGMA) & np.array(
        [owner in own for owner in components.owner], bool
    )
    found = components.secondary[counts]
    return found[np.argsort(-found[:, 3], kind="stable")]


def _extent(subject: Subject, found: SkyMeasurement, native: RadioImage) -> dict[str, float]:
    """Return the tight box of contours, and largest angular size and position angle with faint emission.

    `native` is the image with the survey's beam; its noise counts where the source has no other image.
    """
    frame = subject.frame
    edge = Edge.join(found.outline, found.faint)
    points = np.stack(frame.vectors_to_frame(subject.ra_deg, subject.dec_deg, edge.vectors), axis=1)
    scale = frame.pixel_scale_arcsec
    contours = points[: len(found.outline)]
    low, high = contours.min(axis=0), contours.max(axis=0)
    middle = (low + high) / 2
    ra, dec = frame.frame_to_sky(subject.ra_deg, subject.dec_deg, middle[0], middle[1])
    offsets = -scale * points  # frame columns run west, rows south
    extent, angle = largest_extent(offsets)
    image = native if found.layer is None else found.layer.image
    extent_err, angle_err = extent_errors(image, offsets, edge.errors)
    return {
        "tight_ra": float(ra),
        "tight_dec": float(dec),
        "tight_width": scale * (high[0] - low[0]),
        "tight_height": scale * (high[1] - low[1]),
        "largest_angular_size": extent,
        "largest_angular_size_err": extent_err,
        "position_angle": angle,
        # The largest distance across a point is that of the beam and the noise.
        "position_angle_err": UNKNOWN_ANGLE_DEG if found.is_unresolved else angle_err,
    }


def _measured_flags(found: SkyMeasurement, snr: float) -> int:
    conditions = {
        Flag.LOW_SNR: snr < LABELLED_SNR,
        Flag.BLEND: found.is_blended,
        Flag.ARTEFACT: found.is_suspect,
        Flag.COUNTS_CLIPPED: morphology_of(len(found.components.ids), found.components.n_peaks)[1],
    }
    return sum(int(flag) for flag, holds in conditions.items() if holds)
