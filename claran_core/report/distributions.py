"""Histograms of measured quantities for the report, and statistics of classes and hosts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["ClassRow", "Histogram", "HistogramBar", "HostSummary", "class_rows", "histograms", "host_summary"]

N_BARS = 20

# Logarithmic axes with more ticks than this have ticks at powers of ten only.
MAX_TICKS = 8

# Minimum reliability of a secure host.
SECURE = 0.8


@dataclass(frozen=True)
class HistogramBar:
    """A bar: its limits in the quantity's unit, its count, and its height relative to the highest bar."""

    low: float
    high: float
    count: int
    height: float


@dataclass(frozen=True)
class Histogram:
    """Histogram of one quantity.

    Attributes
    ----------
    name, title, unit : str
        Column of the catalogue, its title, and its unit.
    bars : tuple of HistogramBar
        Bars of equal width in the quantity or in its logarithm; empty if no value is known.
    ticks : tuple of (float, str)
        Position on the axis, 0 to 1, and text.
    median : float, optional
        Median of the known values.
    n_missing : int
        Rows without a value.
    """

    name: str
    title: str
    unit: str
    bars: tuple[HistogramBar, ...]
    ticks: tuple[tuple[float, str], ...]
    median: float | None
    n_missing: int


@dataclass(frozen=True)
class ClassRow:
    """Number, medians and fraction with a host of the sources of one class or of all; None if unknown."""

    name: str
    count: int
    flux: float | None
    size: float | None
    snr: float | None
    host_share: float | None


@dataclass(frozen=True)
class HostSummary:
    """Numbers of sources with a host, a secure host and several candidates, and medians over the hosts."""

    n_sources: int
    n_with_host: int
    n_secure: int
    n_several: int
    separation: float | None
    magnitude: float | None


def histograms(catalogue: pd.DataFrame) -> list[Histogram]:
    """Return the histograms of the catalogue's main quantities, those of the hosts last."""
    host = catalogue[_has_host(catalogue)]
    return [
        _logarithmic(catalogue, "integrated_flux", "Flux density", "mJy"),
        _logarithmic(catalogue, "snr", "Signal-to-noise ratio of the peak", ""),
        _logarithmic(catalogue, "largest_angular_size", "Largest angular size", "arcsec"),
        _linear(
            catalogue, "source_probability", "Probability that the components are one source", "", 0.0, 1.0
        ),
        _linear(catalogue, "probability", "Probability of the class", "", 0.0, 1.0),
        _linear(host, "host_reliability", "Reliability of the host", "", 0.0, 1.0),
        _linear(host, "host_separation", "Separation of centroid and host", "arcsec"),
        _linear(host, "host_w1", "W1 magnitude of the host", "mag"),
    ]


def _linear(
    table: pd.DataFrame, name: str, title: str, unit: str, low: float | None = None, high: float | None = None
) -> Histogram:
    values = table[name].to_numpy(float)
    known = values[np.isfinite(values)]
    if not len(known):
        return Histogram(name, title, unit, (), (), None, len(values))
    ends = _round_ends(known) if low is None or high is None else (low, high)
    edges = np.linspace(*ends, N_BARS + 1)
    ticks = np.linspace(*ends, 6)
    marks = tuple((float((tick - ends[0]) / (ends[1] - ends[0])), f"{tick:.4g}") for tick in ticks)
    return _histogram(name, title, unit, values, edges, marks)


def _round_ends(known: np.ndarray) -> tuple[float, float]:
    """Return round limits of a linear axis that contains all values."""
    low, high = float(known.min()), float(known.max())
    unit = 10 ** np.floor(np.log10(max(high - low, 1e-3 * max(abs(high), 1e-3))))
    start = np.floor(low / unit) * unit
    for factor in (1, 2, 2.5, 5, 10, 20):
        if start + factor * unit >= high:
            return float(start), float(start + factor * unit)
    raise AssertionError("the range is less than ten of its units")


def _logarithmic(table: pd.DataFrame, name: str, title: str, unit: str) -> Histogram:
    values = table[name].to_numpy(float)
    known = values[np.isfinite(values) & (values > 0)]
    if not len(known):
        return Histogram(name, title, unit, (), (), None, len(values))
    low, high, ticks = _logarithmic_axis(float(known.min()), float(known.max()))
    edges = np.geomspace(low, high, N_BARS + 1)
    marks = tuple((float(np.log(tick / low) / np.log(high / low)), f"{tick:.6g}") for tick in ticks)
    return _histogram(name, title, unit, np.where(values > 0, values, np.nan), edges, marks)


def _logarithmic_axis(least: float, most: float) -> tuple[float, float, list[float]]:
    """Return limits and ticks of an axis that contains both values, from 1, 2 and 5 times powers of ten."""
    powers = range(int(np.floor(np.log10(least))), int(np.ceil(np.log10(most))) + 2)
    steps = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    low = max(step for step in steps if step <= least * (1 + 1e-6))
    high = min(step for step in steps if step >= most * (1 - 1e-6) and step > low)
    inside = [step for step in steps if low <= step <= high]
    decades = [step for step in inside if round(np.log10(step), 6).is_integer()]
    return low, high, inside if len(inside) <= MAX_TICKS else decades


def _histogram(
    name: str,
    title: str,
    unit: str,
    values: np.ndarray,
    edges: np.ndarray,
    ticks: tuple[tuple[float, str], ...],
) -> Histogram:
    known = values[np.isfinite(values)]
    # Rounded, because float32(0.8) is above and float32(0.7) below the bin edge of that value.
    digits = 6 - int(np.floor(np.log10(max(abs(edges).max(), 1e-30))))
    inside = np.clip(known, edges[0], edges[-1]).round(digits)
    counts, _ = np.histogram(inside, bins=edges.round(digits))
    most = counts.max(initial=0) or 1
    bars = [
        HistogramBar(float(low), float(high), int(count), float(count / most))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    return Histogram(name, title, unit, tuple(bars), ticks, float(np.median(known)), len(values) - len(known))


def class_rows(catalogue: pd.DataFrame, classes: Sequence[str]) -> list[ClassRow]:
    """Return one row per class, then one for all sources."""
    parts: Sequence[tuple[str, pd.DataFrame]] = [
        *((name, catalogue[catalogue["morphology"] == name]) for name in classes),
        ("all", catalogue),
    ]
    return [
        ClassRow(
            name=name,
            count=len(part),
            flux=_median(part["integrated_flux"]),
            size=_median(part["largest_angular_size"]),
            snr=_median(part["snr"]),
            host_share=float(_has_host(part).mean()) if len(part) else None,
        )
        for name, part in parts
    ]


def host_summary(catalogue: pd.DataFrame) -> HostSummary:
    """Return the numbers of sources with an infrared host, and medians over the hosts."""
    with_host = catalogue[_has_host(catalogue)]
    n_candidates = catalogue["host_candidate_ra"].map(len)
    return HostSummary(
        n_sources=len(catalogue),
        n_with_host=len(with_host),
        n_secure=int((with_host["host_reliability"] >= SECURE).sum()),
        n_several=int((n_candidates > 1).sum()),
        separation=_median(with_host["host_separation"]),
        magnitude=_median(with_host["host_w1"]),
    )


def _has_host(table: pd.DataFrame) -> pd.Series:
    return table["host_reliability"].fillna(0.0) > 0


def _median(values: pd.Series) -> float | None:
    known = values.to_numpy(float)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else None
