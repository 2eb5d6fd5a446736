"""The rules that every row of a catalogue obeys: ranges of values, agreement of columns, order of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from claran_core.catalogue.product.schema import (
    CATALOGUE,
    FITTED_COLUMNS,
    HOST_COLUMNS,
    SECOND_RADIO_COLUMNS,
    SHAPE_COLUMNS,
)
from claran_core.catalogue.product.shape_fields import SHAPE_CENTRES
from claran_core.catalogue.product.sky_order import HEALPIX_ORDER, healpix_pixels
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.flags import Flag
from claran_core.common.frame import SCALES
from claran_core.common.morphology import MORPHOLOGIES, counts_of, probability_columns
from claran_core.common.names import position_names
from claran_core.common.tables import for_classes

__all__ = ["LIST_GROUPS", "RowRule", "row_rules"]

# Columns of numbers that may be NaN: of sources without a fit, a host, a second radio image or a shape.
MAY_BE_NAN = {*FITTED_COLUMNS, *HOST_COLUMNS, *SECOND_RADIO_COLUMNS, *SHAPE_COLUMNS}
# Prefixes of columns whose lists belong together, and the column whose values decrease along the list.
LIST_GROUPS = {"component_": "component_peak_flux", "host_candidate_": "host_candidate_reliability"}
# Ranges of values by prefix of the UCD: lower limit, upper limit, and whether the upper limit is allowed.
RANGES = {
    "pos.eq.ra": (0.0, 360.0, False),
    "pos.eq.dec": (-90.0, 90.0, True),
    "pos.posAng": (0.0, 180.0, False),
    "src.morph.param;arith.ratio": (0.0, 1.0, True),
    "stat.probability": (0.0, 1.0, True),
    "stat.error": (0.0, np.inf, True),
    "stat.stdev": (0.0, np.inf, True),
    "phys.angSize": (0.0, np.inf, True),
    "meta.number": (0.0, np.inf, True),
}
# Largest difference of two probabilities that are equal except for rounding.
SAME_PROBABILITY = 1e-5
# A grouping of components: their numbers by source, or nothing.
GROUPING = r"^$|^\d+( \d+)*(\|\d+( \d+)*)*$"
Columns = dict[str, pa.Array]


@dataclass
class RowRule:
    """A rule for rows, and the rows that break it.

    Attributes
    ----------
    columns : tuple of str
        The columns that `broken` needs.
    fault : str
        Description of the fault.
    broken : callable
        Function of the columns of a batch that returns a mask of the rows that break the rule.
    count : int
        Number of rows that break it.
    first : str
        The first of them.
    """

    columns: tuple[str, ...]
    fault: str
    broken: Callable[[Columns], np.ndarray]
    count: int = 0
    first: str = ""

    def check(self, batch: pa.RecordBatch, start: int) -> None:
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
        """Return one line about the rows that break the rule."""
        more = f", and {self.count - 1} more rows" if self.count > 1 else ""
        return f"{self.first}{more}: {self.fault}"


def row_rules(size_px: int | None, classes: Sequence[str] = MORPHOLOGIES) -> list[RowRule]:
    """Return all rules for rows of these classes; boxes lie inside an image of `size_px`, if it is known."""
    schema = for_classes(CATALOGUE, classes)
    rules = [_not_null(name) for name in schema.names]
    rules += [_finite(column) for column in schema if _must_be_finite(column)]
    rules += [rule for column in schema for rule in _range(column)]
    for group, falling in LIST_GROUPS.items():
        rules += _lists(tuple(name for name in CATALOGUE.names if _in_group(name, group)), falling)
    return [*rules, *_of_class(classes), *_agreements(size_px), _order()]


def _in_group(name: str, group: str) -> bool:
    return name.startswith(group) and pa.types.is_list(CATALOGUE.field(name).type)


def _not_null(name: str) -> RowRule:
    return RowRule((name,), "missing value", lambda columns: columns[name].is_null().to_numpy(False))


def _must_be_finite(column: pa.Field) -> bool:
    return pa.types.is_floating(column.type) and column.name not in MAY_BE_NAN


def _finite(column: pa.Field) -> RowRule:
    name = column.name
    return RowRule((name,), "not a finite number", lambda columns: ~np.isfinite(_numbers(columns[name])))


def _range(column: pa.Field) -> list[RowRule]:
    """Return the rules for the range of a column's values or list entries, by its UCD."""
    ucd = column.metadata[b"ucd"].decode()
    name = column.name

    def rule(lower: float, upper: float, closed: bool) -> RowRule:
        def broken(columns: Columns) -> np.ndarray:
            values, row = _entries(columns[name])
            outside = (values < lower) | (values > upper) | (~np.bool_(closed) & (values == upper))
            return np.bincount(row[outside], minlength=len(columns[name])) > 0

        top = "" if np.isinf(upper) else f" and {'at most' if closed else 'below'} {upper:g}"
        return RowRule((name,), f"must be at least {lower:g}{top}", broken)

    return [rule(*limits) for start, limits in RANGES.items() if ucd.startswith(start)]


def _lists(names: tuple[str, ...], falling: str) -> list[RowRule]:
    """Return the rules for lists that belong together: equal length, and order."""

    def uneven(columns: Columns) -> np.ndarray:
        lengths = np.stack([pc.list_value_length(columns[name]).to_numpy(False) for name in names])
        return (lengths != lengths[0]).any(axis=0)

    def rises(columns: Columns) -> np.ndarray:
        values, row = _entries(columns[falling])
        up = (np.diff(values) > 0) & (np.diff(row) == 0)
        return np.bincount(row[1:][up], minlength=len(columns[falling])) > 0

    return [
        RowRule(names, "lists that belong together differ in length", uneven),
        RowRule((falling,), "must not rise along the list", rises),
    ]


def _of_class(classes: Sequence[str]) -> list[RowRule]:
    """Return the rules for the columns of the class."""
    probabilities = probability_columns(classes)
    which = "the six classes" if tuple(classes) == MORPHOLOGIES else f"the classes {', '.join(classes)}"
    # A class that is not one of the six has the counts of the contour rule.
    counts = np.array([counts_of(name) or (0, 0) for name in classes])
    names = ("n_components", "n_peaks")
    by_rule = ("rule_components", "rule_peaks")

    def miscounted(columns: Columns) -> np.ndarray:
        kind = _class(columns["morphology"], classes)
        given, rule = (np.stack([_numbers(columns[one]) for one in of], axis=1) for of in (names, by_rule))
        wanted = np.where(counts[kind] > 0, counts[kind], rule)
        return (kind >= 0) & (given != wanted).any(axis=1)

    def misassigned(columns: Columns) -> np.ndarray:
        kind = _class(columns["morphology"], classes)
        each = np.stack([_numbers(columns[name]) for name in probabilities], axis=1)
        far = np.abs(each[np.arange(len(kind)), kind] - _numbers(columns["probability"])) > SAME_PROBABILITY
        return (kind >= 0) & far

    return [
        RowRule(("morphology",), f"is not one of {which}", lambda c: _class(c["morphology"], classes) < 0),
        RowRule(
            ("rule_morphology",),
            "is not one of the six classes",
            lambda c: _class(c["rule_morphology"], MORPHOLOGIES) < 0,
        ),
        RowRule(("morphology", *names, *by_rule), "counts are not those of the class", miscounted),
        RowRule(
            ("morphology", "probability", *probabilities), "probability is not that of the class", misassigned
        ),
    ]


def _agreements(size_px: int | None) -> list[RowRule]:
    """Return the rules for the agreement of other columns."""
    known = int(sum(Flag))
    rules = [
        RowRule(
            ("scale",),
            f"is not one of {', '.join(map(str, SCALES))}",
            lambda c: ~np.isin(_numbers(c["scale"]), SCALES),
        ),
        RowRule(("scale", "flags"), "scale and flag SMOOTHED contradict each other", _missmoothed),
        RowRule(
            ("second_grouping",),
            "is not a grouping such as 0|1 2",
            lambda c: ~pc.match_substring_regex(c["second_grouping"], GROUPING).to_numpy(False),
        ),
        RowRule(
            ("rule_components", "component_ra"),
            "lists do not have one entry per component",
            lambda c: (
                pc.list_value_length(c["component_ra"]).to_numpy(False) != _numbers(c["rule_components"])
            ),
        ),
        RowRule(
            ("shape_centre",),
            f"is not one of {', '.join(SHAPE_CENTRES)}",
            lambda c: pc.is_null(pc.index_in(c["shape_centre"], pa.array(SHAPE_CENTRES))).to_numpy(False),
        ),
        RowRule(tuple(BOX_COLUMNS), "box has no area", lambda c: ~_has_area(c)),
        RowRule(("angular_size",), "must be positive", lambda c: _numbers(c["angular_size"]) <= 0),
        RowRule(("n_merged",), "must be at least 1", lambda c: _numbers(c["n_merged"]) < 1),
        RowRule(("flags",), "has unknown bits", lambda c: (_numbers(c["flags"]).astype(int) & ~known) != 0),
        RowRule(("source_id", "ra", "dec"), "name does not match the position", _misnamed),
    ]
    if size_px is not None:
        rules.append(
            RowRule(
                tuple(BOX_COLUMNS),
                f"box reaches outside its image of {size_px} px",
                lambda c: ~_inside(c, size_px),
            )
        )
    return rules


def _class(column: pa.Array, classes: Sequence[str]) -> np.ndarray:
    """Return the index of each class; -1 for other values."""
    return pc.fill_null(pc.index_in(column, pa.array(classes, pa.string())), -1).to_numpy(False)


def _missmoothed(columns: Columns) -> np.ndarray:
    is_smoothed = (_numbers(columns["flags"]).astype(int) & int(Flag.SMOOTHED)) != 0
    return is_smoothed != (_numbers(columns["scale"]) > 1)


def _boxes(columns: Columns) -> np.ndarray:
    return np.stack([_numbers(columns[name]) for name in BOX_COLUMNS], axis=1)


def _has_area(columns: Columns) -> np.ndarray:
    boxes = _boxes(columns)
    return ~np.all(np.isfinite(boxes), axis=1) | np.all(boxes[:, 2:] > boxes[:, :2], axis=1)


def _inside(columns: Columns, size_px: int) -> np.ndarray:
    boxes = _boxes(columns)
    return ~np.any((boxes < 0) | (boxes > size_px), axis=1)


def _misnamed(columns: Columns) -> np.ndarray:
    ra, dec = _numbers(columns["ra"]), _numbers(columns["dec"])
    placed = np.isfinite(ra) & np.isfinite(dec)
    names = np.char.rstrip(_texts(columns["source_id"]), "abcdefghijklmnopqrstuvwxyz")
    return placed & (names != position_names(np.where(placed, ra, 0), np.where(placed, dec, 0)))


def _order() -> RowRule:
    """Return the rule for the order of rows; it remembers the last row of the previous batch."""
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

    fault = f"out of order: rows are sorted by HEALPix pixel (nested, order {HEALPIX_ORDER}), then source_id"
    return RowRule(("source_id", "ra", "dec"), fault, broken)


def _numbers(column: pa.Array) -> np.ndarray:
    """Return values as float64; missing values are NaN."""
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _texts(column: pa.Array) -> np.ndarray:
    return np.array(pc.fill_null(column, "").to_pylist(), dtype=str)


def _entries(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a column or of its lists, and the row of each."""
    if not pa.types.is_list(column.type):
        return _numbers(column), np.arange(len(column))
    return _numbers(column.flatten()), pc.list_parent_indices(column).to_numpy(zero_copy_only=False)


def _readable(value: object) -> str:
    if isinstance(value, list):
        return f"[{len(value)} entries]" if len(value) > 4 else str([_readable(entry) for entry in value])
    return f"{value:.9g}" if isinstance(value, float) else str(value)
