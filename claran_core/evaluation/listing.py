"""Which detections the catalogue would list, by its own post-filter.

The post-filter works subject by subject.  The step after it, which merges detections of one source in
overlapping subjects (`claran_core.catalogue.associate.merge`), is not applied: truth is labelled per subject.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from claran_core.catalogue.associate.post_filter import FilterResult, select_detections, select_paper
from claran_core.settings.catalogue import PostFilterOptions

__all__ = ["PAPER_RULE", "Listing"]

# The rule of paper section 6.1.1, for detections that know only the probability of their own class.
PAPER_RULE = PostFilterOptions(post_filter="paper", min_probability=None, one_source_per_field=False)


@dataclass(frozen=True)
class Listing:
    """Detections, and what the catalogue would list of them at any minimum probability.

    Attributes
    ----------
    detections : DataFrame
        Columns of `claran_core.common.tables.DETECTIONS`.
    members : sequence of tuple of int
        Components of each row; empty for the filter ``paper``, which does not use them.
    options : PostFilterOptions
        The catalogue's post-filter.
    """

    detections: pd.DataFrame
    members: Sequence[tuple[int, ...]]
    options: PostFilterOptions

    @classmethod
    def of(cls, detections: pd.DataFrame, rule: PostFilterOptions) -> "Listing":
        """Take the components of each detection from the table; the row index is reset."""
        detections = detections.reset_index(drop=True)
        by_component = rule.post_filter == "survey"
        members = [tuple(ids) for ids in detections["component_ids"]] if by_component else []
        return cls(detections, members, rule)

    def listed(self, min_probability: float | None = None) -> pd.DataFrame:
        """Return the rows that the catalogue's post-filter keeps.

        Parameters
        ----------
        min_probability : float, optional
            Use this instead of the catalogue's minimum probability.
        """
        return self._kept(
            select_detections(self.detections, self.members, self.options, min_probability=min_probability)
        )

    def classified(self, min_probability: float) -> pd.DataFrame:
        """Return every classification that the paper counts (section 6.1.1, without one source per field)."""
        return self._kept(select_paper(self.detections, min_probability))

    def _kept(self, result: FilterResult) -> pd.DataFrame:
        return self.detections[result.outcome == "kept"].reset_index(drop=True)
