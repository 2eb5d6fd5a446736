"""Turn columns of any type into those that all formats have: numbers, truth values, text, lists of numbers.

A missing value becomes NaN, empty text or an empty list.  Whole numbers with missing values become real
numbers, or text if those are too coarse.
"""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["column_of_texts", "plain_column"]

# Wider types of numbers that some formats lack.
WIDER = {
    pa.int8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.float16(): pa.float32(),
}
# Largest whole number up to which float64 has every one, and digits that it has of any decimal number.
MAX_EXACT, EXACT_DIGITS = 2**53, 15
# A number with a leading zero, as ids have it.
LEADING_ZERO = r"[+-]?0\d"
# Spellings of a missing number, in lower case.
MISSING = ("", "nan", "none", "null", "--", "na", "n/a")
WHOLE = r"[+-]?\d{1,18}"


def plain_column(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column of a type that all formats of tables have.

    Dates and times become text (ISO 8601), as do decimal numbers of more than 15 digits.  Lists of other
    things than numbers and nested types become text (JSON).
    """
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    kind = values.type
    if pa.types.is_dictionary(kind):
        return plain_column(values.cast(kind.value_type))
    if pa.types.is_boolean(kind):
        return values if not values.null_count else _text(values)
    if pa.types.is_integer(kind):
        return _whole(values)
    if pa.types.is_floating(kind):
        return pc.fill_null(values.cast(WIDER.get(kind, kind)), float("nan"))
    if pa.types.is_decimal(kind) and kind.precision <= EXACT_DIGITS:
        return plain_column(values.cast(pa.float64()))
    if _is_list_of_numbers(kind):
        return _lists(values)
    return _text(values)


def column_of_texts(texts: pd.Series) -> pa.Array:
    """Return a column of a text file: numbers if all its values are, unless one has a leading zero."""
    stripped = texts.str.strip()
    missing = stripped.str.lower().isin(MISSING)
    numbers = pd.to_numeric(stripped.where(~missing), errors="coerce").to_numpy(float)
    is_text = (np.isnan(numbers) & ~missing.to_numpy()).any() or missing.all()
    if is_text or stripped.str.match(LEADING_ZERO).any():
        return pa.array(texts, pa.string())
    if not missing.any() and stripped.str.fullmatch(WHOLE).all():
        return pa.array(stripped.astype(np.int64))
    return pa.array(numbers)


def _whole(values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_uint64(kind):
        largest = pc.max(values).as_py() or 0
        return _whole(values.cast(pa.int64())) if largest < 2**63 else _text(values)
    values = values.cast(WIDER.get(kind, kind))
    if not values.null_count:
        return values
    largest = max((abs(end or 0) for end in pc.min_max(values).as_py().values()), default=0)
    return plain_column(values.cast(pa.float64())) if largest <= MAX_EXACT else _text(values)


def _is_list_of_numbers(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return is_list and (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type))


def _lists(values: pa.Array) -> pa.Array:
    """Return lists of numbers; missing entries become NaN."""
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy().astype(np.int64)
    entries = plain_column(values.flatten())
    if pa.types.is_string(entries.type):
        return _text(values)
    if pa.types.is_fixed_size_list(values.type) and values.null_count:
        entries = plain_column(pc.list_flatten(values.drop_null()))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    item = pa.field("item", entries.type, nullable=False)
    return pa.ListArray.from_arrays(pa.array(offsets), entries, type=pa.list_(item))


def _text(values: pa.Array) -> pa.Array:
    """Return a column as text; missing values are empty."""
    kind = values.type
    if pa.types.is_large_string(kind) or pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pc.fill_null(values.cast(pa.string()), "")
    return pa.array([_as_text(value) for value in values.to_pylist()], pa.string())


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=_as_text)
    return str(value)
