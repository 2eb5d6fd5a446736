"""FITS images on disk: the images of a file according to its headers, and their pixels a window at a time.

Real headers have degenerate third and fourth axes, AIPS's NCP projection, units and dates outside the
standard, and BLANK where it has no meaning.  astropy repairs or ignores all that; its warnings are
suppressed, because the user can do nothing about them.
"""

import math
import mmap
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from claran_core.common.cutout import Beam
from claran_core.common.text import error_line
from claran_core.survey.blanks import LARGEST_VALUE
from claran_core.survey.footprint import Footprint, PixelWindow
from claran_core.survey.header_beam import beam_of
from claran_core.survey.header_values import has_value, number_of
from claran_core.survey.header_wcs import celestial_system
from claran_core.survey.identity import Identity
from claran_core.survey.image_content import product_stated

__all__ = [
    "READ_ERRORS",
    "FitsImage",
    "UnreadableFile",
    "UnusableImage",
    "celestial_plane",
    "quiet_astropy",
    "read_window",
    "scan_file",
]

# Errors that reading a damaged file may raise.
READ_ERRORS = (OSError, EOFError, ValueError, TypeError, KeyError, zlib.error, fits.VerifyError)

_FILTERS = threading.RLock()

# Start of a FITS file that is not compressed as a whole.
FITS_START = b"SIMPLE"
# A file compressed as a whole is read whole.  Subjects of a shard are close on the sky, so a few kept images
# are enough.
DECOMPRESSED_IMAGES = 2
# Opening and mapping a file takes longer than reading a window of it.
MAPPED_IMAGES = 8


@dataclass(frozen=True)
class PixelLayout:
    """Place and format of the pixels of an uncompressed image in its file.

    Attributes
    ----------
    offset : int
        First byte of the pixels.
    dtype : numpy.dtype
        Big-endian type of the stored values.
    scale, zero : float
        Pixel = stored value x `scale` + `zero` (BSCALE, BZERO).
    blank : int or None
        Stored value of integer images that means "no data".
    """

    offset: int
    dtype: np.dtype
    scale: float
    zero: float
    blank: int | None


@dataclass(frozen=True)
class FitsImage:
    """One image of a FITS file.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Name in messages: the path relative to the survey's folder, with ``[n]`` for extension n.
    hdu : int
        Number of the header-data unit, 0 for the primary one.
    footprint : Footprint
        Its area on the sky.
    unit : str
        BUNIT as the header spells it; empty if it is absent.
    beam : Beam or None
        Beam of the header.
    transposed : bool
        Whether latitude is the first axis of the file.
    layout : PixelLayout or None
        None for a compressed image or file.
    content : str
        What the header says the image is, if it is no image of the sky (`product_stated`); else empty.
    identity : Identity
        What the header says about its survey.
    """

    path: Path
    name: str
    hdu: int
    footprint: Footprint
    unit: str
    beam: Beam | None
    transposed: bool
    layout: PixelLayout | None
    content: str = ""
    identity: Identity = Identity()


@dataclass(frozen=True)
class UnreadableFile:
    """A file, or an image in it, without usable pixels: the reason, and its footprint if that is known."""

    name: str
    reason: str
    footprint: Footprint | None = None


class UnusableImage(Exception):  # noqa: N818  (a finding about a file, not a fault)
    """The reason why an image cannot be used, and its footprint if that is known."""

    def __init__(self, reason: str, footprint: Footprint | None = None) -> None:
        super().__init__(reason)
        self.footprint = footprint


@contextmanager
def quiet_astropy() -> Iterator[None]:
    """Suppress astropy's warnings about non-standard files, in one thread at a time.

    Warning filters belong to the whole process: if two threads left in another order than they entered, the
    filters would stay changed.
    """
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        yield


def scan_file(path: Path, name: str) -> tuple[list[FitsImage], list[UnreadableFile]]:
    """Find the images of a FITS file from its headers.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its name in messages.

    Returns
    -------
    images : list of FitsImage
        All images with a celestial WCS, in the order of the file.
    unreadable : list of UnreadableFile
        Images that are damaged or have several planes; the file itself if it contains no image.
    """
    images, faults = [], []
    if path.exists() and not path.is_file():  # opening a pipe waits for a writer
        return [], [UnreadableFile(name, "it is a pipe or a device, not a file")]
    no_image = "it holds no image"
    try:
        with quiet_astropy(), fits.open(path, memmap=True) as hdus:
            if hdus[0].header.get("SIMPLE") is False:
                no_image = "its header says SIMPLE = F: it does not conform to FITS"
            for number, hdu in enumerate(hdus):
                if not hdu.is_image or len(hdu.shape) < 2:
                    continue
                label = name if number == 0 else f"{name}[{number}]"
                try:
                    images.append(_image(path, label, number, hdu, hdus))
                except UnusableImage as fault:
                    faults.append(UnreadableFile(label, str(fault), fault.footprint))
    except READ_ERRORS as error:
        faults.append(UnreadableFile(name, f"it is damaged or not FITS ({error_line(error)})"))
    if not images and not faults:
        faults.append(UnreadableFile(name, no_image))
    # Beside real images, an extension without a WCS is a thumbnail or a beam.
    return images, [fault for fault in faults if fault.footprint or not images]


def read_window(image: FitsImage, window: PixelWindow) -> np.ndarray:
    """Read a window of an image.

    Returns
    -------
    (ny, nx) float32 array
        In the file's unit, FITS row order, longitude along x; NaN and infinities as in the file, and NaN for
        its BLANK (`claran_core.survey.blanks.mask_missing` finds other marks of missing pixels).

    Raises
    ------
    OSError, EOFError, ValueError, TypeError, KeyError, zlib.error, astropy.io.fits.VerifyError
        If the file is damaged or has changed since it was scanned (`READ_ERRORS`).
    """
    ny, nx = image.footprint.shape
    stored_shape = (nx, ny) if image.transposed else (ny, nx)
    rows, columns = reversed(window.slices) if image.transposed else window.slices
    if image.layout is not None:
        stat = image.path.stat()
        mapped = _mapped(image.path, image.layout, stored_shape, (stat.st_size, stat.st_mtime_ns))
        data = _physical(np.array(mapped[rows, columns]), image.layout)
        _release(mapped)
    elif _is_plain(image.path):
        data = _section(image, stored_shape, rows, columns)
    else:
        data = _decompressed(image.path, image.hdu).reshape(stored_shape)[rows, columns].copy()
    return np.ascontiguousarray(data.T) if image.transposed else data


def celestial_plane(
    header: fits.Header, shape: tuple[int, ...], hdus: fits.HDUList | None = None
) -> tuple[Footprint, bool]:
    """Return the footprint of the single plane of an image, and whether latitude is its first axis.

    Parameters
    ----------
    header : Header
        Header of the image.
    shape : tuple of int
        Shape of the pixels, numpy order; may lack degenerate axes of the header.
    hdus : HDUList, optional
        The file, which holds the lookup tables of distortions.

    Raises
    ------
    UnusableImage
        If the WCS is not celestial or cannot be used, or there are several planes.
    """
    try:
        system = celestial_system(header, shape, hdus)
        if system is None:
            raise UnusableImage("its image has no celestial WCS")
        footprint = Footprint.of(system.wcs, system.shape)
    except READ_ERRORS as error:
        raise UnusableImage(f"its WCS cannot be used ({error_line(error)})") from None
    planes = math.prod(shape) // max(1, math.prod(system.shape))
    if planes != 1:
        raise UnusableImage(f"it is a cube of {planes} planes; make an image of the one you want", footprint)
    return footprint, system.longitude > system.latitude


def _image(path: Path, name: str, number: int, hdu: fits.ImageHDU, hdus: fits.HDUList) -> FitsImage:
    header = _with_inherited(hdu, hdus)
    footprint, transposed = celestial_plane(header, hdu.shape, hdus)
    try:
        scale, zero = _scaling(header)
        beam = beam_of(header, footprint.pixel_scale_arcsec, hdus)
    except ValueError as error:
        raise UnusableImage(str(error), footprint) from None
    ny, nx = footprint.shape
    layout = None
    if not isinstance(hdu, fits.CompImageHDU) and _is_plain(path):
        layout = _layout(hdu, scale, zero)
        if layout.offset + nx * ny * layout.dtype.itemsize > path.stat().st_size:
            raise UnusableImage("it is truncated: pixels are missing at its end", footprint)
    unit = header.get("BUNIT")
    unit, content = unit if isinstance(unit, str) else "", product_stated(header)
    identity = Identity.of(header)
    return FitsImage(path, name, number, footprint, unit, beam, transposed, layout, content, identity)


def _with_inherited(hdu: fits.ImageHDU, hdus: fits.HDUList) -> fits.Header:
    """Return the header of an image; with INHERIT, what it lacks is that of the primary one."""
    if hdu is hdus[0] or hdu.header.get("INHERIT") is not True:
        return hdu.header
    header = hdus[0].header.copy()
    header.update(hdu.header)
    return header


def _scaling(header: fits.Header) -> tuple[float, float]:
    """Return BSCALE and BZERO.

    Raises
    ------
    ValueError
        If they make all pixels equal or larger than any real one.
    """
    scale, zero = (
        number_of(header, key) if has_value(header, key) else default
        for key, default in (("BSCALE", 1.0), ("BZERO", 0.0))
    )
    if not 0 < abs(scale) < LARGEST_VALUE:
        raise ValueError(f"BSCALE = {scale!r} leaves no pixel with data")
    if not abs(zero) < LARGEST_VALUE:
        raise ValueError(f"BZERO = {zero!r} leaves no pixel with data")
    return scale, zero


def _layout(hdu: fits.ImageHDU, scale: float, zero: float) -> PixelLayout:
    bits = hdu.header["BITPIX"]
    kind = "f" if bits < 0 else "u" if bits == 8 else "i"
    return PixelLayout(
        offset=hdu.fileinfo()["datLoc"],
        dtype=np.dtype(f">{kind}{abs(bits) // 8}"),
        scale=scale,
        zero=zero,
        blank=hdu.header.get("BLANK") if bits > 0 else None,
    )


def _physical(stored: np.ndarray, layout: PixelLayout) -> np.ndarray:
    if (layout.scale, layout.zero) == (1.0, 0.0):
        data = stored.astype(np.float32)
    else:
        data = (stored.astype(np.float64) * layout.scale + layout.zero).astype(np.float32)
    if layout.blank is not None:
        data[stored == layout.blank] = np.nan
    return data


@lru_cache(maxsize=MAPPED_IMAGES)
def _mapped(path: Path, layout: PixelLayout, shape: tuple[int, int], stamp: tuple[int, int]) -> np.ndarray:
    """Map the stored pixels of an uncompressed image; `stamp` (size, time) is that of the file now."""
    return np.memmap(path, layout.dtype, "r", layout.offset, shape)


def _release(mapped: np.ndarray) -> None:
    """Take the pages of a map out of the memory of the process; the system may keep them in its cache.

    With a page of each row come its neighbours, so that the windows of a shard would add up to whole images.
    """
    if hasattr(mmap, "MADV_DONTNEED"):
        mapped._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def _section(image: FitsImage, stored_shape: tuple[int, int], rows: slice, columns: slice) -> np.ndarray:
    """Read a window of a tile-compressed image; only the tiles it touches are decompressed."""
    sides = [(stored_shape[0], rows), (stored_shape[1], columns)]
    with quiet_astropy(), fits.open(image.path) as hdus:
        hdu = hdus[image.hdu]
        # Axes other than those of the plane have one pixel.
        index = [sides.pop(0)[1] if sides and size == sides[0][0] else slice(None) for size in hdu.shape]
        data = np.array(hdu.section[tuple(index)], dtype=np.float32)
    return data.reshape(rows.stop - rows.start, columns.stop - columns.start)


@lru_cache(maxsize=DECOMPRESSED_IMAGES)
def _decompressed(path: Path, hdu: int) -> np.ndarray:
    with quiet_astropy():
        return np.asarray(fits.getdata(path, hdu), dtype=np.float32)


def _is_plain(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(len(FITS_START)) == FITS_START
