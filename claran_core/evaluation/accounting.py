"""Whether every component of the sky is in a source or in the table of outcomes, and rightly so."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.sky import chord, unit_vectors
from claran_core.common.tables import NATIVE_SCALE
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.evaluation.component_links import (
    ABSENT,
    ARTEFACTS,
    LINK_ARCSEC,
    Parts,
    component_outcomes,
    contour_around,
    nearest_true,
)
from claran_core.labels.dr1_labels import LABELLED_SNR

__all__ = ["COMPONENT_COLUMNS", "OUTCOMES", "component_accounts", "unaccounted"]

# Outcomes of a component, in the order in which they are counted.
OUTCOMES = ("source", *ARTEFACTS, "below_limit")

# Columns of `claran_core.common.tables.COMPONENTS` that `unaccounted` needs.
COMPONENT_COLUMNS = [
    *("subject_id", "component_id", "scale", "level", "ra", "dec", "snr", "at_edge", "part_of"),
    *("secondary_ra", "secondary_dec"),
]


def unaccounted(
    components: pd.DataFrame, outcomes: pd.DataFrame, link_arcsec: float = LINK_ARCSEC
) -> dict[str, int]:
    """Count the components of all subjects that the table of outcomes does not have.

    A component is there if an outcome of its scale lies within `link_arcsec` times the scale of its brightest
    pixel, or a secondary peak of a component that is there: one contour in a view may be two in another.
    Coarse components that contain finer ones stand for them and need no outcome of their own.  A component at
    the border of a frame is a piece, whose brightest pixel may be that of the border; it counts apart.

    Parameters
    ----------
    components : DataFrame
        Columns `COMPONENT_COLUMNS` of `claran_core.common.tables.COMPONENTS`, of all shards.
    outcomes : DataFrame
        Columns of `claran_core.catalogue.product.schema.OUTCOMES`.

    Returns
    -------
    dict
        ``n`` components; ``n_missing`` of them, ``n_missing_labelled`` (10 sigma or more), and
        ``n_missing_at_edge``, which the other two do not count.
    """
    is_unit = components["level"] == NOMINAL_LEVEL
    contained = components.loc[is_unit & (components["part_of"] >= 0), ["subject_id", "part_of"]]
    holders = pd.MultiIndex.from_frame(contained.drop_duplicates())
    names = pd.MultiIndex.from_frame(components[["subject_id", "component_id"]])
    is_coarse = components["scale"] != NATIVE_SCALE
    own = components[is_unit & ~(is_coarse & names.isin(holders))]
    is_missing = np.zeros(len(own), bool)
    for scale in own["scale"].unique():
        rows = (own["scale"] == scale).to_numpy(bool)
        is_missing[rows] = ~_is_there(
            own[rows], outcomes[outcomes["scale"] == scale], link_arcsec * int(scale)
        )
    at_edge = own["at_edge"].to_numpy(bool)
    bright = own["snr"].to_numpy(float) >= LABELLED_SNR
    return {
        "n": len(own),
        "n_missing": int((is_missing & ~at_edge).sum()),
        "n_missing_labelled": int((is_missing & ~at_edge & bright).sum()),
        "n_missing_at_edge": int((is_missing & at_edge).sum()),
    }


def _is_there(components: pd.DataFrame, outcomes: pd.DataFrame, within_arcsec: float) -> np.ndarray:
    """Return which components of one scale have an outcome, (n,) bool, by the rule of `unaccounted`."""
    direct = _near(components, outcomes, within_arcsec)
    lists = components.loc[direct, ["secondary_ra", "secondary_dec"]]
    peaks = {name: np.concatenate([np.empty(0), *lists[f"secondary_{name}"]]) for name in ("ra", "dec")}
    return direct | _near(components, pd.DataFrame(peaks), within_arcsec)


def _near(table: pd.DataFrame, others: pd.DataFrame, within_arcsec: float) -> np.ndarray:
    """Return which rows of a table have another table's position within a distance, (n,) bool."""
    if not len(others) or not len(table):
        return np.zeros(len(table), bool)
    tree = cKDTree(unit_vectors(others["ra"].to_numpy(float), others["dec"].to_numpy(float)))
    places = unit_vectors(table["ra"].to_numpy(float), table["dec"].to_numpy(float))
    return np.isfinite(tree.query(places, distance_upper_bound=chord(within_arcsec))[0])


def component_accounts(
    truth: pd.DataFrame, outcomes: pd.DataFrame, link_arcsec: float = LINK_ARCSEC
) -> dict[str, Any]:
    """Count true components by their outcome, and the components of no true source by theirs.

    Parameters
    ----------
    truth : DataFrame
        Columns of `claran_core.evaluation.sky_truth.SKY_TRUTH`.
    outcomes : DataFrame
        Columns of `claran_core.catalogue.product.schema.OUTCOMES`.

    Returns
    -------
    dict
        ``true_components``: of the components of true sources with their centre in a subject, ``n``, the
        number with each of `OUTCOMES`, ``absent`` (in neither table), and the fraction ``rejected`` that is
        called artefact or noise (None without a component); ``true_components_labelled``: the same for 10
        sigma or more.  ``other_components``: of the components of the table that are no part of a true
        source, ``n``, the number with each outcome, and the fraction ``listed`` that is called a source.
    """
    inside = truth[(truth["placement"] != "outside").to_numpy(bool)].reset_index(drop=True)
    parts = Parts.of(inside)
    called = component_outcomes(parts, outcomes, link_arcsec)
    bright = np.concatenate([np.empty(0), *inside["component_snr"]]) >= LABELLED_SNR
    fine = outcomes[(outcomes["scale"] == NATIVE_SCALE).to_numpy(bool)]
    places = (fine[axis].to_numpy(float) for axis in ("ra", "dec"))
    every, found = Parts.of(truth), Parts(np.arange(len(fine)), *places)
    is_part = nearest_true(found, every, link_arcsec) >= 0
    is_part |= contour_around(found, truth, every, link_arcsec) >= 0
    other = fine["outcome"].to_numpy(object)[~is_part]
    return {
        "true_components": _counted(called, "rejected", ARTEFACTS),
        "true_components_labelled": _counted(called[bright], "rejected", ARTEFACTS),
        "other_components": _counted(other, "listed", ("source",)),
    }


def _counted(called: np.ndarray, name: str, wrong: tuple[str, ...]) -> dict[str, Any]:
    counts = {word: int((called == word).sum()) for word in (*OUTCOMES, ABSENT)}
    share = sum(counts[word] for word in wrong) / len(called) if len(called) else None
    return {"n": len(called), **counts, name: None if share is None else round(share, 6)}
