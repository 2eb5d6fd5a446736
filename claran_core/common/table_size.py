"""Files of the user that may be compressed, and how large a table becomes in memory.

A small file may unpack to terabytes.
"""

import gzip
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

import pyarrow.parquet as pq

from claran_core.common.errors import InputError

__all__ = ["opened", "refuse_bomb"]

# A table of 10^7 targets has 0.5 GB.
MAX_BYTES = 8 * 10**9
MAX_ROWS = 2 * 10**8
# gzip compresses at most by this factor, so that small files need no check.
MAX_GZIP_RATIO = 1032
CHUNK_BYTES = 2**22


def refuse_bomb(path: Path, *, max_bytes: int = MAX_BYTES, max_rows: int = MAX_ROWS) -> None:
    """Refuse a compressed table that is larger than any list of targets or sources.

    Parameters
    ----------
    path : Path
        A file of any format; only ``.gz`` and Parquet files can be much larger in memory than on disk.
    max_bytes, max_rows : int
        Largest size after unpacking, and largest number of rows.

    Raises
    ------
    InputError
        With the limit that the file exceeds.
    OSError, EOFError, zlib.error, pyarrow.ArrowException
        If the file is damaged.
    """
    if _is_gzip(path):
        facts = path.stat()
        if facts.st_size * MAX_GZIP_RATIO > max_bytes and not _fits(path, facts.st_mtime_ns, max_bytes):
            raise InputError(f"{path}: unpacks to more than {max_bytes / 1e9:g} GB; is it a table?")
    elif path.name.lower().endswith(".parquet"):
        metadata = pq.read_metadata(path)
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        size = sum(group.total_byte_size for group in groups)
        if metadata.num_rows > max_rows or size > max_bytes:
            raise InputError(
                f"{path}: has {metadata.num_rows} rows and {size / 1e9:.3g} GB unpacked; "
                f"a table has at most {max_rows} rows and {max_bytes / 1e9:g} GB"
            )


@lru_cache(maxsize=16)  # a table is read in several steps
def _fits(path: Path, mtime_ns: int, max_bytes: int) -> bool:
    """Return whether a file, as of some time of modification, unpacks to at most `max_bytes`."""
    size = 0
    with gzip.open(path) as unpacked:
        while size <= max_bytes and (chunk := unpacked.read(CHUNK_BYTES)):
            size += len(chunk)
    return size <= max_bytes


def opened(path: Path) -> IO[bytes]:
    """Open a file to read its bytes, unpacked if its name ends with ``.gz``."""
    return cast(IO[bytes], gzip.open(path)) if _is_gzip(path) else path.open("rb")


def _is_gzip(path: Path) -> bool:
    return path.name.lower().endswith(".gz")
