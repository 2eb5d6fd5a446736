"""Read the contours of sources of a catalogue, for exports of masks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.common.errors import InputError
from claran_core.common.files import read_arrow

__all__ = ["Ring", "StoredContours"]

RING_COLUMNS = ["ring_points", "ring_level", "ring_is_hole"]


class Ring(NamedTuple):
    """A closed contour: points (n, 2), the first not repeated; level, mJy/beam; whether it bounds a hole."""

    points: np.ndarray
    level: float
    is_hole: bool


@dataclass(frozen=True)
class StoredContours:
    """Contours of the sources of a run.

    Attributes
    ----------
    path : Path
        The file.
    names : pandas.Index
        Names of the sources.
    rings : pyarrow.Table
        Number of points, level and kind of the rings, and the two coordinates of the points.
    """

    path: Path
    names: pd.Index
    rings: pa.Table

    @classmethod
    def open(cls, path: Path, *, on_sky: bool) -> "StoredContours":
        """Read the contours of a run, with positions on the sky (deg, ICRS) or in the image (px).

        Raises
        ------
        InputError
            If the file is missing or is no table of contours.
        """
        axes = ("ra", "dec") if on_sky else ("x", "y")
        points = [f"contour_{axis}" for axis in axes]
        table = read_arrow(path, ["source_id", *RING_COLUMNS, *points]).combine_chunks()
        return cls(path, pd.Index(table["source_id"].to_pylist()), table.select([*RING_COLUMNS, *points]))

    def of(self, source_ids: Sequence[str]) -> Iterator[list[Ring]]:
        """Yield the rings of some sources.

        Raises
        ------
        InputError
            If a source has no contours in this run.
        """
        rows = self.names.get_indexer(pd.Index(source_ids))
        if (rows < 0).any():
            name = source_ids[int(np.argmin(rows))]
            raise InputError(
                f"{self.path}: no contours of source {name!r}; name the results folder of the run that made "
                "the catalogue"
            )
        counts, levels, holes, first, second = (
            column.to_pylist() for column in self.rings.take(pa.array(rows)).columns
        )
        for k in range(len(rows)):
            points = np.stack([first[k], second[k]], axis=1)
            parts = np.split(points, np.cumsum(counts[k])[:-1])
            yield [Ring(*one) for one in zip(parts, levels[k], holes[k], strict=True)] if counts[k] else []
