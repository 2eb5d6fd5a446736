"""AllWISE atlas images of IRSA: the list of tiles (SIA2), and cut-outs of them (IBE).

Tiles are listed once for each cell of the sky, so that a shard needs a few lists.  pyvo makes the query, as
in `astroquery.ipac.irsa`, which however sends it itself, without limits or retries.  IBE clips a cut-out at
the edge of its tile: a subject there is combined from the tiles that share it.  IBE compresses cut-outs with
gzip unless the request forbids it.
"""

import io
import math
import re
import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy import units as u
from astropy.io import votable
from astropy.table import Row
from astropy_healpix import HEALPix
from pyvo.dal import DALQueryError
from pyvo.dal.sia2 import SIA2Query, SIA2Results

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.frame import Frame
from claran_core.common.reprojection import reproject
from claran_core.common.sky import unit_vectors
from claran_core.survey.archive.http import Answer, Client, Request
from claran_core.survey.archive.outcomes import Fault, Refusal
from claran_core.survey.archive.protocol import size_px_of
from claran_core.survey.archive.services import Service
from claran_core.survey.archive.verify import ImageReader
from claran_core.survey.coadd import coadd
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.footprint import WINDOW_MARGIN_PX, sampling_frame
from claran_core.survey.surveys import Survey

__all__ = ["AtlasTile", "IrsaImages", "parse_tiles"]

# Cells for which tiles are listed: 0.9 deg wide.
CELLS = HEALPix(nside=64, order="nested")
# Radius of a circle around the centre of a cell that contains the cell and a subject at its rim.
LIST_RADIUS_DEG = 0.85
MAX_TILES = 4
# The corners of a tile are given to a few pixels: an image need not show a point nearer to its side than
# this.
RIM_PX = 4.0


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
        """Return the depth of a subject's centre in the tile.

        See frame pixels), and whether all of it is inside.
        """
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


class IrsaImages:
    """AllWISE images from IRSA (an `ImageService`).

    Parameters
    ----------
    service : Service
        The service.
    survey : Survey
        Survey whose pixels are expected.
    client : Client
        HTTP client.
    """

    def __init__(self, service: Service, survey: Survey, client: Client) -> None:
        self.service, self.survey, self.client = service, survey, client
        self._tiles: dict[int, tuple[AtlasTile, ...]] = {}
        self._cell_locks: dict[int, threading.Lock] = {}
        self._lock = threading.Lock()

    def image(self, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Return a verified cut-out around a position, as `ImageService.image`."""
        size_px = size_px_of(width_arcsec, self.survey)
        if size_px > self.service.max_size_px:
            raise Refusal(f"{size_px} px are needed, a tile has {self.service.max_size_px}")
        frame = sampling_frame(width_arcsec, self.survey)
        combined: Cutout | None = None
        blank: list[NoImage] = []
        cutouts: list[Cutout] = []
        tiles, whole = self._choose(frame, ra_deg, dec_deg)
        for tile in tiles:
            answer = self._cut(tile, frame, ra_deg, dec_deg, width_arcsec)
            if isinstance(answer, Cutout):
                cutouts.append(answer)
                combined = coadd(cutouts, frame, ra_deg, dec_deg, match_backgrounds=True)
                if whole or _complete(combined, frame, ra_deg, dec_deg):
                    break
            elif answer is not None:
                blank.append(answer)
        return combined or (blank + [NoImage("no_coverage", f"no {self.survey.name} tile covers it")])[0]

    def _choose(self, frame: Frame, ra_deg: float, dec_deg: float) -> tuple[list[AtlasTile], bool]:
        """Return the tiles that show a subject, the best first, and whether that one shows all of it."""
        found = []
        middle = unit_vectors(ra_deg, dec_deg)
        reach = np.deg2rad(
            frame.width_arcsec / ARCSEC_PER_DEG
        )  # larger than the distance of a subject's corners
        for tile in self._tiles_near(ra_deg, dec_deg):
            if not tile.is_near(middle, reach):
                continue
            depth, whole = tile.depth_px(frame, ra_deg, dec_deg)
            if whole or depth > -frame.size_px / np.sqrt(2):
                # Rounded, so that the last digits do not decide between tiles.
                found.append((not whole, -round(depth, 3), tile.url, tile))
        found.sort(key=lambda entry: entry[:3])
        return [entry[3] for entry in found[:MAX_TILES]], bool(found) and not found[0][0]

    def _cut(
        self, tile: AtlasTile, frame: Frame, ra_deg: float, dec_deg: float, width_arcsec: float
    ) -> Cutout | NoImage | None:
        """Return the cut-out of a tile; None if the tile does not show the subject."""
        size_arcsec = size_px_of(width_arcsec, self.survey) * self.survey.pixel_scale_arcsec
        params = {
            "center": f"{ra_deg:.8f},{dec_deg:.8f}",
            "size": f"{size_arcsec:.3f}arcsec",
            "gzip": "false",
        }

        def shown(points: np.ndarray) -> np.ndarray:
            return tile.depths_px(frame, ra_deg, dec_deg, points) > RIM_PX

        reader = ImageReader(self.service, self.survey, ra_deg, dec_deg, width_arcsec, shown=shown)
        try:
            return self.client.fetch(self.service, Request(tile.url, params), reader)
        except Refusal as refusal:
            # IBE's status for a cut-out outside its image; accepted if the tile's region agrees.
            if refusal.status == 400 and not tile.depth_px(frame, ra_deg, dec_deg)[0] > RIM_PX:
                return None
            raise

    def _tiles_near(self, ra_deg: float, dec_deg: float) -> tuple[AtlasTile, ...]:
        cell = int(CELLS.lonlat_to_healpix(ra_deg * u.deg, dec_deg * u.deg))
        with self._lock:
            lock = self._cell_locks.setdefault(cell, threading.Lock())
        with lock:  # the first thread sends the request, others wait for the answer
            if cell not in self._tiles:
                self._tiles[cell] = self.client.fetch(self.service, self._list_request(cell), self._read_list)
            return self._tiles[cell]

    def _list_request(self, cell: int) -> Request:
        lon, lat = CELLS.healpix_to_lonlat(cell)
        query = SIA2Query(
            self.service.url,
            pos=(lon.to(u.deg), lat.to(u.deg), LIST_RADIUS_DEG * u.deg),
            band=self.survey.wavelength_m,  # selects the images of a band, a quarter of the list
            collection=self.service.dataset,
            maxrec=10000,
        )
        params = {
            name: " ".join(value) if isinstance(value, list) else str(value) for name, value in query.items()
        }
        return Request(self.service.url, params)

    def _read_list(self, answer: Answer) -> tuple[AtlasTile, ...]:
        return parse_tiles(answer.content, self.service.band)


def parse_tiles(content: bytes, band: str) -> tuple[AtlasTile, ...]:
    """Return the tiles of one band in an SIA2 answer.

    Raises
    ------
    Fault
        If the answer is not such a table, reports an error, or is truncated.
    """
    try:
        with quiet_astropy():
            parsed = votable.parse(io.BytesIO(content), verify="ignore")
            results = SIA2Results(parsed)
            table = results.to_table()
    except DALQueryError as error:
        raise Fault(f"the list of tiles has an error: {' '.join(str(error).split())}") from None
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
    """Return the tile of a row; None if its region is not a polygon."""
    region = str(row["s_region"])
    numbers = [float(value) for value in re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", region)]
    if not region.upper().startswith("POLYGON") or len(numbers) < 6 or len(numbers) % 2:
        return None
    return AtlasTile(str(row["access_url"]), tuple(zip(numbers[::2], numbers[1::2], strict=True)))


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


def _complete(cutout: Cutout, frame: Frame, ra_deg: float, dec_deg: float) -> bool:
    return bool(np.isfinite(reproject(cutout, frame, ra_deg, dec_deg)).all())
