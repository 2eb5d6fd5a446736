"""Images of Gaussians in noise, with their components, for tests of measurements on one image."""

import numpy as np
from scipy import ndimage

from claran_core.catalogue.measure.pixel_beam import PixelBeam
from claran_core.catalogue.measure.radio_image import RadioImage
from claran_core.components.contour_rule import COMPONENT_SIGMA, Components, find_components
from claran_core.survey.surveys import SURVEYS

__all__ = ["BEAM_PX", "SCALE", "SIGMA", "SURVEY", "gaussian", "image_of", "noise"]

SURVEY = SURVEYS["FIRST"]
SCALE = SURVEY.pixel_scale_arcsec
SIGMA = 1.5e-4  # Jy/beam
BEAM_PX = SURVEY.beam_arcsec / SCALE
TO_SIGMA = 1 / np.sqrt(8 * np.log(2))


def gaussian(shape: tuple[int, int], x: float, y: float, peak: float, fwhm_px: float = BEAM_PX) -> np.ndarray:
    """Return the image of a circular Gaussian."""
    rows, columns = np.indices(shape)
    return peak * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / (fwhm_px * TO_SIGMA) ** 2)


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return noise of SIGMA, as smooth as the beam."""
    white = np.random.default_rng(seed).standard_normal(shape)
    plane = ndimage.gaussian_filter(white, BEAM_PX * TO_SIGMA, mode="wrap")
    return SIGMA * plane / plane.std()


def image_of(pixels: np.ndarray, sigma: float = SIGMA) -> tuple[RadioImage, Components]:
    """Return an image and its components."""
    found = find_components(pixels, sigma)
    image = RadioImage.of(pixels, found.labels, COMPONENT_SIGMA * sigma, SCALE, PixelBeam(BEAM_PX), SURVEY)
    return image, found
