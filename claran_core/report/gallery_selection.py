"""Select the sources that are shown with pictures.

The selection is random with a seed, spread over the classes, with sources of test subjects first.  It does
not depend on the order of the tables.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.common.morphology import MORPHOLOGIES

__all__ = ["Choice", "select_pictures"]

# Order of the splits: subjects that the detector has not seen in training come first.
SPLIT_ORDER = {"test": 0, "none": 1, "train": 2}

# Group of the subjects without a component; it follows the classes, whose names have no blanks.
BLANK = "no component"


@dataclass(frozen=True)
class Choice:
    """Sources and subjects with pictures.

    Attributes
    ----------
    sources : tuple of str
        Names of the sources, the classes in turn.
    blank : tuple of str
        Subjects without a component.
    """

    sources: tuple[str, ...]
    blank: tuple[str, ...]


def select_pictures(
    subjects: pd.DataFrame,
    catalogue: pd.DataFrame,
    blank: Collection[str],
    *,
    size: int | None,
    seed: int,
    classes: Sequence[str] = MORPHOLOGIES,
) -> Choice:
    """Select the sources and blank subjects to show, taking from each class in turn.

    Parameters
    ----------
    subjects : DataFrame
        ``subject_id`` and ``split``, one row per subject.
    catalogue : DataFrame
        ``source_id, subject_id, morphology``.
    blank : collection of str
        Subjects without a component.
    size : int, optional
        Number of sources and blank subjects to select; None selects all.
    seed : int
        Seed of the order within a class and split.
    classes : sequence of str
        Names of the classes, in the order of their turns.
    """
    split = dict(zip(subjects["subject_id"], subjects["split"], strict=True))
    empty = subjects.loc[subjects["subject_id"].isin(blank), "subject_id"]
    table = pd.concat(
        [
            _candidates(catalogue["source_id"], catalogue["subject_id"], catalogue["morphology"]),
            _candidates(empty, empty, BLANK),
        ],
        ignore_index=True,
    ).sort_values(["group", "name"], kind="stable", ignore_index=True)
    table["rank"] = [SPLIT_ORDER[split.get(name, "none")] for name in table["subject"]]
    table["lot"] = np.random.default_rng(seed).permutation(len(table))
    table["place"] = table["group"].map({name: i for i, name in enumerate([*classes, BLANK])})
    table = table.sort_values(["rank", "lot"], kind="stable")
    table["turn"] = table.groupby("group").cumcount()
    chosen = table.sort_values(["turn", "place"], kind="stable").head(len(table) if size is None else size)
    is_blank = chosen["group"] == BLANK
    return Choice(tuple(chosen.loc[~is_blank, "name"]), tuple(chosen.loc[is_blank, "name"]))


def _candidates(names: pd.Series, subjects: pd.Series, group: pd.Series | str) -> pd.DataFrame:
    return pd.DataFrame({"name": names, "subject": subjects, "group": group}).astype(object)
