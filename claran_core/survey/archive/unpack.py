"""Unpacking of what archives send, with a limit on the result.

A few bytes can announce, or decompress to, gigabytes: a gzip stream by a factor of a thousand, a
tile-compressed FITS image by any factor.
"""

import math
import re
import zlib
from collections.abc import Iterator

import numpy as np
from astropy.io import fits

from claran_core.survey.archive.outcomes import Fault
from claran_core.survey.archive.transport import MAX_BYTES

__all__ = ["GZIP_START", "check_tiles", "gunzip"]

GZIP_START = b"\x1f\x8b"
# Format of `zlib` for a gzip stream with its header.
GZIP_FORMAT = 31
# Streams that one gzip file may consist of; servers write one.
MAX_STREAMS = 100
# A tile is a row of an image unless its writer chose otherwise.
MAX_TILES = 1 << 14
# Algorithms whose result has the size of the tile, or is checked here.  HCOMPRESS and PLIO state a size of
# their own in the compressed bytes.
ALGORITHMS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")
# Columns with the bytes of the tiles, and their format.
TILE_COLUMNS = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA")
BYTES_FORMAT = re.compile(r"1?[PQ]B\b")


def gunzip(content: bytes, limit: int = MAX_BYTES) -> bytes:
    """Return the bytes of a gzip file.

    Raises
    ------
    Fault
        If it is damaged or truncated, or has more than `limit` bytes or `MAX_STREAMS` streams.
    """
    unpacked = bytearray()
    for _ in range(MAX_STREAMS):
        stream = zlib.decompressobj(GZIP_FORMAT)
        try:
            unpacked += stream.decompress(content, limit + 1 - len(unpacked))
        except zlib.error:
            raise Fault("a truncated or damaged gzip file") from None
        if len(unpacked) > limit:
            raise Fault(f"a gzip file with more than {limit} bytes")
        if not stream.eof:
            raise Fault("a truncated or damaged gzip file")
        content = stream.unused_data.lstrip(b"\0")  # padding is allowed after a stream
        if not content.startswith(GZIP_START):
            return bytes(unpacked)
    raise Fault(f"a gzip file of more than {MAX_STREAMS} streams")


def check_tiles(table: fits.BinTableHDU, content: bytes) -> None:
    """Check that a tile-compressed image unpacks to what it announces, and that to at most `MAX_BYTES`.

    Parameters
    ----------
    table : BinTableHDU
        The table that holds its tiles, opened with ``disable_image_compression``.
    content : bytes
        The whole FITS file.

    Raises
    ------
    Fault
        If the image, its tiles or their number are too large, the size that the algorithm gives is unknown,
        or a tile is damaged.
    KeyError, ValueError
        If the header is damaged.
    """
    header = table.header
    algorithm = str(header["ZCMPTYPE"]).strip().upper()
    if algorithm not in ALGORITHMS:
        raise Fault(f"an image compressed with {algorithm!r}; accepted are {', '.join(ALGORITHMS)}")
    axes = range(1, int(header["ZNAXIS"]) + 1)
    shape = [int(header[f"ZNAXIS{axis}"]) for axis in axes]
    tile = [int(header.get(f"ZTILE{axis}", shape[0] if axis == 1 else 1)) for axis in axes]
    # Floating-point images are stored as four-byte integers.
    pixel_bytes = max(4, abs(int(header["ZBITPIX"])) // 8)
    announced = max(math.prod(shape), math.prod(tile)) * pixel_bytes
    if min(shape + tile) < 1 or announced > MAX_BYTES:
        raise Fault(f"a compressed image of {announced} bytes or none; accepted are {MAX_BYTES}")
    tiles = math.prod(-(-length // side) for length, side in zip(shape, tile, strict=True))
    if tiles != header["NAXIS2"] or tiles > MAX_TILES:
        raise Fault(f"a compressed image of {tiles} tiles in {header['NAXIS2']} rows")
    for piece in _gzip_streams(table, content, algorithm):
        gunzip(piece, math.prod(tile) * pixel_bytes)


def _gzip_streams(table: fits.BinTableHDU, content: bytes, algorithm: str) -> Iterator[bytes]:
    """Yield the tiles that are compressed with gzip, which alone may unpack to more than a tile."""
    header = table.header
    heap = table.fileinfo()["datLoc"] + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"])
    rows = table.data.view(np.ndarray)
    for column in table.columns:
        if column.name not in TILE_COLUMNS:
            continue
        if not BYTES_FORMAT.match(str(column.format)):
            raise Fault(f"compressed pixels in a column of format {column.format}")
        lengths, starts = rows[column.name].astype(np.int64).T
        if (lengths < 0).any() or (starts < 0).any() or lengths.sum() > len(content):
            raise Fault("a compressed image whose tiles overlap")
        if column.name == "GZIP_COMPRESSED_DATA" or algorithm.startswith("GZIP"):
            for length, start in zip(lengths.tolist(), starts.tolist(), strict=True):
                if length:
                    yield content[heap + start : heap + start + length]
