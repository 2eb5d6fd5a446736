"""Find the infrared host of a radio source by likelihood ratio (Sutherland & Saunders 1992).

The likelihood ratio of a candidate of magnitude m at position r is ``LR = q(m) f(r) / n(m)``: the density of
hosts of that magnitude expected there over the density of unrelated sources.  Its reliability is
``LR / (sum of LR + 1 - Q)``, where Q is the fraction of hosts bright enough to be detected.  The remainder to
one is the probability that no candidate is the host.

The position of a host depends on the radio source.  It is the peak of a compact source; near the middle of
the outer peaks of a double; mostly an inner peak, the core, of a triple.  ``f(r)`` sums over these places.

Magnitudes and priors are those of W1, for AllWISE and unWISE alike; position errors follow the beam of the
survey (`InfraredSources.position_err`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from claran_core.catalogue.measure.infrared_sources import InfraredSources
from claran_core.common.compiled import compiled
from claran_core.common.constants import ARCSEC_PER_DEG, FWHM_PER_SIGMA
from claran_core.common.sky import sky_to_offset

__all__ = [
    "MIN_RELIABILITY",
    "NO_HOST",
    "PLACES",
    "WEIGHTS",
    "Host",
    "RadioPosition",
    "host_of",
    "position_densities",
    "radio_kind",
]

# Lowest reliability of a listed candidate.
MIN_RELIABILITY = 0.01

# Systematic error of a position along each axis: astrometry of the surveys and asymmetric hosts.
SYSTEMATIC_ARCSEC = 0.5

# Error of the position of a peak, which is the position of a pixel.
PEAK_ARCSEC = 0.55

# All numbers from here to the first class are fitted to the simulated sky by
# benchmarks/science/host_prior.py.

# Places of a host: at the centroid of a small source; around the centroid; around the middle of the two
# outermost peaks; at an inner peak; at an outer peak.  The spreads of the second and third, along and across
# the source, are these fractions of its largest angular size.
PLACES = ("point", "centroid", "middle", "inner peak", "outer peak")
CENTROID_SPREAD, MIDDLE_SPREAD = (0.101, 0.032), (0.056, 0.024)

# Fraction of hosts at each place, by peaks and components of the source.  Possible places have at least 0.02,
# because the real sky differs from the simulated one.
WEIGHTS: Mapping[str, tuple[float, ...]] = {
    "1 peak": (0.75, 0.25, 0.0, 0.0, 0.0),
    "2 peaks, 1 component": (0.0, 0.54, 0.40, 0.0, 0.06),
    "2 peaks, 2 components": (0.0, 0.29, 0.69, 0.0, 0.02),
    "3 peaks, 1 component": (0.0, 0.32, 0.02, 0.63, 0.03),
    "3 peaks, 2 components": (0.0, 0.03, 0.05, 0.90, 0.02),
}

# W1 magnitudes (Vega) of the densities; unrelated sources per square degree and magnitude; hosts per
# magnitude and radio source, and their sum Q.  They count the sources that `find_infrared_sources` finds on
# the simulated sky.  It misses hosts and unrelated sources alike, so the ratio holds for deeper images too.
MAGNITUDES = (10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0)
UNRELATED_DEG2 = (52.0, 82.0, 181.0, 370.0, 829.0, 1830.0, 3230.0, 919.0)
HOSTS: Mapping[str, tuple[float, ...]] = {
    "1 peak": (0.001, 0.001, 0.005, 0.059, 0.151, 0.235, 0.187, 0.035),
    "more peaks": (0.001, 0.001, 0.010, 0.078, 0.183, 0.287, 0.194, 0.020),
}
VISIBLE: Mapping[str, float] = {"1 peak": 0.67, "more peaks": 0.77}


@dataclass(frozen=True)
class RadioPosition:
    """The measurements of a radio source that locate its host.

    Attributes
    ----------
    centroid_ra_deg, centroid_dec_deg : float
        Flux-weighted centroid, ICRS; NaN where nothing was measured.
    peak_ra_deg, peak_dec_deg : sequence of float
        Positions of all peaks, in any order.
    n_components : int
        Number of components.
    largest_angular_size_arcsec, position_angle_deg : float
        Largest angular size, and its position angle from north through east.
    snr : float
        Peak over noise.
    beam_arcsec : float
        FWHM of the radio beam.
    """

    centroid_ra_deg: float
    centroid_dec_deg: float
    peak_ra_deg: Sequence[float]
    peak_dec_deg: Sequence[float]
    n_components: int
    largest_angular_size_arcsec: float
    position_angle_deg: float
    snr: float
    beam_arcsec: float

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any], beam_arcsec: float) -> "RadioPosition":
        """Return the position from the measured columns of a source; missing columns are NaN, 0 or empty."""
        names = ("centroid_ra", "centroid_dec", "largest_angular_size", "position_angle", "snr")
        ra, dec, size, angle, snr = (float(columns.get(name, np.nan)) for name in names)
        return cls(
            centroid_ra_deg=ra,
            centroid_dec_deg=dec,
            peak_ra_deg=columns.get("peak_ra", ()),
            peak_dec_deg=columns.get("peak_dec", ()),
            n_components=int(columns.get("rule_components", 0)),
            largest_angular_size_arcsec=size,
            position_angle_deg=angle,
            snr=snr,
            beam_arcsec=beam_arcsec,
        )


@dataclass(frozen=True)
class Host:
    """Infrared host of a radio source, and all host candidates.

    Attributes
    ----------
    ra, dec : float
        Position of the most reliable candidate, deg, ICRS.  Without candidates this and the following are
        NaN, and the reliability is 0.
    w1, w1_err : float
        W1 magnitude (Vega) and its standard error.
    separation : float
        Distance from the flux-weighted radio centroid, arcsec.
    reliability : float
        Probability that the candidate is the host.
    candidate_ra, candidate_dec, candidate_w1, candidate_reliability : tuple of float
        All candidates with at least `MIN_RELIABILITY`, most reliable first.
    """

    ra: float
    dec: float
    w1: float
    w1_err: float
    separation: float
    reliability: float
    candidate_ra: tuple[float, ...] = ()
    candidate_dec: tuple[float, ...] = ()
    candidate_w1: tuple[float, ...] = ()
    candidate_reliability: tuple[float, ...] = ()

    @property
    def columns(self) -> dict[str, Any]:
        """Values of the catalogue's host columns (`claran_core.catalogue.product.schema`)."""
        values = {f"host_{name}": value for name, value in vars(self).items()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


NO_HOST = Host(np.nan, np.nan, np.nan, np.nan, np.nan, 0.0)


def host_of(sources: InfraredSources | None, radio: RadioPosition) -> Host:
    """Return the infrared host of a radio source and all candidates.

    Parameters
    ----------
    sources : InfraredSources or None
        Infrared sources of the subject; None without an infrared image.
    radio : RadioPosition
        The radio source.

    Returns
    -------
    Host
        `NO_HOST` without an image, a radio position or a candidate of `MIN_RELIABILITY`.
    """
    if sources is None or not len(sources) or not _is_located(radio):
        return NO_HOST
    reliability = _reliabilities(sources, radio)
    chosen = np.argsort(-reliability, kind="stable")
    chosen = chosen[reliability[chosen] >= MIN_RELIABILITY]
    if not chosen.size:
        return NO_HOST
    best = chosen[0]
    return Host(
        ra=float(sources.ra[best]),
        dec=float(sources.dec[best]),
        w1=float(sources.magnitude[best]),
        w1_err=float(sources.magnitude_err[best]),
        separation=_separation(radio, float(sources.ra[best]), float(sources.dec[best])),
        reliability=float(reliability[best]),
        candidate_ra=tuple(sources.ra[chosen].tolist()),
        candidate_dec=tuple(sources.dec[chosen].tolist()),
        candidate_w1=tuple(sources.magnitude[chosen].tolist()),
        candidate_reliability=tuple(reliability[chosen].tolist()),
    )


def radio_kind(radio: RadioPosition) -> str:
    """Return the key of `WEIGHTS` for a source."""
    peaks, components = min(len(radio.peak_ra_deg), 3), min(radio.n_components, 2)
    if peaks == 1:
        return "1 peak"
    return f"{peaks} peaks, {components} component{'s' if components > 1 else ''}"


def position_densities(
    radio: RadioPosition, ra_deg: np.ndarray, dec_deg: np.ndarray, error_arcsec: np.ndarray | float
) -> np.ndarray:
    """Return the probability density (per square arcsec) of a host at each position, for each of `PLACES`.

    Parameters
    ----------
    radio : RadioPosition
        The radio source, with a centroid and at least one peak.
    ra_deg, dec_deg : (n,) arrays
        Positions, ICRS.
    error_arcsec : (n,) array or float
        Standard error of the positions along each axis.

    Returns
    -------
    (5, n) array
        Densities by place and position; 0 for the inner peaks of a source without any.
    """
    n = len(radio.peak_ra_deg)
    east, north = sky_to_offset(
        radio.centroid_ra_deg,
        radio.centroid_dec_deg,
        np.concatenate([radio.peak_ra_deg, ra_deg]),
        np.concatenate([radio.peak_dec_deg, dec_deg]),
    )
    turn = np.deg2rad(radio.position_angle_deg)
    along = np.sin(turn) * east + np.cos(turn) * north
    across = np.cos(turn) * east - np.sin(turn) * north
    order = np.argsort(along[:n], kind="stable")
    error = np.hypot(
        np.hypot(SYSTEMATIC_ARCSEC, error_arcsec), radio.beam_arcsec / FWHM_PER_SIGMA / radio.snr
    )
    return _densities(
        np.stack([along[n:], across[n:]], axis=1),
        np.stack([along[order], across[order]], axis=1),
        np.broadcast_to(error, ra_deg.shape).copy(),
        radio.largest_angular_size_arcsec,
    )


@compiled
def _densities(at: np.ndarray, peaks: np.ndarray, error: np.ndarray, size: float) -> np.ndarray:
    """Return the densities of `position_densities`.

    Parameters
    ----------
    at, peaks : (n, 2), (k, 2) arrays
        Offsets from the centroid along and across the source, arcsec; peaks in their order along it.
    error : (n,) array
        Standard error of the positions `at` and of the source along each axis, arcsec.
    size : float
        Largest angular size, arcsec.
    """
    found = np.zeros((5, len(at)))
    first, last = peaks[0], peaks[len(peaks) - 1]
    for i in range(len(at)):
        x, y, own = at[i, 0], at[i, 1], error[i]
        wide, narrow = np.hypot(own, CENTROID_SPREAD[0] * size), np.hypot(own, CENTROID_SPREAD[1] * size)
        found[0, i] = _normal(x, y, own, own)
        found[1, i] = _normal(x, y, wide, narrow)
        wide, narrow = np.hypot(own, MIDDLE_SPREAD[0] * size), np.hypot(own, MIDDLE_SPREAD[1] * size)
        found[2, i] = _normal(x - 0.5 * (first[0] + last[0]), y - 0.5 * (first[1] + last[1]), wide, narrow)
        own = np.hypot(own, PEAK_ARCSEC)
        for k in range(1, len(peaks) - 1):
            found[3, i] += _normal(x - peaks[k, 0], y - peaks[k, 1], own, own) / (len(peaks) - 2)
        for peak in (first, last):
            found[4, i] += 0.5 * _normal(x - peak[0], y - peak[1], own, own)
    return found


@compiled
def _normal(along: float, across: float, sigma_along: float, sigma_across: float) -> float:
    """Return the density of a bivariate normal distribution at an offset."""
    square = (along / sigma_along) ** 2 + (across / sigma_across) ** 2
    return np.exp(-0.5 * square) / (2 * np.pi * sigma_along * sigma_across)


def _separation(radio: RadioPosition, ra_deg: float, dec_deg: float) -> float:
    """Return the distance of a position from the centroid, arcsec, tangent plane."""
    east, north = sky_to_offset(radio.centroid_ra_deg, radio.centroid_dec_deg, ra_deg, dec_deg)
    return float(np.hypot(east, north))


def _is_located(radio: RadioPosition) -> bool:
    centroid = radio.centroid_ra_deg, radio.centroid_dec_deg
    shape = radio.largest_angular_size_arcsec, radio.position_angle_deg, radio.snr
    return len(radio.peak_ra_deg) > 0 and bool(np.isfinite([*centroid, *shape]).all()) and radio.snr > 0


def _reliabilities(sources: InfraredSources, radio: RadioPosition) -> np.ndarray:
    """Return the probability that each infrared source is the host; the sum is at most one."""
    hosts = "1 peak" if len(radio.peak_ra_deg) == 1 else "more peaks"
    density = np.array(WEIGHTS[radio_kind(radio)]) @ position_densities(
        radio, sources.ra, sources.dec, sources.position_err
    )
    ratio = _at_magnitude(sources.magnitude, HOSTS[hosts]) * density
    ratio /= _at_magnitude(sources.magnitude, UNRELATED_DEG2) / ARCSEC_PER_DEG**2
    return ratio / (ratio.sum() + 1 - VISIBLE[hosts])


def _at_magnitude(magnitude: np.ndarray, densities: tuple[float, ...]) -> np.ndarray:
    """Interpolate densities as power laws of flux; they are constant beyond the range of `MAGNITUDES`."""
    return 10 ** np.interp(magnitude, MAGNITUDES, _logarithm(densities))


@lru_cache(maxsize=8)
def _logarithm(values: tuple[float, ...]) -> np.ndarray:
    return np.log10(values)
