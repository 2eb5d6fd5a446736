"""Answers of the mock archive server: the simulated sky, in the protocol of each service."""

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.io.votable.tree import Info
from astropy.table import Table

from claran_core.common.frame import Frame, flip_rows
from claran_core.common.reprojection import reproject
from claran_core.simulation.geometry import Tile, TileWindow, cells_near
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.regular import wcs_cards
from claran_core.survey.surveys import SURVEYS

__all__ = ["SEAM_HALF_PX", "ArchiveSky", "Reply"]

# Half the width of a mock atlas tile, and half the overlap of its two halves: less than a subject.
TILE_HALF_PX, SEAM_HALF_PX = 1750, 20


@dataclass
class Reply:
    """An answer before faults."""

    content: bytes
    status: int = 200
    kind: str = "image/fits"


class ArchiveSky:
    """Answers of all services about the simulated sky.

    Parameters
    ----------
    seed : int
        Of the sky.
    covers : callable
        Whether a survey covers a position: band, ra, dec (deg).
    image_root : callable
        Address below which IBE has its images.
    """

    def __init__(
        self, seed: int, covers: Callable[[str, float, float], bool], image_root: Callable[[], str]
    ) -> None:
        self.covers, self._image_root = covers, image_root
        self._sources = {
            SURVEYS[name].band: SimulatedProvider(SURVEYS[name], seed=seed) for name in ("FIRST", "WISE_W1")
        }
        self._replies: dict[tuple[str, str], Reply] = {}

    def reply(self, service: str, path: str, fields: dict[str, str]) -> Reply:
        """What the service answers without a fault; made once."""
        key = service, f"{path} {sorted(fields.items())}"
        if key not in self._replies:
            self._replies[key] = getattr(self, f"_{service}")(path, fields)
        return self._replies[key]

    def _first(self, path: str, fields: dict[str, str]) -> Reply:
        hours, dec = map(float, fields["RA"].split())
        size_px = min(int(fields["MaxImSize"]), round(float(fields["ImageSize"]) * 60 / 1.8))
        assert fields["ImageType"] == "FITS File" and fields["Equinox"] == "J2000" and size_px <= 1024
        if not self.covers("radio", hours * 15, dec):
            page = b"<html><body>Position is outside of the area of the FIRST survey</body></html>"
            return Reply(page, kind="text/html")
        cutout = self._sources["radio"].cutout("", hours * 15, dec, size_px * 1.8)
        header = fits.Header(wcs_cards(cutout.wcs))
        for axis, (name, value) in enumerate((("FREQ", 1.3649e9), ("STOKES", 1.0)), 3):
            header.update(
                {f"CTYPE{axis}": name, f"CRVAL{axis}": value, f"CDELT{axis}": 1.0, f"CRPIX{axis}": 1.0}
            )
        header.update(
            {"BUNIT": "JY/BEAM", "BMAJ": 1.5e-3, "BMIN": 1.5e-3, "BPA": 0.0, "DATE-OBS": "19930417"}
        )
        return Reply(_fits(cutout.data, header))

    def _skyview(self, path: str, fields: dict[str, str]) -> Reply:
        ra, dec = map(float, fields["Position"].split(","))
        assert fields["Return"] == "FITS" and fields["Survey"] == "VLA FIRST (1.4 GHz)"
        data, header = self._resampled("radio", ra, dec, int(fields["Pixels"]), float(fields["Size"]))
        return Reply(_fits(np.nan_to_num(data), header))

    def _hips2fits(self, path: str, fields: dict[str, str]) -> Reply:
        if fields["hips"] != "CDS/P/allWISE/W1":
            problem = {"title": "Bad hips", "description": "unknown"}
            return Reply(json.dumps(problem).encode(), 400, "application/json")
        place = float(fields["ra"]), float(fields["dec"]), int(fields["width"]), float(fields["fov"])
        return Reply(_fits(*self._resampled("infrared", *place)))

    def _resampled(
        self, band: str, ra: float, dec: float, size_px: int, width_deg: float
    ) -> tuple[np.ndarray, fits.Header]:
        frame = Frame(size_px=size_px, pixel_scale_arcsec=width_deg * 3600 / size_px)
        header = fits.Header(wcs_cards(frame.wcs(ra, dec)))
        if not self.covers(band, ra, dec):
            return np.full((size_px, size_px), np.nan, np.float32), header
        cutout = self._sources[band].cutout("", ra, dec, width_deg * 3600)
        return flip_rows(reproject(cutout, frame, ra, dec)), header

    def _irsa(self, path: str, fields: dict[str, str]) -> Reply:
        if path.startswith("/SIA"):
            return self._tile_list(fields)
        name = path.rsplit("/", 1)[1]
        tile, limits = self._tile(int(name[:6]), name[6])
        ra, dec = map(float, fields["center"].split(","))
        size_arcsec = float(fields["size"].removesuffix("arcsec"))
        window = tile.window(ra, dec, size_arcsec)
        inside, _ = window.overlap(limits)
        data = self._sources["infrared"].render(tile, window)[inside].astype(np.float32)
        if not data.size:
            return Reply(b"the cutout does not overlap the image", 400, "text/plain")
        rows, columns = inside
        clipped = TileWindow(window.x0 + columns.start, window.y0 + rows.start, data.shape[1], data.shape[0])
        content = _fits(data, fits.Header(wcs_cards(tile.wcs(clipped)) | {"BUNIT": "DN", "BAND": 1}))
        packed = fields.get("gzip") != "false"
        return Reply(gzip.compress(content, mtime=0) if packed else content)

    def _tile_list(self, fields: dict[str, str]) -> Reply:
        shape, ra, dec, radius = fields["POS"].split()
        assert shape == "CIRCLE" and fields["COLLECTION"] == "wise_allwise" and fields["BAND"]
        rows = []
        for cell in cells_near(float(ra), float(dec), float(radius) * 3600 + 2000, 64):
            for half in "we":
                tile, limits = self._tile(cell, half)
                if self.covers("infrared", tile.ra_deg, tile.dec_deg):
                    rows += self._tile_rows(cell, half, tile, limits)
        names = ("access_url", "s_region", "energy_bandpassname", "dataproduct_subtype")
        table = Table(rows=rows or None, names=names, dtype=["U200", "U200", "U10", "U20"])
        return Reply(_votable(table), kind="application/x-votable+xml")

    def _tile_rows(self, cell: int, half: str, tile: Tile, limits: TileWindow) -> list[tuple[str, ...]]:
        x = np.array([0, limits.nx - 1, limits.nx - 1, 0])
        y = np.array([0, 0, limits.ny - 1, limits.ny - 1])
        corners = np.stack(tile.wcs(limits).pixels_to_sky(x, y), axis=1).ravel()
        region = "POLYGON ICRS " + " ".join(f"{value:.8f}" for value in corners)
        base = f"{self._image_root()}/{cell:06d}{half}"
        return [
            (f"{base}-w1-unc-3.fits", region, "W1", "noise"),
            (f"{base}-w1-int-3.fits", region, "W1", "science"),
            (f"{base}-w2-int-3.fits", region, "W2", "science"),
        ]

    def _tile(self, cell: int, half: str) -> tuple[Tile, TileWindow]:
        tile = self._sources["infrared"].grid.tile(cell)
        middle = tile.grid.size_px // 2
        x0 = middle - (TILE_HALF_PX if half == "e" else SEAM_HALF_PX)
        return tile, TileWindow(x0, middle - TILE_HALF_PX, TILE_HALF_PX + SEAM_HALF_PX, 2 * TILE_HALF_PX)


def _fits(data: np.ndarray, header: fits.Header) -> bytes:
    buffer = io.BytesIO()
    fits.PrimaryHDU(data.astype(np.float32), header).writeto(buffer, output_verify="ignore")
    return buffer.getvalue()


def _votable(table: Table) -> bytes:
    votable = from_table(table)
    votable.resources[0].type = "results"
    votable.resources[0].infos.append(Info(name="QUERY_STATUS", value="OK"))
    buffer = io.BytesIO()
    writeto(votable, buffer)
    return buffer.getvalue()
