"""Temporary files and folders beside the file they are for, and the removal of those that killed jobs left.

Each has the name ``.NAME.RANDOM.tmp`` and is locked as long as its process lives; the kernel removes the lock
of a process that is killed.
"""

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["atomic_folder", "sweep", "temporary_file", "temporary_folder"]

NAME = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Yield an empty file beside `path`, on the same disk; it is removed at the end, if not renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    # The system applies the user's umask, which decides who may read results.
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _lock(handle)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`, on the same disk; it is removed at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent) as name:
        handle = os.open(name, os.O_RDONLY)
        try:
            _lock(handle)
            yield Path(name)
        finally:
            os.close(handle)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a folder beside `path` that is renamed to it on success and removed on failure."""
    with temporary_folder(path) as temporary:
        folder = temporary / path.name
        folder.mkdir()
        yield folder
        if path.is_dir():
            path.rename(temporary / "old")
        folder.rename(path)


def sweep(folder: Path) -> list[Path]:
    """Remove the temporary files and folders of killed processes below a folder; return their paths.

    Those of living processes stay, and all stay where the file system has no locks.
    """
    left = [path for path in sorted(folder.rglob(".*.tmp")) if NAME.fullmatch(path.name)]
    return [path for path in left if _removed(path)]


def _removed(path: Path) -> bool:
    """Remove a temporary file or folder that no process uses; return whether it did."""
    is_folder = path.is_dir() and not path.is_symlink()
    try:
        handle = os.open(path, (os.O_RDONLY if is_folder else os.O_RDWR) | os.O_NOFOLLOW)
    except OSError:  # gone, or the file of another user
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_folder:
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError:  # in use
        return False
    finally:
        os.close(handle)
    return True


def _lock(handle: int) -> None:
    """Lock an open file or folder; without effect where the file system has no locks."""
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
