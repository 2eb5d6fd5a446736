"""Extended radio sources built to a label: brightest pixels, class and extent are given, the rest is drawn.

A label of Radio Galaxy Zoo says where the brightest pixel of each component is, how many peaks there are
in all, and how large the source is.  A source of one component is one of
`claran_core.survey.simulated.forms`, moved and mirrored into place.  A source of several is a spot at each
given pixel with a tail of diffuse emission along the line to the host: outwards where the extent of the
label is larger than the distance of the components, inwards where it is smaller.  Further peaks are spots
at the ends of tails of their own.  Whether it fits is measured by the contour rule on its noise-free image.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import ndimage

from claran_core.components import COMPONENT_SIGMA, LEVEL_RATIO, Components, dr1_extent, find_components
from claran_core.survey.simulated.forms import PIXEL_ARCSEC, Structure, build_extended
from claran_core.survey.simulated.gaussians import CUT_SIGMA, FWHM_PER_SIGMA, PlacedGaussians
from claran_core.survey.simulated.geometry import Window
from claran_core.survey.simulated.recipes import BEAM_ARCSEC, Recipe

__all__ = ["Label", "build_labelled", "noise_free"]

# Forms tried for a source of one component, sources made of spots and tails tried for any, and renderings
# of each of these to reach its extent.
MAX_FORMS, MAX_DRAFTS, MAX_SIZES = 6, 12, 6

# What fits: extent within this part of the label's, brightest pixels within 1.6 px of the label's, and in
# sources of one component the middle this near to the host, arcsec.
EXTENT_TOLERANCE = 0.05
POSITION_TOLERANCE_ARCSEC = 1.6 * PIXEL_ARCSEC
HOST_TOLERANCE_ARCSEC = 5.0

# Noise is 1: no component is fainter than this, gaps are darker than this, tails brighter, and no source
# with more peaks than components is fainter than the last of these.
FAINTEST, GAP_LEVEL, TAIL_LEVEL, FAINTEST_OF_TWO_PEAKS = 7.5, 4.0, 6.3, 14.0

# Brightness of the second and third component over the brightest, at most and at least (uniform): real
# ones have .08/.49/.93 and .03/.14/.46 at 5/50/95 %.
SECOND_OVER_FIRST, THIRD_OVER_FIRST = (0.08, 0.95), (0.03, 0.4)

# What a source must stand: moved by a part of a pixel, noise of this level is added.  The width of the
# noise is more than that of any source.
TRIALS, NOISE_PX = ((0.0, 1.0), (0.5, 0.9), (-0.25, 1.12)), 400

# Tails shorter than this are part of their spot.
SHORTEST_TAIL_ARCSEC = 1.5


@dataclass(frozen=True)
class Label:
    """What is known of a source.

    Attributes
    ----------
    components : (n, 2) array
        East and north offset of each component's brightest pixel from the host, arcsec.
    n_peaks : int
        Peaks of all components together.
    extent_arcsec : float
        Extent by the DR1 rule.
    peak_snr : float
        Brightest pixel in units of the noise.
    recipe : Recipe
        Forms of its class.
    """

    components: np.ndarray
    n_peaks: int
    extent_arcsec: float
    peak_snr: float
    recipe: Recipe

    def allowed_snr(self) -> float:
        """Brightness above which it could not look like this.

        One component is never smaller than the contour of a point source of its brightness; two must keep
        a gap between them.
        """
        if len(self.components) == 1:
            widths = self.extent_arcsec / (np.sqrt(2) * 1.05 * BEAM_ARCSEC)
            return COMPONENT_SIGMA * 2.0 ** min(widths**2, 12.0)
        nearest = _distances(self.components).min(axis=1).max()
        together = GAP_LEVEL * 2.0 ** min((nearest / BEAM_ARCSEC) ** 2, 12.0)
        return max(together - FAINTEST, together / 2)


@dataclass(frozen=True)
class _Knot:
    """A further peak of a component, seen from the first, and the level of the tail that joins them."""

    distance_arcsec: float
    angle: float
    height: float
    tail_level: float


@dataclass(frozen=True)
class _Part:
    """One component: a spot, and a tail that grows when the source is to be larger or smaller.

    `outward` is the position angle (rad) away from the host, `turns` how much an outward and an inward
    tail leave that line, `shares` their lengths in units of the growth, `levels` their brightness at spot
    and end, and `ragged` the scatter of their blobs.
    """

    place: np.ndarray
    height: float
    spot_arcsec: float
    outward: float
    turns: tuple[float, float]
    shares: tuple[float, float]
    levels: tuple[float, float]
    breadth_arcsec: float
    ragged: np.ndarray
    knots: tuple[_Knot, ...] = ()

    def rows(self, growth_arcsec: float) -> np.ndarray:
        """Gaussians as in `Structure.gaussians`, with tails outwards for a growth above zero."""
        inward = growth_arcsec < 0
        length = abs(growth_arcsec) * self.shares[inward]
        angle = self.outward + np.pi * inward + self.turns[inward]
        tails = [self._tail(angle, length, self.levels)] if length > SHORTEST_TAIL_ARCSEC else []
        for knot in self.knots:
            tails.append(self._tail(knot.angle, knot.distance_arcsec, (knot.tail_level,) * 2))
            tails.append(self._spot(knot.distance_arcsec, knot.angle, knot.height - 0.5 * knot.tail_level))
        below = 0.5 * self.levels[0] if length > SHORTEST_TAIL_ARCSEC else 0.0
        below += sum(0.5 * knot.tail_level for knot in self.knots)
        return np.concatenate([self._spot(0.0, 0.0, max(self.height - below, 0.4 * self.height)), *tails])

    def _spot(self, distance_arcsec: float, angle: float, height: float) -> np.ndarray:
        east, north = self.place + distance_arcsec * _direction(angle)
        return np.array([[east, north, height, self.spot_arcsec, self.spot_arcsec, 0.0]])

    def _tail(self, angle: float, length: float, levels: tuple[float, float]) -> np.ndarray:
        """Blobs in a row that sum up to a ridge falling from one level to the other."""
        n = int(min(np.ceil(length / (0.8 * BEAM_ARCSEC)), len(self.ragged) - 1)) + 1
        spacing = length / (n - 1)
        along, across = np.linspace(0, length, n), self.ragged[:n, 0] * 0.15 * self.breadth_arcsec
        forward, aside = _direction(angle), _direction(angle + np.pi / 2)
        east, north = (self.place + along[:, None] * forward + across[:, None] * aside).T
        major, minor = np.hypot(BEAM_ARCSEC, spacing), np.hypot(BEAM_ARCSEC, self.breadth_arcsec)
        ridge = np.geomspace(*levels, n) * np.exp(0.08 * self.ragged[:n, 1])
        # Gaussians of FWHM w and peak 1 in steps of d add up to 1.064 w / d.
        peak = ridge * spacing / (1.064 * major)
        if minor > major:
            major, minor, angle = minor, major, angle + np.pi / 2
        return np.column_stack(
            np.broadcast_arrays(east, north, peak, major, minor, np.rad2deg(angle) % 180.0)
        )


@dataclass(frozen=True)
class _Candidate:
    """A source and what the contour rule says of it; `misfit` is 1 where a tolerance is just met."""

    structure: Structure
    extent_arcsec: float
    misfit: float


def build_labelled(rng: np.random.Generator, label: Label) -> Structure:
    """Draw a source that shows what its label says.

    Parameters
    ----------
    rng : Generator
        Stream to draw from.
    label : Label
        What is known of it.

    Returns
    -------
    Structure
        The first that fits, or else the one that comes nearest; around the host.
    """
    best = None
    for candidate in _candidates(rng, label):
        if best is None or candidate.misfit < best.misfit:
            best = candidate
        if best.misfit <= 1.0:
            break
    return best.structure


def _candidates(rng: np.random.Generator, label: Label) -> Iterator[_Candidate]:
    if len(label.components) == 1:
        for _ in range(MAX_FORMS):
            structure = build_extended(
                rng, label.recipe, peak_snr=label.peak_snr, extent_arcsec=label.extent_arcsec
            )
            moved, off_host = _moved(structure, label.components[0])
            yield _judged(moved, structure.form, label, off_host)
    dimmer = label
    for _ in range(MAX_DRAFTS):
        best = _fitted(_draft(rng, dimmer), dimmer)
        yield best
        if best.structure.n_components < len(label.components) or best.extent_arcsec > label.extent_arcsec:
            dimmer = replace(dimmer, peak_snr=max(0.8 * dimmer.peak_snr, 0.7 * FAINTEST))


def _moved(structure: Structure, place: np.ndarray) -> tuple[np.ndarray, float]:
    """Gaussians with the brightest pixel moved to a place, mirrored so that the host stays near.

    Mirroring at the axes and their diagonal changes nothing for the contour rule.  Also how far the
    structure's own host is off, arcsec.
    """
    brightest = structure.peaks[0]
    mirrors = [
        np.array(mirror)
        for east in (1, -1)
        for north in (1, -1)
        for mirror in ([[east, 0], [0, north]], [[0, east], [north, 0]])
    ]
    off = [np.hypot(*(place - mirror @ brightest)) for mirror in mirrors]
    mirror = mirrors[int(np.argmin(off))]
    rows = structure.gaussians.copy()
    rows[:, :2] = rows[:, :2] @ mirror.T + place - mirror @ brightest
    along = mirror @ _direction(np.deg2rad(rows[:, 5])).T
    rows[:, 5] = np.rad2deg(np.arctan2(*along)) % 180.0
    return rows, float(min(off))


def _judged(rows: np.ndarray, form: str, label: Label, off_host_arcsec: float = 0.0) -> _Candidate:
    """Look at a source with the contour rule and compare it with its label."""
    image, origin = noise_free(rows)
    found = find_components(image, 1.0)
    structure = Structure(
        form=form,
        gaussians=rows,
        peaks=origin + PIXEL_ARCSEC * _local_maxima(image, found),
        n_components=len(found),
        n_peaks=int(found.n_peaks.sum()),
    )
    if not len(found):
        return _Candidate(structure, 0.0, np.inf)
    extent = dr1_extent(found.boxes) * PIXEL_ARCSEC
    brightest = origin + PIXEL_ARCSEC * found.brightest
    apart = np.hypot(*(label.components[:, None] - brightest[None]).T)
    parts = (
        abs(extent / label.extent_arcsec - 1) / EXTENT_TOLERANCE,
        apart.min(axis=0).max() / POSITION_TOLERANCE_ARCSEC,
        off_host_arcsec / HOST_TOLERANCE_ARCSEC,
    )
    wrong = abs(len(found) - len(label.components)) + abs(structure.n_peaks - label.n_peaks)
    if wrong:
        return _Candidate(structure, extent, 100.0 * wrong + sum(parts))
    return _Candidate(structure, extent, max(parts) + _changes(rows, label))


def _changes(rows: np.ndarray, label: Label) -> int:
    """How many of the `TRIALS` change the counts of a source that are those of its label."""
    counts = len(label.components), label.n_peaks
    changed = 0
    for (shift, sigma), noise in zip(TRIALS, _noises(), strict=True):
        shifted = rows.copy()
        shifted[:, :2] += shift * PIXEL_ARCSEC
        image, _ = noise_free(shifted)
        seen = find_components(image + sigma * noise[: image.shape[0], : image.shape[1]], sigma)
        changed += (len(seen), int(seen.n_peaks.sum())) != counts
    return changed


@lru_cache(maxsize=1)
def _noises() -> tuple[np.ndarray, ...]:
    """Noise of unit variance behind the beam, larger than any source."""
    rng = np.random.default_rng(0)
    sigma_px = BEAM_ARCSEC / PIXEL_ARCSEC / FWHM_PER_SIGMA
    planes = [
        ndimage.gaussian_filter(rng.standard_normal((NOISE_PX, NOISE_PX)), sigma_px, mode="wrap")
        for _ in TRIALS
    ]
    return tuple(plane / plane.std() for plane in planes)


def noise_free(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image of Gaussians, and the east and north offset of its first pixel; columns run east."""
    east, north, peak, major, minor, angle_deg = rows.T
    to_sigma_px = 1 / (FWHM_PER_SIGMA * PIXEL_ARCSEC)
    major, minor, turn = major * to_sigma_px, minor * to_sigma_px, np.deg2rad(90 - angle_deg)
    cos, sin = np.cos(turn), np.sin(turn)
    placed = PlacedGaussians(
        x=east / PIXEL_ARCSEC,
        y=north / PIXEL_ARCSEC,
        peak=peak,
        xx=(cos / major) ** 2 + (sin / minor) ** 2,
        yy=(sin / major) ** 2 + (cos / minor) ** 2,
        xy=sin * cos * (major**-2 - minor**-2),
        half_px=np.ceil(CUT_SIGMA * major).astype(int),
    )
    centre = np.rint([placed.x, placed.y]).astype(int)
    low, high = (centre - placed.half_px).min(axis=1), (centre + placed.half_px).max(axis=1)
    window = Window(int(low[0]), int(low[1]), int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)
    image = np.zeros(window.shape)
    placed.add_to(image, window, np.arange(len(rows)))
    return image, PIXEL_ARCSEC * low


def _local_maxima(image: np.ndarray, found: Components) -> np.ndarray:
    """Pixels ``x y`` within components that no neighbour outshines, brightest first; ``(k, 2)``."""
    is_peak = (image == ndimage.maximum_filter(image, 3)) & (found.labels > 0)
    rows, columns = np.nonzero(is_peak)
    order = np.argsort(-image[rows, columns], kind="stable")
    return np.column_stack([columns, rows])[order]


def _direction(angle: float | np.ndarray) -> np.ndarray:
    """Unit vector (east, north) of a position angle (rad); ``(..., 2)``."""
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def _distances(places: np.ndarray) -> np.ndarray:
    """Distance between all pairs of places, infinite to themselves; ``(n, n)``."""
    apart = np.hypot(*(places[:, None] - places[None]).T)
    return apart + np.diag(np.full(len(places), np.inf))


# A source made of spots and tails.


def _fitted(parts: list[_Part], label: Label) -> _Candidate:
    """Let the tails grow until the extent fits: it grows about as fast as they do."""
    several = len(parts) > 1
    shortest = -0.45 * _distances(label.components).min() if several else 0.0
    best, tried, growth = None, [], 0.0
    for _ in range(MAX_SIZES):
        candidate = _judged(np.concatenate([part.rows(growth) for part in parts]), "labelled", label)
        tried.append((growth, candidate.extent_arcsec))
        if best is None or candidate.misfit < best.misfit:
            best = candidate
        wanted = growth + (label.extent_arcsec - candidate.extent_arcsec) / _slope(tried)
        wanted = float(np.clip(wanted, shortest, 1.2 * label.extent_arcsec))
        if best.misfit <= 1.0 or abs(wanted - growth) < 0.2:
            break
        growth = wanted
    return best


def _slope(tried: list[tuple[float, float]]) -> float:
    """How fast the extent grows, from the last two sizes tried."""
    if len(tried) < 2 or abs(tried[-1][0] - tried[-2][0]) < 1.0:
        return 1.0
    return float(np.clip((tried[-1][1] - tried[-2][1]) / (tried[-1][0] - tried[-2][0]), 0.4, 2.0))


def _draft(rng: np.random.Generator, label: Label) -> list[_Part]:
    heights = _heights(rng, label)
    outward = _outward(rng, label.components)
    # Tails of one component lengthen the source outwards; it takes all of them, inwards, to shorten it.
    shares = np.column_stack([rng.uniform(0.0, 0.6, len(heights)), rng.uniform(1.0, 1.3, len(heights))])
    core = _core(label.components)
    if core is not None:
        shares[core] = rng.uniform(0.0, 0.2)
    ends = [number for number in range(len(heights)) if number != core]
    shares[rng.choice(ends), 0] = 1.0
    parts = [_part(rng, *values) for values in zip(label.components, heights, outward, shares, strict=True)]
    for _ in range(label.n_peaks - len(parts)):
        number = int(rng.choice(len(parts), p=heights / heights.sum()))
        parts[number] = _with_knot(rng, parts[number], alone=len(parts) == 1)
    return parts


def _heights(rng: np.random.Generator, label: Label) -> np.ndarray:
    """Brightness of each component; those near each other are faint enough for a gap between them."""
    n = len(label.components)
    ratios = [1.0, rng.uniform(*SECOND_OVER_FIRST), *rng.uniform(*THIRD_OVER_FIRST, max(n - 2, 0))][:n]
    nearest = _distances(label.components).min(axis=1)
    # Mostly the brightest is not the one that is crowded.
    order = np.argsort(-nearest * np.exp(rng.normal(0, 0.5, n)), kind="stable") if n > 1 else [0]
    heights = np.empty(n)
    heights[order] = label.peak_snr * np.array(ratios)
    heights = np.maximum(heights, min(FAINTEST, label.peak_snr))
    for a, b in zip(*np.triu_indices(n, 1), strict=True):
        apart = np.hypot(*(label.components[a] - label.components[b]))
        together = GAP_LEVEL * 2.0 ** min((apart / BEAM_ARCSEC) ** 2, 20.0)
        if heights[a] + heights[b] > together:
            brighter, fainter = (a, b) if heights[a] > heights[b] else (b, a)
            heights[fainter] = min(heights[fainter], max(together / 2, 0.8 * FAINTEST))
            heights[brighter] = max(together - heights[fainter], 0.8 * FAINTEST)
    return heights


def _core(places: np.ndarray) -> int | None:
    """The component at the host, or in the middle of several; None for one or two."""
    if len(places) < 3:
        return None
    return int(np.argmin(np.hypot(*places.T)))


def _outward(rng: np.random.Generator, places: np.ndarray) -> np.ndarray:
    """Position angle (rad) of each component's way from the host; along the source for one at the host."""
    longest = np.hypot(*places.T)
    axis = places[np.argmax(longest)] if longest.max() > PIXEL_ARCSEC else _direction(rng.uniform(0, np.pi))
    ways = np.where(longest[:, None] > PIXEL_ARCSEC, places, axis)
    return np.arctan2(*ways.T)


def _part(
    rng: np.random.Generator, place: np.ndarray, height: float, outward: float, shares: np.ndarray
) -> _Part:
    start = float(np.clip(height * rng.uniform(0.1, 0.6), TAIL_LEVEL, max(0.85 * height, 5.8)))
    end = max(start * rng.uniform(0.3, 1.0), min(TAIL_LEVEL, start))
    return _Part(
        place=place,
        height=height,
        spot_arcsec=float(np.hypot(BEAM_ARCSEC, rng.uniform(0.5, 3.5))),
        outward=float(outward),
        turns=tuple(rng.normal(0, 0.3, 2)),
        shares=tuple(shares),
        levels=(start, end),
        breadth_arcsec=float(rng.uniform(1.0, 7.0)),
        ragged=rng.standard_normal((40, 2)),
    )


def _with_knot(rng: np.random.Generator, part: _Part, *, alone: bool) -> _Part:
    """Add a peak to a component, so far from the others that a contour level of its own encloses it."""
    bright = replace(part, height=max(part.height, FAINTEST_OF_TWO_PEAKS))
    height = rng.uniform(max(10.5, 0.2 * bright.height), max(11.0, 0.9 * bright.height))
    steps = np.floor(np.log(height / 1.12 / COMPONENT_SIGMA) / np.log(LEVEL_RATIO))
    level = COMPONENT_SIGMA * LEVEL_RATIO ** int(rng.integers(1, max(steps, 1) + 1))
    reach = [0.5 * part.spot_arcsec * np.sqrt(np.log2(h / (0.4 * level))) for h in (bright.height, height)]
    way = rng.choice([0.0, np.pi, 0.5 * np.pi, -0.5 * np.pi], p=[0.4, 0.4, 0.1, 0.1])
    if alone:
        # Through the host to the other side, and then beyond the last or back.
        way = np.pi if not part.knots else rng.choice([0.0, np.pi])
    beyond = max((knot.distance_arcsec for knot in part.knots if way == np.pi and alone), default=0.0)
    knot = _Knot(
        distance_arcsec=float(beyond + sum(reach) + rng.exponential(4.0)),
        angle=part.outward + way + rng.normal(0, 0.2),
        height=float(height),
        tail_level=float(rng.uniform(TAIL_LEVEL, max(TAIL_LEVEL, 0.75 * level))),
    )
    return replace(bright, knots=(*part.knots, knot))
