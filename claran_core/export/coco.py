"""Export the boxes and masks of a catalogue as COCO JSON: images are subjects, categories are the classes.

With the results of the run, every searched subject is an image, also those without a source; ``fused_file``
and ``row`` give the position of its fused image, which is written as the PNG image ``file_name`` on request.
Each source is annotated once, in the subject under which the catalogue lists it.  Its mask is that of the
stored contours.
"""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import matplotlib.image
import numpy as np

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import InputError
from claran_core.common.files import atomic_path, read_table
from claran_core.common.paths import Results
from claran_core.export.coco_mask import mask_entry
from claran_core.export.source import CatalogueFile
from claran_core.export.stored_contours import StoredContours
from claran_core.fusion.fused_images import open_shard

__all__ = ["fused_indexes", "write_coco", "write_images"]

COLUMNS = ["source_id", "subject_id", "morphology", "probability", *BOX_COLUMNS]


def write_coco(
    source: CatalogueFile,
    path: Path,
    *,
    results: Results | None = None,
    contours: StoredContours | None = None,
) -> None:
    """Write the boxes of a catalogue as COCO JSON.

    Parameters
    ----------
    source : CatalogueFile
        The catalogue.
    path : Path
        Output file.
    results : Results, optional
        Results of the run.  Without them, the images are the subjects with sources.
    contours : StoredContours, optional
        Contours of the run, in pixels.  Without them, there are no masks.

    Raises
    ------
    InputError
        If the file lacks a column or the settings of the run, or the subject of a source has no image.
    """
    source.selected(COLUMNS)
    if results is not None and not fused_indexes(results, source.method):
        raise InputError(f"{results.root}: no fused images of method {source.method!r}; name another folder")
    frame = source.frame
    size = {"width": frame.size_px, "height": frame.size_px}
    images = _catalogued(source) if results is None else _fused(results, source.method)
    numbers: dict[str, int] = {}
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        out.write(
            f'{{"info": {json.dumps(_info(source))},\n"categories": {json.dumps(_categories(source))},\n'
        )
        _write_list(out, "images", (image | size for image in _numbered(images, numbers)))
        out.write(",\n")
        _write_list(out, "annotations", _annotations(source, numbers, contours))
        out.write("}\n")


def _info(source: CatalogueFile) -> dict[str, Any]:
    return {"description": "Radio sources by class; pixel i covers [i, i + 1)", **source.short_facts()}


def _numbers(source: CatalogueFile) -> dict[str, int]:
    """Return the number of each class in the detector, whose 0 is background (paper section 4.3.2)."""
    return {name: number for number, name in enumerate(source.classes, start=1)}


def _categories(source: CatalogueFile) -> list[dict[str, Any]]:
    return [
        {"id": number, "name": name, "supercategory": "radio source"}
        for name, number in _numbers(source).items()
    ]


def _write_list(out: TextIO, name: str, entries: Iterable[dict[str, Any]]) -> None:
    """Write a list, one entry per line, entry by entry."""
    out.write(f'"{name}": [')
    for number, entry in enumerate(entries):
        out.write(",\n" if number else "\n")
        out.write(json.dumps(entry, allow_nan=False))
    out.write("]")


def _numbered(images: Iterable[dict[str, Any]], numbers: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Yield the images with an id; `numbers` collects the ids by subject."""
    for image in images:
        numbers[image["subject_id"]] = len(numbers) + 1
        yield {"id": len(numbers), **image}


def _catalogued(source: CatalogueFile) -> Iterator[dict[str, Any]]:
    """Yield each subject of the catalogue once, in its order."""
    seen: set[str] = set()
    for batch in source.batches(["subject_id"]):
        for subject in batch.column("subject_id").to_pylist():
            if subject not in seen:
                seen.add(subject)
                yield {"file_name": image_name(subject), "subject_id": subject}


def fused_indexes(results: Results, method: str) -> list[Path]:
    """Return the indexes of the fused images of a run, one per shard, in order."""
    files = results.fused_index(method, "x").parent.glob("*.parquet")
    return sorted(file for file in files if file.name.count(".") == 1)  # without tables of components


def _fused(results: Results, method: str) -> Iterator[dict[str, Any]]:
    """Yield all subjects of the run with the file of their fused image, relative to the results folder."""
    for index in fused_indexes(results, method):
        table = read_table(index, ["subject_id", "ra", "dec"])
        name = index.with_suffix(".npy").relative_to(results.root).as_posix()
        for row, (subject, ra, dec) in enumerate(table.itertuples(index=False)):
            place = {"fused_file": name, "row": row, "ra": float(ra), "dec": float(dec)}
            yield {"file_name": image_name(subject), "subject_id": subject, **place}


def image_name(subject_id: str) -> str:
    """Return the name of the PNG image of a subject."""
    return f"{subject_id}.png"


def write_images(folder: Path, results: Results, method: str) -> None:
    """Write the fused image of each subject of a run as a PNG image of its own.

    Raises
    ------
    InputError
        If the run has no fused images, or one is damaged.
    """
    indexes = fused_indexes(results, method)
    if not indexes:
        raise InputError(f"{results.root}: no fused images of method {method!r}; name another folder")
    for path in indexes:
        images, index = open_shard(path.with_suffix(".npy"), path)
        for image, subject in zip(images, index["subject_id"], strict=True):
            matplotlib.image.imsave(folder / image_name(subject), np.ascontiguousarray(image))


def _annotations(
    source: CatalogueFile, numbers: dict[str, int], contours: StoredContours | None
) -> Iterator[dict[str, Any]]:
    number, categories, size_px = 0, _numbers(source), source.frame.size_px
    for batch in source.batches(COLUMNS):
        columns = [column.to_pylist() for column in batch.columns]
        every = [[]] * batch.num_rows if contours is None else contours.of(columns[0])
        for rings, row in zip(every, zip(*columns, strict=True), strict=True):
            name, subject, morphology, probability, x1, y1, x2, y2 = row
            number += 1
            if subject not in numbers:
                raise InputError(
                    f"{source.path}: source {name}: no image of subject {subject!r} in this run; "
                    "name the results folder of the run that made the catalogue"
                )
            if morphology not in categories:
                raise InputError(f"{source.path}: source {name}: unknown morphology {morphology!r}")
            box = [x1, y1, x2 - x1, y2 - y1]
            if not all(map(math.isfinite, (*box, probability))):
                raise InputError(f"{source.path}: source {name}: box or probability is not a number")
            yield {
                "id": number,
                "image_id": numbers[subject],
                "category_id": categories[morphology],
                "bbox": [round(value, 4) for value in box],
                "area": round(box[2] * box[3], 4),
                "iscrowd": 0,
                "score": round(probability, 6),
                "source_id": name,
                **(mask_entry(rings, size_px) if rings else {}),
            }
