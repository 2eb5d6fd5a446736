"""Which detections are one source: views of overlapping subjects, compared on the sky.

Two detections claim the same emission when they share a peak: a local maximum of the radio image, which is
the same pixel whichever subject it is looked at from.  Boxes would not do: of two neighbours 6 arcsec apart
they overlap, of a triple cut by a border they do not.  Only where a detection has no peak at all do boxes
decide; and what the border of a subject cuts goes with the source that has its brightest pixel inside.

Among detections that claim the same emission the best view stays (`SOURCES.view`: how probable the source
is, and how much room there is between it and the border of its subject).  The choice is greedy, the best
first, and depends on nothing but the detections themselves: not on their order, nor on how they were cut into
shards.

Pure array functions; `claran_core.catalogue.associate.assemble` runs them over the files of a run.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.flags import Flag
from claran_core.common.sky import chord, unit_vectors

__all__ = ["Links", "Resolution", "SourceRows", "connected_groups", "link_duplicates", "resolve"]

# Where a detection has no peak, it is taken for another whose centre is nearer than this part of their mean
# size: an overlap (IoU) of a half for two squares of one size.
BOX_REACH = 1 / 3


@dataclass(frozen=True)
class SourceRows:
    """Detections as merging sees them, entry by entry.

    Attributes
    ----------
    centre : (n, 3) array
        Unit vector to the middle of the box.
    size_arcsec : (n,) array
        Side of the box.
    n_components : (n,) int array
        Components of the source; 0 where nothing could be measured.
    peaks : (m, 3) array
        Unit vectors to the peaks of all detections, one detection after the other, those of components first.
    n_peaks : (n,) int array
        How many of them are each detection's.
    is_cut : (n,) bool array
        Whether the border of its subject cuts it.
    tight : (n, 3) array
        Unit vectors to the middles of the tight boxes around their components; not finite without any.
    half_arcsec : (n, 2) array
        Half of the east-west width and of the north-south height of these boxes.
    rank : (n,) int array
        0 for the best view; no two alike.
    """

    centre: np.ndarray
    size_arcsec: np.ndarray
    n_components: np.ndarray
    peaks: np.ndarray
    n_peaks: np.ndarray
    is_cut: np.ndarray
    tight: np.ndarray
    half_arcsec: np.ndarray
    rank: np.ndarray

    def __len__(self) -> int:
        return len(self.centre)

    @classmethod
    def of(cls, sources: pa.Table) -> "SourceRows":
        """From rows of `claran_core.catalogue.product.schema.SOURCES`."""
        columns = {
            name: sources[name].to_numpy()
            for name in (
                *("ra", "dec", "angular_size", "rule_components", "view", "source_probability", "flags"),
                *("tight_ra", "tight_dec", "tight_width", "tight_height"),
            )
        }
        ra, dec = (sources[name].combine_chunks() for name in ("peak_ra", "peak_dec"))
        return cls(
            centre=unit_vectors(columns["ra"], columns["dec"]),
            size_arcsec=columns["angular_size"],
            n_components=columns["rule_components"],
            peaks=unit_vectors(ra.flatten().to_numpy(), dec.flatten().to_numpy()),
            n_peaks=ra.value_lengths().to_numpy(),
            is_cut=columns["flags"] & int(Flag.EDGE) > 0,
            tight=unit_vectors(columns["tight_ra"], columns["tight_dec"]),
            half_arcsec=np.stack([columns["tight_width"], columns["tight_height"]], axis=1) / 2,
            rank=_rank(sources, columns),
        )


def _rank(sources: pa.Table, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Places of the rows, best view first; ties by position, then by names, which no two rows share."""
    keys = [columns["dec"], columns["ra"], -columns["source_probability"], -columns["view"]]
    order = np.lexsort(keys)
    same = np.ones(max(len(order) - 1, 0), bool)
    for key in keys:
        same &= np.diff(key[order]) == 0
    if same.any():  # rare, and comparing names is slow
        names = sources["subject_id"].to_numpy(zero_copy_only=False).astype(str)
        order = np.lexsort([sources["detection"].to_numpy(), names, *keys])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


@dataclass(frozen=True)
class Links:
    """Pairs of detections that claim the same emission.

    Attributes
    ----------
    first, second : (k,) int arrays
        The two, in either order.
    agrees : (k,) bool array
        Whether both are made of the same components.
    """

    first: np.ndarray
    second: np.ndarray
    agrees: np.ndarray


def link_duplicates(views: SourceRows, tolerance_arcsec: float) -> Links:
    """Find the pairs that share a peak or, where one of them has none or is cut, a place.

    Parameters
    ----------
    views : SourceRows
        Detections of any number of subjects.
    tolerance_arcsec : float
        Two peaks nearer than this are one: half a beam.
    """
    n = len(views)
    owner = np.repeat(np.arange(n), views.n_peaks)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(views.n_peaks) - views.n_peaks, views.n_peaks)
    is_component = number < views.n_components[owner]
    one, two = _near(views.peaks, chord(tolerance_arcsec)).T
    apart = owner[one] != owner[two]
    one, two = one[apart], two[apart]
    low, high = np.minimum(owner[one], owner[two]), np.maximum(owner[one], owner[two])
    code, place = np.unique(low * np.int64(n) + high, return_inverse=True)
    both = np.bincount(place, is_component[one] & is_component[two], minlength=len(code))
    first, second = np.divmod(code, max(n, 1))
    agrees = (both >= views.n_components[first]) & (both >= views.n_components[second])
    more = np.concatenate([_same_place(views), _cut_pieces(views, tolerance_arcsec)])
    return Links(
        first=np.concatenate([first, more[:, 0]]),
        second=np.concatenate([second, more[:, 1]]),
        agrees=np.concatenate([agrees, np.ones(len(more), bool)]),
    )


def _near(vectors: np.ndarray, reach: float) -> np.ndarray:
    """Pairs (k, 2) of vectors nearer than `reach`."""
    if len(vectors) < 2:
        return np.empty((0, 2), np.int64)
    return cKDTree(vectors, balanced_tree=False, compact_nodes=False).query_pairs(
        reach, output_type="ndarray"
    )


def _same_place(views: SourceRows) -> np.ndarray:
    """Pairs (k, 2) of detections at one place, of which one or both have no peak."""
    without = np.flatnonzero(views.n_peaks == 0)
    if not len(without):
        return np.empty((0, 2), np.int64)
    tree = cKDTree(views.centre)
    reach = chord(BOX_REACH * views.size_arcsec.max())
    pairs = [
        (min(row, other), max(row, other))
        for row, near in zip(without, tree.query_ball_point(views.centre[without], reach), strict=True)
        for other in near
        if other != row
    ]
    pairs = np.array(sorted(set(pairs)), np.int64).reshape(-1, 2)
    apart = np.linalg.norm(views.centre[pairs[:, 0]] - views.centre[pairs[:, 1]], axis=1)
    return pairs[apart <= chord(BOX_REACH * views.size_arcsec[pairs].mean(axis=1))]


def _cut_pieces(views: SourceRows, margin_arcsec: float) -> np.ndarray:
    """Pairs (k, 2) of a cut detection and another whose tight box, and a margin, holds its brightest pixel.

    What a border leaves of a source has another brightest pixel than the source: peaks would not tell.
    """
    cut = np.flatnonzero(views.is_cut & (views.n_peaks > 0))
    boxed = np.flatnonzero(np.isfinite(views.tight).all(axis=1) & ~views.is_cut)
    if not len(cut) or not len(boxed):
        return np.empty((0, 2), np.int64)
    brightest = views.peaks[np.cumsum(views.n_peaks)[cut] - views.n_peaks[cut]]
    half = views.half_arcsec[boxed] + margin_arcsec
    near = cKDTree(views.tight[boxed]).query_ball_point(brightest, chord(np.hypot(*half.T).max()))
    piece = np.repeat(np.arange(len(cut)), [len(found) for found in near])
    whole = np.concatenate([np.asarray(found, int) for found in near])
    offset = _offsets_arcsec(views.tight[boxed[whole]], brightest[piece])
    inside = (np.abs(offset) <= half[whole]).all(axis=1)
    return np.stack([cut[piece[inside]], boxed[whole[inside]]], axis=1)


def _offsets_arcsec(origin: np.ndarray, place: np.ndarray) -> np.ndarray:
    """East and north offsets (n, 2) of places close to some origins; both (n, 3) unit vectors."""
    east = np.stack([-origin[:, 1], origin[:, 0], np.zeros(len(origin))], axis=1)
    length = np.linalg.norm(east, axis=1, keepdims=True)
    east = np.where(length > 0, east / np.where(length > 0, length, 1.0), [0.0, 1.0, 0.0])
    north = np.cross(origin, east)
    apart = [(place * axis).sum(axis=1) for axis in (east, north)]
    return np.rad2deg(np.stack(apart, axis=1)) * ARCSEC_PER_DEG


def connected_groups(n: int, links: Links) -> np.ndarray:
    """Number of the group of each of `n` detections: those that are linked, also through others."""
    graph = coo_array((np.ones(len(links.first), np.int8), (links.first, links.second)), shape=(n, n))
    return connected_components(graph, directed=False)[1]


@dataclass(frozen=True)
class Resolution:
    """What becomes of detections, entry by entry.

    Attributes
    ----------
    winner : (n,) int array
        The detection that stands for it in the catalogue: itself, or the best it is linked with.
    agrees : (n,) bool array
        Whether it is made of the same components as that one.
    """

    winner: np.ndarray
    agrees: np.ndarray


def resolve(rank: np.ndarray, links: Links) -> Resolution:
    """Choose the detections that stay, best first; what is linked with one that stays, goes.

    In rounds: whatever is better than all it is still linked with, stays.  This is what going through
    the detections from the best to the worst would give.

    Parameters
    ----------
    rank : (n,) int array
        0 for the best.
    links : Links
        Between detections given by their row in `rank`.
    """
    n = len(rank)
    winner, agrees = np.full(n, -1), np.ones(n, bool)
    source = np.concatenate([links.first, links.second])
    target = np.concatenate([links.second, links.first])
    same = np.concatenate([links.agrees, links.agrees])
    linked = np.zeros(n, bool)
    linked[source] = True
    winner[~linked] = np.flatnonzero(~linked)
    while len(source):
        best = np.full(n, n)
        np.minimum.at(best, source, rank[target])
        stays = (winner < 0) & (rank < best)
        winner[stays] = np.flatnonzero(stays)
        lost = stays[target] & (winner[source] < 0)
        _assign(winner, agrees, source[lost], target[lost], same[lost], rank)
        open_links = (winner[source] < 0) & (winner[target] < 0)
        source, target, same = source[open_links], target[open_links], same[open_links]
        alone = winner < 0
        alone[source] = False
        winner[alone] = np.flatnonzero(alone)
    return Resolution(winner, agrees)


def _assign(
    winner: np.ndarray,
    agrees: np.ndarray,
    loser: np.ndarray,
    better: np.ndarray,
    same: np.ndarray,
    rank: np.ndarray,
) -> None:
    """Give each loser the best of those it lost against in this round."""
    order = np.lexsort([rank[better], loser])
    loser, better, same = loser[order], better[order], same[order]
    first = np.ones(len(loser), bool)
    first[1:] = loser[1:] != loser[:-1]
    winner[loser[first]], agrees[loser[first]] = better[first], same[first]
