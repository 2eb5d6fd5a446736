"""Export the catalogue to FITS, VOTable, DS9, contours, MOC, COCO, HATS, CSV or RO-Crate.

Each format is a module with one function.  All read the catalogue in batches, and a failed export leaves no
partial file.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from claran_core.common.errors import InputError
from claran_core.common.files import read_metadata
from claran_core.common.paths import Results
from claran_core.common.temporary import atomic_folder
from claran_core.export import (
    coco,
    csv_table,
    ds9,
    fits_table,
    hats_catalogue,
    moc,
    rocrate,
    votable,
)
from claran_core.export.source import CatalogueFile, open_catalogue
from claran_core.export.stored_contours import StoredContours

__all__ = ["FORMATS", "export_catalogue", "run_folder"]

TABLES: dict[str, Callable[[CatalogueFile, Path], None]] = {
    "fits": fits_table.write_fits,
    "votable": votable.write_votable,
    "ds9": ds9.write_ds9,
    "csv": csv_table.write_csv,
}
FORMATS = ("fits", "votable", "ds9", "contours", "moc", "coco", "hats", "csv", "rocrate")
# Formats of a table of targets.
TARGET_FORMATS = ("fits", "votable", "csv")


def export_catalogue(
    catalogue: Path,
    path: Path,
    *,
    to: str,
    results: Path | None = None,
    images: Path | None = None,
    moc_order: int = moc.DEFAULT_ORDER,
    overwrite: bool = False,
) -> None:
    """Write a catalogue in another format.

    Parameters
    ----------
    catalogue : Path
        The Parquet file; also a table of targets, to `TARGET_FORMATS`.
    path : Path
        Output file; a folder for HATS.
    to : str
        One of `FORMATS`.
    results : Path, optional
        Results folder of the run, for ``coco`` and what is in `OF_RUN`; default: the folder that holds the
        catalogue.
    images : Path, optional
        Folder to write with a PNG image of each subject, for ``coco``; default: none.
    moc_order : int
        HEALPix order of the smallest cells of a MOC.
    overwrite : bool
        Whether to replace existing output.

    Raises
    ------
    InputError
        If `path` exists, the file is not a catalogue, or it or its run lacks data that the format needs.
    """
    if to not in FORMATS:
        raise InputError(f"unknown format {to!r}; take one of {', '.join(FORMATS)}")
    if path.absolute() == catalogue.absolute():
        raise InputError(f"{path}: is the catalogue itself; name another output")
    _check_free(path, folder=to == "hats", overwrite=overwrite)
    folder = Results(results) if results else run_folder(catalogue)
    source = _with_facts(open_catalogue(catalogue), folder)
    if source.holds_targets and to not in TARGET_FORMATS:
        raise InputError(f"{catalogue}: holds targets; export them to one of {', '.join(TARGET_FORMATS)}")
    if images is not None:
        _write_images(images, source, folder, to=to, overwrite=overwrite)
    if to in TABLES:
        TABLES[to](source, path)
    elif to == "coco":
        _write_coco(source, folder, path, is_named=results is not None)
    elif to == "hats":
        fraction = None if folder is None else float(moc.run_area(folder, source.frame).sky_fraction)
        hats_catalogue.write_hats(source, path, sky_fraction=fraction)
    else:
        OF_RUN[to](source, _needed(folder, source), path, moc_order)


def _write_moc(source: CatalogueFile, results: Results, path: Path, order: int) -> None:
    moc.write_moc(results, source.frame, path, order=order)


def _write_contours(source: CatalogueFile, results: Results, path: Path, _: int) -> None:
    ds9.write_ds9_contours(source, path, StoredContours.open(results.contours, on_sky=True))


def _write_crate(source: CatalogueFile, results: Results, path: Path, _: int) -> None:
    rocrate.write_crate(source, results, path)


# Formats that need the results folder of a run.
OF_RUN: dict[str, Callable[[CatalogueFile, Results, Path, int], None]] = {
    "moc": _write_moc,
    "contours": _write_contours,
    "rocrate": _write_crate,
}


def _write_coco(source: CatalogueFile, folder: Results | None, path: Path, *, is_named: bool) -> None:
    """Write boxes and masks; `is_named` says whether the user has named the results folder."""
    contours = None
    if folder is not None and folder.contours.exists():
        contours = StoredContours.open(folder.contours, on_sky=False)
    if folder is not None and not is_named and not coco.fused_indexes(folder, source.method):
        folder = None  # the fused images of the run were removed
    coco.write_coco(source, path, results=folder, contours=contours)


def _write_images(
    folder: Path, source: CatalogueFile, results: Results | None, *, to: str, overwrite: bool
) -> None:
    """Write a PNG image of each subject of a run."""
    if to != "coco":
        raise InputError(f"images are written with coco alone, not with {to}; leave out --images")
    _check_free(folder, folder=True, overwrite=overwrite)
    with atomic_folder(folder) as temporary:
        coco.write_images(temporary, _needed(results, source), source.method)


def run_folder(catalogue: Path) -> Results | None:
    """Return the results folder of the run that made a catalogue, or None."""
    results = Results(catalogue.absolute().parent.parent)
    return results if results.targets.exists() else None


def _needed(folder: Results | None, source: CatalogueFile) -> Results:
    """Return the results folder of a run, which a format needs."""
    if folder is None:
        raise InputError(
            f"{source.path}: not in the results folder of a run; name that folder with --results"
        )
    return folder


def _with_facts(source: CatalogueFile, run: Results | None) -> CatalogueFile:
    """Add the facts of the run to a selection that another program saved, if the run's catalogue exists."""
    if source.facts or run is None or not run.catalogue.exists():
        return source
    return replace(source, facts=read_metadata(run.catalogue))


def _check_free(path: Path, *, folder: bool, overwrite: bool) -> None:
    """Refuse to replace existing output unless told to, or a file by a folder or the reverse."""
    if not path.exists():
        return
    if path.is_dir() != folder:
        kind = "folder" if path.is_dir() else "file"
        raise InputError(f"{path}: is a {kind}; name another output")
    if not overwrite:
        raise InputError(f"{path}: exists; name another output, or replace it with --overwrite")
