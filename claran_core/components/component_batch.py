"""The units of many subjects as a few arrays, the input of the detector.

One batch holds what `SubjectComponents` holds of one subject, subject after subject, so that compiled code
runs through all of them without a Python object for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from claran_core.common.ragged import starts_of
from claran_core.components.component_table import NO_COMPONENTS, NOMINAL_LEVEL, SubjectComponents
from claran_core.components.contour_rule import MIN_COMPONENT_PX
from claran_core.components.units import find_units

__all__ = ["ComponentBatch"]


@dataclass(frozen=True)
class ComponentBatch:
    """Units of N subjects at one level: their components, in a coarser view with fine ones beside them.

    Attributes
    ----------
    starts : (N + 1,) int64 array
        Units ``starts[k]`` to ``starts[k + 1] - 1`` belong to subject k.
    components : SubjectComponents
        All of them, n = ``starts[-1]``; a subject may have none.
    """

    starts: np.ndarray
    components: SubjectComponents

    @classmethod
    def of(cls, subjects: Sequence[SubjectComponents]) -> "ComponentBatch":
        """Return the components of some subjects, in their order."""
        counts = [len(components) for components in subjects]
        joined = {
            field.name: np.concatenate([getattr(one, field.name) for one in (NO_COMPONENTS, *subjects)])
            for field in fields(SubjectComponents)
        }
        return cls(starts_of(np.array(counts, np.int64)), SubjectComponents(**joined))

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, subject_ids: Sequence[str] | np.ndarray, *, level: float = NOMINAL_LEVEL
    ) -> "ComponentBatch":
        """Return the units of some subjects at one level, those of a subject in table order.

        Parameters
        ----------
        table : DataFrame
            Columns of `claran_core.common.tables.COMPONENTS`, in any order of subjects.  Components of
            other subjects are left out.
        subject_ids : sequence of str
            Names of the N subjects, each once.
        level : float
            Level of the components.
        """
        subject = pd.Index(subject_ids).get_indexer(pd.Index(table["subject_id"]))
        wanted = np.flatnonzero((subject >= 0) & (table["level"] == level).to_numpy())
        rows = wanted[np.argsort(subject[wanted], kind="stable")]
        columns = {name: table[name].to_numpy()[rows] for name in table.columns}
        units = find_units(columns)
        counts = np.bincount(subject[rows[units.rows]], minlength=len(subject_ids))
        return cls(starts_of(counts), SubjectComponents.of_units(columns, units))

    def __len__(self) -> int:
        """Return the number of subjects."""
        return len(self.starts) - 1

    @property
    def usable(self) -> np.ndarray:
        """Which units (n,) may be members of a source: those of `MIN_COMPONENT_PX` pixels or more."""
        return self.components.n_pixels >= MIN_COMPONENT_PX

    @property
    def has_usable(self) -> np.ndarray:
        """Which subjects (N,) have a unit that may be a member of a source."""
        before = np.concatenate([[0], np.cumsum(self.usable)])
        return before[self.starts[1:]] > before[self.starts[:-1]]

    def take(self, subjects: np.ndarray, size: int) -> "ComponentBatch":
        """Return the components of some subjects (k,), followed by subjects without any up to `size`."""
        first, counts = self.starts[subjects], np.diff(self.starts)[subjects]
        starts = starts_of(np.concatenate([counts, np.zeros(size - len(subjects), np.int64)]))
        rows = np.repeat(first - starts[: len(subjects)], counts) + np.arange(starts[-1])
        return ComponentBatch(starts, self.components.take(rows))
