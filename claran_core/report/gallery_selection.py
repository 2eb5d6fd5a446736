"""Which sources are shown with pictures.

The choice is the same for the same run, whatever the order of its tables: seeded, spread over the
classes, sources of test subjects first.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.common.morphology import MORPHOLOGIES

__all__ = ["Choice", "choose"]

# Order in which splits are shown: what the detector has not seen in training says most.
SPLIT_ORDER = {"test": 0, "none": 1, "train": 2}

# Group of the subjects in which nothing was found; it takes its turn after the six classes.
NOTHING = "nothing"


@dataclass(frozen=True)
class Choice:
    """What has pictures.

    Attributes
    ----------
    sources : tuple of str
        Names of the sources, in the order in which the classes took turns.
    empty : tuple of str
        Subjects without a source.
    """

    sources: tuple[str, ...]
    empty: tuple[str, ...]


def choose(
    subjects: pd.DataFrame,
    catalogue: pd.DataFrame,
    with_source: Collection[str],
    *,
    size: int | None,
    seed: int,
) -> Choice:
    """Choose what to show: the classes, and subjects without a source, take turns.

    Parameters
    ----------
    subjects : DataFrame
        ``subject_id`` and ``split``, one row per subject.
    catalogue : DataFrame
        ``source_id, subject_id, morphology``.
    with_source : collection of str
        Subjects in which something was found, catalogued under another subject perhaps.
    size : int, optional
        Number of sources and empty subjects to choose; None: all.
    seed : int
        Of the order within a class and split.
    """
    split = dict(zip(subjects["subject_id"], subjects["split"], strict=True))
    empty = subjects.loc[~subjects["subject_id"].isin(with_source), "subject_id"]
    table = pd.concat(
        [
            _candidates(catalogue["source_id"], catalogue["subject_id"], catalogue["morphology"]),
            _candidates(empty, empty, NOTHING),
        ],
        ignore_index=True,
    ).sort_values(["group", "name"], kind="stable", ignore_index=True)
    table["rank"] = [SPLIT_ORDER[split.get(name, "none")] for name in table["subject"]]
    table["lot"] = np.random.default_rng(seed).permutation(len(table))
    table["place"] = table["group"].map({name: i for i, name in enumerate([*MORPHOLOGIES, NOTHING])})
    table = table.sort_values(["rank", "lot"], kind="stable")
    table["turn"] = table.groupby("group").cumcount()
    chosen = table.sort_values(["turn", "place"], kind="stable").head(len(table) if size is None else size)
    nothing = chosen["group"] == NOTHING
    return Choice(tuple(chosen.loc[~nothing, "name"]), tuple(chosen.loc[nothing, "name"]))


def _candidates(names: pd.Series, subjects: pd.Series, group: pd.Series | str) -> pd.DataFrame:
    return pd.DataFrame({"name": names, "subject": subjects, "group": group}).astype(object)
