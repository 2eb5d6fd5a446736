"""The seal of a Parquet file: a digest of all its bytes, in the file itself.

Checksums of pages protect the values, but not the headers, positions and statistics beside them.  The seal is
the SHA-256 of every other byte.  It stands before the footer, between the magic bytes `MAGIC` and the footer;
readers of Parquet find data by the positions that the footer lists, and do not look there.
"""

import hashlib
import os
from pathlib import Path

import pyarrow as pa

__all__ = ["is_sealed", "seal"]

MAGIC = b"CLARAN1\0"
SEAL_BYTES = len(MAGIC) + hashlib.sha256().digest_size
# After the footer: its length, and the magic bytes of Parquet.
TAIL_BYTES = 8
BLOCK_BYTES = 1 << 20


def seal(path: Path) -> None:
    """Seal a complete Parquet file that has no seal."""
    with path.open("r+b") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(size - TAIL_BYTES)
        start = _footer_start(handle.read(TAIL_BYTES), size)
        handle.seek(start)
        footer = handle.read()
        digest = hashlib.sha256()
        handle.seek(0)
        for first in range(0, start, BLOCK_BYTES):
            digest.update(handle.read(min(BLOCK_BYTES, start - first)))
        digest.update(footer)
        handle.seek(start)
        handle.write(MAGIC + digest.digest() + footer)


def is_sealed(content: pa.Buffer) -> bool:
    """Return whether a Parquet file has a seal.

    Raises
    ------
    OSError
        If it has one, and a byte has changed.
    """
    view, size = memoryview(content), content.size
    if size < TAIL_BYTES + SEAL_BYTES:
        return False
    start = _footer_start(bytes(view[-TAIL_BYTES:]), size)
    first = start - SEAL_BYTES
    if first < 0 or bytes(view[first : first + len(MAGIC)]) != MAGIC:
        return False
    digest = hashlib.sha256(view[:first])
    digest.update(view[start:])
    if digest.digest() != bytes(view[first + len(MAGIC) : start]):
        raise OSError("a byte has changed: its digest differs")
    return True


def _footer_start(tail: bytes, size: int) -> int:
    """Return where the footer starts, from the last bytes of a file."""
    return size - TAIL_BYTES - int.from_bytes(tail[:4], "little")
