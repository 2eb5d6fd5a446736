"""Export the catalogue as DS9 regions: a square a source and a cross a component, or contours.

The square has side `angular_size`, is centred on the source's box and points north.  Contours are polygons; a
hole is a region to exclude.  Every region is tagged with its class, so the groups of DS9 (Region > Groups)
select one class.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from claran_core.common.files import atomic_path
from claran_core.common.text import printable
from claran_core.export.source import CatalogueFile
from claran_core.export.stored_contours import StoredContours

__all__ = ["write_ds9", "write_ds9_contours"]

HEADER = [
    "# Region file format: DS9 version 4.1",
    'global color=green width=1 font="helvetica 10 normal roman"',
    "icrs",
]
CONTOUR_COLUMNS = ["source_id", "morphology"]
COLUMNS = ["source_id", "box_ra", "box_dec", "angular_size", "morphology", "component_ra", "component_dec"]
# Colours of the classes in their order; more classes use them again.
COLOURS = ("green", "cyan", "blue", "yellow", "magenta", "red")


def write_ds9(source: CatalogueFile, path: Path) -> None:
    """Write a catalogue as a DS9 region file.

    Parameters
    ----------
    source : CatalogueFile
        The catalogue.
    path : Path
        Output file.

    Raises
    ------
    InputError
        If the file lacks a column that this export needs.
    """
    _write(source, path, COLUMNS, _regions)


def write_ds9_contours(source: CatalogueFile, path: Path, contours: StoredContours) -> None:
    """Write the contours of a catalogue as a DS9 region file; `contours` are those of its run, on the sky.

    Raises
    ------
    InputError
        If the file lacks a column that this export needs, or a source has no contours in the run.
    """
    _write(source, path, CONTOUR_COLUMNS, lambda batch, colours: _polygons(batch, colours, contours))


def _write(
    source: CatalogueFile,
    path: Path,
    columns: list[str],
    regions: Callable[[pa.RecordBatch, Mapping[str, str]], Iterator[str]],
) -> None:
    source.selected(columns)
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii") as out:
        colours = dict(zip(source.classes, itertools.cycle(COLOURS), strict=False))
        out.writelines(f"{line}\n" for line in HEADER)
        for batch in source.batches(columns):
            out.writelines(f"{line}\n" for line in regions(batch, colours))


def _regions(batch: pa.RecordBatch, colours: Mapping[str, str]) -> Iterator[str]:
    for name, ra, dec, size, morphology, points_ra, points_dec in zip(
        *(column.to_pylist() for column in batch.columns), strict=True
    ):
        look = f"color={colours.get(morphology, 'white')} tag={_braced(morphology)}"
        yield f'box({ra:.7f},{dec:+.7f},{size:.3f}",{size:.3f}",0) # {look} text={_braced(name)}'
        for point_ra, point_dec in zip(points_ra, points_dec, strict=True):
            yield f"point({point_ra:.7f},{point_dec:+.7f}) # point=cross {look}"


def _polygons(batch: pa.RecordBatch, colours: Mapping[str, str], contours: StoredContours) -> Iterator[str]:
    names, morphologies = (batch.column(name).to_pylist() for name in CONTOUR_COLUMNS)
    for name, morphology, rings in zip(names, morphologies, contours.of(names), strict=True):
        look = f"color={colours.get(morphology, 'white')} tag={_braced(morphology)}"
        for ring in rings:
            places = ",".join(f"{ra:.7f},{dec:+.7f}" for ra, dec in ring.points.tolist())
            yield f"{'-' if ring.is_hole else ''}polygon({places}) # {look} text={_braced(name)}"


def _braced(text: str) -> str:
    """Return a text in braces, as one word of a region file; it can neither end the braces nor the line."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "{" + printable(plain).replace("{", "(").replace("}", ")") + "}"
