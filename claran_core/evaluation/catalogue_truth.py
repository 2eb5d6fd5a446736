"""Compare the catalogue with the truth of its area: a status for each row, an outcome for each true source.

A row is matched to a true source by their components: two components are the same if their brightest
pixels lie within half a beam.  A subject's border or noise can move the brightest pixel; a component whose
brightest pixel lies in the contour of a true component counts as a part of it.  Other subjects show what the
image of a true source alone does not: components near the limit, and those of a smoothed image only.  They
belong to the source with most of their flux, but the source is whole without them.  Classes are ignored,
which keeps wrong associations apart from wrong classes.  Every row has one status, every true source one
outcome and, if it is missed, one reason.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.common.flags import Flag
from claran_core.evaluation.component_links import (
    ABSENT,
    ARTEFACTS,
    LINK_ARCSEC,
    Parts,
    component_outcomes,
    contour_around,
    nearest_true,
    owners_by_flux,
    shared_components,
)

__all__ = [
    "SOURCE_OUTCOMES",
    "REASONS",
    "STATUSES",
    "TRUE_OUTCOMES",
    "ROW_STATUSES",
    "Comparison",
    "compare_with_truth",
]

STATUSES = {
    "true": "its components are exactly those of one true source",
    "fragment": "it holds a part of one true source, and nothing else",
    "blend": "it joins components of a true source with components of another source or of no source",
    "false": "none of its components belongs to a true source",
}
SOURCE_OUTCOMES = {
    "found": "a row has exactly its components",
    "blended": "a row joins components of it with other components",
    "fragmented": "several rows hold parts of it, and nothing else",
    "partial": "one row holds a part of it, and nothing else",
    "missed": "no row has any of its components",
}
REASONS = {
    "not_visible": "no component above 5.3 sigma",
    "confused": "its brightest pixel lies in the contour of another source or of noise",
    "outside": "its centre lies outside all subjects",
    "edge": "no subject contains all its contours",
    **{name: f"its brightest component is called {name}" for name in ("artefact", "noise", "below_limit")},
    "unaccounted": "its brightest component is in no row and not in the table of outcomes",
    "unlisted": "its brightest component belongs to a source by the table of outcomes, but to no row",
}


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


def _explained(words: dict[str, str]) -> str:
    return "; ".join(f"{word}: {meaning}" for word, meaning in words.items())


TRUE_OUTCOMES = pa.schema(
    [
        _column("source_id", pa.string(), "name of the true source"),
        _column("ra", pa.float64(), "right ascension of its centre, deg, ICRS"),
        _column("dec", pa.float64(), "declination of its centre, deg, ICRS"),
        _column("state", pa.string(), "as in the truth"),
        _column("placement", pa.string(), "as in the truth"),
        _column("morphology", pa.string(), "true class", nullable=True),
        _column("n_components", pa.int32(), "true components"),
        _column("angular_size", pa.float32(), "DR1 extent, arcsec", nullable=True),
        _column("largest_angular_size", pa.float32(), "as in the truth, arcsec", nullable=True),
        _column("snr", pa.float32(), "brightest pixel over the noise"),
        _column("flux", pa.float64(), "flux density of the model, mJy"),
        _column("outcome", pa.string(), _explained(SOURCE_OUTCOMES)),
        _column("reason", pa.string(), f"why it is missed, else empty; {_explained(REASONS)}"),
        _column("row_ids", pa.list_(pa.string()), "rows of the catalogue that hold components of it"),
        _column("n_called_artefact", pa.int32(), "its components that are called artefact or noise"),
        _column("share", pa.float32(), "largest fraction of its components' summed brightness in one row"),
        _column("listed_as", pa.string(), "class of the row that found it", nullable=True),
    ]
)

ROW_STATUSES = pa.schema(
    [
        _column("source_id", pa.string(), "row of the catalogue"),
        _column("status", pa.string(), _explained(STATUSES)),
        _column("true_ids", pa.list_(pa.string()), "true sources it holds components of"),
        _column("n_components", pa.int32(), "components it holds"),
        _column("n_unmatched", pa.int32(), "components that belong to no true source"),
        _column(
            "n_shared",
            pa.int32(),
            "components that another row has too, whole or truncated by a border; must be 0",
        ),
        _column("true_morphology", pa.string(), "class of the source it found", nullable=True),
    ]
)


@dataclass(frozen=True)
class Comparison:
    """Result of comparing a catalogue with the truth.

    Attributes
    ----------
    sources : DataFrame
        Columns of `TRUE_OUTCOMES`, one row per true source, in the order of the truth.
    rows : DataFrame
        Columns of `ROW_STATUSES`, one row per row of the catalogue, in its order.
    n_duplicates : int
        Minimum number of rows to remove so that no two rows share a component, whole or truncated.
    """

    sources: pd.DataFrame
    rows: pd.DataFrame
    n_duplicates: int


def compare_with_truth(
    catalogue: pd.DataFrame,
    truth: pd.DataFrame,
    outcomes: pd.DataFrame | None = None,
    owners: pd.DataFrame | None = None,
    *,
    link_arcsec: float = LINK_ARCSEC,
) -> Comparison:
    """Return the outcome of every true source and the status of every row.

    Parameters
    ----------
    catalogue : DataFrame
        Columns ``source_id``, ``morphology``, ``flags``, ``component_ra`` and ``component_dec`` of
        `claran_core.catalogue.product.schema.CATALOGUE`.
    truth : DataFrame
        Columns of `claran_core.evaluation.sky_truth.SKY_TRUTH`.
    outcomes : DataFrame, optional
        Columns of `claran_core.catalogue.product.schema.OUTCOMES`, the outcome of each component.  Without
        it, no component is accounted for outside the rows.
    owners : DataFrame, optional
        Columns ``component_id`` and ``source_id`` of `claran_core.common.tables.OWNERS`, of all subjects.
        Without it, a component that is in no contour of the truth belongs to no source.
    link_arcsec : float
        Maximum distance of the brightest pixels of one component.
    """
    rows, sources = Parts.of(catalogue), Parts.of(truth)
    linked = nearest_true(rows, sources, link_arcsec)
    part_of = np.where(linked < 0, contour_around(rows, truth, sources, link_arcsec), linked)
    by_flux = owners_by_flux(rows, owners, truth["source_id"])
    owner = np.where(part_of < 0, by_flux, np.append(sources.row, -1)[part_of])
    status = _statuses(len(catalogue), rows.row, linked, owner, truth["n_components"].to_numpy(int))
    held = pd.DataFrame({"row": rows.row, "source": owner}).drop_duplicates()
    held = held[held["source"] >= 0].sort_values(["source", "row"])
    outcome = _outcomes(len(truth), held, status)
    called = component_outcomes(sources, outcomes, link_arcsec)
    is_artefact = np.isin(called, ARTEFACTS)
    known = {
        "outcome": outcome,
        "reason": _reasons(truth, outcome, _of_brightest(truth, called)),
        "n_called_artefact": np.bincount(sources.row[is_artefact], minlength=len(truth)),
        "share": _shares(truth, rows.row, linked, sources.row),
    }
    # A component truncated by a border is the same component; one split by noise is a fragment.
    is_truncated = (catalogue["flags"].to_numpy(int) & int(Flag.EDGE) != 0)[rows.row]
    same = np.where((linked >= 0) | is_truncated, part_of, -1)
    n_shared, n_duplicates = shared_components(catalogue, link_arcsec, same)
    counted = {
        "status": status,
        "n_components": np.bincount(rows.row, minlength=len(catalogue)),
        "n_unmatched": np.bincount(rows.row[owner < 0], minlength=len(catalogue)),
        "n_shared": n_shared,
    }
    true = held[status[held["row"].to_numpy(int)] == "true"]
    return Comparison(
        sources=_source_table(catalogue, truth, held, true, known),
        rows=_row_table(catalogue, truth, held, true, counted),
        n_duplicates=n_duplicates,
    )


def _statuses(
    n_rows: int, row: np.ndarray, linked: np.ndarray, owner: np.ndarray, n_components: np.ndarray
) -> np.ndarray:
    """Return the status of each row of the catalogue.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    row, linked, owner : (m,) int arrays
        For each component of a row: the row, the true component that it is, and the true source that it is
        at least a part of; -1 for none.
    n_components : (n_sources,) int array
        Number of components of each true source.
    """
    parts = pd.DataFrame({"row": row, "linked": linked, "owner": owner})
    owners = parts[parts["owner"] >= 0].groupby("row")["owner"]
    n_owners = owners.nunique().reindex(range(n_rows), fill_value=0).to_numpy()
    first = owners.min().reindex(range(n_rows), fill_value=0).to_numpy(int)
    whole = parts[parts["linked"] >= 0].groupby("row")["linked"].nunique()
    n_whole = whole.reindex(range(n_rows), fill_value=0).to_numpy()
    holders = parts[parts["owner"] >= 0].groupby("owner")["row"].nunique()
    n_holders = holders.reindex(range(len(n_components)), fill_value=0).to_numpy()
    if not len(n_components):
        return np.full(n_rows, "false", dtype=object)
    # A source that its own image does not show is whole in the only row that holds it.
    is_whole = (n_whole == n_components[first]) & ((n_whole > 0) | (n_holders[first] == 1))
    alone = np.where(is_whole, "true", "fragment")
    has_unmatched = np.bincount(row[owner < 0], minlength=n_rows) > 0
    is_blend = (n_owners > 1) | has_unmatched
    return np.where(n_owners == 0, "false", np.where(is_blend, "blend", alone)).astype(object)


def _outcomes(n_sources: int, held: pd.DataFrame, status: np.ndarray) -> np.ndarray:
    """Return the outcome of each true source; `held` pairs rows with the sources they hold parts of."""
    of_row = pd.Series(status[held["row"].to_numpy(int)], index=held["source"].to_numpy(int))
    outcome = np.full(n_sources, "missed", dtype=object)
    fragments = of_row[of_row == "fragment"].index.value_counts()
    outcome[fragments.index] = np.where(fragments.to_numpy() > 1, "fragmented", "partial")
    outcome[of_row.index[of_row == "blend"]] = "blended"
    outcome[of_row.index[of_row == "true"]] = "found"
    return outcome


def _shares(truth: pd.DataFrame, row: np.ndarray, linked: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return the largest fraction of each source's summed component brightness that one row holds.

    Parameters
    ----------
    truth : DataFrame
        Columns of `claran_core.evaluation.sky_truth.SKY_TRUTH`.
    row, linked : (m,) int arrays
        For each component of a row: the row, and the true component that it is; -1 for none.
    owner : (n_components,) int array
        Source of each true component.
    """
    snr = np.concatenate([np.empty(0), *truth["component_snr"]])
    pairs = pd.DataFrame({"row": row, "component": linked}).query("component >= 0").drop_duplicates()
    held = pairs["component"].to_numpy(int)
    sums = pd.Series(snr[held]).groupby([owner[held], pairs["row"].to_numpy(int)]).sum()
    most = sums.groupby(level=0).max().reindex(range(len(truth)), fill_value=0.0).to_numpy(float)
    total = np.bincount(owner, snr, minlength=len(truth))
    return np.divide(most, total, out=np.zeros(len(truth)), where=total > 0)


def _of_brightest(truth: pd.DataFrame, called: np.ndarray) -> np.ndarray:
    """Return the outcome of each source's brightest component; empty without a component."""
    ending = np.full(len(truth), "", dtype=object)
    start = 0
    for row, snr in enumerate(truth["component_snr"]):
        if len(snr):
            ending[row] = called[start + int(np.argmax(snr))]
        start += len(snr)
    return ending


def _reasons(truth: pd.DataFrame, outcome: np.ndarray, ending: np.ndarray) -> np.ndarray:
    """Return why each source is missed (the last reason that applies); empty if it is not missed."""
    state, placement = truth["state"].to_numpy(object), truth["placement"].to_numpy(object)
    reason = np.where(ending == "source", "unlisted", np.where(ending == ABSENT, "unaccounted", ending))
    for name in ("edge", "outside"):
        reason[placement == name] = name
    reason[state == "confused"] = "confused"
    reason[state == "faint"] = "not_visible"
    reason[outcome != "missed"] = ""
    return reason


def _source_table(
    catalogue: pd.DataFrame,
    truth: pd.DataFrame,
    held: pd.DataFrame,
    true: pd.DataFrame,
    known: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Return the table of true sources; `held` pairs rows with sources, `true` the found ones."""
    facts = [name for name in TRUE_OUTCOMES.names if name in truth]
    names = catalogue["source_id"].to_numpy(object)[held["row"].to_numpy(int)]
    listed = np.full(len(truth), None, dtype=object)
    listed[true["source"].to_numpy(int)] = catalogue["morphology"].to_numpy(object)[true["row"].to_numpy(int)]
    ids = _lists(names, held["source"].to_numpy(int), len(truth))
    table = truth[facts].reset_index(drop=True)
    return table.assign(**known, row_ids=ids, listed_as=listed)[TRUE_OUTCOMES.names]


def _row_table(
    catalogue: pd.DataFrame,
    truth: pd.DataFrame,
    held: pd.DataFrame,
    true: pd.DataFrame,
    counted: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Return the table of the rows of the catalogue; arguments as `_source_table`."""
    ordered = held.sort_values(["row", "source"])
    names = truth["source_id"].to_numpy(object)[ordered["source"].to_numpy(int)]
    right = np.full(len(catalogue), None, dtype=object)
    right[true["row"].to_numpy(int)] = truth["morphology"].to_numpy(object)[true["source"].to_numpy(int)]
    columns = {
        "source_id": catalogue["source_id"].to_numpy(object),
        "true_ids": _lists(names, ordered["row"].to_numpy(int), len(catalogue)),
        "true_morphology": right,
    }
    return pd.DataFrame(columns | counted, columns=ROW_STATUSES.names)


def _lists(values: np.ndarray, group: np.ndarray, n_groups: int) -> pd.Series:
    """Return a list of values per group; `values` are sorted by `group`."""
    ends = np.searchsorted(group, np.arange(n_groups + 1))
    return pd.Series([values[ends[k] : ends[k + 1]].tolist() for k in range(n_groups)], dtype=object)
