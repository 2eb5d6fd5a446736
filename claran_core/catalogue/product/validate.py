"""Whether a file is a catalogue as its schema promises: one line for each thing that is wrong.

What is checked: columns, their types, units, UCDs and descriptions; values in range and in agreement with
each other; names that fit their positions, each once; the order of the rows; and the VOParquet block.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from claran_core.catalogue.product.schema import CATALOGUE, HOST_COLUMNS, MEASURED_COLUMNS
from claran_core.catalogue.product.sky_order import HEALPIX_ORDER, healpix_pixels
from claran_core.catalogue.product.stored_frame import stored_frame
from claran_core.catalogue.product.voparquet import mismatches
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import InputError
from claran_core.common.files import read_arrow, read_metadata
from claran_core.common.flags import Flag
from claran_core.common.morphology import MORPHOLOGIES, probability_columns
from claran_core.common.names import position_names

__all__ = ["LIST_GROUPS", "validate_catalogue"]

BATCH_ROWS = 65_536
# Numbers that may be NaN: there may be nothing to measure, or no host.
MAY_BE_NAN = {*MEASURED_COLUMNS, *HOST_COLUMNS}
# Columns whose lists belong together by the start of their names, and what falls along them.
LIST_GROUPS = {"component_": "component_peak_flux", "host_candidate_": "host_candidate_reliability"}
# Ranges by the start of a UCD: least, greatest, and whether the greatest itself is allowed.
RANGES = {
    "pos.eq.ra": (0.0, 360.0, False),
    "pos.eq.dec": (-90.0, 90.0, True),
    "pos.posAng": (0.0, 180.0, False),
    "stat.probability": (0.0, 1.0, True),
    "stat.error": (0.0, np.inf, True),
    "stat.stdev": (0.0, np.inf, True),
    "phys.angSize": (0.0, np.inf, True),
    "meta.number": (0.0, np.inf, True),
}
# Probabilities are rounded on their way.
SAME_PROBABILITY = 1e-5
COUNTS = np.array([[int(name[0]), int(name[3])] for name in MORPHOLOGIES])
# What a column says of itself.
DESCRIBED = {b"unit", b"ucd", b"description"}

Columns = dict[str, pa.Array]


@dataclass
class _Rule:
    """Something that every row keeps, and the rows that did not.

    Attributes
    ----------
    columns : tuple of str
        What `broken` looks at.
    said : str
        What is wrong with a row that breaks it.
    broken : callable
        From the columns of a batch to a mask of its rows.
    """

    columns: tuple[str, ...]
    said: str
    broken: Callable[[Columns], np.ndarray]
    count: int = 0
    first: str = field(default="")

    def look(self, batch: pa.RecordBatch, start: int) -> None:
        """Count the rows of a batch that break the rule; `start` is the number of its first row."""
        if not batch.num_rows:
            return
        wrong = self.broken({name: batch.column(name) for name in self.columns})
        if wrong.any():
            row = int(wrong.argmax())
            self.first = self.first or f"row {start + row} ({self._values(batch, row)})"
            self.count += int(wrong.sum())

    def _values(self, batch: pa.RecordBatch, row: int) -> str:
        values = [(name, batch.column(name)[row].as_py()) for name in self.columns[:4]]
        return ", ".join(f"{name} {_readable(value)}" for name, value in values)

    def finding(self) -> str:
        """One line on the rows that broke the rule."""
        more = f", and {self.count - 1} more rows" if self.count > 1 else ""
        return f"{self.first}{more}: {self.said}"


def validate_catalogue(path: Path) -> list[str]:
    """Findings about a catalogue, one line each; empty where all is as it should be.

    Rows are counted from 0.

    Raises
    ------
    InputError
        If the file is missing, is not Parquet, or is not a catalogue at all.
    """
    facts = read_metadata(path)
    stored = pq.read_schema(path)
    missing = [name for name in CATALOGUE.names if name not in stored.names]
    if "source_id" in missing:
        raise InputError(f"{path}: not a catalogue of sources: column 'source_id' is missing")
    sound = {name for name in stored.names if name in CATALOGUE.names and _same_type(stored, name)}
    frame = stored_frame(facts)
    found = [f"columns are missing: {', '.join(missing)}"] if missing else []
    found += _column_findings(stored)
    found += mismatches(stored)
    found += _row_findings(path, sound, frame.size_px if frame else None)
    if "source_id" in sound:
        found += _repeats(path)
    return found


def _same_type(stored: pa.Schema, name: str) -> bool:
    return _plain(stored.field(name).type) == _plain(CATALOGUE.field(name).type)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Type without the name and nullability of list entries, which writers differ in."""
    return pa.list_(kind.value_type) if pa.types.is_list(kind) else kind


def _column_findings(stored: pa.Schema) -> Iterator[str]:
    """What is wrong with types, and with what the columns say of themselves."""
    columns = [column for column in stored if column.name in CATALOGUE.names]
    silent = [column.name for column in columns if not set(column.metadata or {}) & DESCRIBED]
    if silent:
        more = f" and {len(silent) - 1} more columns say" if len(silent) > 1 else " says"
        yield f"column {silent[0]!r}{more} no unit, UCD or description: saved by another program?"
    for column in columns:
        wanted = CATALOGUE.field(column.name)
        if _plain(column.type) != _plain(wanted.type):
            yield f"column {column.name!r}: type {column.type}, not {wanted.type}"
        for key, value in wanted.metadata.items():
            given = (column.metadata or {}).get(key, b"")
            if given != value and column.name not in silent:
                yield f"column {column.name!r}: {key.decode()} {given.decode()!r}, not {value.decode()!r}"


def _row_findings(path: Path, sound: set[str], size_px: int | None) -> list[str]:
    """What is wrong with rows, of the columns whose types are right."""
    rules = [rule for rule in _rules(size_px) if set(rule.columns) <= sound]
    names = sorted({name for rule in rules for name in rule.columns})
    start = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
            for rule in rules:
                rule.look(batch, start)
            start += batch.num_rows
    return [rule.finding() for rule in rules if rule.count]


def _rules(size_px: int | None) -> list[_Rule]:
    """All rules for rows."""
    rules = [_not_null(name) for name in CATALOGUE.names]
    rules += [_finite(column) for column in CATALOGUE if _must_be_finite(column)]
    rules += [rule for column in CATALOGUE for rule in _range(column)]
    for group, falling in LIST_GROUPS.items():
        rules += _lists(tuple(name for name in CATALOGUE.names if _in_group(name, group)), falling)
    return [*rules, *_agreements(size_px), _order()]


def _in_group(name: str, group: str) -> bool:
    return name.startswith(group) and pa.types.is_list(CATALOGUE.field(name).type)


def _not_null(name: str) -> _Rule:
    return _Rule((name,), "missing value", lambda columns: columns[name].is_null().to_numpy(False))


def _must_be_finite(column: pa.Field) -> bool:
    return pa.types.is_floating(column.type) and column.name not in MAY_BE_NAN


def _finite(column: pa.Field) -> _Rule:
    name = column.name
    return _Rule((name,), "not a finite number", lambda columns: ~np.isfinite(_numbers(columns[name])))


def _range(column: pa.Field) -> list[_Rule]:
    """Rules for the values, or the entries of the lists, of a column whose UCD tells their range."""
    ucd = column.metadata[b"ucd"].decode()
    name = column.name

    def rule(least: float, greatest: float, closed: bool) -> _Rule:
        def broken(columns: Columns) -> np.ndarray:
            values, row = _entries(columns[name])
            outside = (values < least) | (values > greatest) | (~np.bool_(closed) & (values == greatest))
            return np.bincount(row[outside], minlength=len(columns[name])) > 0

        top = "" if np.isinf(greatest) else f" and {'at most' if closed else 'below'} {greatest:g}"
        return _Rule((name,), f"must be at least {least:g}{top}", broken)

    return [rule(*limits) for start, limits in RANGES.items() if ucd.startswith(start)]


def _lists(names: tuple[str, ...], falling: str) -> list[_Rule]:
    """Rules for lists that belong together: as long as each other, and in order."""

    def uneven(columns: Columns) -> np.ndarray:
        lengths = np.stack([pc.list_value_length(columns[name]).to_numpy(False) for name in names])
        return (lengths != lengths[0]).any(axis=0)

    def rises(columns: Columns) -> np.ndarray:
        values, row = _entries(columns[falling])
        up = (np.diff(values) > 0) & (np.diff(row) == 0)
        return np.bincount(row[1:][up], minlength=len(columns[falling])) > 0

    return [
        _Rule(names, "lists that belong together differ in length", uneven),
        _Rule((falling,), "must not rise along the list", rises),
    ]


def _agreements(size_px: int | None) -> list[_Rule]:
    """Rules for columns that say the same, or bound each other."""
    known = int(sum(Flag))
    rules = [
        _Rule(("morphology",), "is none of the six classes", lambda c: _class(c["morphology"]) < 0),
        _Rule(
            ("rule_morphology",),
            "is none of the six classes, nor empty",
            lambda c: (_class(c["rule_morphology"]) < 0) & (_texts(c["rule_morphology"]) != ""),
        ),
        _Rule(("morphology", "n_components", "n_peaks"), "counts are not those of the class", _miscounted),
        _Rule(
            ("morphology", "probability", *probability_columns()),
            "probability is not that of the class",
            _misjudged,
        ),
        _Rule(
            ("rule_components", "component_ra"),
            "lists have not one entry per component",
            lambda c: (
                pc.list_value_length(c["component_ra"]).to_numpy(False) != _numbers(c["rule_components"])
            ),
        ),
        _Rule(BOX_COLUMNS, "box has no area", lambda c: ~_solid(c)),
        _Rule(("angular_size",), "must be positive", lambda c: _numbers(c["angular_size"]) <= 0),
        _Rule(("n_merged",), "must be at least 1", lambda c: _numbers(c["n_merged"]) < 1),
        _Rule(("flags",), "has unknown bits", lambda c: (_numbers(c["flags"]).astype(int) & ~known) != 0),
        _Rule(("source_id", "ra", "dec"), "name does not fit the position", _misnamed),
    ]
    if size_px is not None:
        rules.append(
            _Rule(BOX_COLUMNS, f"box leaves its image of {size_px} px", lambda c: ~_inside(c, size_px))
        )
    return rules


def _class(column: pa.Array) -> np.ndarray:
    """Position of each class among the six; -1 for others."""
    return pc.fill_null(pc.index_in(column, pa.array(MORPHOLOGIES)), -1).to_numpy(False)


def _miscounted(columns: Columns) -> np.ndarray:
    kind = _class(columns["morphology"])
    given = np.stack([_numbers(columns["n_components"]), _numbers(columns["n_peaks"])], axis=1)
    return (kind >= 0) & (given != COUNTS[kind]).any(axis=1)


def _misjudged(columns: Columns) -> np.ndarray:
    kind = _class(columns["morphology"])
    each = np.stack([_numbers(columns[name]) for name in probability_columns()], axis=1)
    far = np.abs(each[np.arange(len(kind)), kind] - _numbers(columns["probability"])) > SAME_PROBABILITY
    return (kind >= 0) & far


def _boxes(columns: Columns) -> np.ndarray:
    return np.stack([_numbers(columns[name]) for name in BOX_COLUMNS], axis=1)


def _solid(columns: Columns) -> np.ndarray:
    boxes = _boxes(columns)
    return ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] > boxes[:, :2]).all(axis=1)


def _inside(columns: Columns, size_px: int) -> np.ndarray:
    boxes = _boxes(columns)
    return ~((boxes < 0) | (boxes > size_px)).any(axis=1)


def _misnamed(columns: Columns) -> np.ndarray:
    ra, dec = _numbers(columns["ra"]), _numbers(columns["dec"])
    placed = np.isfinite(ra) & np.isfinite(dec)
    names = np.char.rstrip(_texts(columns["source_id"]), "abcdefghijklmnopqrstuvwxyz")
    return placed & (names != position_names(np.where(placed, ra, 0), np.where(placed, dec, 0)))


def _order() -> _Rule:
    """The rule of the order of rows; it remembers the last row of the batch before."""
    last: list[tuple[int, str]] = []

    def broken(columns: Columns) -> np.ndarray:
        ra, dec = _numbers(columns["ra"]), _numbers(columns["dec"])
        placed = (ra >= 0) & (ra < 360) & (np.abs(dec) <= 90)
        pixel = healpix_pixels(np.where(placed, ra, 0), np.where(placed, dec, 0))
        name = _texts(columns["source_id"])
        before = last.pop() if last else (-1, "")
        last.append((int(pixel[-1]), str(name[-1])))
        pixels, names = np.append(before[0], pixel), np.append(before[1], name)
        back = (pixels[1:] < pixels[:-1]) | ((pixels[1:] == pixels[:-1]) & (names[1:] < names[:-1]))
        return back & placed

    said = f"out of order: rows go by HEALPix pixel (nested, order {HEALPIX_ORDER}), then source_id"
    return _Rule(("source_id", "ra", "dec"), said, broken)


def _repeats(path: Path) -> list[str]:
    counted = pc.value_counts(read_arrow(path, ["source_id"])["source_id"])
    repeated = counted.filter(pc.greater(counted.field("counts"), 1))
    if not len(repeated):
        return []
    first = repeated[0].as_py()
    more = f", and {len(repeated) - 1} more names" if len(repeated) > 1 else ""
    return [f"source_id {first['values']!r} is there {first['counts']} times{more}: names must be unique"]


def _numbers(column: pa.Array) -> np.ndarray:
    """Values as float64, NaN where one is missing."""
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _texts(column: pa.Array) -> np.ndarray:
    return np.array(pc.fill_null(column, "").to_pylist(), dtype=str)


def _entries(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Values of a column, or of its lists one after the other, and the row of each."""
    if not pa.types.is_list(column.type):
        return _numbers(column), np.arange(len(column))
    return _numbers(column.flatten()), pc.list_parent_indices(column).to_numpy(zero_copy_only=False)


def _readable(value: object) -> str:
    if isinstance(value, list):
        return f"[{len(value)} entries]" if len(value) > 4 else str([_readable(entry) for entry in value])
    return f"{value:.9g}" if isinstance(value, float) else str(value)
