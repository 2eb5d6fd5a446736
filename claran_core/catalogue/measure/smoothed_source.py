"""Measure a source of a subject of scale 2, 4 or 8, on its smoothed image and on its bright native pixels.

A source consists of components of the smoothed image, and of components of the native image that lie in no
contour of the smoothed one.  Of the latter, the smoothed pixels under their native pixels belong to the
source.  Flux density, centroid and blending are those of the smoothed image, with its larger beam; peaks and
the list of components are those of the native image.  A component of the smoothed image that contains no
native component is listed itself.

The contours of a source are those of its native components, and of the contours of the smoothed image the
points that these do not explain.  A contour around a smoothed Gaussian is farther out than that around the
native one, by the difference of the radii at which the two fall to the levels of their contours.  Points
nearer to the contour of a native component than this difference (and half a pixel) are left out.  So a
compact hotspot keeps its native extent, and diffuse emission beyond the native contours counts.  The same
holds for the faint emission of the smoothed image (`claran_core.catalogue.measure.faint_emission`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from claran_core.catalogue.measure.component_pixels import farther_than, paint, pixels_of
from claran_core.catalogue.measure.contours import Rings
from claran_core.catalogue.measure.extent import Edge
from claran_core.catalogue.measure.faint_emission import FAINT_SIGMA, FaintEmission, find_faint_emission
from claran_core.catalogue.measure.layer import Layer
from claran_core.catalogue.measure.place import SkyPlace, centroid, fitted_peak, mean_on_sky
from claran_core.catalogue.measure.radio import (
    is_below_hole,
    is_blended,
    may_be_sidelobe,
    peak_brightness,
)
from claran_core.catalogue.measure.radio_image import JY_TO_MJY, RadioImage, sum_components
from claran_core.catalogue.measure.sky_measurement import MeasuredComponents, SkyMeasurement
from claran_core.catalogue.measure.unresolved import FluxDensity, best_flux_density
from claran_core.common.errors import InputError
from claran_core.common.subject import Subject
from claran_core.components.contour_rule import COMPONENT_SIGMA

__all__ = ["SmoothedImage", "measure_smoothed"]

# Neighbouring pixels of the smoothed image that may hold the peak of a native component.
AROUND = np.array([[x, y] for y in (-1, 0, 1) for x in (-1, 0, 1)])


@dataclass(frozen=True)
class _Members:
    """Components of one source, by their indices in the two layers.

    Attributes
    ----------
    smoothed : (n,) int array
        Components of the smoothed image.
    bare : (b,) int array
        Those that contain no native component.
    native : (k,) int array
        Native components.
    alone : (a,) int array
        Those in no contour of the smoothed image.
    """

    smoothed: np.ndarray
    bare: np.ndarray
    native: np.ndarray
    alone: np.ndarray


@dataclass(frozen=True)
class SmoothedImage:
    """The two layers of a subject of a larger scale.

    Attributes
    ----------
    subject : Subject
        The subject.
    own, native : Layer
        The smoothed image and the bright native pixels, with their components.
    """

    subject: Subject
    own: Layer
    native: Layer

    @cached_property
    def _under(self) -> dict[int, np.ndarray]:
        """Pixels ``x y`` of the smoothed image under each native component outside all of its contours."""
        units = np.flatnonzero(self.native.components.part_of < 0)
        return {int(k): self._places(self.native.pixels_of(units[i : i + 1])) for i, k in enumerate(units)}

    @cached_property
    def _faint(self) -> FaintEmission:
        """Faint emission of the smoothed image.

        Native components outside all of its contours have the labels after those of its own.
        """
        labels = self.own.image.labels.copy()
        for k, places in self._under.items():
            paint(labels, places, len(self.own.components) + 1 + k)
        return find_faint_emission(replace(self.own.image, labels=labels))

    def faint_edge(self, members: _Members) -> np.ndarray:
        """Return the outermost pixels ``x y`` (n, 2) of the faint emission of a source."""
        own, smoothed = self.own, members.smoothed
        contours = [own.outline_of(smoothed[[i]]) for i in range(len(smoothed))]
        contours += [self._under[int(k)].astype(np.float64) for k in members.alone]
        # The smoothed image does not reach its contour at a native component outside all contours.
        peaks = np.full(len(contours), own.image.base * JY_TO_MJY)
        peaks[: len(smoothed)] = peak_brightness(own.image, own.components.pixels[smoothed])
        numbers = np.concatenate([smoothed + 1, len(own.components) + 1 + members.alone])
        return self._faint.edge(numbers, contours, peaks)

    def _places(self, native_pixels: np.ndarray) -> np.ndarray:
        """Return the pixels ``x y`` of the smoothed image that contain native pixels, each once."""
        x, y = self.own.wcs.vectors_to_pixels(self.native.vectors(native_pixels))
        ny, nx = self.own.image.pixels.shape
        return np.unique(
            np.clip(np.rint(np.stack([x, y], axis=1)).astype(np.int64), 0, [nx - 1, ny - 1]), axis=0
        )

    def members(self, unit_ids: Sequence[int], component_ids: Sequence[int]) -> _Members:
        """Return the members of a source.

        Raises
        ------
        InputError
            If the subject has no such unit or component.
        """
        own, native = _numbers(self.own), _numbers(self.native)
        unknown = [i for i in unit_ids if i not in own and i not in native]
        unknown += [i for i in component_ids if i not in own and i not in native]
        if unknown:
            raise InputError(f"subject {self.subject.subject_id!r} has no component {unknown[0]}")
        listed = np.array(sorted(native[i] for i in component_ids if i in native), np.int64)
        part_of = self.native.components.part_of[listed]
        stray = self.native.components.ids[listed[(part_of >= 0) & ~np.isin(part_of, unit_ids)]]
        if len(stray):
            raise InputError(
                f"subject {self.subject.subject_id!r}: component {stray[0]} is part of a unit that is not"
                " in its source"
            )
        return _Members(
            smoothed=np.array(sorted(own[i] for i in unit_ids if i in own), np.int64),
            bare=np.array(sorted(own[i] for i in component_ids if i not in native), np.int64),
            native=listed,
            alone=listed[part_of < 0],
        )

    def labelled(self, members: _Members) -> tuple[RadioImage, np.ndarray]:
        """Return the smoothed image with labels for native components, and the labels of the source.

        Native components outside all contours of the smoothed image get pixels without a label: first those
        of the source, then the others.  The source gets at least the pixel under each brightest pixel.
        """
        labels = self.own.image.labels.copy()
        mine = len(self.own.components) + 1
        for k in members.alone:
            if not paint(labels, self._under[int(k)], mine):
                ((x, y),) = self._places(self.native.components.pixels[[k]])
                labels[y, x] = mine
        for k in self._under.keys() - set(members.alone.tolist()):
            paint(labels, self._under[k], mine + 1)
        numbers = np.append(members.smoothed + 1, [mine] if len(members.alone) else []).astype(np.int64)
        return replace(self.own.image, labels=labels), numbers


def measure_smoothed(
    image: SmoothedImage, unit_ids: Sequence[int], component_ids: Sequence[int]
) -> SkyMeasurement:
    """Measure the source that consists of some units of a subject of a larger scale.

    Parameters
    ----------
    image : SmoothedImage
        The subject's images.
    unit_ids : sequence of int
        Identities of its units: components of the subject's scale, and native ones outside all of these.
    component_ids : sequence of int
        Identities of its components: native ones, and those of the subject's scale that contain none.

    Raises
    ------
    InputError
        If the subject has no such unit or component.
    """
    members = image.members(unit_ids, component_ids)
    listed = ((image.native, members.native), (image.own, members.bare))
    native, bare = (_measured(layer, chosen) for layer, chosen in listed)
    parts = MeasuredComponents.brightest_first([native, bare])
    contours = _native_contours(image, members)
    labelled, numbers = image.labelled(members)
    own = pixels_of(labelled.labels, numbers)
    has_data = bool(np.isfinite(labelled.pixels[own[:, 1], own[:, 0]]).any())
    layer = replace(image.own, image=labelled) if has_data else None
    if has_data:
        n_peaks = max(parts.n_peaks, int(image.own.components.n_peaks[members.smoothed].sum()))
        best = best_flux_density(labelled, sum_components(labelled, numbers, own), own, n_peaks)
    else:
        # A component at the border of the data: the smoothed image has no pixel there.
        labelled, numbers = image.native.image, members.native + 1
        own = image.native.pixels_of(members.native)
        best = FluxDensity.of_sum(sum_components(labelled, numbers, own))
    return SkyMeasurement(
        components=parts,
        integrated_flux=best.flux,
        integrated_flux_err=best.error,
        is_unresolved=best.is_unresolved,
        centroid=_centroid(image, members),
        fitted=None if best.fit is None else image.own.sky_place(fitted_peak(labelled, best.fit)),
        outline=_outline(image, members, native, contours),
        rings=Rings.joined([Rings.of(image.native, members.native), Rings.of(image.own, members.smoothed)]),
        faint=_faint(image, members, native, contours),
        is_blended=is_blended(labelled, numbers, own),
        is_suspect=_is_suspect(image, members, native),
        layer=layer,
        labels=numbers,
        members=tuple((of, chosen) for of, chosen in listed if len(chosen)),
    )


def _numbers(layer: Layer) -> dict[int, int]:
    ids = layer.components.ids.tolist()
    return dict(zip(ids, range(len(ids)), strict=True))


def _measured(layer: Layer, members: np.ndarray) -> MeasuredComponents:
    """Measure components on the image of their layer; there may be none."""
    stored, image = layer.components, layer.image
    flux = np.empty(0)
    if len(members):
        flux = sum_components(image, members + 1, layer.pixels_of(members)).fluxes
    return MeasuredComponents(
        ids=stored.ids[members],
        ra=stored.ra[members],
        dec=stored.dec[members],
        peak_flux=peak_brightness(image, stored.pixels[members]),
        rms=np.full(len(members), image.rms * JY_TO_MJY),
        flux=flux,
        n_peaks=int(stored.n_peaks[members].sum()),
        secondary=np.empty((0, 2)),
    )


def _centroid(image: SmoothedImage, members: _Members) -> SkyPlace:
    """Return the flux-weighted centroid.

    Components of the smoothed image count, and native components outside their contours.
    """
    places, fluxes, errors = [], [], []
    for layer, chosen in ((image.own, members.smoothed), (image.native, members.alone)):
        if len(chosen):
            summed = sum_components(layer.image, chosen + 1, layer.pixels_of(chosen))
            found = centroid(layer.image, chosen + 1, summed)
            places.append(layer.sky_place(found))
            fluxes.append(found.flux)
            errors.append(found.flux_err)
    return mean_on_sky(places, np.array(fluxes), np.array(errors)) if len(places) > 1 else places[0]


def _outline(
    image: SmoothedImage, members: _Members, native: MeasuredComponents, contours: list[Edge]
) -> Edge:
    """Return the contours of a source, by the rule of this module."""
    if not len(members.smoothed):
        return Edge.join(*contours)
    wide = image.own.edge(image.own.outline_of(members.smoothed))
    far = _beyond_native(image, members, native, contours, wide, image.own.image.base)
    return Edge.join(*contours, far)


def _faint(image: SmoothedImage, members: _Members, native: MeasuredComponents, contours: list[Edge]) -> Edge:
    """Return the outermost faint emission of a source, by the rule of this module."""
    edge = image.own.edge(image.faint_edge(members))
    level = image.own.image.base * (FAINT_SIGMA / COMPONENT_SIGMA)
    return _beyond_native(image, members, native, contours, edge, level)


def _native_contours(image: SmoothedImage, members: _Members) -> list[Edge]:
    """Return the contour of each native component."""
    native = image.native
    return [native.edge(native.outline_of(members.native[[i]])) for i in range(len(members.native))]


def _beyond_native(
    image: SmoothedImage,
    members: _Members,
    native: MeasuredComponents,
    contours: list[Edge],
    edge: Edge,
    level: float,
) -> Edge:
    """Return the points that are farther from native contours than smoothing moves these.

    `contours` are those of `_native_contours`; `edge` is a contour of the smoothed image, at `level`
    (Jy/beam).
    """
    if not contours or not len(edge):
        return edge
    wings = _wings_arcsec(image, members.native, native, level)
    reach = np.repeat(wings, [len(contour) for contour in contours])
    fine = _offsets(image.subject, Edge.join(*contours).vectors)
    return edge.take(farther_than(_offsets(image.subject, edge.vectors), fine, reach))


def _offsets(subject: Subject, vectors: np.ndarray) -> np.ndarray:
    """Return offsets (n, 2) in the subject's frame, arcsec."""
    places = subject.frame.vectors_to_frame(subject.ra_deg, subject.dec_deg, vectors)
    return np.stack(places, axis=1) * subject.frame.pixel_scale_arcsec


def _wings_arcsec(
    image: SmoothedImage, members: np.ndarray, native: MeasuredComponents, level: float
) -> np.ndarray:
    """Return how much farther out the smoothed contour at a level is than that of each native component.

    In arcsec, ``(k,)``; the level is in Jy/beam.
    """
    wide, fine = image.own.image, image.native.image
    near = [image._places(image.native.components.pixels[[k]]) + AROUND for k in members]
    ny, nx = wide.pixels.shape
    seen = [wide.pixels[np.clip(at[:, 1], 0, ny - 1), np.clip(at[:, 0], 0, nx - 1)] for at in near]
    brightest = np.array([np.nanmax(values, initial=0.0) for values in seen]) * JY_TO_MJY
    after = _radius(np.minimum(brightest, native.flux), wide, level)
    return np.maximum(after - _radius(native.peak_flux, fine, fine.base), 0.0) + 0.5 * wide.pixel_scale_arcsec


def _radius(peak_mjy: np.ndarray, image: RadioImage, level: float) -> np.ndarray:
    """Return the radius (arcsec) at which point sources of an image fall to a level (Jy/beam); 0 below it.

    It is that along the major axis of the beam.
    """
    ratio = np.maximum(peak_mjy / (level * JY_TO_MJY), 1.0)
    return 0.5 * image.beam.major_px * image.pixel_scale_arcsec * np.sqrt(np.log2(ratio))


def _is_suspect(image: SmoothedImage, members: _Members, native: MeasuredComponents) -> bool:
    """Return whether a source may be a sidelobe: by its native peaks, and by its smoothed ones."""
    suspect = False
    if len(native.ids):
        suspect = may_be_sidelobe(image.native.image, float(native.peak_flux.max()))
    if len(members.smoothed):
        wide = image.own.image
        peak = float(peak_brightness(wide, image.own.components.pixels[members.smoothed]).max())
        suspect |= is_below_hole(wide, peak) or (not len(native.ids) and may_be_sidelobe(wide, peak))
    return suspect
