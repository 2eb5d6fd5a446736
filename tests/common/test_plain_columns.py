"""Columns of any type become numbers, truth values, text or lists of numbers, and lose no digit."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from claran_core.common.plain_columns import column_of_texts, plain_column


@pytest.mark.parametrize(
    ("values", "kind", "wanted", "wanted_kind"),
    [
        ([1, 2], pa.int8(), [1, 2], pa.int16()),
        ([1, 2**32 - 1], pa.uint32(), [1, 2**32 - 1], pa.int64()),
        ([1, 2**63 - 1], pa.uint64(), [1, 2**63 - 1], pa.int64()),
        ([1, 2**63], pa.uint64(), ["1", "9223372036854775808"], pa.string()),
        ([1, 2**53 + 1, None], pa.int64(), ["1", "9007199254740993", ""], pa.string()),
        ([True, False], pa.bool_(), [True, False], pa.bool_()),
        ([True, None], pa.bool_(), ["True", ""], pa.string()),
        (["a", None], pa.large_string(), ["a", ""], pa.string()),
        ([b"a\xff"], pa.binary(), ["a\\xff"], pa.string()),
        ([decimal.Decimal("1.25")], pa.decimal128(5, 2), [1.25], pa.float64()),
        ([decimal.Decimal("1.2500000000000000001")], pa.decimal128(20, 19), ["1.2500000000000000001"], None),
        ([datetime.date(2020, 2, 1), None], pa.date32(), ["2020-02-01", ""], pa.string()),
        ([datetime.datetime(2020, 2, 1, 3)], pa.timestamp("us"), ["2020-02-01T03:00:00"], pa.string()),
        ([[1, 2], [], None], pa.list_(pa.int64()), [[1, 2], [], []], pa.list_(pa.int64())),
        ([[1.5, 2], None], pa.list_(pa.float64(), 2), [[1.5, 2], []], pa.list_(pa.float64())),
        ([["a", "b"]], pa.list_(pa.string()), ['["a", "b"]'], pa.string()),
        ([{"a": 1}], pa.struct([("a", pa.int32())]), ['{"a": 1}'], pa.string()),
        ([None, None], pa.null(), ["", ""], pa.string()),
        (["x", "y", "x"], pa.dictionary(pa.int32(), pa.string()), ["x", "y", "x"], pa.string()),
    ],
)
def test_types(values: list[Any], kind: pa.DataType, wanted: list[Any], wanted_kind: pa.DataType) -> None:
    column = plain_column(pa.chunked_array([pa.array(values, kind)]))
    assert column.to_pylist() == wanted
    if wanted_kind is not None:
        assert pa.types.is_list(wanted_kind) or column.type == wanted_kind
        assert not pa.types.is_list(wanted_kind) or column.type.value_type == wanted_kind.value_type


def test_missing_numbers_are_nan() -> None:
    assert plain_column(pa.array([1, None], pa.int32())).type == pa.float64()
    for kind in (pa.int32(), pa.float32(), pa.float16()):
        array = np.array([1.0, 0.0], kind.to_pandas_dtype())
        values = plain_column(pa.array(array, mask=np.array([False, True])))
        np.testing.assert_array_equal(values, [1.0, np.nan])


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["1", "-2", " 3"], [1, -2, 3]),
        (["1", "2.5", ""], [1.0, 2.5, np.nan]),
        (["1", "", "NaN"], [1.0, np.nan, np.nan]),
        (["007", "12"], ["007", "12"]),
        (["0", "0.5"], [0.0, 0.5]),
        (["J0000", "12"], ["J0000", "12"]),
        (["", ""], ["", ""]),
        (["123456789012345678"], [123456789012345678]),
    ],
)
def test_texts_are_numbers_if_all_are(texts: list[str], wanted: list[Any]) -> None:
    column = column_of_texts(pd.Series(texts))
    if isinstance(wanted[0], str):
        assert column.to_pylist() == wanted
    else:
        assert pa.types.is_integer(column.type) == isinstance(wanted[0], int)
        np.testing.assert_array_equal(column, wanted)
