"""FITS images of the simulated sky: whole tiles of a survey, and mosaics of any size.

A mosaic extends the plane of the tile at its centre.  Within the tile its pixels equal those of cut-outs, bit
by bit.  It is rendered in blocks and written row by row, so memory does not grow with the number of rows.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits

from claran_core import __version__
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.errors import InputError
from claran_core.common.files import atomic_path
from claran_core.common.log import Progress
from claran_core.simulation.geometry import Tile, TileWindow, cells_around
from claran_core.simulation.population import RADIO_NSIDE, RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.regular import wcs_cards

__all__ = ["mosaic_window", "sources_in", "write_mosaic"]

logger = logging.getLogger(__name__)

# Side of the squares rendered at once.  Their borders coincide with those of the noise blocks, so that each
# noise block is computed once.
BLOCK_PX = 1024

# Largest mosaic.  With FIRST's pixels it ends 8 degrees from the tangent point, where the projection
# stretches the sky by 2 %.
MAX_SIZE_PX = 32_768

SUFFIXES = (".fits", ".fit")


def write_mosaic(
    path: Path, sky: SimulatedProvider, ra_deg: float, dec_deg: float, size_px: int | None = None
) -> None:
    """Write a FITS image of the simulated sky around a position.

    Parameters
    ----------
    path : Path
        File to write, ``.fits``; an existing file is replaced when the new one is complete.
    sky : SimulatedProvider
        The sky and its survey.
    ra_deg, dec_deg : float
        Position, deg, ICRS.
    size_px : int, optional
        Width and height of a mosaic centred on the position to half a pixel; default the whole tile of the
        position.

    Raises
    ------
    InputError
        If the position is invalid, the size is not between 1 and `MAX_SIZE_PX`, or the suffix is not that
        of an uncompressed FITS file.
    """
    path = Path(path)
    tile, window = mosaic_window(sky, ra_deg, dec_deg, size_px)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: a mosaic is an uncompressed FITS file; its name must end in .fits")
    header = _header(sky, tile, window)
    logger.info("%s: %d x %d px of tile %d of %s", path, *window.shape[::-1], tile.index, sky.survey.name)
    progress = Progress(f"{path}: rows written", window.ny)
    with atomic_path(path) as temporary, fits.StreamingHDU(temporary, header) as stream:
        for band in _bands(sky, tile, window):
            stream.write(band)
            progress.step(len(band))


def mosaic_window(
    sky: SimulatedProvider, ra_deg: float, dec_deg: float, size_px: int | None = None
) -> tuple[Tile, TileWindow]:
    """Return the tile and window of `write_mosaic` for the same arguments; errors as there."""
    if not (np.isfinite(ra_deg) and abs(dec_deg) <= 90):
        raise InputError(f"mosaic: no position on the sky: ra {ra_deg}, dec {dec_deg} deg")
    if size_px is not None and not 0 < size_px <= MAX_SIZE_PX:
        raise InputError(f"mosaic: a size of {size_px} px is not between 1 and {MAX_SIZE_PX}")
    tile = sky.grid.tile_at(ra_deg, dec_deg)
    if size_px is None:
        return tile, tile.limits
    x, y = tile.sky_to_pixel(ra_deg, dec_deg)
    x0, y0 = (int(np.rint(middle - (size_px - 1) / 2)) for middle in (float(x), float(y)))
    return tile, TileWindow(x0, y0, size_px, size_px)


def sources_in(sky: SimulatedProvider, tile: Tile, window: TileWindow) -> list[RadioSource]:
    """Return the radio sources with hosts in a window, whether detectable or not, cell by cell.

    In another survey than FIRST, compact sources that hardly exceed its noise are left out.
    """
    found = []
    for cell in cells_around(tile, window, 0.0, RADIO_NSIDE):
        sources = sky.population.cell(cell)
        x, y = tile.sky_to_pixel(sources.ra_deg, sources.dec_deg)
        inside = (np.abs(x - window.x0 - (window.nx - 1) / 2) <= window.nx / 2) & (
            np.abs(y - window.y0 - (window.ny - 1) / 2) <= window.ny / 2
        )
        inside &= sources.is_shown
        found += [sources[number] for number in np.flatnonzero(inside).tolist()]
    return found


def _bands(sky: SimulatedProvider, tile: Tile, window: TileWindow) -> Iterator[np.ndarray]:
    """Yield the rows of a window from south to north, in float32 arrays ``(some, nx)``."""
    for y0, ny in _pieces(window.y0, window.ny):
        band = np.empty((ny, window.nx), np.float32)
        for x0, nx in _pieces(window.x0, window.nx):
            left = x0 - window.x0
            band[:, left : left + nx] = sky.render(tile, TileWindow(x0, y0, nx, ny))
        yield band


def _pieces(start: int, size: int) -> list[tuple[int, int]]:
    """Divide a range of tile pixels at multiples of `BLOCK_PX` into first pixels and lengths."""
    first = (start // BLOCK_PX + 1) * BLOCK_PX
    edges = [start, *range(first, start + size, BLOCK_PX), start + size]
    return [(low, high - low) for low, high in zip(edges, edges[1:], strict=False)]


def _header(sky: SimulatedProvider, tile: Tile, window: TileWindow) -> fits.Header:
    """Return the FITS header of a mosaic."""
    survey = sky.survey
    header = fits.PrimaryHDU(np.empty((0, 0), np.float32)).header
    header["NAXIS1"], header["NAXIS2"] = window.nx, window.ny
    header.update(wcs_cards(tile.wcs(window)))
    header["BUNIT"] = survey.unit
    if survey.band == "radio":
        beam = survey.beam
        header["BMAJ"], header["BMIN"] = (
            beam.major_arcsec / ARCSEC_PER_DEG,
            beam.minor_arcsec / ARCSEC_PER_DEG,
        )
        header["BPA"] = beam.angle_deg
        header["RESTFRQ"] = (survey.frequency_hz, "[Hz]")
    else:
        header["MAGZP"] = (survey.magnitude_zero_point, "Vega magnitude of one count")
    header["SURVEY"] = (survey.name, "survey that is simulated")
    header["SIMULATE"] = (True, "simulated sky, not an observation")
    header["SIMSEED"] = (sky.seed, "seed of the sky")
    header["SIMNSIDE"] = (tile.grid.nside, "NSIDE of the tiles, nested HEALPix cells")
    header["SIMTILE"] = (tile.index, "cell of the tangent plane")
    header["SIMX0"] = (window.x0, "column of the plane, from 0, of pixel 1")
    header["SIMY0"] = (window.y0, "row of the plane")
    header["CREATOR"] = f"claran_core {__version__}"
    header["HISTORY"] = f"Sources: {sky.population}"
    return header
