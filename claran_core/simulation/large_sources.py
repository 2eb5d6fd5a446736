"""Models of radio galaxies of 2 to 15 arcmin: cores, jets, hotspots, and lobes fainter than the noise.

Unlike `claran_core.simulation.source_shapes`, whose brightness follows from the brightest pixel, the lobes of
these sources have a surface brightness of their own, in part below the threshold of the contour rule: they
break into islands, and appear as a whole when the image is smoothed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from claran_core.common.constants import GAUSSIAN_AREA
from claran_core.simulation.source_models import SourceModel
from claran_core.simulation.source_shapes import POINT_ARCSEC

__all__ = ["LARGEST_BLOB_ARCSEC", "LARGE_TYPES", "LargeType", "build_large"]

Range = tuple[float, float]

# Surface brightness of a lobe, in units of the noise per beam, at its mean (log-uniform).  In sources whose
# brightest pixel is above a level, it rises with this power of it.
LOBE_SNR = (0.7, 9.0)
BRIGHT_SNR, BRIGHT_LOBES = 60.0, 0.6

# Faintest core or hotspot, in units of the brightest of a source.  The faintest core of a bright source has
# this fraction of `BRIGHT_SNR` instead, and at least the second fraction of the brightest.
FAINTEST_POINT, FAINTEST_CORE = 0.1, 0.01

# Scatter of the natural logarithm of the brightness from blob to blob.
RAGGEDNESS = 0.7

# FWHM of blobs in units of the lobe's width (log-uniform).
BLOB_SIZE = (0.08, 0.8)

# Blobs of a lobe: one per this length (arcsec), within limits; smallest and largest FWHM.
BLOB_ARCSEC, BLOBS, SMALLEST_BLOB_ARCSEC, LARGEST_BLOB_ARCSEC = 6.0, (16, 90), 4.0, 72.0

# FWHM of hotspots and of jets, arcsec; spacing of the blobs of a jet.
HOTSPOT_ARCSEC, JET_ARCSEC, JET_SPACING_ARCSEC = (1.0, 9.0), 3.0, 6.0

# Peaks of a model: cores and hotspots, and this many of its brightest blobs.
BRIGHT_BLOBS = 4


@dataclass(frozen=True)
class LargeType:
    """A type of large source; lengths in units of the arm.

    Attributes
    ----------
    share : float
        Relative frequency.
    core_chance : float
        Probability of a core.
    arms : int
        One or two.
    arm_ratio : (low, high)
        Length of the shorter arm over the longer one.
    bend_deg, curve : float
        Scales of the angle by which the arms are not opposite, and of their sideways offset at the end.
    hotspot_chance : float
        Probability of a hotspot at the end of an arm.
    lobe_start, lobe_width : (low, high)
        Inner end and width of a lobe.
    brightening : (low, high)
        Natural logarithm of the brightness at the outer end of a lobe over that at its inner end.
    jet_chance : float
        Probability of a jet along an arm.
    inner_chance : float
        Probability of an inner pair of lobes (double-double).
    """

    share: float
    core_chance: float
    arms: int
    arm_ratio: Range
    bend_deg: float
    curve: float
    hotspot_chance: float
    lobe_start: Range
    lobe_width: Range
    brightening: Range
    jet_chance: float
    inner_chance: float

    @property
    def is_compact_somewhere(self) -> bool:
        """Whether the type has cores or hotspots."""
        return self.core_chance > 0 or self.hotspot_chance > 0


LARGE_TYPES: Mapping[str, LargeType] = MappingProxyType(
    {
        # Edge-brightened lobes with hotspots (FRII), with and without a core.
        "large_double": LargeType(
            0.3, 0.35, 2, (0.55, 1.0), 8.0, 0.05, 0.9, (0.3, 0.75), (0.2, 0.5), (0.5, 3.0), 0.1, 0.0
        ),
        "large_triple": LargeType(
            0.22, 1.0, 2, (0.5, 1.0), 8.0, 0.05, 0.85, (0.3, 0.75), (0.2, 0.5), (0.3, 2.5), 0.3, 0.0
        ),
        # Jets that flare into long fading plumes (FRI).
        "large_plumes": LargeType(
            0.15, 1.0, 2, (0.5, 1.0), 15.0, 0.15, 0.0, (0.05, 0.25), (0.15, 0.4), (-3.0, -0.5), 0.95, 0.0
        ),
        # Wide- and narrow-angle tails.
        "wide_angle_tail": LargeType(
            0.11, 0.9, 2, (0.5, 1.0), 70.0, 0.25, 0.3, (0.1, 0.4), (0.12, 0.35), (-2.5, 0.0), 0.7, 0.0
        ),
        # Remnants and relics: no core, no hotspots, many islands.
        "relic": LargeType(
            0.1, 0.0, 2, (0.6, 1.0), 20.0, 0.15, 0.0, (0.0, 0.3), (0.25, 0.7), (-0.7, 0.7), 0.0, 0.0
        ),
        # A core with one jet or tail.
        "one_sided": LargeType(
            0.06, 1.0, 1, (1.0, 1.0), 0.0, 0.2, 0.3, (0.1, 0.5), (0.12, 0.4), (-2.0, 1.0), 0.8, 0.0
        ),
        # A second, inner pair of lobes from a later outburst.
        "double_double": LargeType(
            0.06, 0.7, 2, (0.6, 1.0), 5.0, 0.03, 0.5, (0.5, 0.75), (0.2, 0.5), (0.0, 2.0), 0.0, 1.0
        ),
    }
)


@dataclass(frozen=True)
class _Arm:
    """A curved line from the host: its length (arcsec), its direction (rad) and its sideways offset."""

    length: float
    direction: float
    curve: float

    def places(self, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Return east and north offsets (arcsec) of points in units of the arm; ``(n, 2)``."""
        aside = across + self.curve * along**2
        sin, cos = np.sin(self.direction), np.cos(self.direction)
        return self.length * np.column_stack([along * sin + aside * cos, along * cos - aside * sin])

    def angle_deg(self, along: np.ndarray) -> np.ndarray:
        """Return the position angle (deg) of the arm at points."""
        return np.rad2deg(self.direction + np.arctan(2 * self.curve * along)) % 180.0


def build_large(
    rng: np.random.Generator, type_name: str, *, peak_snr: float, extent_arcsec: float
) -> SourceModel:
    """Draw a large source.

    Parameters
    ----------
    rng : Generator
        Stream to draw from.
    type_name : str
        Key of `LARGE_TYPES`.
    peak_snr : float
        Height of its brightest core or hotspot, or of its brightest part if it has neither, in units of the
        noise; the emission around it adds to that.
    extent_arcsec : float
        Largest distance between the host and the ends of its arms.

    Returns
    -------
    SourceModel
        Its counts are the smallest above three, because the contour rule is not run; its peaks are cores,
        hotspots and bright blobs.
    """
    form = LARGE_TYPES[type_name]
    arms = _arms(rng, form, extent_arcsec)
    excess = max(peak_snr / BRIGHT_SNR, 1.0)
    surface = float(np.exp(rng.uniform(*np.log(LOBE_SNR)))) * excess**BRIGHT_LOBES
    compact, diffuse = [], []
    if rng.random() < form.core_chance:
        faintest = max(FAINTEST_POINT / excess, FAINTEST_CORE)
        compact.append(_point(rng, np.zeros((1, 2)), size=0.5, faintest=faintest))
    for arm in arms:
        brightness = surface * rng.uniform(0.5, 1.0)
        diffuse.append(_lobe(rng, form, arm, brightness))
        if rng.random() < form.hotspot_chance:
            end = np.array([1 - abs(rng.normal(0, 0.05))])
            compact.append(_point(rng, arm.places(end, np.zeros(1)), size=rng.uniform(*HOTSPOT_ARCSEC)))
        if rng.random() < form.jet_chance:
            diffuse.append(_jet(rng, arm, brightness))
        if rng.random() < form.inner_chance:
            inner = _Arm(arm.length * rng.uniform(0.12, 0.4), arm.direction, 0.0)
            diffuse.append(_lobe(rng, form, inner, 2 * brightness))
            compact.append(_point(rng, inner.places(np.ones(1), np.zeros(1)), size=2.0))
    return _model(type_name, compact, np.concatenate(diffuse), peak_snr)


def _arms(rng: np.random.Generator, form: LargeType, extent_arcsec: float) -> list[_Arm]:
    """Draw the arms of a source of the requested extent."""
    first = rng.uniform(0, 2 * np.pi)
    bend = np.deg2rad(min(abs(rng.normal(0, form.bend_deg)), 130.0))
    curve = rng.normal(0, form.curve)
    ratio, same = rng.uniform(*form.arm_ratio), rng.choice([-1.0, 1.0])
    arms = [_Arm(1.0, first, curve), _Arm(ratio, first + np.pi - bend, same * curve)][: form.arms]
    ends = np.concatenate([np.zeros((1, 2)), *(arm.places(np.ones(1), np.zeros(1)) for arm in arms)])
    apart = float(np.hypot(*(ends[:, None] - ends).T).max())
    return [_Arm(arm.length * extent_arcsec / apart, arm.direction, arm.curve) for arm in arms]


def _lobe(rng: np.random.Generator, form: LargeType, arm: _Arm, mean_snr: float) -> np.ndarray:
    """Draw a cloud of blobs with this mean brightness; rows as in `SourceModel.gaussians`."""
    start, width = rng.uniform(*form.lobe_start), rng.uniform(*form.lobe_width)
    n = int(np.clip((1 - start) * arm.length / BLOB_ARCSEC, *BLOBS))
    along = np.sort(rng.uniform(start, 1.0, n))
    part = (along - start) / (1 - start)
    # Plumes widen outwards, lobes are round.
    widths = width * np.clip(0.4 + part, 0.4, 1.0)
    size = arm.length * widths * np.exp(rng.uniform(np.log(BLOB_SIZE[0]), np.log(BLOB_SIZE[1]), n))
    size = np.clip(size, SMALLEST_BLOB_ARCSEC, LARGEST_BLOB_ARCSEC)
    length = np.minimum(size * rng.uniform(1.0, 1.8, n), LARGEST_BLOB_ARCSEC)
    places = arm.places(along - 0.2 * size / arm.length, rng.normal(0, 0.3, n) * widths)
    weight = np.exp(rng.uniform(*form.brightening) * part + rng.normal(0, RAGGEDNESS, n))
    major, minor = np.hypot(POINT_ARCSEC, length), np.hypot(POINT_ARCSEC, size)
    area = arm.length**2 * (1 - start) * float(widths.mean())
    beams = GAUSSIAN_AREA * float((weight * major * minor).sum())
    peak = weight * mean_snr * area / beams
    return np.column_stack([places, peak, major, minor, arm.angle_deg(along)])


def _jet(rng: np.random.Generator, arm: _Arm, lobe_snr: float) -> np.ndarray:
    """Draw a ragged ridge from the host outwards."""
    length = rng.uniform(0.3, 0.9)
    n = int(np.clip(length * arm.length / JET_SPACING_ARCSEC, 4, 60))
    along = np.linspace(0.03, length, n)
    places = arm.places(along, rng.normal(0, 0.01, n))
    peak = lobe_snr * rng.uniform(0.5, 3.0) * np.exp(rng.normal(0, RAGGEDNESS, n) - 1.5 * along)
    breadth = np.hypot(POINT_ARCSEC, JET_ARCSEC + 0.05 * arm.length * along)
    major = np.maximum(np.hypot(POINT_ARCSEC, length * arm.length / n), breadth)
    return np.column_stack([places, peak, major, breadth, arm.angle_deg(along)])


def _point(
    rng: np.random.Generator, place: np.ndarray, size: float, faintest: float = FAINTEST_POINT
) -> np.ndarray:
    """Draw a core or hotspot of a relative height (log-uniform)."""
    fwhm = float(np.hypot(POINT_ARCSEC, size))
    return np.column_stack([place, [[np.exp(rng.uniform(np.log(faintest), 0.0)), fwhm, fwhm, 0.0]]])


def _model(type_name: str, compact: list[np.ndarray], diffuse: np.ndarray, peak_snr: float) -> SourceModel:
    """Scale cores and hotspots, or without them everything, to the brightest pixel."""
    if compact:
        points = np.concatenate(compact)
        points[:, 2] *= peak_snr / points[:, 2].max()
    else:
        points = np.empty((0, 6))
        diffuse[:, 2] *= peak_snr / diffuse[:, 2].max()
    brightest = diffuse[np.argsort(-diffuse[:, 2], kind="stable")[:BRIGHT_BLOBS]]
    peaks = np.concatenate([points, brightest])
    peaks = peaks[np.argsort(-peaks[:, 2], kind="stable")]
    return SourceModel(type_name, np.concatenate([points, diffuse]), peaks[:, :2], 4, 4)
