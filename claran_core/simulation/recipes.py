"""Parameters of the extended radio sources: types, number densities, brightnesses and extents.

A `SourceRecipe` gives the intended counts of a source by the contour rule of Radio Galaxy Zoo DR1, the number
density, brightness and extent of such sources, and their possible `SourceType`.  A source type gives the
ranges from which `claran_core.simulation.source_shapes` draws jets, hotspots, lobes and plumes.

Brightnesses are in units of FIRST's typical noise, measured on 310 labelled FIRST sources; sizes are those
of the 11,836 Radio Galaxy Zoo sources of the paper; the mix follows its Table 1.  Distributions are
tabulated at p0, p5, p25, p50, p75, p95 and p100.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["BEAM_ARCSEC", "SOURCE_TYPES", "RECIPES", "SNR_UNIT_JY", "SourceType", "SourceRecipe"]

# FIRST's restoring beam, FWHM.
BEAM_ARCSEC = 5.4

# Jy/beam of one unit of signal to noise: the median noise of a 3 arcmin cut-out around a source.
SNR_UNIT_JY = 1.65e-4

Range = tuple[float, float]
Quantiles = tuple[float, float, float, float, float, float, float]


@dataclass(frozen=True)
class SourceType:
    """A type of radio galaxy.  Lengths are in units of the longer arm, fluxes in units of the total flux.

    Attributes
    ----------
    core_chance : float
        Probability of a core.
    core_flux : (low, high)
        Flux of the core (log-uniform).
    arm_ratio, side_ratio : (low, high)
        Length of the shorter arm over the longer one; flux of the fainter side over the brighter one.
    bend_deg : float
        Scale of the angle by which the arms are not opposite (half-normal).
    curve : float
        Scale of the sideways offset at the end of a curved arm (normal); the arms curve to the same side (C)
        or to opposite sides (S).
    hotspot_flux : (low, high)
        Flux of a side's hotspots over that of the side.
    lobe_start, lobe_width : (low, high)
        Inner end and FWHM of a lobe or plume.
    widening : float
        Width at the inner end over that at the outer one.
    brightening : (low, high)
        Natural logarithm of the surface brightness at the outer end over that at the inner end: positive
        for edge-brightened lobes (FRII), negative for fading plumes (FRI).
    jet_flux : (low, high)
        Flux of a side's inner jet over that of the side.
    knots : (low, high)
        Number of knots along a side.
    """

    core_chance: float
    core_flux: Range
    arm_ratio: Range
    side_ratio: Range
    bend_deg: float
    curve: float
    hotspot_flux: Range
    lobe_start: Range
    lobe_width: Range
    widening: float
    brightening: Range
    jet_flux: Range
    knots: tuple[int, int]


SOURCE_TYPES: Mapping[str, SourceType] = MappingProxyType(
    {
        # Two lobes with hotspots at their ends, mostly without a detected core (FRII).
        "double": SourceType(
            core_chance=0.3,
            core_flux=(0.003, 0.05),
            arm_ratio=(0.6, 1.0),
            side_ratio=(0.4, 1.0),
            bend_deg=7.0,
            curve=0.05,
            hotspot_flux=(0.0, 0.4),
            lobe_start=(0.35, 0.85),
            lobe_width=(0.3, 0.9),
            widening=0.8,
            brightening=(0.0, 2.5),
            jet_flux=(0.0, 0.05),
            knots=(0, 0),
        ),
        # A double with a bright core.
        "triple": SourceType(
            core_chance=1.0,
            core_flux=(0.015, 0.25),
            arm_ratio=(0.55, 1.0),
            side_ratio=(0.4, 1.0),
            bend_deg=8.0,
            curve=0.06,
            hotspot_flux=(0.0, 0.4),
            lobe_start=(0.35, 0.85),
            lobe_width=(0.25, 0.75),
            widening=0.8,
            brightening=(-0.3, 2.0),
            jet_flux=(0.0, 0.1),
            knots=(0, 0),
        ),
        # A bright core closer to one lobe, possibly in contact with it.
        "lopsided": SourceType(
            core_chance=1.0,
            core_flux=(0.03, 0.25),
            arm_ratio=(0.25, 0.8),
            side_ratio=(0.45, 1.0),
            bend_deg=12.0,
            curve=0.08,
            hotspot_flux=(0.0, 0.4),
            lobe_start=(0.0, 0.95),
            lobe_width=(0.25, 0.8),
            widening=0.8,
            brightening=(0.0, 2.0),
            jet_flux=(0.0, 0.1),
            knots=(0, 0),
        ),
        # Jets that flare into fading plumes (FRI).
        "plumes": SourceType(
            core_chance=0.9,
            core_flux=(0.01, 0.25),
            arm_ratio=(0.5, 1.0),
            side_ratio=(0.4, 1.0),
            bend_deg=15.0,
            curve=0.12,
            hotspot_flux=(0.0, 0.0),
            lobe_start=(0.0, 0.2),
            lobe_width=(0.25, 0.7),
            widening=0.35,
            brightening=(-2.5, 0.0),
            jet_flux=(0.1, 0.5),
            knots=(0, 2),
        ),
        # Arms bent to one side by the ambient medium: wide- and narrow-angle tails.
        "bent": SourceType(
            core_chance=0.8,
            core_flux=(0.02, 0.3),
            arm_ratio=(0.5, 1.0),
            side_ratio=(0.4, 1.0),
            bend_deg=60.0,
            curve=0.2,
            hotspot_flux=(0.0, 0.5),
            lobe_start=(0.1, 0.6),
            lobe_width=(0.2, 0.5),
            widening=0.6,
            brightening=(-1.5, 1.0),
            jet_flux=(0.0, 0.4),
            knots=(0, 2),
        ),
        # A core with a jet to one side.
        "core_jet": SourceType(
            core_chance=1.0,
            core_flux=(0.1, 0.5),
            arm_ratio=(0.2, 0.8),
            side_ratio=(0.0, 0.1),
            bend_deg=20.0,
            curve=0.12,
            hotspot_flux=(0.0, 0.5),
            lobe_start=(0.1, 0.7),
            lobe_width=(0.15, 0.5),
            widening=0.5,
            brightening=(-1.5, 1.0),
            jet_flux=(0.1, 0.6),
            knots=(0, 2),
        ),
        # Lobes without hotspots, as in dying sources or wide bridges.
        "relaxed": SourceType(
            core_chance=0.3,
            core_flux=(0.005, 0.1),
            arm_ratio=(0.6, 1.0),
            side_ratio=(0.4, 1.0),
            bend_deg=12.0,
            curve=0.08,
            hotspot_flux=(0.0, 0.08),
            lobe_start=(0.0, 0.6),
            lobe_width=(0.3, 0.8),
            widening=1.0,
            brightening=(-1.0, 1.0),
            jet_flux=(0.0, 0.1),
            knots=(0, 0),
        ),
        # Wide lobes far from the core.
        "wide": SourceType(
            core_chance=0.5,
            core_flux=(0.01, 0.2),
            arm_ratio=(0.5, 1.0),
            side_ratio=(0.45, 1.0),
            bend_deg=12.0,
            curve=0.08,
            hotspot_flux=(0.0, 0.15),
            lobe_start=(0.5, 0.95),
            lobe_width=(0.4, 1.1),
            widening=0.9,
            brightening=(-0.5, 1.5),
            jet_flux=(0.0, 0.05),
            knots=(0, 0),
        ),
        # Hotspots with faint lobes, for sources too small for the lobes of other types.
        "points": SourceType(
            core_chance=0.5,
            core_flux=(0.03, 0.4),
            arm_ratio=(0.4, 1.0),
            side_ratio=(0.35, 1.0),
            bend_deg=8.0,
            curve=0.05,
            hotspot_flux=(0.8, 1.0),
            lobe_start=(0.6, 0.95),
            lobe_width=(0.05, 0.2),
            widening=1.0,
            brightening=(0.0, 2.0),
            jet_flux=(0.0, 0.05),
            knots=(0, 0),
        ),
        # Several knots along both jets.
        "knotty": SourceType(
            core_chance=0.8,
            core_flux=(0.02, 0.25),
            arm_ratio=(0.6, 1.0),
            side_ratio=(0.4, 1.0),
            bend_deg=12.0,
            curve=0.1,
            hotspot_flux=(0.05, 0.4),
            lobe_start=(0.3, 0.8),
            lobe_width=(0.15, 0.5),
            widening=0.8,
            brightening=(-0.5, 1.5),
            jet_flux=(0.0, 0.1),
            knots=(1, 3),
        ),
    }
)


@dataclass(frozen=True)
class SourceRecipe:
    """A class of sources.

    Attributes
    ----------
    n_components, n_peaks : int
        Counts by the contour rule without noise; for the recipe ``beyond`` the smallest counts above three.
    density_deg2 : float
        Sources per square degree.
    peak_snr : tuple of 7 float
        Signal to noise of the brightest pixel.
    extent_arcsec : tuple of 7 float
        Extent as DR1 measures it (``ang_extent``).
    types : mapping
        Relative frequency of the source types.
    core_chance : float, optional
        Replaces that of the source types.
    """

    n_components: int
    n_peaks: int
    density_deg2: float
    peak_snr: Quantiles
    extent_arcsec: Quantiles
    types: Mapping[str, float]
    core_chance: float | None = None


# Table 1 divided by its 78,600 sources, times 16.6 per square degree.  At that time RGZ had classified about
# half of its subjects, 8 per square degree, and the table counts sources with a consensus of at least 0.6.
RECIPES: Mapping[str, SourceRecipe] = MappingProxyType(
    {
        "1C_1P": SourceRecipe(
            1,
            1,
            10.6,
            (9, 13, 31, 80, 98, 324, 900),
            (6.0, 9.3, 13.3, 17.0, 21.0, 28.1, 50.0),
            {"core_jet": 0.35, "relaxed": 0.25, "double": 0.2, "plumes": 0.2},
        ),
        "1C_2P": SourceRecipe(
            1,
            2,
            3.0,
            (16, 22, 41, 74, 98, 345, 1000),
            (18.3, 21.3, 26.3, 30.7, 36.9, 52.1, 100.0),
            {"double": 0.4, "lopsided": 0.25, "core_jet": 0.1, "relaxed": 0.15, "bent": 0.1},
        ),
        "1C_3P": SourceRecipe(
            1,
            3,
            0.30,
            (16, 20, 43, 71, 126, 297, 900),
            (23.9, 30.4, 37.9, 46.7, 58.5, 84.3, 120.0),
            {"triple": 0.3, "knotty": 0.35, "bent": 0.2, "plumes": 0.15},
        ),
        "2C_2P": SourceRecipe(
            2,
            2,
            2.1,
            (11, 16, 22, 27, 42, 64, 250),
            (11.6, 13.7, 19.3, 26.1, 37.1, 67.4, 100.0),
            {"wide": 0.45, "double": 0.45, "lopsided": 0.1},
            core_chance=0.1,
        ),
        "2C_3P": SourceRecipe(
            2,
            3,
            0.26,
            (16, 21, 29, 62, 104, 222, 800),
            (16.4, 21.4, 29.4, 37.7, 50.9, 75.5, 110.0),
            {"lopsided": 0.4, "wide": 0.45, "triple": 0.15},
        ),
        "3C_3P": SourceRecipe(
            3,
            3,
            0.29,
            (12, 17, 25, 34, 59, 161, 500),
            (20.9, 25.8, 35.9, 47.4, 65.3, 91.0, 125.0),
            {"triple": 0.35, "wide": 0.45, "lopsided": 0.1, "bent": 0.05, "knotty": 0.05},
            core_chance=1.0,
        ),
        "beyond": SourceRecipe(
            4,
            4,
            0.18,
            (16, 20, 40, 65, 120, 280, 800),
            (32.0, 38.0, 52.0, 66.0, 82.0, 108.0, 130.0),
            {"knotty": 0.7, "bent": 0.15, "plumes": 0.15},
        ),
    }
)
