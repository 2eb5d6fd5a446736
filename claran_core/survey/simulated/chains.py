"""Extended radio sources as chains of Gaussians: hotspots, lobes, cores, bridges, plumes, curved jets.

A chain is laid out along an arc.  Gaps are stretched until neighbouring peaks part, and bridges are filled
up until they hold together, judged on the brightness along the arc; the noise then decides what is seen.
"""

from dataclasses import dataclass, replace

import numpy as np

from claran_core.survey.simulated.recipes import BEAM_ARCSEC, ChainRecipe
from claran_core.survey.simulated.streams import quantile_draw

__all__ = ["Structure", "build_chain", "build_single"]

# In units of the noise.  Contours start at 5.3 sigma: gaps must stay clearly below, bridges clearly above.
GAP_BELOW = 4.0
BRIDGE_ABOVE = 6.6

# Contour levels are spaced by sqrt(3): peaks this much above the valley between them are told apart.
PEAK_OVER_VALLEY = 1.85

# A peak of its own component, and one that stands above a bridge.
FAINTEST_LONE_PEAK = 7.5
FAINTEST_JOINED_PEAK = 1.05 * BRIDGE_ABOVE * PEAK_OVER_VALLEY

LONGEST_CHAIN_ARCSEC = 150.0
STRETCH = 1.1


@dataclass(frozen=True)
class Structure:
    """Gaussians of one source around its middle, and where its peaks are.

    Attributes
    ----------
    kind : str
        What it was made as: single, double, triple, chain, core_jet, bent, plume.
    gaussians : (n, 6) array
        East and north offset (arcsec), peak (units of the noise), FWHM of major and minor axis (arcsec,
        beam included) and position angle (deg).
    peaks : (k, 2) array
        East and north offset of the intended peaks (arcsec), along the chain.
    component : (k,) int array
        Which component each peak belongs to.
    """

    kind: str
    gaussians: np.ndarray
    peaks: np.ndarray
    component: np.ndarray


@dataclass(frozen=True)
class _Arc:
    """Axis of a chain: an arc through the source's middle, in its own frame before it is turned."""

    turn_per_arcsec: float  # radians
    position_angle: float  # radians, of the axis at the middle

    def at(self, along: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """East and north offset (arcsec) and position angle (rad) at distances along the axis."""
        half_turn = 0.5 * self.turn_per_arcsec * along
        chord = along * np.sinc(half_turn / np.pi)
        direction = self.position_angle + half_turn
        return chord * np.sin(direction), chord * np.cos(direction), direction + half_turn


@dataclass(frozen=True)
class _Beads:
    """Gaussians along an axis: distance, peak, FWHM along and across (all (n,) arrays)."""

    along: np.ndarray
    peak: np.ndarray
    length: np.ndarray
    breadth: np.ndarray

    def profile(self, at: np.ndarray) -> np.ndarray:
        """Brightness along the axis, as if it were straight."""
        offset = (at[:, None] - self.along) / self.length
        return (self.peak * np.exp(-4 * np.log(2) * offset**2)).sum(axis=1)

    def __add__(self, other: "_Beads") -> "_Beads":
        return _Beads(
            np.append(self.along, other.along),
            np.append(self.peak, other.peak),
            np.append(self.length, other.length),
            np.append(self.breadth, other.breadth),
        )


def _behind_beam(size_arcsec: np.ndarray | float) -> np.ndarray | float:
    return np.hypot(BEAM_ARCSEC, size_arcsec)


def build_single(rng: np.random.Generator, *, peak_snr: float, size_arcsec: float) -> Structure:
    """Resolved source of one peak: an ellipse, sometimes with a faint tail or plumes."""
    angle = rng.uniform(0, 180)
    beads = _Beads(
        np.zeros(1),
        np.array([peak_snr]),
        np.array([_behind_beam(size_arcsec)]),
        np.array([_behind_beam(size_arcsec * rng.uniform(0.2, 0.9))]),
    )
    arc = _Arc(np.deg2rad(rng.normal(0, 1.0)), np.deg2rad(angle))
    kind = "single"
    if rng.random() < 0.12:
        beads, kind = beads + _plume(rng, start=0.0, level=peak_snr, outwards=1.0), "plume"
        if rng.random() < 0.5:
            beads += _plume(rng, start=0.0, level=peak_snr, outwards=-1.0)
    return _on_sky(kind, arc, beads, np.zeros(1), "", 0.0)


def build_chain(rng: np.random.Generator, recipe: ChainRecipe) -> Structure:
    """Source of several peaks after a recipe (see `claran_core.survey.simulated.recipes`)."""
    links = recipe.links[:: rng.choice([-1, 1])]
    levels = _peak_levels(rng, recipe, links)
    core_jet = len(links) == 1 and rng.random() < 0.25
    span = quantile_draw(rng, recipe.span_arcsec)
    knots, lobes = _knots(rng, levels, links, span, core_jet=core_jet)
    along, knots, lobes = _lay_out(rng, span, links, knots, lobes)
    beads = _filled(rng, along, links, knots + lobes, levels)
    kind = "core_jet" if core_jet else {1: "double", 2: "triple"}.get(len(links), "chain")
    if "-" not in links and not core_jet and rng.random() < 0.25:
        beads += _plume(rng, start=along[-1], level=levels[-1], outwards=1.0)
        beads += _plume(rng, start=along[0], level=levels[0], outwards=-1.0)
        kind = "plume"
    turn = rng.uniform(40, 110) if rng.random() < 0.15 else abs(rng.normal(0, 12))
    kind = "bent" if turn > 40 else kind
    arc = _Arc(np.deg2rad(turn) / (along[-1] - along[0]), rng.uniform(0, 2 * np.pi))
    return _on_sky(kind, arc, beads, along, links, _host(rng, along, core_jet=core_jet))


def _peak_levels(rng: np.random.Generator, recipe: ChainRecipe, links: str) -> np.ndarray:
    """Heights of the peaks along the chain, each high enough to be what the recipe says it is."""
    brightest = quantile_draw(rng, recipe.peak_snr)
    ends = brightest * np.array([1.0, quantile_draw(rng, recipe.end_ratio)])
    inner = brightest * quantile_draw(rng, recipe.inner_ratio, recipe.n_peaks - 2)
    levels = np.concatenate([ends[:1], inner, ends[1:]])[:: rng.choice([-1, 1])]
    levels *= brightest / levels.max()
    joined = np.array(
        [left == "=" or right == "=" for left, right in zip("-" + links, links + "-", strict=True)]
    )
    floor = np.where(joined, FAINTEST_JOINED_PEAK, FAINTEST_LONE_PEAK) * rng.uniform(1, 1.3, levels.size)
    return np.maximum(levels, floor)


def _knots(
    rng: np.random.Generator, levels: np.ndarray, links: str, span: float, *, core_jet: bool
) -> tuple[_Beads, _Beads]:
    """Peaks of a chain, and the lobes behind its hotspots; their places are found later.

    Both grow with the source, so that large sources are not strings of points.
    """
    n = levels.size
    length = _behind_beam(rng.uniform(0.01, 0.12, n) * span + rng.uniform(0.3, 3, n))
    breadth = _behind_beam(rng.uniform(0.01, 0.12, n) * span + rng.uniform(0.3, 3, n))
    core = n // 2 if n % 2 else (0 if core_jet else None)
    if core is not None:
        length[core] = breadth[core] = _behind_beam(1.0)
    lobed = [k for k in (0, n - 1) if k != core and rng.random() < 0.65]
    lobes = _Beads(
        np.array(lobed, dtype=float),
        levels[lobed] * rng.uniform(0.08, 0.4, len(lobed)),
        _behind_beam(rng.uniform(0.15, 0.3, len(lobed)) * span + 2),
        _behind_beam(rng.uniform(0.08, 0.18, len(lobed)) * span + 2),
    )
    return _Beads(np.zeros(n), levels, length, breadth), lobes


def _lay_out(
    rng: np.random.Generator, span: float, links: str, knots: _Beads, lobes: _Beads
) -> tuple[np.ndarray, _Beads, _Beads]:
    """Positions along the axis: the recipe's span, stretched where peaks would run together."""
    steps = rng.uniform(0.7, 1.3, len(links))
    steps *= span / steps.sum()
    owner = lobes.along.astype(int)
    inwards = np.where(owner == 0, 1.0, -1.0) * rng.uniform(0.15, 0.35, owner.size) * lobes.length
    while True:
        along = np.concatenate([[0.0], np.cumsum(steps)])
        knots, lobes = replace(knots, along=along), replace(lobes, along=along[owner] + inwards)
        valleys = _valleys(knots + lobes, along)
        lowest = np.minimum(knots.peak[1:], knots.peak[:-1])
        allowed = np.where([link == "-" for link in links], GAP_BELOW, lowest / PEAK_OVER_VALLEY)
        blended = valleys > allowed
        if not blended.any() or along[-1] > LONGEST_CHAIN_ARCSEC:
            return along, knots, lobes
        steps = np.where(blended, steps * STRETCH, steps)


def _valleys(beads: _Beads, along: np.ndarray) -> np.ndarray:
    """Lowest brightness between neighbouring peaks."""
    between = np.linspace(along[:-1], along[1:], 25)
    return beads.profile(between.ravel()).reshape(between.shape).min(axis=0)


def _filled(
    rng: np.random.Generator, along: np.ndarray, links: str, beads: _Beads, levels: np.ndarray
) -> _Beads:
    """Beads with bridges where the recipe wants them, as bright as leaves both peaks standing out."""
    valleys = _valleys(beads, along)
    for k in np.flatnonzero([link == "=" for link in links]):
        highest = min(levels[k], levels[k + 1]) / PEAK_OVER_VALLEY
        wanted = np.exp(rng.uniform(np.log(BRIDGE_ABOVE), np.log(max(highest, BRIDGE_ABOVE))))
        if wanted > valleys[k]:
            beads += _bridge(rng, along[k], along[k + 1], wanted - valleys[k])
    return beads


def _bridge(rng: np.random.Generator, start: float, end: float, level: float) -> _Beads:
    """Even ridge from one peak to the next: overlapping round Gaussians, half as high at the ends."""
    breadth = _behind_beam(rng.uniform(2, 6))
    n = int(np.ceil((end - start) / (0.5 * breadth))) + 1
    step = (end - start) / (n - 1)
    weight = np.full(n, level * step / (breadth * np.sqrt(np.pi / np.log(2)) / 2))
    weight[[0, -1]] *= 0.5
    return _Beads(np.linspace(start, end, n), weight, np.full(n, breadth), np.full(n, breadth))


def _plume(rng: np.random.Generator, *, start: float, level: float, outwards: float) -> _Beads:
    """Tail that widens and fades away from a peak, as in FRI sources; it never makes a peak of its own."""
    n = rng.integers(2, 6)
    breadth = np.linspace(7, rng.uniform(9, 16), n)
    reach = np.cumsum(0.5 * breadth)
    fading = min(0.25 * level, rng.uniform(5, 14)) * rng.uniform(0.65, 0.85) ** np.arange(n)
    return _Beads(start + outwards * reach, 0.5 * fading, breadth, breadth)


def _host(rng: np.random.Generator, along: np.ndarray, *, core_jet: bool) -> float:
    """Where on the axis the galaxy is: at the core, else somewhere between the lobes."""
    if core_jet:
        return along[0]
    if along.size % 2:
        return along[along.size // 2]
    return along[0] + rng.normal(0.5, 0.07) * (along[-1] - along[0])


def _on_sky(kind: str, arc: _Arc, beads: _Beads, along: np.ndarray, links: str, host: float) -> Structure:
    """Bend the axis, turn it, and measure everything from the host."""
    east, north, angle = arc.at(beads.along - host)
    upright = beads.length >= beads.breadth
    gaussians = np.column_stack(
        [
            east,
            north,
            beads.peak,
            np.maximum(beads.length, beads.breadth),
            np.minimum(beads.length, beads.breadth),
            np.rad2deg(np.where(upright, angle, angle + np.pi / 2)),
        ]
    )
    component = np.cumsum([0] + [link == "-" for link in links])
    return Structure(kind, gaussians, np.column_stack(arc.at(along - host)[:2]), component)
