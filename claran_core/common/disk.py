"""Errors of the disk behind the errors of libraries that write files."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from claran_core.common.errors import ClaranError

__all__ = ["DISK_ERRORS", "disk_error", "disk_errors_of"]

# Errors of a full disk, an exceeded quota or size of files, or a read-only file system: not faults of the
# program.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
# Bytes that a disk takes unless it is full.
PROBE_BYTES = 2**20


def disk_error(error: Exception, path: Path) -> int | None:
    """Return the number of the disk's error (one of `DISK_ERRORS`), if one kept a file from being written.

    Several libraries raise errors of their own that do not tell it; then a few bytes more are written.

    Parameters
    ----------
    error : Exception
        What writing the file raised.
    path : Path
        The unfinished file, which may grow.
    """
    if isinstance(error, ClaranError):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in DISK_ERRORS else None
    try:
        with path.open("ab") as handle:
            handle.write(bytes(PROBE_BYTES))
    except OSError as probed:
        return probed.errno if probed.errno in DISK_ERRORS else None
    return None


@contextmanager
def disk_errors_of(path: Path, temporary: Path) -> Iterator[None]:
    """Raise an error of the disk, as whatever it arrives, as an OSError that names `path`."""
    try:
        yield
    except Exception as error:
        code = disk_error(error, temporary)
        if code is not None:
            raise OSError(code, os.strerror(code), str(path)) from error
        raise
