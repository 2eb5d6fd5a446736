"""The autocorrelation of noise, measured on images of known noise."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from claran_core.catalogue.measure.noise_correlation import measured_correlation
from claran_core.catalogue.measure.pixel_beam import PixelBeam
from claran_core.catalogue.measure.radio_image import RadioImage
from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.survey.description import described_survey

SIZE = 200
# A sum over many pixels has the variance of one times the integral of the correlation, 2 pi w s^2.
INTEGRAL = 2 * np.pi


def noise(seed: int, sigma: float | tuple[float, float]) -> np.ndarray:
    """Return noise of unit variance: white noise under a Gaussian of these widths (y, x; px)."""
    smooth = gaussian_filter(np.random.default_rng(seed).standard_normal((SIZE, SIZE)), sigma, mode="wrap")
    return smooth / smooth.std()


@pytest.mark.parametrize("sigma", [0.9, 1.5, 2.5])
@pytest.mark.parametrize("beam_sigma", [1.0, 1.6])
def test_noise_of_any_smoothness(sigma: float, beam_sigma: float) -> None:
    image = noise(3, sigma)
    image[40:90, 60:120] = np.nan
    found = measured_correlation(image, PixelBeam(beam_sigma * FWHM_PER_SIGMA))
    assert found is not None
    weight, width = found
    assert weight.sum() == pytest.approx(1) and (weight > 0).all()
    # Smoothing with sigma gives a correlation of sqrt(2) sigma.
    assert INTEGRAL * (weight * width**2).sum() == pytest.approx(INTEGRAL * 2 * sigma**2, rel=0.2)


def test_noise_of_an_elliptical_beam_has_its_form() -> None:
    shape = (1000 // 2, 0, 2000)  # twice as long along x as along y
    found = measured_correlation(noise(5, (1.2, 2.4)), PixelBeam(np.sqrt(1.2 * 2.4) * FWHM_PER_SIGMA, shape))
    assert found is not None
    weight, width = found
    assert (weight * width**2).sum() == pytest.approx(2 * 1.2 * 2.4, rel=0.15)
    assert weight[np.argmin(np.abs(width - np.sqrt(2 * 1.2 * 2.4)))] > 0.7


def test_nothing_to_measure() -> None:
    beam = PixelBeam(3.0)
    assert measured_correlation(np.zeros((50, 50)), beam) is None
    assert measured_correlation(np.full((50, 50), np.nan), beam) is None


def test_errors_follow_the_noise_of_an_image() -> None:
    """The scatter of sums over a disc, for noise that is smoother than the beam of the survey."""
    described = {"beam_arcsec": 6.0, "pixel_scale_arcsec": 2.0, "rms": 1.0, "noise_correlation": "measure"}
    survey = described_survey("SMOOTH", "radio", described)
    pixels = noise(8, 2.0)
    image = RadioImage.of(pixels, np.zeros((SIZE, SIZE), np.int32), 5.0, 2.0, PixelBeam(3.0), survey)
    y, x = np.nonzero(np.hypot(*np.indices((9, 9)) - 4) <= 4)
    sums = [
        pixels[y + row, x + column].sum() for row in range(0, SIZE - 9, 9) for column in range(0, SIZE - 9, 9)
    ]
    stated = image.noise_of(np.stack([x, y], axis=1), np.ones(len(x)))
    assert stated == pytest.approx(np.std(sums), rel=0.12)
    usual = RadioImage.of(
        pixels,
        np.zeros((SIZE, SIZE), np.int32),
        5.0,
        2.0,
        PixelBeam(3.0),
        described_survey("SMOOTH", "radio", {**described, "noise_correlation": ((1.0, 8.5),)}),
    )
    assert usual.noise_of(np.stack([x, y], axis=1), np.ones(len(x))) < 0.85 * stated
