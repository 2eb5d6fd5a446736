"""Models of radio sources that consist of hotspots and tails at given positions.

A component is a hotspot with a tail of diffuse emission along the line to the host.  The tail points outwards
to enlarge the source beyond the distance of its components, and inwards to shrink it.  Further peaks are
hotspots at the ends of additional tails.  `claran_core.simulation.labelled_sources` draws such models until
one matches its label.  Brightness is in units of the noise.
"""

from dataclasses import dataclass, replace

import numpy as np

from claran_core.components.contour_rule import COMPONENT_SIGMA, LEVEL_RATIO
from claran_core.simulation.source_models import PIXEL_ARCSEC
from claran_core.simulation.source_shapes import POINT_ARCSEC

__all__ = ["FAINTEST", "GAP_LEVEL", "Part", "direction", "distances", "draw_parts"]

# In units of the noise: faintest component, largest brightness in a gap, smallest brightness of a tail, and
# faintest component with two peaks.
FAINTEST, GAP_LEVEL, TAIL_LEVEL, FAINTEST_OF_TWO_PEAKS = 8.5, 4.0, 6.3, 22.0

# Range (uniform) of the brightness of the second and third component over the brightest: real sources have
# .08/.49/.93 and .03/.14/.46 at 5/50/95 %.
SECOND_OVER_FIRST, THIRD_OVER_FIRST = (0.08, 0.95), (0.03, 0.4)

# Shorter tails are omitted.
SHORTEST_TAIL_ARCSEC = 1.5


@dataclass(frozen=True)
class _Knot:
    """A further peak of a component, relative to the first, and the level of the tail between them."""

    distance_arcsec: float
    angle: float
    height: float
    tail_level: float


@dataclass(frozen=True)
class Part:
    """One component: a hotspot, and a tail whose length changes the extent of the source.

    `outward` is the position angle (rad) away from the host, `turns` the deviation of an outward and an
    inward tail from that line, `shares` their lengths in units of the growth, `levels` their brightness at
    the hotspot and at the end, and `ragged` the scatter of their blobs.
    """

    place: np.ndarray
    height: float
    hotspot_arcsec: float
    outward: float
    turns: tuple[float, float]
    shares: tuple[float, float]
    levels: tuple[float, float]
    breadth_arcsec: float
    ragged: np.ndarray
    knots: tuple[_Knot, ...] = ()

    def rows(self, growth_arcsec: float) -> np.ndarray:
        """Return Gaussians as in `SourceModel.gaussians`; a positive growth makes outward tails."""
        inward = growth_arcsec < 0
        length = abs(growth_arcsec) * self.shares[inward]
        angle = self.outward + np.pi * inward + self.turns[inward]
        tails = [self._tail(angle, length, self.levels)] if length > SHORTEST_TAIL_ARCSEC else []
        for knot in self.knots:
            tails.append(self._tail(knot.angle, knot.distance_arcsec, (knot.tail_level,) * 2))
            height = knot.height - 0.5 * knot.tail_level
            tails.append(self._hotspot(knot.distance_arcsec, knot.angle, height))
        below = 0.5 * self.levels[0] if length > SHORTEST_TAIL_ARCSEC else 0.0
        below += sum(0.5 * knot.tail_level for knot in self.knots)
        return np.concatenate([self._hotspot(0.0, 0.0, max(self.height - below, 0.4 * self.height)), *tails])

    def _hotspot(self, distance_arcsec: float, angle: float, height: float) -> np.ndarray:
        east, north = self.place + distance_arcsec * direction(angle)
        return np.array([[east, north, height, self.hotspot_arcsec, self.hotspot_arcsec, 0.0]])

    def _tail(self, angle: float, length: float, levels: tuple[float, float]) -> np.ndarray:
        """Return a row of blobs that add up to a ridge whose brightness falls from one level to the other."""
        n = int(min(np.ceil(length / (0.8 * POINT_ARCSEC)), len(self.ragged) - 1)) + 1
        spacing = length / (n - 1)
        along, across = np.linspace(0, length, n), self.ragged[:n, 0] * 0.15 * self.breadth_arcsec
        forward, aside = direction(angle), direction(angle + np.pi / 2)
        east, north = (self.place + along[:, None] * forward + across[:, None] * aside).T
        major, minor = np.hypot(POINT_ARCSEC, spacing), np.hypot(POINT_ARCSEC, self.breadth_arcsec)
        ridge = np.geomspace(*levels, n) * np.exp(0.08 * self.ragged[:n, 1])
        # Gaussians of FWHM w and peak 1 in steps of d add up to 1.064 w / d.
        peak = ridge * spacing / (1.064 * major)
        if minor > major:
            major, minor, angle = minor, major, angle + np.pi / 2
        return np.column_stack(
            np.broadcast_arrays(east, north, peak, major, minor, np.rad2deg(angle) % 180.0)
        )


def draw_parts(rng: np.random.Generator, places: np.ndarray, *, n_peaks: int, peak_snr: float) -> list[Part]:
    """Draw the components of a source.

    Parameters
    ----------
    rng : Generator
        Stream to draw from.
    places : (n, 2) array
        East and north offset of each component's brightest pixel from the host, arcsec.
    n_peaks : int
        Peaks of all components together.
    peak_snr : float
        Brightest pixel.

    Returns
    -------
    list of n Part
        In the order of `places`.
    """
    heights = _heights(rng, places, peak_snr)
    outward = _outward(rng, places)
    # One outward tail is enough to enlarge the source, but all components need inward tails to shrink it.
    shares = np.column_stack([rng.uniform(0.0, 0.6, len(heights)), rng.uniform(1.0, 1.3, len(heights))])
    core = _core(places)
    if core is not None:
        shares[core] = rng.uniform(0.0, 0.2)
    ends = [number for number in range(len(heights)) if number != core]
    shares[rng.choice(ends), 0] = 1.0
    parts = [_part(rng, *values) for values in zip(places, heights, outward, shares, strict=True)]
    for _ in range(n_peaks - len(parts)):
        number = int(rng.choice(len(parts), p=heights / heights.sum()))
        parts[number] = _with_knot(rng, parts[number], alone=len(parts) == 1)
    return parts


def _heights(rng: np.random.Generator, places: np.ndarray, peak_snr: float) -> np.ndarray:
    """Draw the brightness of each component; close components are faint enough for a gap between them."""
    n = len(places)
    ratios = [1.0, rng.uniform(*SECOND_OVER_FIRST), *rng.uniform(*THIRD_OVER_FIRST, max(n - 2, 0))][:n]
    nearest = distances(places).min(axis=1)
    # The brightest component is usually not the one with the closest neighbour.
    order = np.argsort(-nearest * np.exp(rng.normal(0, 0.5, n)), kind="stable") if n > 1 else [0]
    heights = np.empty(n)
    heights[order] = peak_snr * np.array(ratios)
    heights = np.maximum(heights, min(FAINTEST, peak_snr))
    for a, b in zip(*np.triu_indices(n, 1), strict=True):
        apart = np.hypot(*(places[a] - places[b]))
        together = GAP_LEVEL * 2.0 ** min((apart / POINT_ARCSEC) ** 2, 20.0)
        if heights[a] + heights[b] > together:
            brighter, fainter = (a, b) if heights[a] > heights[b] else (b, a)
            heights[fainter] = min(heights[fainter], max(together / 2, 0.8 * FAINTEST))
            heights[brighter] = max(together - heights[fainter], 0.8 * FAINTEST)
    return heights


def _core(places: np.ndarray) -> int | None:
    """Return the component closest to the host; None for fewer than three."""
    if len(places) < 3:
        return None
    return int(np.argmin(np.hypot(*places.T)))


def _outward(rng: np.random.Generator, places: np.ndarray) -> np.ndarray:
    """Return the position angle (rad) of each component from the host.

    A component at the host gets the direction of the farthest component.
    """
    longest = np.hypot(*places.T)
    axis = places[np.argmax(longest)] if longest.max() > PIXEL_ARCSEC else direction(rng.uniform(0, np.pi))
    ways = np.where(longest[:, None] > PIXEL_ARCSEC, places, axis)
    return np.arctan2(*ways.T)


def _part(
    rng: np.random.Generator, place: np.ndarray, height: float, outward: float, shares: np.ndarray
) -> Part:
    start = float(np.clip(height * rng.uniform(0.1, 0.6), TAIL_LEVEL, max(0.85 * height, 5.8)))
    end = max(start * rng.uniform(0.3, 1.0), min(TAIL_LEVEL, start))
    return Part(
        place=place,
        height=height,
        hotspot_arcsec=float(np.hypot(POINT_ARCSEC, rng.uniform(0.0, 3.0))),
        outward=float(outward),
        turns=tuple(rng.normal(0, 0.3, 2)),
        shares=tuple(shares),
        levels=(start, end),
        breadth_arcsec=float(rng.uniform(1.0, 7.0)),
        ragged=rng.standard_normal((40, 2)),
    )


def _with_knot(rng: np.random.Generator, part: Part, *, alone: bool) -> Part:
    """Add a peak to a component, far enough from the others that a separate contour encloses it."""
    bright = replace(part, height=max(part.height, FAINTEST_OF_TWO_PEAKS))
    height = rng.uniform(max(0.85 * FAINTEST_OF_TWO_PEAKS, 0.2 * bright.height), 0.95 * bright.height)
    steps = np.floor(np.log(height / 1.2 / COMPONENT_SIGMA) / np.log(LEVEL_RATIO))
    level = COMPONENT_SIGMA * LEVEL_RATIO ** int(rng.integers(min(2, steps), steps + 1))
    reach = [0.5 * part.hotspot_arcsec * np.sqrt(np.log2(h / (0.4 * level))) for h in (bright.height, height)]
    way = rng.choice([0.0, np.pi, 0.5 * np.pi, -0.5 * np.pi], p=[0.4, 0.4, 0.1, 0.1])
    if alone:
        # The second peak lies on the other side of the host, a third one beyond it or on the first side.
        way = np.pi if not part.knots else rng.choice([0.0, np.pi])
    beyond = max((knot.distance_arcsec for knot in part.knots if way == np.pi and alone), default=0.0)
    knot = _Knot(
        distance_arcsec=float(beyond + sum(reach) + rng.exponential(4.0)),
        angle=part.outward + way + rng.normal(0, 0.2),
        height=float(height),
        tail_level=float(rng.uniform(1.2 * TAIL_LEVEL, max(1.2 * TAIL_LEVEL, 0.8 * level))),
    )
    return replace(bright, knots=(*part.knots, knot))


def direction(angle: float | np.ndarray) -> np.ndarray:
    """Return the unit vector (east, north) of a position angle (rad); ``(..., 2)``."""
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def distances(places: np.ndarray) -> np.ndarray:
    """Return the distances of all pairs of positions, infinite on the diagonal; ``(n, n)``."""
    apart = np.hypot(*(places[:, None] - places[None]).T)
    return apart + np.diag(np.full(len(places), np.inf))
