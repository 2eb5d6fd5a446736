"""The grids of subjects over the whole sky, and the subjects of them that cover an area.

Neighbouring subjects overlap by the extent of the largest source that must lie whole in one of them.  All
areas share the grid: adjacent areas share subjects, and a larger area keeps the subjects of a smaller one
inside it.

Rows follow circles of declination.  The *core* of a subject is the part of it that is nearer to its centre
than to the centres of its neighbours.  The cores leave no gap.  A source with its centre in a core and all
emission within half the overlap of that centre is inside the subject.

There is a grid for each scale.  At scale s, subjects, cores and overlap are s times as wide, so that a source
too large for the subjects of one scale is whole in one of the next, with a quarter as many subjects.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.errors import ConfigError, InputError
from claran_core.common.files import atomic_path
from claran_core.common.frame import Frame
from claran_core.common.names import position_names
from claran_core.common.sky import offset_to_sky
from claran_core.common.tables import NATIVE_SCALE
from claran_core.targets.areas import Area, Circle, width_deg

__all__ = ["DEFAULT_LARGEST_ARCSEC", "SkyGrid", "tile", "tile_at_scales", "write_tiles"]

# 98.6 % of the sources labelled in Radio Galaxy Zoo are at most this large.
DEFAULT_LARGEST_ARCSEC = 90.0

# Factor on the width of cores.  Circles of declination are not great circles, and a core is a little wider
# on the side towards the equator.
LAYOUT = 0.98

# Points along each side of a core at which an area is tested.
CORE_POINTS = 5
# Cores tested at a time.
BLOCK = 20_000

FULL_CIRCLE_DEG = 360.0


@dataclass(frozen=True)
class SkyGrid:
    """Grid of subjects over the whole sky.

    Parameters
    ----------
    frame : Frame
        Geometry of the subjects.
    largest_arcsec : float
        Largest extent of a source that lies whole in a subject wherever it is.
    scale : int
        Scale of the subjects.

    Raises
    ------
    ConfigError
        If a subject is not wider than the largest source.
    """

    frame: Frame
    largest_arcsec: float = DEFAULT_LARGEST_ARCSEC
    scale: int = NATIVE_SCALE

    def __post_init__(self) -> None:
        if not 0 <= self.largest_arcsec < self.frame.width_arcsec:
            raise ConfigError(
                f"largest source: {self.largest_arcsec:g} arcsec does not fit into subjects of "
                f"{self.frame.width_arcsec:g} arcsec; give less, or wider subjects (fusion.size_px)"
            )

    def at_scale(self, scale: int) -> "SkyGrid":
        """Return the grid of coarser subjects; this one is that of the finest."""
        return replace(
            self,
            frame=self.frame.at_scale(scale),
            largest_arcsec=scale * self.largest_arcsec,
            scale=scale,
        )

    @property
    def half_core_deg(self) -> float:
        """Half the largest width of a core."""
        return (self.frame.width_arcsec - self.largest_arcsec) / 2 / ARCSEC_PER_DEG

    @property
    def n_rows(self) -> int:
        """Number of rows from pole to pole."""
        return int(np.ceil(180.0 / (2 * LAYOUT * self.half_core_deg)))

    def row(self, number: int) -> tuple[float, int]:
        """Return the declination (deg) of a row, counted from the south, and its number of subjects."""
        height = 180.0 / self.n_rows
        dec_deg = -90.0 + (number + 0.5) * height
        widest = np.cos(np.deg2rad(max(0.0, abs(dec_deg) - height / 2)))
        half = np.deg2rad(self.half_core_deg)
        # A circle of declination curves: the middle of a core's side sags by tan(dec) x half^2 / 2.
        slope = np.tan(np.deg2rad(min(abs(dec_deg), 90.0 - height / 2)))
        half = min(LAYOUT * half, np.sqrt(2 * (1 - LAYOUT) * half / max(slope, 1e-9)))
        return dec_deg, max(4, int(np.ceil(np.pi * widest / half)))

    def near(self, circle: Circle) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions ``dec, ra`` (deg) of all subjects whose core may reach into a circle."""
        # The width of a core exceeds half its diagonal.
        reach = np.deg2rad(circle.radius_deg + 2 * self.half_core_deg)
        height = 180.0 / self.n_rows
        first = int((circle.dec_deg - np.rad2deg(reach) + 90.0) // height)
        last = int((circle.dec_deg + np.rad2deg(reach) + 90.0) // height)
        rows = [
            self._in_row(number, circle, reach)
            for number in range(max(0, first), min(self.n_rows - 1, last) + 1)
        ]
        dec_deg, ra_deg = zip(*rows, strict=True)
        return np.concatenate(dec_deg), np.concatenate(ra_deg)

    def _in_row(self, number: int, circle: Circle, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """Return ``dec, ra`` (deg) of the subjects of a row within `reach` (rad) of a circle's centre."""
        dec_deg, count = self.row(number)
        # Largest difference in right ascension of positions at this declination (spherical law of cosines).
        here, there = np.deg2rad(dec_deg), np.deg2rad(circle.dec_deg)
        cosine = (np.cos(min(reach, np.pi)) - np.sin(here) * np.sin(there)) / max(
            np.cos(here) * np.cos(there), 1e-12
        )
        half_deg = np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0)))
        step = FULL_CIRCLE_DEG / count
        first = int(np.floor((circle.ra_deg - half_deg) / step - 0.5))
        last = int(np.ceil((circle.ra_deg + half_deg) / step - 0.5))
        numbers = np.unique(np.arange(first, min(last, first + count - 1) + 1) % count)
        return np.full(len(numbers), dec_deg), (numbers + 0.5) * step


def tile(area: Area, grid: SkyGrid) -> pd.DataFrame:
    """Return the subjects of one grid that cover an area: those whose core overlaps it.

    Parameters
    ----------
    area : Area
        Area to cover.
    grid : SkyGrid
        Grid of possible subjects.

    Returns
    -------
    DataFrame
        Columns ``subject_id``, ``ra``, ``dec`` (deg, ICRS), ``scale``, sorted by declination, then right
        ascension: a target table that `claran_core.targets.target_table.read_targets` reads.  It may include
        a few subjects just outside the area.
    """
    found = [np.stack(grid.near(circle), axis=1) for circle in area.circles()]
    positions = np.unique(np.concatenate(found), axis=0)  # dec, ra
    chosen = [
        block[_reaches(area, block, grid.half_core_deg)]
        for block in np.split(positions, range(BLOCK, len(positions), BLOCK))
    ]
    dec_deg, ra_deg = np.concatenate(chosen).T
    names = position_names(ra_deg, dec_deg, ra_decimals=2, dec_decimals=1)
    if grid.scale != NATIVE_SCALE:
        names = np.char.add(names, f"_x{grid.scale}")
    places = {"ra": ra_deg, "dec": dec_deg, "scale": grid.scale}
    return pd.DataFrame({"subject_id": names.astype(object), **places})


def tile_at_scales(area: Area, grid: SkyGrid, scales: Sequence[int]) -> pd.DataFrame:
    """Return the subjects of several scales that cover an area.

    Parameters
    ----------
    area : Area
        Area to cover.
    grid : SkyGrid
        Grid of the finest subjects.
    scales : sequence of int
        Scales in ascending order.  From the second on, a scale is left out with those after it if the area
        is not wider than a subject of the scale before.

    Returns
    -------
    DataFrame
        As `tile`, one scale after the other.  The name of a subject at scale s > 1 ends with ``_xs``.
    """
    width_arcsec = width_deg(area) * ARCSEC_PER_DEG
    tables = []
    for k, scale in enumerate(scales):
        if k and width_arcsec <= grid.frame.at_scale(scales[k - 1]).width_arcsec:
            break
        tables.append(tile(area, grid.at_scale(scale)))
    return pd.concat(tables, ignore_index=True)


def _reaches(area: Area, centres: np.ndarray, half_deg: float) -> np.ndarray:
    """Return whether an area overlaps the cores around centres (N, 2), ``dec, ra`` in deg."""
    offsets = np.linspace(-half_deg, half_deg, CORE_POINTS)
    spacing = offsets[1] - offsets[0]
    up, right = (axis.ravel() for axis in np.meshgrid(offsets, offsets))
    ra_deg, dec_deg = offset_to_sky(
        centres[:, 1:], centres[:, :1], right * ARCSEC_PER_DEG, up * ARCSEC_PER_DEG
    )
    held = area.holds(ra_deg.ravel(), dec_deg.ravel(), spacing)
    return np.asarray(held.reshape(ra_deg.shape).any(axis=1))


def write_tiles(path: Path, subjects: pd.DataFrame, *, overwrite: bool = False) -> None:
    """Write subjects as CSV or Parquet; the file name's suffix selects the format.

    Raises
    ------
    InputError
        If the suffix is unknown, or the file exists and `overwrite` is False.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"{path}: name it .csv or .parquet")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: already exists; give another name, or --overwrite")
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            subjects.to_csv(temporary, index=False)
        else:
            subjects.to_parquet(temporary, index=False)
