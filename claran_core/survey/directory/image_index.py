"""Index of the images below a folder: their names and positions, read from the headers once.

A folder may contain thousands of files, and a run hundreds of shards that need to know which of them show a
subject.  The index answers that from circles around the images, without opening a file; the rest of a header
is read when the image is needed.  A part of the index that holds what one shard may need is an index, too.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
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
from claran_core.common.sky import FloatOrArray, unit_vectors
from claran_core.common.tables import IMAGES
from claran_core.common.text import has_control, printable
from claran_core.survey.directory.image_choice import choose_images
from claran_core.survey.directory.image_files import matching_files, stamp_of, stamps_digest
from claran_core.survey.directory.image_warnings import log_warnings
from claran_core.survey.fits_image import FitsImage, UnreadableFile, scan_file
from claran_core.survey.footprint import Footprint
from claran_core.survey.identity import pixel_contradiction
from claran_core.survey.surveys import Survey

__all__ = [
    "MISNAMED",
    "ImageIndex",
    "index_facts",
    "index_folder",
    "least_cosine",
    "reach_deg",
    "write_index",
]

# Number of files in the batches that processes work on.
CHUNK = 32
# Files whose name cannot be stored or printed.
MISNAMED = "its name has control characters or is not UTF-8; rename it"
# Columns with the reasons why readable images are not used.
CHOSEN = ["refused", "passed_over"]

# Returns the images of a file, and those that cannot be used, given its path and name.
ReadFile = Callable[[Path, str], tuple[list[FitsImage], list[UnreadableFile]]]

# Added to a circle that only preselects, against rounding.
ROUNDING_DEG = 1e-6


@dataclass(frozen=True)
class ImageIndex:
    """Images and unreadable files below a folder.

    Attributes
    ----------
    rows : DataFrame
        Columns of `claran_core.common.tables.IMAGES`, by file, then by place in the file.
    files : str
        `files_digest` of the files that were listed; empty if unknown.
    """

    rows: pd.DataFrame
    files: str = field(default="", kw_only=True)

    @classmethod
    def read(cls, path: Path) -> "ImageIndex":
        """Read an index written by `write_index`.

        Raises
        ------
        InputError
            If the file cannot be read or lacks columns.
        """
        return cls(read_table(path, IMAGES.names))

    @classmethod
    def scan(
        cls,
        survey: Survey,
        folder: Path,
        names: Sequence[str],
        *,
        known: pd.DataFrame | None = None,
        processes: int = 1,
        read: ReadFile | None = None,
    ) -> "ImageIndex":
        """Read the headers of files, and choose the images of the survey.

        Parameters
        ----------
        survey : Survey
            Survey of the images.
        folder : Path
            Folder of the files.
        names : sequence of str
            Names of the files, relative to the folder.
        known : DataFrame, optional
            Rows of an earlier index: files of the same size and modification time are not read again, unless
            they were unreadable.
        processes : int
            Number of processes.  If more than one, each imports the caller's script, which must be guarded by
            ``if __name__ == "__main__"``.
        read : callable, optional
            A function in place of `claran_core.survey.fits_image.scan_file`.

        Raises
        ------
        ConfigError
            If there are readable images, and none of them shows the survey.
        """
        stamps = {name: stamp_of(folder / name) for name in names}
        kept = _unchanged(known, stamps)
        fresh = [name for name in names if name not in kept]
        progress = Progress(f"{folder}: headers read", len(fresh))
        rows = [row for found in kept.values() for row in found]
        for name, found in zip(
            fresh, _scanned(partial(_rows_of, survey, folder, read), fresh, processes), strict=True
        ):
            rows += [{**row, **stamps[name]} for row in found]
            progress.step()
        table = pd.DataFrame(rows, columns=IMAGES.names)
        table = table.sort_values("file", kind="stable", ignore_index=True)
        return cls(_chosen(table, survey, folder, known), files=stamps_digest(stamps))

    def near(self, frame: Frame, ra_deg: float, dec_deg: float) -> list[str]:
        """Return the files with an image, readable or not, whose circle meets that of the subject.

        In order.
        """
        centres, radius_deg, files = self._circles
        least = least_cosine(radius_deg + reach_deg(frame.width_arcsec))
        meets = np.flatnonzero(centres @ unit_vectors(ra_deg, dec_deg) >= least)
        return list(dict.fromkeys(files[place] for place in meets.tolist()))

    def part(self, ra_deg: np.ndarray, dec_deg: np.ndarray, reach: np.ndarray) -> "ImageIndex":
        """Return the rows that may matter for some subjects: files near them, and those of unknown position.

        Parameters
        ----------
        ra_deg, dec_deg, reach : (n,) arrays
            Centres of the subjects, and the radii of circles that contain them, deg; n > 0.
        """
        centres, radius_deg, _ = self._circles
        subjects = unit_vectors(ra_deg, dec_deg)
        middle = subjects.mean(axis=0)
        # All subjects lie in one circle, which excludes most images without comparing each with each.
        spread = np.rad2deg(np.arccos(np.clip(subjects @ middle / max(np.linalg.norm(middle), 1e-9), -1, 1)))
        around = least_cosine(radius_deg + (spread + reach).max() + ROUNDING_DEG)
        places = np.flatnonzero(centres @ middle >= around * np.linalg.norm(middle))
        least = least_cosine(radius_deg[places, None] + reach)
        meets = (centres[places] @ subjects.T >= least).any(axis=1)
        wanted = np.isnan(radius_deg)
        wanted[places[meets]] = True
        rows = self.rows[self.rows["file"].isin(self.rows["file"][wanted])]
        return ImageIndex(rows.reset_index(drop=True))

    @cached_property
    def _circles(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Centres (unit vectors), radii (deg) and files of the rows; pandas is slow for each subject."""
        centres = self.rows[["x", "y", "z"]].to_numpy(float)
        return centres, self.rows["radius_deg"].to_numpy(float), self.rows["file"].tolist()

    @cached_property
    def unused(self) -> dict[str, str]:
        """Names of the readable images that are not used: why they are refused; empty if passed over."""
        rows = self.rows[(self.rows["refused"] != "") | (self.rows["passed_over"] != "")]
        return dict(zip(rows["name"], rows["refused"], strict=True))

    @cached_property
    def misnamed(self) -> frozenset[str]:
        """Files that no name in the index can find."""
        return frozenset(self.rows["file"][self.rows["reason"] == MISNAMED])

    def unplaced(self) -> list[str]:
        """Return the unreadable files whose headers do not tell their position; in order."""
        return self.rows["file"][self.rows["radius_deg"].isna()].drop_duplicates().tolist()


def index_folder(
    survey: Survey, folder: Path, *, pattern: str, earlier: Path | None = None, processes: int = 1
) -> ImageIndex:
    """Return the index of a folder.

    Parameters
    ----------
    survey : Survey
        Survey of the images.
    folder : Path
        Folder of the images.
    pattern : str
        Glob pattern of the image files, relative to the folder.
    earlier : Path, optional
        An index that `write_index` wrote, if it exists: headers of unchanged files are not read again.
    processes : int
        Number of processes that read headers, as in `ImageIndex.scan`.

    Raises
    ------
    ConfigError
        If the folder does not exist, contains no file that matches, or no image of the survey.
    InputError
        If the file `earlier` is not an index.
    """
    names = matching_files(survey, folder, pattern)
    known = _known(earlier, survey, folder)
    return ImageIndex.scan(survey, folder, names, known=known, processes=processes)


def write_index(
    path: Path,
    survey: Survey,
    folder: Path,
    *,
    pattern: str,
    processes: int = 1,
    rules: Mapping[str, Any] | None = None,
    write_first: Callable[[ImageIndex], None] | None = None,
) -> ImageIndex:
    """Index a folder, or update its index.

    Parameters
    ----------
    path : Path
        The index (`claran_core.common.tables.IMAGES`).
    survey, folder, pattern, processes
        As for `index_folder`.
    rules : mapping, optional
        JSON-serialisable; stored as ``rules`` in the metadata of the file.
    write_first : callable, optional
        Writes what follows from the index, before the index itself: if the process is killed in between, the
        old index tells the next one that there is work to do.

    Raises
    ------
    ConfigError, InputError
        As `index_folder`.
    """
    index = index_folder(survey, folder, pattern=pattern, earlier=path, processes=processes)
    log_warnings(index.rows, survey.role, folder)
    if write_first is not None:
        write_first(index)
    facts = index_facts(survey, folder) | {"files": index.files, "rules": rules}
    write_table(path, index.rows, IMAGES, metadata=facts)
    return index


def reach_deg(width_arcsec: FloatOrArray) -> FloatOrArray:
    """Return the radius (deg) of a circle that contains a square of this width."""
    return width_arcsec / ARCSEC_PER_DEG / np.sqrt(2)


def least_cosine(radius_deg: np.ndarray) -> np.ndarray:
    """Return the cosine of angles (deg) of at most 180; an unknown one is NaN, and compares false."""
    return np.cos(np.deg2rad(np.minimum(radius_deg, 180.0)))


def index_facts(survey: Survey, folder: Path) -> dict[str, str]:
    """Return what an index must agree in, so that its rows hold for files of the same name, size and time.

    Files of another folder may have the same; another version may read more of them.
    """
    return {"folder": str(folder.resolve()), "version": __version__, "survey": json.dumps(survey.as_dict())}


def _known(path: Path | None, survey: Survey, folder: Path) -> pd.DataFrame | None:
    """Return the rows of an earlier index of the same folder, version and survey."""
    if path is None or not path.exists():
        return None
    rows, stored = read_table(path, IMAGES.names), read_metadata(path)
    facts = index_facts(survey, folder)
    return rows if {name: stored.get(name) for name in facts} == facts else None


def _unchanged(
    known: pd.DataFrame | None, stamps: dict[str, dict[str, int]]
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of unchanged files, by file; unreadable ones are left out: they may be readable now."""
    kept: dict[str, list[dict[str, Any]]] = {}
    if known is None:
        return kept
    faulty = known["file"].isin(known["file"][known["reason"] != ""])
    for record in known[~faulty].to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        if stamps.get(row["file"]) == {"size": row["size"], "mtime_ns": row["mtime_ns"]}:
            kept.setdefault(row["file"], []).append(row)
    return kept


def _scanned(
    scan: Callable[[str], list[dict[str, Any]]], names: Sequence[str], processes: int
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each file."""
    if processes == 1 or len(names) <= CHUNK:
        yield from map(scan, names)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(scan, names, chunksize=CHUNK)


def _rows_of(survey: Survey, folder: Path, read: ReadFile | None, name: str) -> list[dict[str, Any]]:
    if has_control(name):
        shown = printable(name)
        return [_row(shown, shown, None, reason=MISNAMED)]
    images, unreadable = (read or scan_file)(folder / name, name)
    return [
        *(
            _row(
                name,
                image.name,
                image.footprint,
                unit=printable(image.unit),
                content=image.content,
                differs=_difference(image, survey),
            )
            for image in images
        ),
        *(_row(name, fault.name, fault.footprint, reason=printable(fault.reason)) for fault in unreadable),
    ]


def _difference(image: FitsImage, survey: Survey) -> str:
    """Return the first thing that an image says about itself and that is not as in the survey; else ""."""
    stated = next(image.identity.contradictions(survey), "")
    return stated or pixel_contradiction(image.footprint.pixel_scale_arcsec, survey)


def _row(file: str, name: str, footprint: Footprint | None, **texts: str) -> dict[str, Any]:
    """Return a row without size, time and the choice of images; texts that are not given are empty."""
    usual = dict.fromkeys(("unit", "content", "differs", "reason"), "")
    return {"file": file, "name": name, **usual, **texts, **_circle(footprint)}


def _chosen(rows: pd.DataFrame, survey: Survey, folder: Path, known: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows with the reasons why images are refused or passed over.

    The choice reads pixels, so it is made again only if there are other images than `known`.

    Raises
    ------
    ConfigError
        If there are readable images, and none of them is used.
    """
    readable = rows["reason"] == ""
    same = ["name", "size", "mtime_ns"]
    if known is not None and _readable(rows)[same].equals(_readable(known)[same]):
        rows.loc[readable, CHOSEN] = _readable(known)[CHOSEN].to_numpy()
        rows[CHOSEN] = rows[CHOSEN].fillna("")
    else:
        choice = choose_images(rows, folder, survey)
        for column in CHOSEN:
            reasons = getattr(choice, column)
            rows[column] = [reasons.get(row, "") for row in range(len(rows))]
    unused = rows[readable & (rows[CHOSEN] != "").any(axis=1)]
    if len(unused) and len(unused) == readable.sum():
        first = unused.iloc[0]
        reason = first["refused"] or f"it shows {first['passed_over']}"
        raise ConfigError(
            f"config: survey.{survey.role}.path: no image in {folder} shows {survey.name}; "
            f"{first['name']}: {reason}"
        )
    return rows


def _readable(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["reason"] == ""].reset_index(drop=True)


def _circle(footprint: Footprint | None) -> dict[str, float]:
    if footprint is None:
        return dict.fromkeys(("x", "y", "z", "radius_deg"), np.nan)
    x, y, z = footprint.centre.tolist()
    return {"x": x, "y": y, "z": z, "radius_deg": footprint.radius_deg}
