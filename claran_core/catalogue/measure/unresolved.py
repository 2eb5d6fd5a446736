"""Decide whether a source is resolved by the beam, and give the flux density that suits it best.

A point source has its flux density in its peak, which a fit of the beam measures with an error of about one
rms.  The sum over its pixels has three times that error, and only a source larger than the beam needs it.

A source with one component and one peak is *unresolved* if its integrated flux density agrees with its peak
within the noise: S_int - S_peak is at most 2.33 times its standard error, which 99 % of point sources meet.
Surveys compare S_int and S_peak with their errors as well (for example Franzen et al. 2015, MNRAS 453, 4020);
the limit is chosen here.  It needs no envelope of S_int / S_peak against SNR, which holds for one survey.
S_int - S_peak is measured twice: by the fit of a Gaussian that may be wider than the beam, which sees small
sources best, and by what remains of the sum over the aperture when all fitted beams are subtracted, which
sees what is farther out.  Both must agree.  Neighbours and missing pixels do not count, and the standard
errors take into account that peak and sum share noise.

Up to this limit the integrated flux density is the height of the fitted beam, from 3.33 standard errors on it
is the sum.  In between it changes linearly, so that it does not jump.

The fitted position is where beam and noise together are highest, so the height is too large by its variance
over the height (1 % at 10 sigma), on average.  This is subtracted.
"""

from dataclasses import dataclass, field

import numpy as np

from claran_core.catalogue.measure.beam_fit import BeamFit, fit_beam
from claran_core.catalogue.measure.radio_image import JY_TO_MJY, ApertureSum, RadioImage

__all__ = ["FluxDensity", "best_flux_density"]

# Significance of S_int - S_peak up to which a source is unresolved, and from which the sum counts alone.
UNRESOLVED_SIGMA, SUM_SIGMA = 2.33, 3.33


@dataclass(frozen=True)
class FluxDensity:
    """Integrated flux density of a source.

    Attributes
    ----------
    flux, error : float
        Flux density and its standard error, mJy.
    is_unresolved : bool
        Whether the source is unresolved; then `flux` is that of a fitted beam.
    fit : BeamFit or None
        The beam fitted to a source with one component and one peak; None if there is no fit.
    """

    flux: float
    error: float
    is_unresolved: bool
    fit: BeamFit | None = field(default=None, compare=False)

    @classmethod
    def of_sum(cls, summed: ApertureSum) -> "FluxDensity":
        """Return the sum over the pixels of a source."""
        return cls(summed.flux, summed.error, is_unresolved=False)


def best_flux_density(image: RadioImage, summed: ApertureSum, own: np.ndarray, n_peaks: int) -> FluxDensity:
    """Return the flux density of a source: of a fitted beam if it is unresolved, else the sum.

    Parameters
    ----------
    image : RadioImage
        The subject's image.
    summed : ApertureSum
        The sum over its pixels.
    own : (n, 2) int array
        Pixels ``x y`` of its components.
    n_peaks : int
        Number of its peaks by the contour rule.
    """
    if len(summed.fluxes) > 1 or n_peaks > 1:
        return FluxDensity.of_sum(summed)
    x, y = own[np.nanargmax(image.pixels[own[:, 1], own[:, 0]])]
    fit = fit_beam(image, int(image.labels[y, x]), np.array([x, y]))
    if fit is None:
        return FluxDensity.of_sum(summed)
    excess = _excess_sigma(image, summed, fit)
    part = float(np.clip((excess - UNRESOLVED_SIGMA) / (SUM_SIGMA - UNRESOLVED_SIGMA), 0.0, 1.0))
    error = image.noise_of(fit.pixels, fit.inverse[0])
    height = fit.height - error**2 / fit.height
    return FluxDensity(
        flux=(1 - part) * height * JY_TO_MJY + part * summed.flux,
        error=(1 - part) * error * JY_TO_MJY + part * summed.error,
        is_unresolved=excess <= UNRESOLVED_SIGMA,
        fit=fit,
    )


def _excess_sigma(image: RadioImage, summed: ApertureSum, fit: BeamFit) -> float:
    """Return the larger of both measurements of S_int - S_peak, in units of its standard error."""
    values = image.pixels[fit.pixels[:, 1], fit.pixels[:, 0]]
    wider = fit.widening @ values / image.noise_of(fit.pixels, fit.widening)
    aperture = summed.pixels[:, :2]
    rest = image.pixels[aperture[:, 1], aperture[:, 0]] - fit.model(aperture)
    factors = np.concatenate([np.ones(len(aperture)), -fit.change_of_sum(aperture)])
    return float(max(wider, rest.sum() / image.noise_of(np.concatenate([aperture, fit.pixels]), factors)))
