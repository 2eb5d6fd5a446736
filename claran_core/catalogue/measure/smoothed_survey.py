"""Describe a radio survey as smoothed to a larger beam: what its pixels and their noise are then."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from claran_core.survey.surveys import Survey

__all__ = ["smoothed_survey"]


@lru_cache(maxsize=64)
def smoothed_survey(survey: Survey, scale: int) -> Survey:
    """Return a radio survey with a beam `scale` times as wide; 1 returns the survey as it is.

    The image is convolved with a Gaussian of FWHM ``sqrt(scale^2 - 1)`` beams (of which the larger pixels are
    a part), so the correlation of its noise is that of the survey, convolved twice with this kernel.  Each
    Gaussian of the correlation becomes wider, and loses height by the ratio of the areas.  The noise is
    assumed to be the same everywhere and in all directions.
    """
    if scale == 1:
        return survey
    weight, fwhm = np.array(survey.noise_gaussians, np.float64).T
    wide = np.sqrt(fwhm**2 + 2 * (scale**2 - 1) * survey.beam_arcsec**2)
    weight = weight * (fwhm / wide) ** 2
    correlation = zip((weight / weight.sum()).tolist(), wide.tolist(), strict=True)
    return replace(survey, beam_arcsec=scale * survey.beam_arcsec, noise_correlation=tuple(correlation))
