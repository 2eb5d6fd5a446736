"""A radio image of a subject with its components: the stored image, or its bright native pixels.

The image of a subject of scale 1 is one layer.  A subject of a larger scale has two: the smoothed image with
the components of its scale, and the bright pixels of the native image with the components of scale 1.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from claran_core.catalogue.measure.component_pixels import pixels_of
from claran_core.catalogue.measure.contour_trace import trace_rings
from claran_core.catalogue.measure.extent import Edge, edge_errors
from claran_core.catalogue.measure.faint_emission import FaintEmission, find_faint_emission
from claran_core.catalogue.measure.pixel_beam import PixelBeam
from claran_core.catalogue.measure.place import Place, SkyPlace
from claran_core.catalogue.measure.radio_image import RadioImage
from claran_core.catalogue.measure.stored_components import StoredComponents
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.components.contour_rule import Components, find_components
from claran_core.survey.surveys import Survey

__all__ = ["Layer"]


@dataclass(frozen=True)
class Layer:
    """An image with its components.

    Attributes
    ----------
    components : StoredComponents
        The components, in the order of the labels of `image`.
    image : RadioImage
        The image inside the subject's frame.
    wcs : LinearWCS
        Geometry of the image.
    """

    components: StoredComponents
    image: RadioImage
    wcs: LinearWCS

    @classmethod
    def of(
        cls, subject: Subject, cutout: Cutout, components: StoredComponents, sigma: float, survey: Survey
    ) -> "Layer":
        """Return the layer of a whole image.

        Parameters
        ----------
        subject, cutout, components
            The subject, its radio image, and the stored components of the image's scale.
        sigma : float
            Noise of the image, from which the components were found (`claran_core.common.tables.NOISE`).
        survey : Survey
            The radio survey, smoothed as the image is.

        Raises
        ------
        InputError
            If the components are not those of the image.
        """
        visible = visible_in_frame(subject, cutout)
        found = _matching(subject, visible, components, sigma)
        scale_arcsec, beam = cutout.pixel_scale_arcsec, PixelBeam.of(cutout, survey)
        image = RadioImage.of(visible, found.labels, found.base, scale_arcsec, beam, survey)
        return cls(components, image, cutout.wcs)

    @classmethod
    def of_bright_pixels(
        cls, subject: Subject, native: Cutout, components: StoredComponents, sigma: float, survey: Survey
    ) -> "Layer":
        """Return the layer of an image of which only bright pixels are stored; others are 0.

        Arguments and errors are those of `of`; `sigma` is the noise of the whole image.
        """
        visible = visible_in_frame(subject, native)
        found = _matching(subject, visible, components, sigma)
        image = RadioImage(
            pixels=np.ascontiguousarray(visible, np.float64),
            labels=found.labels,
            base=found.base,
            pixel_scale_arcsec=native.pixel_scale_arcsec,
            beam=PixelBeam.of(native, survey),
            survey=survey,
            rms=sigma,
            brightest=float(np.nanmax(visible)),
            deepest=float(np.nanmin(visible)),
        )
        return cls(components, image, native.wcs)

    def vectors(self, points: np.ndarray) -> np.ndarray:
        """Return vectors (n, 3) towards array positions ``x y`` (n, 2), moved to the border if beyond it."""
        ny, nx = self.image.pixels.shape
        inside = np.clip(points, 0, [nx - 1, ny - 1])
        return self.wcs.pixels_to_vectors(inside[:, 0], inside[:, 1])

    def edge(self, points: np.ndarray) -> Edge:
        """Return points ``x y`` (n, 2) of contours of the image, with their errors."""
        return Edge(self.vectors(points), edge_errors(self.image, points) * self.image.pixel_scale_arcsec)

    def sky_place(self, place: Place) -> SkyPlace:
        """Return the direction and the errors of a place of the image."""
        to_sky = self.wcs.sky_matrix(float(place.point[0]), float(place.point[1]))
        covariance = to_sky @ place.covariance @ to_sky.T
        return SkyPlace(self.vectors(place.point[None])[0], covariance)

    def pixels_of(self, members: np.ndarray) -> np.ndarray:
        """Return the pixels ``x y`` (n, 2) of components; at least one."""
        return pixels_of(self.image.labels, np.asarray(members) + 1)

    def outline_of(self, members: np.ndarray) -> np.ndarray:
        """Return the points ``x y`` (n, 2) of the contours of components; at least one component."""
        image = self.image
        return trace_rings(image.pixels, image.labels, self.pixels_of(members), image.base)[0]

    @cached_property
    def faint(self) -> FaintEmission:
        """Faint emission around all components."""
        return find_faint_emission(self.image)

    def faint_edge_of(self, members: np.ndarray, peaks_mjy: np.ndarray) -> np.ndarray:
        """Return the outermost pixels ``x y`` (n, 2) of the faint emission of a source.

        `peaks_mjy` is the peak brightness (mJy/beam) of each of its components; at least one.
        """
        contours = [self.outline_of(members[[i]]) for i in range(len(members))]
        return self.faint.edge(members + 1, contours, peaks_mjy)


def _matching(
    subject: Subject, visible: np.ndarray, components: StoredComponents, sigma: float
) -> Components:
    """Return the components of an image in the order of the stored ones; refuse others."""
    found = find_components(visible, sigma)
    # The order of islands that the border of the data cuts depends on the pixels beyond it.
    ours, stored = (np.lexsort(pixels.T) for pixels in (found.brightest, components.pixels))
    if not np.array_equal(found.brightest[ours], components.pixels[stored]):
        raise InputError(
            f"subject {subject.subject_id!r} has {len(found)} components in its radio image, which are "
            f"not the {len(components)} in the table of components; rerun the stage components"
        )
    label = np.zeros(len(found) + 1, np.int32)
    label[1 + ours] = 1 + stored
    return Components(found.image, label[found.labels], found.count, found.base)
