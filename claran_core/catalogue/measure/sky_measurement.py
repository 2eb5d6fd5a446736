"""What is measured of one source, with positions as vectors towards the sky."""

from dataclasses import dataclass

import numpy as np

from claran_core.catalogue.measure.contours import Rings
from claran_core.catalogue.measure.extent import Edge
from claran_core.catalogue.measure.layer import Layer
from claran_core.catalogue.measure.place import SkyPlace

__all__ = ["MeasuredComponents", "SkyMeasurement"]


@dataclass(frozen=True)
class MeasuredComponents:
    """The components of a source, brightest first, and its peaks.

    Attributes
    ----------
    ids : (k,) int64 array
        Identities of the components on the sky.
    ra, dec : (k,) arrays
        Position of the brightest pixel, deg, ICRS.
    peak_flux, rms : (k,) arrays
        Peak brightness and noise of the image it is measured on, mJy/beam.
    flux : (k,) array
        Summed flux density, mJy.
    n_peaks : int
        Number of peaks of all components by the contour rule.
    secondary : (m, 2) array
        Position (deg, ICRS) of further peaks of the components, highest saddle first; none of smoothed
        images.
    """

    ids: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    peak_flux: np.ndarray
    rms: np.ndarray
    flux: np.ndarray
    n_peaks: int
    secondary: np.ndarray

    @classmethod
    def brightest_first(cls, parts: "list[MeasuredComponents]") -> "MeasuredComponents":
        """Join the components of several images; of equally bright ones the earlier stays first."""
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("ids", "ra", "dec", "peak_flux", "rms", "flux")
        }
        order = np.argsort(-joined["peak_flux"], kind="stable")
        return cls(
            **{name: values[order] for name, values in joined.items()},
            n_peaks=sum(part.n_peaks for part in parts),
            secondary=np.concatenate([part.secondary for part in parts]),
        )


@dataclass(frozen=True)
class SkyMeasurement:
    """Measurements of one source.

    Attributes
    ----------
    components : MeasuredComponents
        Its components.
    integrated_flux, integrated_flux_err : float
        Best flux density and its standard error, mJy.
    is_unresolved : bool
        Whether this is the flux density of a fitted beam.
    centroid : SkyPlace
        Flux-weighted centroid.
    fitted : SkyPlace or None
        Peak of the beam fitted to a source with one component and one peak; None if there is no fit.
    outline : Edge
        Points of its contours.
    rings : Rings
        Its closed contours.
    faint : Edge
        Outermost points of its faint emission, beyond the contours; may be empty
        (`claran_core.catalogue.measure.faint_emission`).
    is_blended, is_suspect : bool
        Other emission is close; it may be a sidelobe.
    layer : Layer or None
        The image on which its flux density is measured; None if that has no data there.
    labels : (k,) int array
        Labels of its components in this image.
    members : tuple of (Layer, int array)
        The images of its components, finest first, and the indices of the components in each; those without
        any are left out.
    """

    components: MeasuredComponents
    integrated_flux: float
    integrated_flux_err: float
    is_unresolved: bool
    centroid: SkyPlace
    fitted: SkyPlace | None
    outline: Edge
    rings: Rings
    faint: Edge
    is_blended: bool
    is_suspect: bool
    layer: Layer | None
    labels: np.ndarray
    members: tuple[tuple[Layer, np.ndarray], ...]

    @property
    def best(self) -> SkyPlace:
        """Position of the source: the fitted peak if it is unresolved, else the centroid."""
        return self.fitted if self.is_unresolved and self.fitted is not None else self.centroid
