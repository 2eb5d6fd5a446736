"""The noise of a smoothed survey is correlated as its description says."""

import numpy as np
import pytest
from scipy import ndimage
from smoothed_views import PIXEL, TO_SIGMA, first_noise

from claran_core.catalogue.measure.smoothed_survey import smoothed_survey
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]


def correlation(parts: tuple[tuple[float, float], ...], distance: float) -> float:
    return sum(weight * np.exp(-0.5 * (distance / (fwhm * TO_SIGMA)) ** 2) for weight, fwhm in parts)


@pytest.mark.parametrize("scale", [2, 4])
def test_correlation_is_that_of_smoothed_noise(scale: int) -> None:
    wide = smoothed_survey(FIRST, scale)
    assert wide.beam_arcsec == scale * 5.4
    assert sum(weight for weight, _ in wide.noise_correlation) == pytest.approx(1)
    width = np.sqrt(scale**2 - 1) * FIRST.beam_arcsec / PIXEL * TO_SIGMA
    planes = [ndimage.gaussian_filter(first_noise(1024, seed), width, mode="wrap") for seed in range(4)]
    for shift in (1, 2 * scale, 4 * scale, 8 * scale):
        found = np.mean([(np.roll(plane, shift, 1) * plane).mean() / plane.var() for plane in planes])
        assert found == pytest.approx(correlation(wide.noise_correlation, shift * PIXEL), abs=0.04)


def test_noise_as_smooth_as_the_beam_stays_so() -> None:
    ((weight, fwhm),) = smoothed_survey(SURVEYS["LOTSS"], 4).noise_correlation
    assert weight == 1 and fwhm == pytest.approx(np.sqrt(2) * 4 * SURVEYS["LOTSS"].beam_arcsec)


def test_scale_1_is_the_survey() -> None:
    assert smoothed_survey(FIRST, 1) is FIRST
