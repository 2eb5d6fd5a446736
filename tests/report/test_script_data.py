"""Data as scripts: no string can end its script, and numbers are restored."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.report.script_data import decimals, safe_json, script, table_values

EVIL = "</script><script>alert(1)</script><!-- \u2028\u2029 & \"'\\ \n"


@given(st.text())
def test_any_text_is_restored_and_has_no_markup(text: str) -> None:
    for written in (safe_json([text]), table_values(pd.DataFrame({"a": [text]}, dtype=object))):
        assert not re.search("[<>&\u2028\u2029\n]", written)
    assert json.loads(safe_json([text])) == [text]


def test_a_script_is_one_function_call() -> None:
    text = script(f"rows/{EVIL}", safe_json({EVIL: EVIL}))
    assert text.startswith("claran.take(")
    assert text.endswith(");\n")
    assert not re.search("[<>&\u2028\u2029]", text)
    assert text.count("\n") == 1


def test_tables_keep_numbers_lists_and_missing_values() -> None:
    table = pd.DataFrame(
        {
            "ra": [123.4567891],
            "flux": np.array([0.1], np.float32),
            "none": [np.nan],
            "list": [np.array([1.5, 2.5], np.float32)],
            "empty": [[]],
            "text": [EVIL],
        }
    )
    assert json.loads(table_values(table)) == [[123.4567891, 0.1, None, [1.5, 2.5], [], EVIL]]


def test_numbers_are_rounded_and_missing_ones_are_null() -> None:
    assert decimals(np.array([1234.567, np.nan, np.inf, 0.00123456]), 3) == [1230.0, None, None, 0.00123]


def test_values_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        safe_json([float("nan")])
