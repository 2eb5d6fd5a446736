"""FITS images whose pixels say where on the sky they are: the frame position around a target."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from claran_core.common.frame import Frame, pixels_to_sky
from claran_core.survey.fits_image import quiet_astropy

FRAME = Frame(size_px=40, pixel_scale_arcsec=1.8)

# Spellings of real FIRST files that astropy repairs or warns about.
ODD_CARDS = {"BUNIT": "JY/BEAM", "DATE-OBS": "200002", "BLANK": -1, "EQUINOX": 2000.0}


def image_header(ra_deg, dec_deg, *, size_px=80, scale_arcsec=1.8, projection="TAN", **cards):
    """Header of an image centred on a position, in the equatorial system of its cards."""
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


def positions():
    """What `sky_pixels` holds, resampled onto `FRAME`: 37 x + 100 y of its pixel centres."""
    centre = np.arange(FRAME.size_px) + 0.5
    return 37 * centre[None, :] + 100 * centre[:, None]


def sky_pixels(header, shape, ra_deg, dec_deg):
    """Pixels ``shape`` whose value is 37 x + 100 y in the frame of a subject at (`ra_deg`, `dec_deg`)."""
    with quiet_astropy():
        wcs = WCS(header).celestial
    rows, columns = np.indices(shape)
    x, y = FRAME.sky_to_frame(ra_deg, dec_deg, *pixels_to_sky(wcs, columns.ravel(), rows.ravel()))
    return (37 * x + 100 * y).reshape(shape).astype(np.float32)


@contextmanager
def open_odd(path: Path) -> Iterator[fits.HDUList]:
    """Open a file of `write_image` without astropy's remarks about its header."""
    with quiet_astropy(), fits.open(path) as hdus:
        yield hdus


def write_image(path: Path, ra_deg=30.0, dec_deg=10.0, *, size_px=80, target=None, change=None, **options):
    """Write such an image centred on (`ra_deg`, `dec_deg`) for a subject at `target` (default: there)."""
    header = image_header(ra_deg, dec_deg, size_px=size_px, **options)
    data = sky_pixels(header, (size_px, size_px), *(target or (ra_deg, dec_deg)))
    if change is not None:
        change(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    with quiet_astropy():
        fits.PrimaryHDU(data, header).writeto(path, output_verify="ignore")
    return path
