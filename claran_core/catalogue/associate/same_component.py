"""Recognise one component in several views of one scale: by identity, by its peaks, or as a piece of it."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from claran_core.catalogue.associate.views import Components
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.sky import chord, unit_vectors
from claran_core.components.sky_identity import healpix_index

__all__ = ["inside_boxes", "same_component"]

# The brightest pixel of a piece is at most this much above that of the whole component: the noise of two
# views of one place differs by less.
MAX_EXCESS = 1.5


def same_component(rows: Components, own: np.ndarray, tolerance_arcsec: np.ndarray) -> np.ndarray:
    """Number the components on the sky that rows of one scale show.

    Rows with one identity are one component.  So are rows that share a peak, because images that overlap
    have pixels of their own.  A component that the border cuts in each view is one with the smallest whole
    component whose box contains it.

    Parameters
    ----------
    rows : Components
        Rows of all views.
    own : (n,) int array
        The rows of one scale.
    tolerance_arcsec : (m,) float64 array
        For each of `rows` the largest separation of two positions of one peak: half a beam.  Of two images
        with different beams the wider one counts, which places peaks less well.

    Returns
    -------
    (n,) int64 array
        Number of the component of each row, from 0; the order of the rows does not matter.
    """
    ids, first, unique = np.unique(rows.ids[own], return_index=True, return_inverse=True)
    owner = np.repeat(unique, np.diff(rows.secondary.starts)[own])
    places = rows.secondary.take(own).values
    pairs = _shared_peaks(rows, own[first], owner, places, tolerance_arcsec[own[first]])
    label = _joined(pairs, len(ids))[unique]
    return _joined(_cut_pieces(rows, own, label, tolerance_arcsec), label.max(initial=-1) + 1)[label]


def _joined(pairs: np.ndarray, n: int) -> np.ndarray:
    """Return the group of each of n things that pairs (k, 2) join, numbered by the first of each group."""
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _shared_peaks(
    rows: Components,
    first: np.ndarray,
    owner: np.ndarray,
    places: np.ndarray,
    tolerance_arcsec: np.ndarray,
) -> np.ndarray:
    """Return the pairs (k, 2) of identities with a common peak.

    `first` is a row of each identity, with its tolerance; secondary peaks at `places` (m, 2; deg) belong to
    identities `owner`.
    """
    cell = healpix_index(*places.T)
    order = np.lexsort((cell, owner))
    cell, owner, places = cell[order], owner[order], places[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(cell) != 0) | (np.diff(owner) != 0)  # views repeat the peaks of a component
    owner = np.concatenate([np.arange(len(first)), owner[new]])
    ra = np.concatenate([rows.ra[first], places[new, 0]])
    dec = np.concatenate([rows.dec[first], places[new, 1]])
    if len(owner) < 2:
        return np.empty((0, 2), np.int64)
    vectors = unit_vectors(ra, dec)
    tree = cKDTree(vectors, balanced_tree=False, compact_nodes=False)
    reach = chord(tolerance_arcsec)
    pairs = tree.query_pairs(float(reach.max()), output_type="ndarray")
    if reach.min() < reach.max():
        apart = np.linalg.norm(vectors[pairs[:, 0]] - vectors[pairs[:, 1]], axis=1)
        pairs = pairs[apart <= reach[owner[pairs]].max(axis=1)]
    return owner[pairs]


def _cut_pieces(
    rows: Components, own: np.ndarray, label: np.ndarray, tolerance_arcsec: np.ndarray
) -> np.ndarray:
    """Return the pairs (k, 2) of a component without a whole view and the whole one that contains it."""
    n = label.max(initial=-1) + 1
    whole = np.full(n, -1, np.int64)
    is_whole = np.flatnonzero(~rows.at_edge[own])[::-1]
    whole[label[is_whole]] = own[is_whole]  # the first row stays
    pieces = own[whole[label] < 0]
    of_piece = label[whole[label] < 0]
    named = np.flatnonzero(whole >= 0)
    piece, box = inside_boxes(rows, pieces, whole[named], tolerance_arcsec)
    margin = 2 * tolerance_arcsec[whole[named[box]]]
    part, all_of_it = rows.extent[pieces[piece]], rows.extent[whole[named[box]]]
    fits = (part[:, :2].sum(axis=1) <= all_of_it[:, :2].sum(axis=1) + margin) & (
        part[:, 2:].sum(axis=1) <= all_of_it[:, 2:].sum(axis=1) + margin
    )
    fits &= rows.snr[pieces[piece]] <= MAX_EXCESS * rows.snr[whole[named[box]]]
    piece, target = of_piece[piece[fits]], named[box[fits]]
    order = np.lexsort((target, box_area(rows.extent[whole[target]]), piece))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(piece[order]) != 0
    return np.stack([piece[order[first]], target[order[first]]], axis=1)


def box_area(extent: np.ndarray) -> np.ndarray:
    """Return the area (n,) of boxes with edges at distances (n, 4) from a point inside, square arcsec."""
    return (extent[:, 0] + extent[:, 1]) * (extent[:, 2] + extent[:, 3])


def inside_boxes(
    rows: Components, points: np.ndarray, boxes: np.ndarray, margin_arcsec: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of a row whose brightest pixel lies in the contour box of another row.

    Parameters
    ----------
    rows : Components
        Rows of all views.
    points, boxes : int arrays
        Rows whose brightest pixels and whose boxes are compared.
    margin_arcsec : (m,) float64 array
        For each of `rows` what is added to each side of its box.

    Returns
    -------
    point, box : (k,) int64 arrays
        Indices into `points` and `boxes`.
    """
    none = np.empty(0, np.int64)
    if not len(points) or not len(boxes):
        return none, none
    at, middle = (unit_vectors(rows.ra[own], rows.dec[own]) for own in (points, boxes))
    tree = cKDTree(at)
    extent = rows.extent[boxes] + margin_arcsec[boxes, None].astype(np.float32)
    reach = np.hypot(extent[:, :2].max(axis=1), extent[:, 2:].max(axis=1))
    # Boxes of about one size are searched together, each group with its own radius.
    octave = np.ceil(np.log2(reach)).astype(int)
    found = [(none, none)]
    for size in np.unique(octave):
        some = np.flatnonzero(octave == size)
        near = cKDTree(middle[some]).sparse_distance_matrix(
            tree, float(chord(2.0**size)), output_type="ndarray"
        )
        box, point = some[near["i"]], near["j"].astype(np.int64)
        east, north = _offsets_arcsec(middle[box], at[point])
        edges = extent[box]
        inside = (
            (east <= edges[:, 0]) & (-east <= edges[:, 1]) & (north <= edges[:, 2]) & (-north <= edges[:, 3])
        )
        found.append((point[inside], box[inside]))
    point, box = (np.concatenate(part) for part in zip(*found, strict=True))
    return point, box


def _offsets_arcsec(origin: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return east and north offsets (n,; arcsec) of places from nearby origins, both (n, 3) unit vectors."""
    east = np.stack([-origin[:, 1], origin[:, 0], np.zeros(len(origin))], axis=1)
    length = np.linalg.norm(east, axis=1, keepdims=True)
    east = np.where(length > 0, east / np.where(length > 0, length, 1.0), [0.0, 1.0, 0.0])
    north = np.cross(origin, east)
    offsets = [np.rad2deg((place * axis).sum(axis=1)) * ARCSEC_PER_DEG for axis in (east, north)]
    return offsets[0], offsets[1]
