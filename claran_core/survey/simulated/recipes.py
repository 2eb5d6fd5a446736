"""What kinds of extended radio source there are, how many, how bright and how large: numbers only.

A source is a chain of peaks along a curved axis.  Neighbouring peaks are linked by a bridge (``=``), which
keeps them in one contour, or by a gap (``-``), which parts them.  ``=-`` is a source of two components
and three peaks, and any number of either can be written down.

Distributions are tabulated at p0, p5, p25, p50, p75, p95 and p100.  Brightnesses are in units of FIRST's
typical noise, measured on 310 labelled FIRST sources; sizes follow the 11,836 Radio Galaxy Zoo sources of
the paper; the mix follows its Table 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["BEAM_ARCSEC", "RECIPES", "SINGLE", "SNR_UNIT_JY", "ChainRecipe", "SingleRecipe"]

# FIRST's restoring beam, FWHM.
BEAM_ARCSEC = 5.4

# Jy/beam of one unit of signal to noise: the median noise of a 3 arcmin cut-out around a source.
SNR_UNIT_JY = 1.65e-4

Quantiles = tuple[float, float, float, float, float, float, float]


@dataclass(frozen=True)
class ChainRecipe:
    """A class of sources with several peaks.

    Attributes
    ----------
    links : str
        Links between neighbouring peaks, ``=`` bridge or ``-`` gap.
    density_deg2 : float
        Sources per square degree.
    peak_snr : tuple of 7 float
        Signal to noise of the brightest peak.
    span_arcsec : tuple of 7 float
        Distance between the outermost peaks.
    end_ratio : tuple of 7 float
        Fainter over brighter of the two outermost peaks.
    inner_ratio : tuple of 7 float
        Peaks between them, over the brighter outermost one.
    """

    links: str
    density_deg2: float
    peak_snr: Quantiles
    span_arcsec: Quantiles
    end_ratio: Quantiles
    inner_ratio: Quantiles

    @property
    def n_components(self) -> int:
        """Contours the source is meant to fall into."""
        return 1 + self.links.count("-")

    @property
    def n_peaks(self) -> int:
        """Peaks the source is meant to show."""
        return 1 + len(self.links)


@dataclass(frozen=True)
class SingleRecipe:
    """Resolved sources of one component and one peak.

    Attributes
    ----------
    density_deg2 : float
        Sources per square degree.
    peak_snr : tuple of 7 float
        Signal to noise of the peak.
    size_arcsec : tuple of 7 float
        FWHM of the major axis before the beam.
    """

    density_deg2: float
    peak_snr: Quantiles
    size_arcsec: Quantiles


SINGLE = SingleRecipe(
    density_deg2=10.6,
    peak_snr=(10, 13, 31, 80, 98, 324, 900),
    size_arcsec=(0.3, 1.0, 2.2, 3.5, 5.5, 9.5, 13),
)

_ENDS_JOINED: Quantiles = (0.3, 0.44, 0.62, 0.78, 0.9, 0.99, 1.0)
_ENDS_APART: Quantiles = (0.15, 0.22, 0.45, 0.66, 0.8, 0.94, 1.0)

RECIPES: Mapping[str, ChainRecipe] = MappingProxyType(
    {
        "1C_2P": ChainRecipe(
            "=", 3.0, (18, 22, 41, 74, 98, 345, 900), (7, 8, 11, 15, 20, 34, 48), _ENDS_JOINED, _ENDS_JOINED
        ),
        "1C_3P": ChainRecipe(
            "==",
            0.30,
            (17, 20, 43, 71, 126, 297, 800),
            (16, 18, 23, 30, 40, 63, 85),
            (0.25, 0.4, 0.62, 0.8, 0.9, 0.99, 1.0),
            (0.2, 0.3, 0.6, 0.9, 1.2, 2.0, 3.0),
        ),
        "2C_2P": ChainRecipe(
            "-", 2.1, (13, 16, 22, 27, 42, 64, 200), (10, 11, 15, 22, 36, 69, 100), _ENDS_APART, _ENDS_APART
        ),
        "2C_3P": ChainRecipe(
            "=-",
            0.26,
            (18, 21, 29, 62, 104, 222, 500),
            (15, 18, 26, 36, 50, 84, 110),
            (0.12, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0),
            (0.1, 0.2, 0.4, 0.65, 0.85, 1.3, 2.0),
        ),
        "3C_3P": ChainRecipe(
            "--",
            0.29,
            (13, 17, 25, 34, 59, 161, 400),
            (20, 22, 32, 43, 58, 88, 118),
            (0.18, 0.3, 0.5, 0.68, 0.84, 0.95, 1.0),
            (0.05, 0.1, 0.22, 0.35, 0.55, 1.0, 1.6),
        ),
        "1C_4P": ChainRecipe(
            "===",
            0.04,
            (20, 25, 45, 75, 130, 300, 800),
            (32, 36, 44, 54, 66, 90, 110),
            _ENDS_JOINED,
            (0.3, 0.4, 0.6, 0.85, 1.1, 1.6, 2.0),
        ),
        "2C_4P": ChainRecipe(
            "=-=",
            0.04,
            (22, 26, 45, 75, 120, 250, 500),
            (36, 40, 50, 62, 76, 100, 115),
            _ENDS_JOINED,
            (0.2, 0.3, 0.5, 0.7, 0.85, 1.0, 1.2),
        ),
        "3C_4P": ChainRecipe(
            "=--",
            0.035,
            (22, 26, 40, 60, 100, 220, 500),
            (38, 42, 54, 66, 80, 105, 120),
            _ENDS_APART,
            (0.15, 0.2, 0.35, 0.5, 0.7, 1.0, 1.2),
        ),
        "4C_4P": ChainRecipe(
            "---",
            0.025,
            (16, 20, 30, 45, 70, 160, 400),
            (44, 48, 60, 72, 86, 110, 125),
            _ENDS_APART,
            (0.12, 0.2, 0.3, 0.45, 0.65, 0.9, 1.0),
        ),
        "5C_5P": ChainRecipe(
            "----",
            0.01,
            (18, 24, 35, 50, 80, 160, 400),
            (60, 64, 76, 90, 104, 122, 130),
            _ENDS_APART,
            (0.15, 0.22, 0.32, 0.45, 0.65, 0.9, 1.0),
        ),
    }
)
