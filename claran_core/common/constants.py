"""Constants that several stages use."""

import numpy as np

__all__ = [
    "ARCSEC_PER_DEG",
    "DEG_PER_HOUR",
    "FWHM_PER_SIGMA",
    "GAUSSIAN_AREA",
    "HOURS_PER_CIRCLE",
    "QUANTILE_PROBABILITIES",
]

ARCSEC_PER_DEG = 3600.0

# Right ascensions in hours.
HOURS_PER_CIRCLE = 24.0
DEG_PER_HOUR = 15.0

# FWHM of a Gaussian in units of its standard deviation.
FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))

# Area of a Gaussian of height 1 over the product of the FWHM of its axes: solid angle of a beam of FWHM 1.
GAUSSIAN_AREA = np.pi / (4 * np.log(2))

# Probabilities at which measured distributions are tabulated.
QUANTILE_PROBABILITIES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
