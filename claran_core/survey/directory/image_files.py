"""The image files below a folder: their names, sizes and dates."""

import glob
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from claran_core.common.errors import ConfigError
from claran_core.survey.surveys import Survey

__all__ = ["files_digest", "listed_files", "matching_files", "stamp_of", "stamps_digest"]


def matching_files(survey: Survey, folder: Path, pattern: str) -> list[str]:
    """Return the names of the matching files below the folder of a survey (`listed_files`).

    Raises
    ------
    ConfigError
        If the folder does not exist, or contains no file that matches.
    """
    key = f"config: survey.{survey.role}"
    if not folder.is_dir():
        raise ConfigError(f"{key}.path: no folder {folder}; give the folder of the FITS files")
    names = listed_files(folder, pattern)
    if not names:
        raise ConfigError(f"{key}.path: no file in {folder} matches {pattern!r}; see {key[8:]}.pattern")
    return names


def listed_files(folder: Path, pattern: str) -> list[str]:
    """Return the names of the files below a folder that match a pattern, sorted; links are followed.

    ``.fits`` in the pattern stands for ``.FITS`` as well.
    """
    # Path.glob does not follow links to folders, which are common on clusters.
    either_case = re.sub(r"\.fits", ".[fF][iI][tT][sS]", pattern, flags=re.IGNORECASE)
    names = glob.glob(either_case, root_dir=folder, recursive=True)  # noqa: PTH207
    return sorted(name for name in names if not (folder / name).is_dir())


def files_digest(survey: Survey, folder: Path, pattern: str) -> str:
    """Return the SHA-256 (hex) of names, sizes and modification times of the files that an index would list.

    Raises
    ------
    ConfigError
        As `matching_files`.
    """
    return stamps_digest({name: stamp_of(folder / name) for name in matching_files(survey, folder, pattern)})


def stamps_digest(stamps: Mapping[str, Mapping[str, int]]) -> str:
    """Return the SHA-256 (hex) of the results of `stamp_of` by name."""
    digest = hashlib.sha256()
    for name in sorted(stamps):
        stamp = stamps[name]
        digest.update(os.fsencode(name) + f"\0{stamp['size']}\0{stamp['mtime_ns']}\n".encode())
    return digest.hexdigest()


def stamp_of(path: Path) -> dict[str, int]:
    """Return size and modification time of a file, which tell whether it has changed."""
    try:
        stat = path.stat()
    except OSError:  # removed since it was listed: reading it will give the reason
        return {"size": -1, "mtime_ns": -1}
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
