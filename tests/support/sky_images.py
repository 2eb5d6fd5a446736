"""FITS images whose pixel values encode their position in the frame of a target."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from claran_core.common.frame import Frame
from claran_core.survey.celestial import pixels_to_sky
from claran_core.survey.fits_image import quiet_astropy

FRAME = Frame(size_px=40, pixel_scale_arcsec=1.8)

# Spellings of real FIRST files that astropy repairs or warns about.
ODD_CARDS = {"BUNIT": "JY/BEAM", "DATE-OBS": "200002", "BLANK": -1, "EQUINOX": 2000.0}


def image_header(
    ra_deg: float,
    dec_deg: float,
    *,
    size_px: int = 80,
    scale_arcsec: float = 1.8,
    projection: str = "TAN",
    **cards: Any,
) -> fits.Header:
    """Return the header of an image centred on a position, in the equatorial system of its cards."""
    header = fits.Header()
    for axis, (name, sign, value) in enumerate(
        ((f"RA---{projection}", -1, ra_deg), (f"DEC--{projection}", 1, dec_deg)), 1
    ):
        header[f"CTYPE{axis}"] = name
        header[f"CRVAL{axis}"] = value
        header[f"CRPIX{axis}"] = (size_px + 1) / 2
        header[f"CDELT{axis}"] = sign * scale_arcsec / 3600
    header.update(ODD_CARDS | cards)
    return header


def positions() -> np.ndarray:
    """Return `sky_pixels` resampled onto `FRAME`: 37 x + 100 y at each pixel centre."""
    centre = np.arange(FRAME.size_px) + 0.5
    return 37 * centre[None, :] + 100 * centre[:, None]


def sky_pixels(header: fits.Header, shape: tuple[int, int], ra_deg: float, dec_deg: float) -> np.ndarray:
    """Return pixels whose value is 37 x + 100 y in the frame of a subject at (`ra_deg`, `dec_deg`)."""
    with quiet_astropy():
        wcs = WCS(header).celestial
    rows, columns = np.indices(shape)
    x, y = FRAME.sky_to_frame(ra_deg, dec_deg, *pixels_to_sky(wcs, columns.ravel(), rows.ravel()))
    return (37 * x + 100 * y).reshape(shape).astype(np.float32)


@contextmanager
def open_odd(path: Path) -> Iterator[fits.HDUList]:
    """Open a file of `write_image` without astropy's warnings about its header."""
    with quiet_astropy(), fits.open(path) as hdus:
        yield hdus


def write_image(
    path: Path,
    ra_deg: float = 30.0,
    dec_deg: float = 10.0,
    *,
    size_px: int = 80,
    target: tuple[float, float] | None = None,
    change: Callable[[np.ndarray], None] | None = None,
    **options: Any,
) -> Path:
    """Write an image of `sky_pixels` centred on a position.

    Parameters
    ----------
    path : Path
        The file to write.
    ra_deg, dec_deg : float
        Centre of the image.
    size_px : int
        Side of the image.
    target : tuple of float, optional
        Position of the subject; the centre by default.
    change : callable, optional
        Changes the pixels in place before they are written.
    **options
        Further arguments of `image_header`.

    Returns
    -------
    Path
        `path`.
    """
    header = image_header(ra_deg, dec_deg, size_px=size_px, **options)
    data = sky_pixels(header, (size_px, size_px), *(target or (ra_deg, dec_deg)))
    if change is not None:
        change(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    with quiet_astropy():
        fits.PrimaryHDU(data, header).writeto(path, output_verify="ignore")
    return path


def write_pixels(
    path: Path, data: np.ndarray, place: tuple[float, float] = (30.0, 10.0), **options: Any
) -> None:
    """Write a square image centred on a position; `options` are those of `image_header`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = image_header(*place, size_px=len(data), **options)
    fits.PrimaryHDU(data, header).writeto(path, output_verify="ignore")
