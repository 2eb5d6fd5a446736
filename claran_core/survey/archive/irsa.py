"""AllWISE atlas images of IRSA: the list of tiles (SIA2), and cut-outs of them (IBE).

Tiles are listed once for each cell of the sky, so that a shard needs a few lists.  pyvo makes the query, as
in `astroquery.ipac.irsa`, which however sends it itself, without limits or retries.  IBE clips a cut-out at
the edge of its tile: a subject there is combined from the tiles that share it.  IBE compresses cut-outs with
gzip unless the request forbids it.
"""

import threading

import numpy as np
from astropy import units as u
from astropy_healpix import HEALPix
from pyvo.dal.sia2 import SIA2Query

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.frame import Frame
from claran_core.common.reprojection import reproject
from claran_core.common.sky import unit_vectors
from claran_core.survey.archive.atlas_tiles import MAX_ROWS, AtlasTile, parse_tiles
from claran_core.survey.archive.http import Answer, Client, Request
from claran_core.survey.archive.outcomes import Refusal
from claran_core.survey.archive.protocol import size_px_of
from claran_core.survey.archive.services import Service
from claran_core.survey.archive.verify import ImageReader
from claran_core.survey.coadd import coadd
from claran_core.survey.footprint import sampling_frame
from claran_core.survey.surveys import Survey

__all__ = ["IrsaImages"]

# Cells for which tiles are listed: 0.9 deg wide.
CELLS = HEALPix(nside=64, order="nested")
# Radius of a circle around the centre of a cell that contains the cell and a subject at its rim.
LIST_RADIUS_DEG = 0.85
MAX_TILES = 4
# The corners of a tile are given to a few pixels: an image need not show a point nearer to its side than
# this.
RIM_PX = 4.0


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
            maxrec=MAX_ROWS,
        )
        params = {
            name: " ".join(value) if isinstance(value, list) else str(value) for name, value in query.items()
        }
        return Request(self.service.url, params)

    def _read_list(self, answer: Answer) -> tuple[AtlasTile, ...]:
        return parse_tiles(answer.content, self.service.band)


def _complete(cutout: Cutout, frame: Frame, ra_deg: float, dec_deg: float) -> bool:
    return bool(np.isfinite(reproject(cutout, frame, ra_deg, dec_deg)).all())
