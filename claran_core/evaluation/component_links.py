"""Match components of a catalogue, of its outcomes and of the truth on the sky: the same one, or a part."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from claran_core.common.sky import chord, sky_to_offset, unit_vectors
from claran_core.common.tables import NATIVE_SCALE
from claran_core.components.sky_identity import healpix_index
from claran_core.survey.surveys import SURVEYS

__all__ = [
    "ABSENT",
    "ARTEFACTS",
    "LINK_ARCSEC",
    "LINK_BEAMS",
    "OWNER_COLUMNS",
    "Parts",
    "component_outcomes",
    "contour_around",
    "nearest_true",
    "owners_by_flux",
    "shared_components",
]

# Maximum distance of the brightest pixels of one component, in units of the beam's FWHM, and for FIRST.
LINK_BEAMS = 0.5
LINK_ARCSEC = LINK_BEAMS * SURVEYS["FIRST"].beam_arcsec

# Outcomes of components that are no source, and the word for a component without an outcome.
ARTEFACTS = ("artefact", "noise")
ABSENT = "absent"

# Columns of `claran_core.common.tables.OWNERS` that `owners_by_flux` needs.
OWNER_COLUMNS = ["component_id", "source_id"]


@dataclass(frozen=True)
class Parts:
    """All components of a table: the row each belongs to, and its brightest pixel (deg), as (m,) arrays."""

    row: np.ndarray
    ra: np.ndarray
    dec: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Parts":
        """Collect the components of a table with columns ``component_ra`` and ``component_dec``."""
        counts = [len(one) for one in table["component_ra"]]
        ra, dec = (_joined(table, f"component_{axis}") for axis in ("ra", "dec"))
        return cls(np.repeat(np.arange(len(table)), counts), ra, dec)

    @property
    def vector(self) -> np.ndarray:
        """Unit vectors to the brightest pixels, (m, 3)."""
        return unit_vectors(self.ra, self.dec)


def component_outcomes(parts: Parts, outcomes: pd.DataFrame | None, link_arcsec: float) -> np.ndarray:
    """Return the outcome of each component by the table `OUTCOMES`, (m,) str; `ABSENT` if it is not there.

    Components are those of the finest scale, in the parts and in the table.
    """
    called = np.full(len(parts.row), ABSENT, dtype=object)
    if outcomes is None or not len(called):
        return called
    table = outcomes[outcomes["scale"] == NATIVE_SCALE]
    if len(table):
        tree = cKDTree(unit_vectors(table["ra"].to_numpy(float), table["dec"].to_numpy(float)))
        distance, nearest = tree.query(parts.vector, distance_upper_bound=chord(link_arcsec))
        is_there = np.isfinite(distance)
        called[is_there] = table["outcome"].to_numpy(object)[nearest[is_there]]
    return called


def _joined(table: pd.DataFrame, column: str) -> np.ndarray:
    return np.concatenate([np.empty(0), *table[column]])


def shared_components(
    catalogue: pd.DataFrame, link_arcsec: float = LINK_ARCSEC, part_of: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """Count the components that a catalogue lists twice; a correct catalogue has none.

    Parameters
    ----------
    catalogue : DataFrame
        Columns ``component_ra`` and ``component_dec``; N rows.
    link_arcsec : float
        Maximum distance of the brightest pixels of one component.
    part_of : int array, optional
        True component that each component, row after row, is at least a part of; -1 for none.  Two parts of
        one true component are the same component.

    Returns
    -------
    n_shared : (N,) int array
        Number of components of each row that another row has too.
    n_surplus : int
        Minimum number of rows to remove so that no two rows share a component.
    """
    parts = Parts.of(catalogue)
    pairs = np.empty((0, 2), int)
    if len(parts.row):
        pairs = cKDTree(parts.vector).query_pairs(chord(link_arcsec), output_type="ndarray")
    if part_of is not None:
        order = np.argsort(part_of, kind="stable")
        same = (np.diff(part_of[order]) == 0) & (part_of[order][1:] >= 0)
        pairs = np.concatenate([pairs, np.stack([order[:-1][same], order[1:][same]], axis=1)])
    pairs = pairs[parts.row[pairs[:, 0]] != parts.row[pairs[:, 1]]]
    n_shared = np.bincount(parts.row[np.unique(pairs)], minlength=len(catalogue))
    rows = parts.row[pairs].T
    graph = coo_array((np.ones(len(pairs)), tuple(rows)), shape=(len(catalogue),) * 2)
    n_groups = connected_components(graph, directed=False)[0] if len(catalogue) else 0
    return n_shared, len(catalogue) - n_groups


def nearest_true(rows: Parts, sources: Parts, link_arcsec: float) -> np.ndarray:
    """Return the true component with the same brightest pixel, for each component of a row; -1 for none."""
    if not len(rows.row) or not len(sources.row):
        return np.full(len(rows.row), -1)
    distance, nearest = cKDTree(sources.vector).query(rows.vector, distance_upper_bound=chord(link_arcsec))
    return np.where(np.isfinite(distance), nearest, -1)


def contour_around(rows: Parts, truth: pd.DataFrame, sources: Parts, margin_arcsec: float) -> np.ndarray:
    """Return the nearest true component whose contour box contains each component; -1 for none.

    The contour boxes are enlarged by `margin_arcsec` on each side.
    """
    ra, dec, width, height = (_joined(truth, f"contour_{name}") for name in ("ra", "dec", "width", "height"))
    found = np.full(len(rows.row), -1)
    if not len(found) or not len(ra):
        return found
    half = np.stack([width, height], axis=1) / 2 + margin_arcsec
    near = cKDTree(rows.vector).query_ball_point(unit_vectors(ra, dec), chord(np.hypot(*half.T)))
    true = np.repeat(np.arange(len(ra)), [len(one) for one in near])
    part = np.concatenate([np.empty(0, int), *[np.asarray(one, int) for one in near]])
    offset = sky_to_offset(ra[true], dec[true], rows.ra[part], rows.dec[part])
    inside = (np.abs(np.stack(offset, axis=1)) <= half[true]).all(axis=1)
    true, part = true[inside], part[inside]
    apart = np.linalg.norm(sources.vector[true] - rows.vector[part], axis=1)
    nearest_last = np.lexsort((-apart, part))
    found[part[nearest_last]] = true[nearest_last]
    return found


def owners_by_flux(rows: Parts, owners: pd.DataFrame | None, names: pd.Series) -> np.ndarray:
    """Return the true source with most of the flux of each component; -1 for none or an unknown component.

    Parameters
    ----------
    rows : Parts
        Components of a catalogue.
    owners : DataFrame or None
        Columns `OWNER_COLUMNS` of all subjects.  A component belongs to a source if it does in any subject.
    names : Series of str
        ``source_id`` of the true sources.
    """
    found = np.full(len(rows.row), -1)
    if owners is None or not len(found):
        return found
    ids = healpix_index(rows.ra, rows.dec)
    known = owners[(owners["source_id"] != "") & owners["component_id"].isin(ids)]
    known = known.sort_values(OWNER_COLUMNS).drop_duplicates("component_id")
    place = pd.Index(known["component_id"]).get_indexer(pd.Index(ids))
    source = pd.Index(names).get_indexer(pd.Index(known["source_id"]))
    return np.append(source, -1)[place]
