"""Write the gallery's files, which the page loads on demand.

The folder beside the page holds an index of all sources, to filter and sort by; all columns of the
catalogue, some hundred rows a file; and the pictures of the selected subjects, several to a sheet.
There is about one file per some hundred sources.
"""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.files import write_text
from claran_core.common.flags import Flag
from claran_core.common.tables import for_classes
from claran_core.common.temporary import atomic_folder
from claran_core.report.columns import GROUP_ORDER, column_table, flag_table
from claran_core.report.gallery_selection import Choice, select_pictures
from claran_core.report.inputs import ReportInputs
from claran_core.report.overlays import subject_overlay
from claran_core.report.pictures import PAD_PX, PANELS, batches, write_sheets
from claran_core.report.script_data import decimals, safe_json, script, table_values

__all__ = ["MAX_ROWS", "Shown", "shown_rows", "write_gallery"]

logger = logging.getLogger(__name__)

# Maximum number of rows, which a browser handles easily.  From a larger catalogue the gallery takes the
# sources with pictures, then the brightest, and says so.
MAX_ROWS = 200_000

# Rows per file of numbers, and subjects per sheet of pictures: files of some hundred kB.
ROWS_PER_FILE = 500
PICTURES_PER_FILE = 16

# Scripts of the page in `web/`, copied beside its data.
SCRIPTS = ("data.js", "filters.js", "drawing.js", "list.js", "detail.js")


@dataclass(frozen=True)
class Shown:
    """Contents of the gallery.

    Attributes
    ----------
    table : DataFrame
        Rows of the catalogue in its order, all or the `MAX_ROWS` most important; the index counts from 0.
    choice : Choice
        Sources and subjects with pictures.
    """

    table: pd.DataFrame
    choice: Choice


def shown_rows(inputs: ReportInputs, *, max_rows: int = MAX_ROWS) -> Shown:
    """Select the rows of the gallery, and those with pictures."""
    subjects = inputs.fused[["subject_id"]].merge(
        inputs.targets[["subject_id", "split"]], on="subject_id", how="left"
    )
    subjects["split"] = subjects["split"].fillna("none")
    size = inputs.config.report.gallery_size
    choice = select_pictures(
        subjects,
        inputs.catalogue,
        inputs.blank,
        size=None if size == "all" else int(size),
        seed=inputs.config.seed,
        classes=inputs.config.model.classes,
    )
    return Shown(_most_important(inputs.catalogue, choice.sources, max_rows), choice)


def _most_important(catalogue: pd.DataFrame, first: Sequence[str], max_rows: int) -> pd.DataFrame:
    """Return the rows named `first` and the brightest others, at most `max_rows`, in their order."""
    if len(catalogue) > max_rows:
        flux = catalogue["integrated_flux"].fillna(-np.inf).where(~catalogue["source_id"].isin(first), np.inf)
        kept = flux.sort_values(ascending=False, kind="stable").index[:max_rows]
        catalogue = catalogue.loc[kept.sort_values()]
    return catalogue.reset_index(drop=True)


def write_gallery(folder: Path, inputs: ReportInputs, shown: Shown) -> None:
    """Write the gallery's files; they replace the folder of an earlier run when all are written.

    Raises
    ------
    InputError
        If images cannot be read.
    """
    with atomic_folder(folder) as made:
        subjects = _subjects_with_pictures(inputs, shown)
        _write_pictures(made, inputs, shown, subjects)
        _write_rows(made, shown.table, inputs.config.model.classes)
        write_text(made / "sources.js", script("sources", safe_json(_index(inputs, shown, subjects))))
        for script_name in SCRIPTS:
            shutil.copyfile(Path(__file__).parent / "web" / script_name, made / script_name)
    logger.info("%s: %d sources, %d subjects with pictures", folder, len(shown.table), len(subjects))


def _subjects_with_pictures(inputs: ReportInputs, shown: Shown) -> list[str]:
    """Return the subjects to draw, in the order of the run."""
    of_sources = shown.table.loc[shown.table["source_id"].isin(shown.choice.sources), "subject_id"]
    wanted = {*of_sources, *shown.choice.blank}
    return [name for name in inputs.fused["subject_id"] if name in wanted]


def _write_pictures(folder: Path, inputs: ReportInputs, shown: Shown, subjects: Sequence[str]) -> None:
    """Write the sheets of pictures and, beside each, its overlays."""
    found = _by_subject(inputs.catalogue, subjects)
    true = _by_subject(inputs.labels, subjects)
    place = {name: row for row, name in enumerate(shown.table["source_id"])}
    split = dict(zip(inputs.targets["subject_id"], inputs.targets["split"], strict=True))
    about = inputs.fused.set_index("subject_id", drop=False)
    scale = dict(zip(inputs.fused["subject_id"], inputs.fused["scale"], strict=True))
    none = inputs.catalogue.iloc[:0]
    for number, group in enumerate(batches(inputs.images_of(subjects), PICTURES_PER_FILE)):
        overlays = []
        for images in group:
            subject = images.subject_id
            sources = found.get(subject, none)
            overlays.append(
                subject_overlay(
                    images,
                    {**about.loc[subject], "split": split.get(subject, "none")},
                    sources.assign(row=[place.get(source, -1) for source in sources["source_id"]]),
                    true.get(subject),
                    frame=inputs.config.fusion.frame.at_scale(scale[subject]),
                    contour_sigma=inputs.config.fusion.contour_sigma,
                )
            )
        name = f"pictures/{number:05d}"
        write_sheets(folder, name, group)
        write_text(folder / f"{name}.js", script(name, safe_json(overlays)))


def _by_subject(table: pd.DataFrame | None, subjects: Sequence[str]) -> dict[str, pd.DataFrame]:
    if table is None:
        return {}
    rows = table[table["subject_id"].isin(subjects)]
    return {str(subject): group for subject, group in rows.groupby("subject_id")}


def _write_rows(folder: Path, table: pd.DataFrame, classes: Sequence[str]) -> None:
    """Write all columns of all rows, `ROWS_PER_FILE` rows a file."""
    names = for_classes(CATALOGUE, classes).names
    for number, start in enumerate(range(0, len(table), ROWS_PER_FILE)):
        rows = table.iloc[start : start + ROWS_PER_FILE][names]
        name = f"rows/{number:05d}"
        write_text(folder / f"{name}.js", script(name, table_values(rows)))


def _index(inputs: ReportInputs, shown: Shown, subjects: Sequence[str]) -> dict[str, Any]:
    """Return the columns to filter and sort by, and the description of all other files."""
    table = shown.table
    place = {name: number for number, name in enumerate(subjects)}
    turn = {name: number for number, name in enumerate(shown.choice.sources)}
    classes = inputs.config.model.classes
    morphology = {name: number for number, name in enumerate(classes)}
    frame = inputs.config.fusion.frame
    return {
        "id": table["source_id"].tolist(),
        "morphology": [morphology[name] for name in table["morphology"]],
        "probability": decimals(table["probability"], 4),
        "flux": decimals(table["integrated_flux"], 4),
        "size": decimals(table["largest_angular_size"], 4),
        "host": decimals(table["host_reliability"].fillna(0.0), 3),
        "flags": table["flags"].tolist(),
        "place": [place.get(name, -1) for name in table["subject_id"]],
        "turn": [turn.get(name, -1) for name in table["source_id"]],
        "blank": [place[name] for name in shown.choice.blank],
        "doubtful": int(Flag.DOUBTFUL),
        "classes": list(classes),
        "columns": column_table(classes),
        "groups": list(GROUP_ORDER),
        "flag_table": flag_table(),
        "panels": list(PANELS),
        "pad_px": PAD_PX,
        "rows_per_file": ROWS_PER_FILE,
        "pictures_per_file": PICTURES_PER_FILE,
        "n_pictures": len(subjects),
        "frame": {"size_px": frame.size_px, "pixel_scale_arcsec": frame.pixel_scale_arcsec},
        "method": inputs.config.catalogue.method,
    }
