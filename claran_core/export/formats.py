"""Export the catalogue to FITS, VOTable, DS9, contours, MOC, COCO, HATS or CSV.

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
from claran_core.export import coco, csv_table, ds9, fits_table, hats_catalogue, moc, votable
from claran_core.export.source import CatalogueFile, open_catalogue
from claran_core.export.stored_contours import StoredContours

__all__ = ["FORMATS", "export_catalogue", "run_folder"]

TABLES: dict[str, Callable[[CatalogueFile, Path], None]] = {
    "fits": fits_table.write_fits,
    "votable": votable.write_votable,
    "ds9": ds9.write_ds9,
    "hats": hats_catalogue.write_hats,
    "csv": csv_table.write_csv,
}
FORMATS = ("fits", "votable", "ds9", "contours", "moc", "coco", "hats", "csv")
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
        Results folder of the run, for ``moc``, ``coco`` and ``contours``; default: the folder that holds the
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
        if to != "coco":
            raise InputError(f"images are written with coco alone, not with {to}; leave out --images")
        _check_free(images, folder=True, overwrite=overwrite)
        with atomic_folder(images) as temporary:
            coco.write_images(temporary, _needed(folder, catalogue), source.method)
    if to == "moc":
        moc.write_moc(_needed(folder, catalogue), source.frame, path, order=moc_order)
    elif to == "contours":
        stored = StoredContours.open(_needed(folder, catalogue).contours, on_sky=True)
        ds9.write_ds9_contours(source, path, stored)
    elif to == "coco":
        if results is None and folder is not None and not coco.fused_indexes(folder, source.method):
            folder = None  # the fused images of the run were removed
        coco.write_coco(source, path, results=folder)
    else:
        TABLES[to](source, path)


def run_folder(catalogue: Path) -> Results | None:
    """Return the results folder of the run that made a catalogue, or None."""
    results = Results(catalogue.absolute().parent.parent)
    return results if results.targets.exists() else None


def _needed(folder: Results | None, catalogue: Path) -> Results:
    """Return the results folder of a run, which a format needs."""
    if folder is None:
        raise InputError(f"{catalogue}: not in the results folder of a run; name that folder with --results")
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
