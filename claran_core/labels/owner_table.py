"""The table of owners of a shard, filled subject by subject."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.tables import OWNERS
from claran_core.labels.owners import NO_OWNER, Rows

__all__ = ["COMPONENT_COLUMNS", "OwnerTable"]

# Columns of `claran_core.common.tables.COMPONENTS` that labels and owners need.
COMPONENT_COLUMNS = [
    *("subject_id", "scale", "level", "component_id", "part_of", "ra", "dec", "pixel_x", "pixel_y"),
    *(*BOX_COLUMNS, "n_peaks", "snr", "flux", "n_pixels"),
]


class OwnerTable:
    """Owners of all components of a shard.

    Parameters
    ----------
    components : DataFrame
        Columns `COMPONENT_COLUMNS` of the components.
    """

    def __init__(self, components: pd.DataFrame) -> None:
        self._columns = {name: components[name].to_numpy() for name in COMPONENT_COLUMNS}
        self._places = components.groupby("subject_id", sort=False).indices
        added = [name for name in OWNERS.names if name not in self._columns]
        self._added = {name: np.full(len(components), "", object) for name in added}

    def rows(self, subject_id: str) -> Rows:
        """Return the columns of the components of a subject; it may have none."""
        places = self._places.get(subject_id, np.zeros(0, np.int64))
        return {name: values[places] for name, values in self._columns.items()}

    def fill(
        self,
        subject_id: str,
        owner: np.ndarray,
        names: Sequence[str],
        classes: Mapping[int, str],
        *,
        without: Literal["artefact", "unknown"],
    ) -> None:
        """Enter the owners of the components of a subject.

        Parameters
        ----------
        subject_id : str
            The subject.
        owner : (n,) int64 array
            Index of the source that owns each component, or `NO_OWNER`.
        names : sequence of str
            Name of each source.
        classes : mapping of int to str
            Class of those sources that have one.
        without : {"artefact", "unknown"}
            Kind of the components without an owner.
        """
        if not len(owner):
            return
        places = self._places[subject_id]
        known = np.array([*(classes.get(index, "") for index in range(len(names))), ""], object)
        self._added["source_id"][places] = np.array([*names, ""], object)[owner]  # NO_OWNER is the last
        self._added["kind"][places] = np.where(owner == NO_OWNER, without, "source")
        self._added["morphology"][places] = known[owner]

    def table(self) -> pd.DataFrame:
        """Return the columns of `claran_core.common.tables.OWNERS`, in the order of the components."""
        return pd.DataFrame({name: (self._columns | self._added)[name] for name in OWNERS.names})
