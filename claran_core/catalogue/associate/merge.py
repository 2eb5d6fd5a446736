"""Find and merge duplicate detections of one source in overlapping subjects.

Two detections are linked when they share a peak.  A peak is a local maximum of the radio image, and so the
same pixel in every subject that shows it.  Boxes cannot decide: those of two sources 6 arcsec apart overlap,
and those of a triple and of its part inside the frame may not.  Two exceptions compare positions instead: a
detection without a peak is linked by its box, and a source truncated by the frame is merged into the
untruncated one that contains its brightest pixel.

Of linked detections the one with the highest `SOURCES.frame_quality` stays: the product of the source's
probability and of its distance from the border of the subject, scaled to at most 1.  The choice is greedy,
best first.  It depends on the detections alone, not on their order or on the shards.

These are pure array functions; `claran_core.catalogue.associate.assemble` applies them to the files of a run.
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

# A detection without a peak is linked with any whose centre is nearer than this fraction of their mean size.
# Two squares of equal size then have an IoU of a half.
BOX_REACH = 1 / 3


@dataclass(frozen=True)
class SourceRows:
    """Detections as arrays, one entry per detection.

    Attributes
    ----------
    centre : (n, 3) array
        Unit vector to the centre of the box.
    size_arcsec : (n,) array
        Side of the box.
    n_components : (n,) int array
        Number of components; 0 where nothing was measured.
    peaks : (m, 3) array
        Unit vectors to the peaks, detection by detection; within one, peaks of components come first.
    n_peaks : (n,) int array
        Number of peaks of each detection.
    is_cut : (n,) bool array
        Whether the border of the subject truncates the source.
    tight : (n, 3) array
        Unit vectors to the centres of the tight boxes around the components; NaN without components.
    half_arcsec : (n, 2) array
        Half the east-west width and half the north-south height of these boxes.
    rank : (n,) int array
        0 for the highest frame quality; ranks are unique.
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
        """Return the detections of a table with the columns of `SOURCES`."""
        columns = {
            name: sources[name].to_numpy()
            for name in (
                *(
                    "ra",
                    "dec",
                    "angular_size",
                    "rule_components",
                    "frame_quality",
                    "source_probability",
                    "flags",
                ),
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
    """Rank rows by frame quality, highest first; break ties by position, then by subject and detection."""
    keys = [columns["dec"], columns["ra"], -columns["source_probability"], -columns["frame_quality"]]
    order = np.lexsort(keys)
    same = np.ones(max(len(order) - 1, 0), bool)
    for key in keys:
        same &= np.diff(key[order]) == 0
    if same.any():  # names are compared only on ties, because it is slow
        names = sources["subject_id"].to_numpy(zero_copy_only=False).astype(str)
        order = np.lexsort([sources["detection"].to_numpy(), names, *keys])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


@dataclass(frozen=True)
class Links:
    """Pairs of detections that claim the same emission, one entry per pair.

    Attributes
    ----------
    first, second : (k,) int arrays
        Rows of the two detections, in either order.
    agrees : (k,) bool array
        Whether both have the same components.
    """

    first: np.ndarray
    second: np.ndarray
    agrees: np.ndarray


def link_duplicates(rows: SourceRows, tolerance_arcsec: float) -> Links:
    """Return the pairs that share a peak, or a position where one has no peak or is truncated.

    Parameters
    ----------
    rows : SourceRows
        Detections of any number of subjects.
    tolerance_arcsec : float
        Largest separation of two positions of one peak: half a beam.
    """
    n = len(rows)
    owner = np.repeat(np.arange(n), rows.n_peaks)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(rows.n_peaks) - rows.n_peaks, rows.n_peaks)
    is_component = number < rows.n_components[owner]
    one, two = _near(rows.peaks, float(chord(tolerance_arcsec))).T
    apart = owner[one] != owner[two]
    one, two = one[apart], two[apart]
    low, high = np.minimum(owner[one], owner[two]), np.maximum(owner[one], owner[two])
    code, place = np.unique(low * np.int64(n) + high, return_inverse=True)
    both = np.bincount(place, is_component[one] & is_component[two], minlength=len(code))
    first, second = np.divmod(code, max(n, 1))
    agrees = (both >= rows.n_components[first]) & (both >= rows.n_components[second])
    more = np.concatenate([_same_place(rows), _cut_pieces(rows, tolerance_arcsec)])
    return Links(
        first=np.concatenate([first, more[:, 0]]),
        second=np.concatenate([second, more[:, 1]]),
        agrees=np.concatenate([agrees, np.ones(len(more), bool)]),
    )


def _near(vectors: np.ndarray, reach: float) -> np.ndarray:
    """Return the pairs (k, 2) of unit vectors closer than the chord `reach`."""
    if len(vectors) < 2:
        return np.empty((0, 2), np.int64)
    return cKDTree(vectors, balanced_tree=False, compact_nodes=False).query_pairs(
        reach, output_type="ndarray"
    )


def _same_place(rows: SourceRows) -> np.ndarray:
    """Return the pairs (k, 2) of detections with close centres of which at least one has no peak."""
    without = np.flatnonzero(rows.n_peaks == 0)
    if not len(without):
        return np.empty((0, 2), np.int64)
    tree = cKDTree(rows.centre)
    reach = chord(BOX_REACH * rows.size_arcsec.max())
    found = {
        (min(row, other), max(row, other))
        for row, near in zip(without, tree.query_ball_point(rows.centre[without], reach), strict=True)
        for other in near
        if other != row
    }
    pairs = np.array(sorted(found), np.int64).reshape(-1, 2)
    apart = np.linalg.norm(rows.centre[pairs[:, 0]] - rows.centre[pairs[:, 1]], axis=1)
    return pairs[apart <= chord(BOX_REACH * rows.size_arcsec[pairs].mean(axis=1))]


def _cut_pieces(rows: SourceRows, margin_arcsec: float) -> np.ndarray:
    """Return the pairs (k, 2) of a truncated detection and the untruncated one that contains it.

    The tight box of the second, widened by a margin, contains the brightest pixel of the first.  Peaks cannot
    link them: the brightest pixel of the part inside the frame need not be a peak of the whole source.
    """
    cut = np.flatnonzero(rows.is_cut & (rows.n_peaks > 0))
    boxed = np.flatnonzero(np.isfinite(rows.tight).all(axis=1) & ~rows.is_cut)
    if not len(cut) or not len(boxed):
        return np.empty((0, 2), np.int64)
    brightest = rows.peaks[np.cumsum(rows.n_peaks)[cut] - rows.n_peaks[cut]]
    half = rows.half_arcsec[boxed] + margin_arcsec
    near = cKDTree(rows.tight[boxed]).query_ball_point(brightest, chord(np.hypot(*half.T).max()))
    piece = np.repeat(np.arange(len(cut)), [len(found) for found in near])
    whole = np.concatenate([np.asarray(found, int) for found in near])
    offset = _offsets_arcsec(rows.tight[boxed[whole]], brightest[piece])
    inside = (np.abs(offset) <= half[whole]).all(axis=1)
    return np.stack([cut[piece[inside]], boxed[whole[inside]]], axis=1)


def _offsets_arcsec(origin: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return east and north offsets (n, 2; arcsec) from nearby origins; both are (n, 3) unit vectors."""
    east = np.stack([-origin[:, 1], origin[:, 0], np.zeros(len(origin))], axis=1)
    length = np.linalg.norm(east, axis=1, keepdims=True)
    east = np.where(length > 0, east / np.where(length > 0, length, 1.0), [0.0, 1.0, 0.0])
    north = np.cross(origin, east)
    apart = [(place * axis).sum(axis=1) for axis in (east, north)]
    return np.rad2deg(np.stack(apart, axis=1)) * ARCSEC_PER_DEG


def connected_groups(n: int, links: Links) -> np.ndarray:
    """Return the group number of each of `n` detections; linked detections share a group."""
    graph = coo_array((np.ones(len(links.first), np.int8), (links.first, links.second)), shape=(n, n))
    return connected_components(graph, directed=False)[1]


@dataclass(frozen=True)
class Resolution:
    """The result of merging, one entry per detection.

    Attributes
    ----------
    winner : (n,) int array
        Row of the detection that represents it in the catalogue: its own, or the best one it is linked with.
    agrees : (n,) bool array
        Whether it has the same components as that one.
    """

    winner: np.ndarray
    agrees: np.ndarray


def resolve(rank: np.ndarray, links: Links) -> Resolution:
    """Choose the detections that stay, best first; each removes the detections linked with it.

    Works in rounds: a detection stays if it ranks above all its remaining links.  The result equals that of
    going through the detections one by one from the best to the worst.

    Parameters
    ----------
    rank : (n,) int array
        0 for the best.
    links : Links
        Pairs of rows of `rank`.
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
    """Assign to each removed detection the best of those that removed it in this round."""
    order = np.lexsort([rank[better], loser])
    loser, better, same = loser[order], better[order], same[order]
    first = np.ones(len(loser), bool)
    first[1:] = loser[1:] != loser[:-1]
    winner[loser[first]], agrees[loser[first]] = better[first], same[first]
