"""Where the emission of a source lies: its contours, pixels and peaks as offsets on the sky.

Offsets are those to east and north of the centre of the subject, in the plane that touches the sky there, in
arcsec.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.measure.component_pixels import interpolated_peak
from claran_core.catalogue.measure.extent import Edge
from claran_core.catalogue.measure.layer import Layer
from claran_core.catalogue.measure.radio_image import JY_TO_MJY
from claran_core.catalogue.measure.sky_measurement import SkyMeasurement
from claran_core.common.sky import unit_vectors
from claran_core.common.subject import Subject
from claran_core.components.contour_rule import COMPONENT_SIGMA

__all__ = ["PROMINENCE_SIGMA", "BrightPixels", "Emission", "n_prominent_peaks", "offsets"]

# A peak is prominent if it is so many sigma above the saddle to a higher peak of its component.
PROMINENCE_SIGMA = 5.0


@dataclass(frozen=True)
class BrightPixels:
    """The pixels of a source inside its contours.

    Attributes
    ----------
    places : (n, 2) array
        Offsets, arcsec.
    values : (n,) array
        Surface brightness, mJy/beam.
    form : (2, 2) array
        The beam: it falls to ``exp(-4 ln 2 d' form d)`` at the offset d from its centre, arcsec.
    """

    places: np.ndarray
    values: np.ndarray
    form: np.ndarray

    @classmethod
    def of(cls, subject: Subject, layer: Layer, labels: np.ndarray) -> "BrightPixels":
        """Return the pixels of an image with some labels."""
        image = layer.image
        pixels = layer.pixels_of(labels - 1)
        values = np.nan_to_num(image.pixels[pixels[:, 1], pixels[:, 0]]) * JY_TO_MJY
        x, y = pixels.mean(axis=0)
        to_pixels = np.linalg.inv(layer.wcs.sky_matrix(float(x), float(y))) / image.beam_px
        form = to_pixels.T @ image.beam.form @ to_pixels
        return cls(offsets(subject, layer.vectors(pixels)), values, form)

    def without(self, place: np.ndarray, peak: float) -> np.ndarray:
        """Return the values without a point source at `place` (2,) of height `peak`, mJy/beam."""
        apart = self.places - place
        return self.values - peak * np.exp(-4 * np.log(2) * np.sum(apart @ self.form * apart, axis=1))


@dataclass(frozen=True)
class Emission:
    """The emission of a source.

    Attributes
    ----------
    edge : (n, 2) array
        Points of its contours and of the faint emission around them.
    finest : BrightPixels
        Its pixels in the images of its components.  Those of a coarser image than the first have the
        brightness that they would have in its beam if they were extended.
    summed : BrightPixels
        Its pixels in the image on which its flux density is measured.
    peaks : (k, 3) array
        Prominent peaks of the finest image: offsets, and height in mJy/beam.
    beam_arcsec : float
        FWHM of the beam of the finest image.
    """

    edge: np.ndarray
    finest: BrightPixels
    summed: BrightPixels
    peaks: np.ndarray
    beam_arcsec: float

    @classmethod
    def of(cls, subject: Subject, found: SkyMeasurement) -> "Emission":
        """Return the emission of a measured source."""
        layer, members = found.members[0]
        finest = _joined([BrightPixels.of(subject, own, chosen + 1) for own, chosen in found.members])
        summed = finest
        if found.layer is not None and found.layer is not layer:
            summed = BrightPixels.of(subject, found.layer, found.labels)
        return cls(
            edge=offsets(subject, Edge.join(found.outline, found.faint).vectors),
            finest=finest,
            summed=summed,
            peaks=_prominent_peaks(subject, layer, members),
            beam_arcsec=layer.image.beam_arcsec,
        )


def offsets(subject: Subject, vectors: np.ndarray) -> np.ndarray:
    """Return the offsets (n, 2) of vectors (n, 3) towards the sky."""
    x, y = subject.frame.vectors_to_frame(subject.ra_deg, subject.dec_deg, vectors)
    middle, scale = subject.frame.size_px / 2, subject.frame.pixel_scale_arcsec
    return scale * (middle - np.stack([x, y], axis=1))  # frame columns run west, rows south


def n_prominent_peaks(members: Sequence[tuple[Layer, np.ndarray]]) -> int:
    """Return the number of prominent peaks of some components of images; the highest of each is one."""
    return sum(len(chosen) + int(_is_prominent(layer, chosen).sum()) for layer, chosen in members)


def _is_prominent(layer: Layer, members: np.ndarray) -> np.ndarray:
    """Return which secondary peaks of an image are prominent ones of some components."""
    _, _, height, saddle = layer.components.secondary.T
    return (height - saddle >= PROMINENCE_SIGMA) & np.isin(layer.components.owner, members)


def _prominent_peaks(subject: Subject, layer: Layer, members: np.ndarray) -> np.ndarray:
    """Return offsets and heights (k, 3) of the prominent peaks of some components of an image."""
    stored, image = layer.components, layer.image
    highest = stored.pixels[members]
    bright = [interpolated_peak(image.pixels, x, y) for x, y in highest]
    ra, dec, snr, _ = stored.secondary[_is_prominent(layer, members)].T
    vectors = np.concatenate([layer.vectors(highest), unit_vectors(ra, dec)])
    heights = np.concatenate([bright, snr * image.base / COMPONENT_SIGMA]) * JY_TO_MJY
    return np.column_stack([offsets(subject, vectors), heights])


def _joined(parts: Sequence[BrightPixels]) -> BrightPixels:
    """Return the pixels of several images, with the brightness of extended emission in the first's beam."""
    first = parts[0]
    area = [np.sqrt(np.linalg.det(part.form) / np.linalg.det(first.form)) for part in parts]
    return BrightPixels(
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.values * ratio for part, ratio in zip(parts, area, strict=True)]),
        first.form,
    )
