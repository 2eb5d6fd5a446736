"""Areas on the sky that subjects can cover: circles, boxes, images and coverage maps (MOC)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from astropy import units as u
from astropy_healpix import healpix_to_lonlat

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.errors import ConfigError, InputError
from claran_core.common.optional_packages import import_optional
from claran_core.common.sky import unit_vectors
from claran_core.survey.directory.image_files import listed_files
from claran_core.survey.directory.image_index import ImageIndex
from claran_core.survey.directory.image_warnings import log_warnings
from claran_core.survey.fits_image import FitsImage, scan_file
from claran_core.survey.surveys import Survey

__all__ = [
    "Area",
    "BoxArea",
    "Circle",
    "CircleArea",
    "ImageArea",
    "MocArea",
    "image_area",
    "width_deg",
]

# A box is divided into parts of this size, each inside a circle.
BOX_PART_DEG = 4.0
# A MOC is divided into HEALPix cells of this order; the radius exceeds the distance of their corners.
CELL_ORDER, CELL_RADIUS_DEG = 6, 1.0

MOC_FORMATS = {".json": "json", ".txt": "ascii", ".ascii": "ascii"}
# Width of a HEALPix cell of order 0: the square root of its area.
HEALPIX_BASE_DEG = float(np.rad2deg(np.sqrt(np.pi / 3)))
FULL_CIRCLE_DEG = 360.0


class Circle(NamedTuple):
    """A circle on the sky: centre (ICRS) and radius, deg."""

    ra_deg: float
    dec_deg: float
    radius_deg: float


class Area(Protocol):
    """A part of the sky."""

    def circles(self) -> list[Circle]:
        """Return circles that together contain the area."""
        ...

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """Return which positions (N,) are in the area or within a margin of it, as (N,) bool.

        Some positions slightly outside the margin may be included.
        """
        ...


@dataclass(frozen=True)
class CircleArea:
    """All positions within `radius_deg` of (`ra_deg`, `dec_deg`), ICRS.

    Raises
    ------
    ConfigError
        If the position or the radius is out of range.
    """

    ra_deg: float
    dec_deg: float
    radius_deg: float

    def __post_init__(self) -> None:
        _check_position(self.ra_deg, self.dec_deg)
        if not 0 < self.radius_deg <= 180:
            raise ConfigError(f"circle: radius {self.radius_deg:g} deg is not in 0 < radius <= 180")

    def circles(self) -> list[Circle]:
        """Return the circle itself."""
        return [Circle(self.ra_deg, self.dec_deg, self.radius_deg)]

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """See `Area`."""
        cosines = unit_vectors(ra_deg, dec_deg) @ unit_vectors(self.ra_deg, self.dec_deg)
        return cosines >= np.cos(np.deg2rad(min(180.0, self.radius_deg + margin_deg)))


@dataclass(frozen=True)
class BoxArea:
    """Right ascensions from `west_deg` eastwards to `east_deg`, across RA 0 if the first is larger.

    Raises
    ------
    ConfigError
        If a position is out of range or the declinations are in the wrong order.
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
        """Extent in right ascension; 360 if both ends are equal."""
        return (self.east_deg - self.west_deg) % FULL_CIRCLE_DEG or FULL_CIRCLE_DEG

    def circles(self) -> list[Circle]:
        """Return one circle around each part of a few degrees."""
        across = np.linspace(0, self.width_deg, int(np.ceil(self.width_deg / BOX_PART_DEG)) + 1)
        height = self.north_deg - self.south_deg
        up = np.linspace(self.south_deg, self.north_deg, int(np.ceil(height / BOX_PART_DEG)) + 1)
        # Meridians converge towards the poles, so a part is widest at the equator.
        radius = np.hypot(across[1], up[1] - up[0]) / 2
        return [
            Circle((self.west_deg + ra) % FULL_CIRCLE_DEG, dec, radius)
            for ra in (across[1:] + across[:-1]) / 2
            for dec in (up[1:] + up[:-1]) / 2
        ]

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """See `Area`."""
        at_height = (dec_deg >= self.south_deg - margin_deg) & (dec_deg <= self.north_deg + margin_deg)
        # Near a pole, every right ascension is within the margin.
        from_pole = np.maximum(90.0 - np.abs(dec_deg) - margin_deg, 1e-6)
        margin = np.minimum(margin_deg / np.sin(np.deg2rad(from_pole)), FULL_CIRCLE_DEG / 2)
        east = (ra_deg - self.west_deg + margin) % FULL_CIRCLE_DEG
        return at_height & (east <= self.width_deg + 2 * margin)


@dataclass(frozen=True)
class ImageArea:
    """The area of images by their headers, including blank pixels."""

    images: Sequence[FitsImage]

    def circles(self) -> list[Circle]:
        """Return one circle around each image."""
        footprints = [image.footprint for image in self.images]
        return [Circle(*_position(footprint.centre), footprint.radius_deg) for footprint in footprints]

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """See `Area`."""
        shown, vectors = np.zeros(ra_deg.shape, bool), unit_vectors(ra_deg, dec_deg)
        for footprint in (image.footprint for image in self.images):
            reach = np.cos(np.deg2rad(min(180.0, footprint.radius_deg + margin_deg)))
            near = np.flatnonzero(~shown & (vectors @ footprint.centre >= reach))
            if len(near):
                x, y = footprint.sky_to_pixels(ra_deg[near], dec_deg[near])
                margin = 0.5 + margin_deg * ARCSEC_PER_DEG / footprint.pixel_scale_arcsec
                ny, nx = footprint.shape
                # Positions outside the projection are NaN and compare false.
                across = (x >= -margin) & (x <= nx - 1 + margin)
                shown[near] = across & (y >= -margin) & (y <= ny - 1 + margin)
        return shown


class MocArea:
    """A multi-order coverage map (MOC) in a FITS, JSON or ASCII file; needs mocpy.

    Raises
    ------
    InputError
        If the file cannot be read or is empty, or mocpy is not installed.
    """

    def __init__(self, path: Path) -> None:
        load = import_optional("mocpy").MOC.load
        try:
            self.moc = load(str(path), format=MOC_FORMATS.get(path.suffix.lower(), "fits"))
        except Exception as error:  # noqa: BLE001 - mocpy raises many types, including Rust's PanicException
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: cannot be read as a MOC in FITS, JSON or ASCII ({reason})") from None
        if self.moc.empty():
            raise InputError(f"{path}: the MOC is empty; give one that covers an area")

    def circles(self) -> list[Circle]:
        """Return one circle around each cell of one degree."""
        cells = self._to_order(CELL_ORDER).flatten()
        lon, lat = healpix_to_lonlat(np.asarray(cells, np.int64), 2**CELL_ORDER, order="nested")
        return [Circle(ra, dec, CELL_RADIUS_DEG) for ra, dec in zip(lon.deg, lat.deg, strict=True)]

    def holds(self, ra_deg: np.ndarray, dec_deg: np.ndarray, margin_deg: float) -> np.ndarray:
        """See `Area`."""
        # Cells at least as wide as the margin, and their neighbours.
        order = int(np.floor(np.log2(HEALPIX_BASE_DEG / margin_deg)))
        widened = self._to_order(order).add_neighbours()
        return widened.contains_lonlat(ra_deg * u.deg, dec_deg * u.deg)

    def _to_order(self, order: int) -> Any:
        """Return the map in cells of one HEALPix order: all cells that it touches."""
        if self.moc.max_order > order:
            return self.moc.degrade_to_order(order)
        return self.moc.refine_to_order(order) if self.moc.max_order < order else self.moc


def image_area(path: Path, survey: Survey, pattern: str = "**/*.fits*") -> ImageArea:
    """Return the area of a FITS file, or of the files below a folder that match a pattern.

    The images are those that a run on the folder would use: maps of noise, weights or other Stokes parameters
    beside them, and images that contradict the survey, do not count.

    Raises
    ------
    InputError
        If the file or folder does not exist or contains no image.
    ConfigError
        If no image shows the survey.
    """
    path = Path(path)
    folder, names = (path.parent, [path.name]) if path.is_file() else (path, listed_files(path, pattern))
    if not names:
        missing = f"no file matches {pattern!r}" if path.is_dir() else "no such file"
        raise InputError(f"{path}: no image to cover ({missing})")
    read = lru_cache(maxsize=None)(scan_file)  # each header once, for the index and the footprints
    index = ImageIndex.scan(survey, folder, names, read=read)
    log_warnings(index.rows, survey.role, folder)
    readable = index.rows[index.rows["reason"] == ""]
    found = [image for file in readable["file"].unique() for image in read(folder / file, file)[0]]
    images = [image for image in found if image.name not in index.unused]
    if not images:
        raise InputError(f"{path}: no image to cover ({index.rows['reason'].iat[0]})")
    return ImageArea(images)


def width_deg(area: Area) -> float:
    """Return the diameter of a circle around an area, deg; not the smallest one, and at most 360."""
    circles = area.circles()
    centres = unit_vectors(*np.array([(circle.ra_deg, circle.dec_deg) for circle in circles]).T)
    middle = centres.sum(axis=0)
    middle /= max(float(np.linalg.norm(middle)), 1e-9)
    apart_deg = np.rad2deg(np.arccos(np.clip(centres @ middle, -1, 1)))
    return float(min(180.0, np.max(apart_deg + [circle.radius_deg for circle in circles])) * 2)


def _position(vector: np.ndarray) -> tuple[float, float]:
    """Return the right ascension in [0, 360) and the declination (deg) of a unit vector."""
    x, y, z = vector
    return float(np.rad2deg(np.arctan2(y, x)) % FULL_CIRCLE_DEG), float(
        np.rad2deg(np.arctan2(z, np.hypot(x, y)))
    )


def _check_position(ra_deg: float, dec_deg: float) -> None:
    for name, value, low, high in (("right ascension", ra_deg, 0, 360), ("declination", dec_deg, -90, 90)):
        if not low <= value <= high:
            raise ConfigError(f"{name} {value:g} is outside {low} .. {high} deg")
