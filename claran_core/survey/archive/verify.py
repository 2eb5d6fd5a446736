"""Verification of the answers of archives.

A complete, readable FITS image of the survey (`claran_core.survey.archive.identity`) at the requested
position becomes a cut-out.  A page that says that the position is outside the survey becomes ``no_coverage``.
Anything else is a fault, and the request is repeated.
"""

import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from claran_core.common.cutout import Beam, Cutout, NoImage, Provenance
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.survey.archive.http import Answer, one_line
from claran_core.survey.archive.identity import check_header, check_pixel_scale
from claran_core.survey.archive.outcomes import Doubtful, Fault
from claran_core.survey.archive.services import Service
from claran_core.survey.archive.unpack import GZIP_START, check_tiles, gunzip
from claran_core.survey.fits_image import (
    FITS_START,
    READ_ERRORS,
    UnusableImage,
    celestial_plane,
    quiet_astropy,
)
from claran_core.survey.footprint import Footprint, PixelWindow, frame_points, sampling_frame
from claran_core.survey.header_beam import beam_of
from claran_core.survey.pixel_flags import mask_and_flag
from claran_core.survey.surveys import Survey
from claran_core.survey.units import noise_fits, unit_factor

__all__ = ["ImageReader", "provenance_of"]

# Errors that astropy raises for damaged files; some show only where a card or a pixel is used.
DAMAGE = (*READ_ERRORS, ArithmeticError, AttributeError, IndexError, MemoryError)


@dataclass(frozen=True)
class ImageReader:
    """Converts an answer to the cut-out of one subject; a reader for `Client.fetch`.

    Attributes
    ----------
    service : Service
        Service that answers.
    survey : Survey
        Survey whose pixels are expected.
    ra_deg, dec_deg : float
        Centre of the subject, deg, ICRS.
    width_arcsec : float
        Width of the subject.
    shown : callable, optional
        Selects the points ``(n, 2)`` of the subject (pixels of `sampling_frame`) that the image must show;
        default: all.
    """

    service: Service
    survey: Survey
    ra_deg: float
    dec_deg: float
    width_arcsec: float
    shown: Callable[[np.ndarray], np.ndarray] | None = None

    def __call__(self, answer: Answer) -> Cutout | NoImage:
        """Return the cut-out, or ``no_coverage``.

        Raises
        ------
        Doubtful, Fault
            If the answer is suspicious, or no image of the survey there.
        """
        content = _plain(answer.content)
        if not content.startswith(FITS_START):
            return _page(content, answer, self.service)
        try:
            return self._verified(content, answer)
        except DAMAGE as error:
            raise Fault(f"a damaged FITS file ({one_line(str(error))[:200]})") from None

    def _verified(self, content: bytes, answer: Answer) -> Cutout | NoImage:
        service, survey = self.service, self.survey
        frame = sampling_frame(self.width_arcsec, survey)
        hdus, hdu, footprint, transposed = _opened(content)
        window = footprint.window(frame, self.ra_deg, self.dec_deg)
        if window is None:
            raise Fault("the image does not show the requested position")
        with quiet_astropy():
            check_header(hdu.header, survey, service)
        with hdus:
            data = _pixels(hdu, footprint, transposed, window)
        with quiet_astropy():
            beam = beam_of(hdu.header, footprint.pixel_scale_arcsec)
        flags = mask_and_flag(data, beam, survey)
        pixels, wcs = footprint.regular(data, window, frame, self.ra_deg, self.dec_deg)
        check_pixel_scale(wcs.pixel_scale_arcsec, survey)
        unit = str(hdu.header.get("BUNIT", ""))
        _convert(pixels, unit, survey, beam)
        if not noise_fits(pixels, survey):
            flags |= Flag.SUSPECT_UNIT
        source = provenance_of(answer, service)
        cutout = Cutout(pixels, wcs, service.name, flags, source, unit=unit, beam=beam)
        if not _has_signal(data):
            outside = NoImage("no_coverage", f"{service.name} has only blank pixels there", source)
            if service.blank_is_outside:
                return outside
            raise Doubtful("all pixels are blank or equal", outside)
        if not window.complete and not _shows(footprint, frame, self.ra_deg, self.dec_deg, self.shown):
            raise Doubtful("the image shows only part of the subject", cutout)
        return cutout


def provenance_of(answer: Answer, service: Service) -> Provenance:
    """Return the provenance of a cut-out made from an answer."""
    return Provenance(service.name, answer.url, answer.sha256, answer.fetched_at)


def _plain(content: bytes) -> bytes:
    """Return the bytes of an answer without gzip, which some servers apply."""
    if not content:
        raise Fault("an empty answer")
    return gunzip(content) if content.startswith(GZIP_START) else content


def _page(content: bytes, answer: Answer, service: Service) -> NoImage:
    """Return ``no_coverage`` for a page that says so; any other page is a fault."""
    text = re.sub(
        r"<(script|style).*?</\1>|<[^>]*>", " ", content[:20000].decode("utf-8", "replace"), flags=re.S
    )
    text = one_line(html.unescape(text))[:200] or "no text"
    if service.outside and re.search(service.outside, text, re.I):
        return NoImage("no_coverage", f"{service.name} says: {text}", provenance_of(answer, service))
    raise Fault(f"a page instead of an image: {text}")


def _opened(content: bytes) -> tuple[fits.HDUList, fits.ImageHDU, Footprint, bool]:
    """Return the first image of a complete FITS file, with its footprint and whether latitude comes first."""
    try:
        with quiet_astropy():
            # The last block of the FIRST server's files may be short; astroquery opens them in this way.
            hdus = fits.open(io.BytesIO(content), ignore_missing_end=True, memmap=False)
            images = (number for number, hdu in enumerate(hdus) if hdu.is_image and len(hdu.shape) >= 2)
            number = next(images)
            hdu = hdus[number]
            place = hdu.fileinfo()
            packed = isinstance(hdu, fits.CompImageHDU)
            if packed:
                _check_packed(content, number)
            footprint, transposed = celestial_plane(hdu.header, hdu.shape, hdus)
            # astropy opens a truncated file without an error, and pads the missing pixels.
            end = place["datLoc"] + abs(hdu.header["BITPIX"]) // 8 * int(np.prod(hdu.shape))
    except StopIteration:
        raise Fault("a FITS file without an image") from None
    except UnusableImage as error:
        raise Fault(f"an unusable image: {error}") from None
    if not packed and end > len(content):
        raise Fault(f"a truncated FITS file: {len(content)} bytes of at least {end}")
    return hdus, hdu, footprint, transposed


def _check_packed(content: bytes, number: int) -> None:
    """Check the tiles of an image, by the number of its HDU, before anything is unpacked."""
    options: dict[str, bool] = {
        "ignore_missing_end": True,
        "memmap": False,
        "disable_image_compression": True,
    }
    with fits.open(io.BytesIO(content), **options) as hdus:
        check_tiles(hdus[number], content)


def _pixels(hdu: fits.ImageHDU, footprint: Footprint, transposed: bool, window: PixelWindow) -> np.ndarray:
    """Return the pixels of the window, longitude along x."""
    ny, nx = footprint.shape
    with quiet_astropy():
        stored = np.asarray(hdu.data, dtype=np.float32)
    plane = stored.reshape((nx, ny)).T if transposed else stored.reshape((ny, nx))
    return plane[window.slices].copy()


def _shows(
    footprint: Footprint,
    frame: Frame,
    ra_deg: float,
    dec_deg: float,
    shown: Callable[[np.ndarray], np.ndarray] | None,
) -> bool:
    """Return whether the required points of a frame lie on an image."""
    points = frame_points(frame).T
    if shown is not None:
        points = points[shown(points)]
    x, y = footprint.sky_to_pixels(*frame.frame_to_sky(ra_deg, dec_deg, *points.T))
    ny, nx = footprint.shape
    # Points without a projection are NaN and compare false.
    return bool(((x >= -0.5) & (x <= nx - 0.5) & (y >= -0.5) & (y <= ny - 0.5)).all())


def _has_signal(data: np.ndarray) -> bool:
    """Return whether there are finite pixels of more than one value: a sky image always has noise."""
    finite = data[np.isfinite(data)]
    return finite.size > 0 and bool((finite != finite[0]).any())


def _convert(data: np.ndarray, unit: str, survey: Survey, beam: Beam | None) -> None:
    """Convert pixels to the unit of a survey in place; refuse those in a unit that cannot be converted."""
    factor = unit_factor(unit, survey, beam)
    if factor is None:
        raise Fault(f"pixels in {unit!r}, but {survey.name} has {survey.unit}")
    if factor != 1:
        data *= np.float32(factor)
