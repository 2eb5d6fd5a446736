"""Encode data as JavaScript files that a page opened from disk can load.

A page opened as a ``file:`` URL may not fetch JSON, but may load scripts.  Each file is one call of
``claran.take(name, value)``; the value is JSON without characters that can end a script or a line.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["decimals", "safe_json", "script", "table_values"]

# ``<``, ``>`` and ``&`` could end a script element or open a comment inside a page; the two separators end a
# line in older JavaScript, but not in JSON.
ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}

# Digits after the point in numbers of the catalogue: 1e-7 deg is 0.4 milliarcsec.
DIGITS = 7


def safe_json(value: Any) -> str:
    """Return `value` as JSON text that is safe inside a script; NaN, which JSON lacks, is refused."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(ESCAPES)


def script(name: str, json_text: str) -> str:
    """Return the text of the file that passes `json_text` to the page under `name`."""
    return f"claran.take({safe_json(name)},{json_text.translate(ESCAPES)});\n"


def table_values(table: pd.DataFrame) -> str:
    """Return the rows of a table as a JSON list of lists, columns in order; NaN and infinity are null."""
    return table.to_json(orient="values", double_precision=DIGITS).translate(ESCAPES)


def decimals(values: Sequence[float] | np.ndarray | pd.Series, digits: int) -> list[float | None]:
    """Round numbers to `digits` significant digits for `safe_json`; NaN and infinity become None."""
    numbers = np.asarray(values, float).tolist()
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in numbers]
