"""The list of atlas tiles that IRSA sends (SIA2): its images and their regions."""

import io
import math
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.io import votable
from astropy.table import Row
from astropy.utils.xml.iterparser import get_xml_iterator
from pyvo.dal import DALQueryError
from pyvo.dal.sia2 import SIA2Results

from claran_core.common.frame import Frame
from claran_core.common.sky import unit_vectors
from claran_core.survey.archive.http import one_line
from claran_core.survey.archive.outcomes import Fault
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.footprint import WINDOW_MARGIN_PX

__all__ = ["MAX_ROWS", "AtlasTile", "parse_tiles"]

# A list has tens of rows, in about thirty columns.  astropy allocates the memory that a table announces.
MAX_ROWS = 10_000
MAX_FIELDS = 300
# Values of fixed number, such as the characters of a text, in all rows; astropy allocates rows in advance.
MAX_FIXED_VALUES = 1 << 24
ROWS_IN_ADVANCE = 256


@dataclass(frozen=True)
class AtlasTile:
    """An atlas image: its URL and its region of the sky.

    Attributes
    ----------
    url : str
        URL of the whole image.
    corners : tuple of (float, float)
        Right ascension and declination of its corners, deg, in order around the tile.
    """

    url: str
    corners: tuple[tuple[float, float], ...]

    @cached_property
    def sides(self) -> np.ndarray:
        """Unit vectors ``(k, 3)`` normal to the planes through the sides, pointing towards the tile."""
        corners = unit_vectors(*np.array(self.corners).T)
        upright = np.cross(corners, np.roll(corners, -1, axis=0))
        lengths = np.linalg.norm(upright, axis=1)
        upright = upright[lengths > 0] / lengths[lengths > 0, None]
        return upright * np.sign(upright @ corners.mean(axis=0))[:, None]

    def is_near(self, direction: np.ndarray, reach: float) -> bool:
        """Return whether a direction (unit vector) is in the tile, or outside by at most `reach` (rad)."""
        return bool((self.sides @ direction >= -math.sin(reach)).all())

    def depth_px(self, frame: Frame, ra_deg: float, dec_deg: float) -> tuple[float, bool]:
        """Return the depth of a subject's centre in the tile (frame px), and whether all of it is inside."""
        middle, half = frame.size_px / 2, frame.size_px / 2 + WINDOW_MARGIN_PX
        points = np.array([[0, 0], [-1, -1], [-1, 1], [1, 1], [1, -1]]) * half + middle
        depths = self.depths_px(frame, ra_deg, dec_deg, points)
        return float(depths[0]), bool((depths[1:] >= 0).all())

    def depths_px(self, frame: Frame, ra_deg: float, dec_deg: float, points: np.ndarray) -> np.ndarray:
        """Return the depth of points ``(n, 2)`` of a subject's frame inside the tile, in frame pixels."""
        x, y = frame.sky_to_frame(ra_deg, dec_deg, *np.array(self.corners).T)
        if not np.isfinite(x).all():
            return np.full(len(points), -np.inf)
        return _depths(np.stack([x, y], axis=1), points)


def parse_tiles(content: bytes, band: str) -> tuple[AtlasTile, ...]:
    """Return the tiles of one band in an SIA2 answer.

    Raises
    ------
    Fault
        If the answer is not such a table, reports an error, or is truncated.
    """
    try:
        with quiet_astropy():
            _check_size(content)
            parsed = votable.parse(io.BytesIO(content), verify="ignore")
            results = SIA2Results(parsed)
            table = results.to_table()
    except Fault:
        raise
    except DALQueryError as error:
        raise Fault(f"the list of tiles has an error: {one_line(str(error))[:200]}") from None
    except Exception as error:  # astropy's XML parser raises errors of many types
        raise Fault(f"the list of tiles cannot be read ({type(error).__name__})") from None
    if results.status[0].upper() == "OVERFLOW":
        raise Fault("the list of tiles is truncated")
    lacking = {"access_url", "s_region", "energy_bandpassname", "dataproduct_subtype"} - set(table.colnames)
    if lacking:
        raise Fault(f"the list of tiles lacks {', '.join(sorted(lacking))}")
    rows = (row for row in table if row["energy_bandpassname"] == band)
    tiles = [_tile(row) for row in rows if row["dataproduct_subtype"] == "science"]
    return tuple(tile for tile in tiles if tile is not None)


def _tile(row: Row) -> AtlasTile | None:
    """Return the tile of a row; None if its region is not a polygon of finite positions."""
    region = str(row["s_region"])
    numbers = [float(value) for value in re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", region)]
    if not region.upper().startswith("POLYGON") or len(numbers) < 6 or len(numbers) % 2:
        return None
    if not np.isfinite(numbers).all():
        return None
    return AtlasTile(str(row["access_url"]), tuple(zip(numbers[::2], numbers[1::2], strict=True)))


def _check_size(content: bytes) -> None:
    """Check the size that a VOTable announces, and that its data are in it.

    Raises
    ------
    Fault
        If its rows, columns or texts are too many, or its data are elsewhere: astropy would fetch them.
    """
    rows = fields = values = 0
    with get_xml_iterator(io.BytesIO(content)) as elements:
        for is_start, tag, attributes, _ in elements:
            if not is_start:
                continue
            if "href" in attributes and tag == "STREAM":
                raise Fault(f"the list of tiles has its data at {ascii(attributes['href'][:200])}")
            rows += tag == "TR"
            fields += tag in ("FIELD", "PARAM", "GROUP")
            rows = max(rows, _number(attributes.get("nrows", "")))
            values += _fixed_values(attributes.get("arraysize", "*"))
            fixed = values * max(rows, ROWS_IN_ADVANCE)
            if rows > MAX_ROWS or fields > MAX_FIELDS or fixed > MAX_FIXED_VALUES:
                raise Fault("the list of tiles is too large")


def _fixed_values(size: str) -> int:
    """Return the number of values of an ``arraysize``; 0 if it differs between rows."""
    return 0 if size.endswith("*") else math.prod(map(_number, re.findall("[0-9]+", size)))


def _number(digits: str) -> int:
    """Return the value of an attribute, at most a billion."""
    return int(digits[:10]) if digits.isdecimal() else 0


def _depths(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the distance of points ``(n, 2)`` to the nearest side of a convex polygon; negative outside."""
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(*sides.T)
    sides, corners = sides[lengths > 0] / lengths[lengths > 0, None], corners[lengths > 0]
    offsets = points[:, None, :] - corners[None]
    across = sides[:, 0] * offsets[..., 1] - sides[:, 1] * offsets[..., 0]
    turn = np.sign(
        np.sum(corners[:, 0] * np.roll(corners[:, 1], -1) - np.roll(corners[:, 0], -1) * corners[:, 1])
    )
    return (turn * across).min(axis=1)
