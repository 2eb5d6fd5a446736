"""Subjects that cover an area: a grid over the whole sky, of which an area takes what it needs.

Subjects overlap by the extent of the largest source that must lie whole in one of them.  The grid is the
same for every area: areas that touch share subjects, and a larger area has those of a smaller one in it.

Rows lie along circles of declination.  The part of a subject that is nearer to its middle than to its
neighbours' is its *core*; the cores leave no gap, and a source whose middle is in a core, with all its
emission within half the overlap of it, is inside the subject.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from astropy import units as u
from astropy_healpix import healpix_to_lonlat

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.errors import ConfigError, InputError
from claran_core.common.files import atomic_path
from claran_core.common.frame import Frame, sky_to_pixels
from claran_core.common.names import position_names
from claran_core.common.optional_packages import import_optional
from claran_core.common.sky import offset_to_sky, unit_vectors
from claran_core.survey.fits_image import FitsImage, scan_file

__all__ = [
    "DEFAULT_LARGEST_ARCSEC",
    "Area",
    "BoxArea",
    "Circle",
    "CircleArea",
    "ImageArea",
    "MocArea",
    "SkyGrid",
    "image_area",
    "tile",
    "write_tiles",
]

logger = logging.getLogger(__name__)

# Sources up to this extent lie whole in a subject: 98.6 % of those labelled in Radio Galaxy Zoo.
DEFAULT_LARGEST_ARCSEC = 90.0

# Cores are laid out this much smaller than they might be: circles of declination are no great circles, and
# a core is a little wider at the side towards the equator.
LAYOUT = 0.98

# Points along each side of a core where it is looked up whether an area reaches there.
CORE_POINTS = 5
# Cores looked up at a time.
BLOCK = 20_000

# Parts of a box around which circles are drawn.
BOX_PART_DEG = 4.0
# Cells of a MOC around which circles are drawn: HEALPix order, and more than the distance of their corners.
CELL_ORDER, CELL_RADIUS_DEG = 6, 1.0

MOC_FORMATS = {".json": "json", ".txt": "ascii", ".ascii": "ascii"}
# Width of a HEALPix cell of order 0: the square root of its area.
HEALPIX_BASE_DEG = float(np.rad2deg(np.sqrt(np.pi / 3)))
FULL_CIRCLE_DEG = 360.0


class Circle(NamedTuple):
    """A circle on the sky: its middle (ICRS) and radius, deg."""

    ra_deg: float
    dec_deg: float
    radius_deg: float


@dataclass(frozen=True)
class SkyGrid:
    """Grid of subjects over the whole sky.

    Parameters
    ----------
    frame : Frame
        Geometry of the subjects.
    largest_arcsec : float
        Extent up to which every source lies whole in a subject.

    Raises
    ------
    ConfigError
        If a subject is not wider than that.
    """

    frame: Frame
    largest_arcsec: float = DEFAULT_LARGEST_ARCSEC

    def __post_init__(self) -> None:
        if not 0 <= self.largest_arcsec < self.frame.width_arcsec:
            raise ConfigError(
                f"largest source: {self.largest_arcsec:g} arcsec does not fit into subjects of "
                f"{self.frame.width_arcsec:g} arcsec; give less, or wider subjects (fusion.size_px)"
            )

    @property
    def half_core_deg(self) -> float:
        """Half the width a core may have."""
        return (self.frame.width_arcsec - self.largest_arcsec) / 2 / ARCSEC_PER_DEG

    @property
    def n_rows(self) -> int:
        """Rows from pole to pole."""
        return int(np.ceil(180.0 / (2 * LAYOUT * self.half_core_deg)))

    def row(self, number: int) -> tuple[float, int]:
        """Declination (deg) of a row counted from the south, and how many subjects are in it."""
        height = 180.0 / self.n_rows
        dec_deg = -90.0 + (number + 0.5) * height
        widest = np.cos(np.deg2rad(max(0.0, abs(dec_deg) - height / 2)))
        half = np.deg2rad(self.half_core_deg)
        # Along a circle of declination the middle of a core's side sags by tan(dec) x half^2 / 2.
        slope = np.tan(np.deg2rad(min(abs(dec_deg), 90.0 - height / 2)))
        half = min(LAYOUT * half, np.sqrt(2 * (1 - LAYOUT) * half / max(slope, 1e-9)))
        return dec_deg, max(4, int(np.ceil(np.pi * widest / half)))

    def near(self, circle: Circle) -> tuple[np.ndarray, np.ndarray]:
        """Positions ``dec, ra`` (deg) of all subjects whose core may reach into a circle."""
        # Twice half a core's width is more than half its diagonal.
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


class Area(Protocol):
    """A part of the sky."""

    def circles(self) -> list[Circle]:
        """Circles that hold it."""
        ...

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """Which positions (N,) are in it or within a margin of it: (N,) bool; some a little beyond, too."""
        ...


@dataclass(frozen=True)
class CircleArea:
    """All positions within `radius_deg` of (`ra_deg`, `dec_deg`), ICRS.

    Raises
    ------
    ConfigError
        If there is no such circle.
    """

    ra_deg: float
    dec_deg: float
    radius_deg: float

    def __post_init__(self) -> None:
        _check_position(self.ra_deg, self.dec_deg)
        if not 0 < self.radius_deg <= 180:
            raise ConfigError(f"circle: radius {self.radius_deg:g} deg is not in 0 < radius <= 180")

    def circles(self) -> list[Circle]:
        """Itself."""
        return [Circle(self.ra_deg, self.dec_deg, self.radius_deg)]

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """See `Area`."""
        cosines = unit_vectors(ra_deg, dec_deg) @ unit_vectors(self.ra_deg, self.dec_deg)
        return cosines >= np.cos(np.deg2rad(min(180.0, self.radius_deg + margin_deg)))


@dataclass(frozen=True)
class BoxArea:
    """Right ascensions from `west_deg` eastwards to `east_deg`, across 0 where the first is larger.

    Raises
    ------
    ConfigError
        If there is no such box.
    """

    west_deg: float
    east_deg: float
    south_deg: float
    north_deg: float

    def __post_init__(self) -> None:
        for ra_deg, dec_deg in ((self.west_deg, self.south_deg), (self.east_deg, self.north_deg)):
            _check_position(ra_deg, dec_deg)
        if self.south_deg >= self.north_deg:
            raise ConfigError(
                f"box: declinations {self.south_deg:g} to {self.north_deg:g} deg; give the smaller one first"
            )

    @property
    def width_deg(self) -> float:
        """Extent in right ascension; of equal ends, the whole circle."""
        return (self.east_deg - self.west_deg) % FULL_CIRCLE_DEG or FULL_CIRCLE_DEG

    def circles(self) -> list[Circle]:
        """One around each part of a few degrees."""
        across = np.linspace(0, self.width_deg, int(np.ceil(self.width_deg / BOX_PART_DEG)) + 1)
        height = self.north_deg - self.south_deg
        up = np.linspace(self.south_deg, self.north_deg, int(np.ceil(height / BOX_PART_DEG)) + 1)
        # Meridians come together towards the poles: a part is nowhere wider than at the equator.
        radius = np.hypot(across[1], up[1] - up[0]) / 2
        return [
            Circle((self.west_deg + ra) % FULL_CIRCLE_DEG, dec, radius)
            for ra in (across[1:] + across[:-1]) / 2
            for dec in (up[1:] + up[:-1]) / 2
        ]

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """See `Area`."""
        at_height = (dec_deg >= self.south_deg - margin_deg) & (dec_deg <= self.north_deg + margin_deg)
        # From a pole every right ascension is near.
        from_pole = np.maximum(90.0 - np.abs(dec_deg) - margin_deg, 1e-6)
        margin = np.minimum(margin_deg / np.sin(np.deg2rad(from_pole)), FULL_CIRCLE_DEG / 2)
        east = (ra_deg - self.west_deg + margin) % FULL_CIRCLE_DEG
        return at_height & (east <= self.width_deg + 2 * margin)


@dataclass(frozen=True)
class ImageArea:
    """Where some images lie, by their headers; blank pixels included."""

    images: Sequence[FitsImage]

    def circles(self) -> list[Circle]:
        """One around each image."""
        return [Circle(*_position(one.footprint.centre), one.footprint.radius_deg) for one in self.images]

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """See `Area`."""
        shown, vectors = np.zeros(ra_deg.shape, bool), unit_vectors(ra_deg, dec_deg)
        for footprint in (image.footprint for image in self.images):
            reach = np.cos(np.deg2rad(min(180.0, footprint.radius_deg + margin_deg)))
            near = np.flatnonzero(~shown & (vectors @ footprint.centre >= reach))
            if len(near):
                x, y = sky_to_pixels(footprint.wcs, ra_deg[near], dec_deg[near])
                margin = 0.5 + margin_deg * ARCSEC_PER_DEG / footprint.pixel_scale_arcsec
                ny, nx = footprint.shape
                # NaN, where the projection does not reach, compares false.
                across = (x >= -margin) & (x <= nx - 1 + margin)
                shown[near] = across & (y >= -margin) & (y <= ny - 1 + margin)
        return shown


class MocArea:
    """A multi-order coverage map (MOC) in a FITS, JSON or ASCII file; needs mocpy.

    Raises
    ------
    InputError
        If it cannot be read or is empty, or mocpy is not installed.
    """

    def __init__(self, path: Path) -> None:
        load = import_optional("mocpy").MOC.load
        try:
            self.moc = load(str(path), format=MOC_FORMATS.get(path.suffix.lower(), "fits"))
        except Exception as error:  # noqa: BLE001 - of many kinds, the last resort of its Rust part included
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: cannot be read as a MOC in FITS, JSON or ASCII ({reason})") from None
        if self.moc.empty():
            raise InputError(f"{path}: the MOC is empty; give one that covers something")

    def circles(self) -> list[Circle]:
        """One around each of its cells of a degree."""
        cells = self._to_order(CELL_ORDER).flatten()
        lon, lat = healpix_to_lonlat(np.asarray(cells, np.int64), 2**CELL_ORDER, order="nested")
        return [Circle(ra, dec, CELL_RADIUS_DEG) for ra, dec in zip(lon.deg, lat.deg, strict=True)]

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """See `Area`."""
        # Cells at least as wide as the margin, and those around them.
        order = int(np.floor(np.log2(HEALPIX_BASE_DEG / margin_deg)))
        widened = self._to_order(order).add_neighbours()
        return widened.contains_lonlat(ra_deg * u.deg, dec_deg * u.deg)

    def _to_order(self, order: int) -> Any:
        """The map in cells of one HEALPix order: all that it touches."""
        if self.moc.max_order > order:
            return self.moc.degrade_to_order(order)
        return self.moc.refine_to_order(order) if self.moc.max_order < order else self.moc


def image_area(path: Path, pattern: str = "**/*.fits*") -> ImageArea:
    """Area of a FITS file, or of those below a folder that match.

    Raises
    ------
    InputError
        If there is no such file or folder, or no image in it.
    """
    path = Path(path)
    files = [path] if path.is_file() else sorted(file for file in path.glob(pattern) if file.is_file())
    found = [scan_file(file, file.name) for file in files]
    images = [image for images, _ in found for image in images]
    if not images:
        reasons = [one.reason for _, unreadable in found for one in unreadable]
        why = reasons[0] if reasons else f"no file matches {pattern!r}" if path.is_dir() else "no such file"
        raise InputError(f"{path}: no image to cover ({why})")
    for one in (one for _, unreadable in found for one in unreadable):
        logger.warning("%s: not covered: %s", one.name, one.reason)
    return ImageArea(images)


def write_tiles(path: Path, subjects: pd.DataFrame, *, overwrite: bool = False) -> None:
    """Write subjects as CSV or Parquet, after the name's ending.

    Raises
    ------
    InputError
        If the name has another ending, or the file is there and may not be replaced.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"{path}: name it .csv or .parquet")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: is there already; give another name, or --overwrite")
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            subjects.to_csv(temporary, index=False)
        else:
            subjects.to_parquet(temporary, index=False)


def tile(area: Area, grid: SkyGrid) -> pd.DataFrame:
    """Subjects that cover an area: those with a core that it reaches into.

    Parameters
    ----------
    area : Area
        What to cover.
    grid : SkyGrid
        Where subjects may be.

    Returns
    -------
    DataFrame
        Columns ``subject_id``, ``ra``, ``dec`` (deg, ICRS), by declination, then right ascension: a target
        table as `claran_core.targets.target_table.read_targets` reads it.  A few that the area misses
        narrowly may be in it.
    """
    found = [np.stack(grid.near(circle), axis=1) for circle in area.circles()]
    positions = np.unique(np.concatenate(found), axis=0)  # dec, ra
    chosen = [
        block[_reaches(area, block, grid.half_core_deg)]
        for block in np.split(positions, range(BLOCK, len(positions), BLOCK))
    ]
    dec_deg, ra_deg = np.concatenate(chosen).T
    names = position_names(ra_deg, dec_deg, ra_decimals=2, dec_decimals=1)
    return pd.DataFrame({"subject_id": names.astype(object), "ra": ra_deg, "dec": dec_deg})


def _reaches(area: Area, centres: np.ndarray, half_deg: float) -> np.ndarray:
    """Whether an area reaches into the cores around centres (N, 2), ``dec, ra`` in deg."""
    offsets = np.linspace(-half_deg, half_deg, CORE_POINTS)
    spacing = offsets[1] - offsets[0]
    up, right = (axis.ravel() for axis in np.meshgrid(offsets, offsets))
    ra_deg, dec_deg = offset_to_sky(
        centres[:, 1:], centres[:, :1], right * ARCSEC_PER_DEG, up * ARCSEC_PER_DEG
    )
    held = area.holds(ra_deg.ravel(), dec_deg.ravel(), spacing)
    return held.reshape(ra_deg.shape).any(axis=1)


def _position(vector: np.ndarray) -> tuple[float, float]:
    """Right ascension in [0, 360) and declination (deg) of a unit vector."""
    x, y, z = vector
    return float(np.rad2deg(np.arctan2(y, x)) % FULL_CIRCLE_DEG), float(
        np.rad2deg(np.arctan2(z, np.hypot(x, y)))
    )


def _check_position(ra_deg: float, dec_deg: float) -> None:
    for name, value, low, high in (("right ascension", ra_deg, 0, 360), ("declination", dec_deg, -90, 90)):
        if not low <= value <= high:
            raise ConfigError(f"{name} {value:g} is outside {low} .. {high} deg")
