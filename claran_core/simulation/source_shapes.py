"""Random shapes of extended radio sources: cores, jets, knots, hotspots, lobes and plumes, as Gaussians.

A shape is drawn from a source type (`claran_core.simulation.recipes`).  Two arms leave the host in roughly
opposite directions.  They are curved, differ in length and flux, and carry emission that ends in hotspots or
fades.  Lobes are clouds of overlapping Gaussians, which gives them the irregular outline of real lobes.
"""

import math
from dataclasses import dataclass

import numpy as np

from claran_core.common.sky import FloatOrArray
from claran_core.simulation.recipes import BEAM_ARCSEC, SOURCE_TYPES, SourceType

__all__ = ["POINT_ARCSEC", "SourceShape", "draw_shape"]

# FWHM of the smearing by bandwidth, time averaging and resampling: the sharpest of 151 real subjects have a
# beam of 5.9 arcsec, not 5.4.
SMEARING_ARCSEC = 2.3

# FWHM of a point source in the images.
POINT_ARCSEC = float(np.hypot(BEAM_ARCSEC, SMEARING_ARCSEC))

# FWHM of hotspots in units of the arm.
HOTSPOT_SIZE = (0.03, 0.2)

# Positions of the blobs of a jet between its inner and outer end.
JET_PARTS = np.linspace(0, 1, 6)


@dataclass(frozen=True)
class SourceShape:
    """The emission of a source before the beam, in units of the longer arm.

    Attributes
    ----------
    source_type : str
        Key of `SOURCE_TYPES`.
    blobs : (n, 6) array
        Gaussians: east and north offset, flux, FWHM along and across, position angle (rad).
    """

    source_type: str
    blobs: np.ndarray

    def gaussians(self, arm_arcsec: float, peak_snr: float) -> np.ndarray:
        """Scale the shape to an arm of this length and convolve it with the beam.

        The rows are those of `SourceModel.gaussians`.  `peak_snr` is the peak of the brightest blob; the sum
        of all blobs is brighter.
        """
        east, north, flux, along, across, angle = self.blobs.T
        along, across = (np.hypot(size * arm_arcsec, SMEARING_ARCSEC) for size in (along, across))
        major, minor = np.maximum(along, across), np.minimum(along, across)
        turned = np.where(along >= across, angle, angle + np.pi / 2)
        major, minor = np.hypot(BEAM_ARCSEC, major), np.hypot(BEAM_ARCSEC, minor)
        peak = flux * BEAM_ARCSEC**2 / (major * minor)
        return np.column_stack(
            [
                east * arm_arcsec,
                north * arm_arcsec,
                peak * peak_snr / peak.max(),
                major,
                minor,
                np.rad2deg(turned),
            ]
        )


def _uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    low, high = limits
    return low + (high - low) * rng.random()


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return math.exp(_uniform(rng, (math.log(limits[0]), math.log(limits[1]))))


def _shares(rng: np.random.Generator, concentration: float, n: int) -> np.ndarray:
    """Draw fractions that sum to one (Dirichlet); a higher concentration makes them more equal."""
    parts = rng.standard_gamma(concentration, n)
    return parts / parts.sum()


def draw_shape(rng: np.random.Generator, type_name: str, core_chance: float | None) -> SourceShape:
    """Draw a shape of a source type (a key of `SOURCE_TYPES`).

    `core_chance` replaces the probability of a core of the type, unless it is None.
    """
    form = SOURCE_TYPES[type_name]
    has_core = rng.random() < (form.core_chance if core_chance is None else core_chance)
    core = _log_uniform(rng, form.core_flux) if has_core else 0.0
    side_flux = np.array([1.0, _uniform(rng, form.side_ratio)])
    side_flux *= (1 - core) / side_flux.sum()
    lengths = np.array([1.0, _uniform(rng, form.arm_ratio)])
    if rng.random() < 0.5:
        lengths = lengths[::-1]
    curves = rng.normal(0, form.curve) * np.array(
        [1.0, (-1.0, 1.0)[rng.integers(2)] * _uniform(rng, (0.5, 1.2))]
    )
    bend = np.deg2rad(min(abs(rng.normal(0, form.bend_deg)), 150.0))
    first = rng.uniform(0, 2 * np.pi)
    directions = (first, first + np.pi - bend)
    parts, arms = [], []
    for flux, *arm in zip(side_flux, lengths, curves, directions, strict=True):
        if flux > 0.002:
            parts.append(_draw_side(rng, form, flux))
            arms += [arm] * len(parts[-1])
    blobs = _on_arms(np.concatenate(parts), *np.array(arms).T)
    return SourceShape(
        type_name, np.concatenate([[[0.0, 0.0, core, 0.0, 0.0, 0.0]], blobs]) if core else blobs
    )


def _draw_side(rng: np.random.Generator, form: SourceType, flux: float) -> np.ndarray:
    """Draw the emission of one side, in units of its arm.

    Columns: distance along and offset across the arm, flux, FWHM along and across.
    """
    hotspots, jet = flux * _uniform(rng, form.hotspot_flux), flux * _uniform(rng, form.jet_flux)
    n_knots = int(rng.integers(form.knots[0], form.knots[1] + 1))
    knots = flux * n_knots * _uniform(rng, (0.08, 0.3))
    lobe = max(flux - hotspots - jet - knots, 0.1 * flux)
    parts = [_lobe(rng, form, lobe)]
    if hotspots > 0:
        parts.append(_hotspots(rng, hotspots))
    if jet > 0:
        parts.append(_jet(rng, jet))
    if n_knots:
        parts.append(_knots(rng, knots, n_knots))
    return np.concatenate(parts)


def _rows(
    along: np.ndarray,
    across: np.ndarray,
    flux: np.ndarray,
    length: FloatOrArray,
    breadth: FloatOrArray,
) -> np.ndarray:
    """Return the columns of `_draw_side` as one array."""
    rows = np.empty((len(along), 5))
    for column, values in enumerate((along, across, flux, length, breadth)):
        rows[:, column] = values
    return rows


def _hotspots(rng: np.random.Generator, flux: float) -> np.ndarray:
    """Draw one hotspot at the end of the arm, or two."""
    n = 1 + (rng.random() < 0.3)
    shares = _shares(rng, 2.0, n)
    along = 1 - np.abs(rng.normal(0, 0.08, n))
    size = rng.uniform(*HOTSPOT_SIZE, n)
    return _rows(along, rng.normal(0, 0.05, n), flux * shares, size, size * rng.uniform(0.5, 1, n))


def _jet(rng: np.random.Generator, flux: float) -> np.ndarray:
    """Draw a narrow ridge that fades outwards from the core."""
    along = 0.04 + _uniform(rng, (0.2, 0.76)) * JET_PARTS
    shares = np.exp(-_uniform(rng, (0.0, 2.0)) * JET_PARTS)
    return _rows(along, rng.normal(0, 0.01, JET_PARTS.size), flux * shares / shares.sum(), 0.08, 0.03)


def _knots(rng: np.random.Generator, flux: float, n: int) -> np.ndarray:
    """Draw knots along the arm."""
    along = (np.arange(n) + rng.uniform(0.3, 0.9, n)) / (n + 0.3)
    return _rows(along, rng.normal(0, 0.03, n), flux * _shares(rng, 3.0, n), 0.05, 0.04)


def _lobe(rng: np.random.Generator, form: SourceType, flux: float) -> np.ndarray:
    """Draw a lobe or plume: an irregular cloud of blobs from its inner to its outer end."""
    n = int(rng.integers(6, 15))
    start, width = _uniform(rng, form.lobe_start), _uniform(rng, form.lobe_width)
    part = np.sort(rng.random(n))
    along = start + (1 - start) * part
    local = width * (form.widening + (1 - form.widening) * part)
    # Blobs of about half the lobe's width, scattered such that the cloud has that width.
    size = local * rng.uniform(0.15, 0.85, n)
    across = rng.normal(0, 0.33, n) * local
    shares = np.exp(_uniform(rng, form.brightening) * part + rng.normal(0, 0.7, n)) * size
    stretch = rng.uniform(1.0, 1.6, n)
    return _rows(along - 0.3 * size, across, flux * shares / shares.sum(), size * stretch, size)


def _on_arms(blobs: np.ndarray, length: np.ndarray, curve: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Place the emission of both sides on their curved arms; rows as in `SourceShape.blobs`.

    The rows of `blobs` are those of `_draw_side`, each with the length, curve and direction of its arm.
    """
    along, across, flux, blob_length, breadth = blobs.T
    along, across = along * length, across * length + curve * length * along**2
    sin, cos = np.sin(direction), np.cos(direction)
    placed = np.empty((len(blobs), 6))
    placed[:, 0] = along * sin + across * cos
    placed[:, 1] = along * cos - across * sin
    placed[:, 2] = flux
    placed[:, 3] = blob_length * length
    placed[:, 4] = breadth * length
    placed[:, 5] = direction + np.arctan(2 * curve * along)
    return placed
