"""Unpacking with limits: gzip and tile-compressed FITS, sound, damaged and made to explode."""

import gzip
import io
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from claran_core.survey.archive.outcomes import Fault
from claran_core.survey.archive.unpack import MAX_STREAMS, check_tiles, gunzip

SKY = np.random.default_rng(5).standard_normal((60, 90)).astype(np.float32)


def test_gzip_files_of_one_and_of_several_streams_are_unpacked() -> None:
    assert gunzip(gzip.compress(b"one", mtime=0)) == b"one"
    assert gunzip(gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0) + bytes(512)) == b"onetwo"
    assert gunzip(gzip.compress(b"12345", mtime=0), limit=5) == b"12345"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"123456", mtime=0), "more than 5 bytes"),
        (gzip.compress(b"123", mtime=0) * 2, "more than 5 bytes"),
        (gzip.compress(b"", mtime=0) * (MAX_STREAMS + 1), "more than 100 streams"),
        (gzip.compress(b"12345", mtime=0)[:-1], "truncated or damaged"),
        (gzip.compress(b"12345", mtime=0)[:10] + b"\xff" * 20, "truncated or damaged"),
        (b"\x1f\x8b", "truncated or damaged"),
    ],
)
def test_other_gzip_files_are_faults(content: bytes, message: str) -> None:
    with pytest.raises(Fault, match=message):
        gunzip(content, limit=5)


def compressed(data: np.ndarray = SKY, **options: Any) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, **options)]).writeto(buffer)
    return buffer.getvalue()


def check(content: bytes) -> None:
    options = {"disable_image_compression": True, "memmap": False}
    with fits.open(io.BytesIO(content), **options) as hdus:
        check_tiles(hdus[1], content)


def changed(content: bytes, **cards: Any) -> bytes:
    """Return a compressed image with other values in the header of its table."""
    options = {"disable_image_compression": True, "memmap": False}
    with fits.open(io.BytesIO(content), **options) as hdus:
        start, end = hdus[1].fileinfo()["hdrLoc"], hdus[1].fileinfo()["datLoc"]
        header = hdus[1].header.copy()
        header.update(cards)
    return content[:start] + header.tostring().encode().ljust(end - start) + content[end:]


@pytest.mark.parametrize(
    ("algorithm", "level"),
    [("RICE_1", 16.0), ("GZIP_1", 16.0), ("GZIP_1", 0.0), ("GZIP_2", 0.0), ("NOCOMPRESS", 16.0)],
)
def test_sound_images_pass(algorithm: str, level: float) -> None:
    data = SKY.copy()
    data[:4] = np.nan  # stored with gzip in the column beside
    check(compressed(data, compression_type=algorithm, quantize_level=level))
    check(compressed(data, compression_type=algorithm, quantize_level=level, tile_shape=(25, 40)))


def gzip_bomb(level: float) -> bytes:
    """Return an image one tile of which unpacks to 40 MB."""
    content = compressed(SKY, compression_type="GZIP_1", quantize_level=level)
    options = {"disable_image_compression": True, "memmap": False}
    with fits.open(io.BytesIO(content), **options) as hdus:
        place, header = hdus[1].fileinfo()["datLoc"], hdus[1].header
        heap = place + header["NAXIS1"] * header["NAXIS2"]
    bomb = gzip.compress(bytes(40_000_000))
    first = len(bomb).to_bytes(4, "big") + bytes(4)
    return content[:place] + first + content[place + 8 : heap] + bomb + content[heap:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(compressed(), ZNAXIS1=33000, ZNAXIS2=33000), "a compressed image of 4356000000 bytes"),
        (changed(compressed(), ZTILE1=1 << 30), "a compressed image of 4294967296 bytes"),
        (changed(compressed(), ZNAXIS1=0), "or none"),
        (changed(compressed(), ZNAXIS2=61), "61 tiles in 60 rows"),
        (changed(compressed(), ZTILE1=1, ZNAXIS1=1000), "60000 tiles in 60 rows"),
        (compressed(compression_type="HCOMPRESS_1"), "compressed with 'HCOMPRESS_1'"),
        (changed(compressed(), ZCMPTYPE="ZIP"), "compressed with 'ZIP'"),
        (gzip_bomb(0.0), "a gzip file with more than 360 bytes"),
        (gzip_bomb(16.0), "a gzip file with more than 360 bytes"),
        (changed(compressed(), TFORM1="1PE(90)"), "compressed pixels in a column of format"),
    ],
)
def test_images_that_unpack_to_more_than_they_announce_are_faults(content: bytes, message: str) -> None:
    tracemalloc.start()
    begun = time.process_time()
    try:
        with pytest.raises(Fault, match=message):
            check(content)
        assert tracemalloc.get_traced_memory()[1] < 10e6 and time.process_time() - begun < 2
    finally:
        tracemalloc.stop()
