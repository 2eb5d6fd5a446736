"""The images below a folder: which there are, and where on the sky, told from their headers once.

A folder may hold thousands of files, and a run hundreds of shards that ask which of them show a subject.  The
index answers that by circles around the images, without opening a file; what else a header says is read when
one is needed.
"""

import glob
import hashlib
import logging
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core import __version__
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.errors import ConfigError
from claran_core.common.files import read_metadata, read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.sky import unit_vectors
from claran_core.common.tables import IMAGES
from claran_core.survey.fits_image import scan_file
from claran_core.survey.footprint import Footprint
from claran_core.survey.surveys import Survey

__all__ = ["ImageIndex", "files_digest", "matching_files", "write_index"]

logger = logging.getLogger(__name__)

# Files a process reads the headers of before it takes the next ones.
CHUNK = 32


@dataclass(frozen=True)
class ImageIndex:
    """Images and unreadable files below a folder.

    Attributes
    ----------
    rows : DataFrame
        Columns of `claran_core.common.tables.IMAGES`, by file, then by place in the file.
    """

    rows: pd.DataFrame

    @classmethod
    def read(cls, path: Path) -> "ImageIndex":
        """Read what `write_index` wrote.

        Raises
        ------
        InputError
            If the file cannot be read or lacks columns.
        """
        return cls(read_table(path, IMAGES.names))

    @classmethod
    def scan(
        cls, folder: Path, names: Sequence[str], *, known: pd.DataFrame | None = None, processes: int = 1
    ) -> "ImageIndex":
        """Read the headers of files.

        Parameters
        ----------
        folder : Path
            Where they are.
        names : sequence of str
            The files below it.
        known : DataFrame, optional
            Rows of an earlier index: files of the same size and time of change are not read again, unless
            they were unreadable.
        processes : int
            How many read at a time.  Of more than one, each imports the caller's script: that must do nothing
            outside ``if __name__ == "__main__"``.
        """
        stamps = {name: _stamp(folder / name) for name in names}
        kept = _unchanged(known, stamps)
        fresh = [name for name in names if name not in kept]
        progress = Progress(f"{folder}: headers read", len(fresh))
        rows = [row for found in kept.values() for row in found]
        for found in _scanned(folder, fresh, processes):
            rows += [{**row, **stamps[row["file"]]} for row in found]
            progress.step()
        table = pd.DataFrame(rows, columns=IMAGES.names)
        return cls(table.sort_values("file", kind="stable", ignore_index=True))

    def near(self, frame: Frame, ra_deg: float, dec_deg: float) -> list[str]:
        """Files with an image, readable or not, whose circle meets that around the subject; in order."""
        reach_deg = frame.width_arcsec / ARCSEC_PER_DEG / np.sqrt(2)
        radius = self.rows["radius_deg"].to_numpy(float)
        cosines = self.rows[["x", "y", "z"]].to_numpy(float) @ unit_vectors(ra_deg, dec_deg)
        # NaN, where the place is not known, compares false.
        meets = cosines >= np.cos(np.deg2rad(np.minimum(radius + reach_deg, 180.0)))
        return self.rows["file"][meets].drop_duplicates().tolist()

    def warn(self, folder: Path) -> None:
        """Log each file that cannot be used."""
        for fault in self.rows[self.rows["reason"] != ""].itertuples():
            logger.warning("%s: left out: %s", folder / fault.name, fault.reason)

    def unplaced(self) -> list[str]:
        """Unreadable files that may show anything, for all their headers tell; in order."""
        return self.rows["file"][self.rows["radius_deg"].isna()].drop_duplicates().tolist()


def write_index(path: Path, survey: Survey, folder: Path, *, pattern: str, processes: int = 1) -> ImageIndex:
    """Index a folder, or refresh its index.

    Parameters
    ----------
    path : Path
        The index (`claran_core.common.tables.IMAGES`).
    survey : Survey
        Which the images are of.
    folder : Path
        Where they are.
    pattern : str
        Which files below it are images.
    processes : int
        How many read headers at a time, as in `ImageIndex.scan`.

    Raises
    ------
    ConfigError
        If there is no such folder, or no file in it matches.
    InputError
        If what lies at `path` is no index.
    """
    names = matching_files(survey, folder, pattern)
    # Files of another folder may have the same name, size and time; another version may read more of them.
    facts = {"folder": str(folder.resolve()), "version": __version__}
    index = ImageIndex.scan(folder, names, known=_known(path, facts), processes=processes)
    index.warn(folder)
    write_table(path, index.rows, IMAGES, metadata=facts)
    return index


def matching_files(survey: Survey, folder: Path, pattern: str) -> list[str]:
    """Names below a folder, sorted; links are followed.

    Raises
    ------
    ConfigError
        If there is no such folder, or no file in it matches.
    """
    key = f"config: survey.{survey.band}"
    if not folder.is_dir():
        raise ConfigError(f"{key}.path: no folder {folder}; give the one that holds the FITS files")
    # Path.glob would not follow links to folders, which is how archives are put together on clusters.
    names = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207
    names = sorted(name for name in names if (folder / name).is_file())
    if not names:
        raise ConfigError(f"{key}.path: no file in {folder} matches {pattern!r}; see {key[8:]}.pattern")
    return names


def files_digest(survey: Survey, folder: Path, pattern: str) -> str:
    """SHA-256 (hex) of names, sizes and times of change of the files an index would be made of.

    Raises
    ------
    ConfigError
        As `matching_files`.
    """
    digest = hashlib.sha256()
    for name in matching_files(survey, folder, pattern):
        stamp = _stamp(folder / name)
        digest.update(f"{name}\0{stamp['size']}\0{stamp['mtime_ns']}\n".encode())
    return digest.hexdigest()


def _known(path: Path, facts: dict[str, str]) -> pd.DataFrame | None:
    """Rows of an earlier index that was made under the same circumstances."""
    if not path.exists():
        return None
    rows = read_table(path, IMAGES.names)
    return rows if read_metadata(path) == facts else None


def _stamp(path: Path) -> dict[str, int]:
    try:
        stat = path.stat()
    except OSError:  # gone since it was listed: its scan says so
        return {"size": -1, "mtime_ns": -1}
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _unchanged(
    known: pd.DataFrame | None, stamps: dict[str, dict[str, int]]
) -> dict[str, list[dict[str, Any]]]:
    """Rows of the files that are as they were, by file; not of unreadable ones, which may be readable now."""
    kept: dict[str, list[dict[str, Any]]] = {}
    if known is None:
        return kept
    faulty = known["file"].isin(known["file"][known["reason"] != ""])
    for row in known[~faulty].to_dict("records"):
        if stamps.get(row["file"]) == {"size": row["size"], "mtime_ns": row["mtime_ns"]}:
            kept.setdefault(row["file"], []).append(row)
    return kept


def _scanned(folder: Path, names: Sequence[str], processes: int) -> Iterator[list[dict[str, Any]]]:
    """Rows of each file."""
    scan = partial(_rows_of, folder)
    if processes == 1 or len(names) <= CHUNK:
        yield from map(scan, names)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(scan, names, chunksize=CHUNK)


def _rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    images, unreadable = scan_file(folder / name, name)
    found: Iterable[tuple[str, Footprint | None, str]] = [
        *((image.name, image.footprint, "") for image in images),
        *((fault.name, fault.footprint, fault.reason) for fault in unreadable),
    ]
    return [
        {"file": name, "name": label, "reason": reason, **_circle(footprint)}
        for label, footprint, reason in found
    ]


def _circle(footprint: Footprint | None) -> dict[str, float]:
    if footprint is None:
        return dict.fromkeys(("x", "y", "z", "radius_deg"), np.nan)
    x, y, z = footprint.centre.tolist()
    return {"x": x, "y": y, "z": z, "radius_deg": footprint.radius_deg}
