"""Sexagesimal angles in columns of text, without a loop over the rows."""

import numpy as np
import pandas as pd

__all__ = ["sexagesimal_values"]

# 07:45:35.0, 07 45 35.0, 7h45m35.0s or -33d57m54s: always three parts.
FORM = (
    r"^\s*([+-]?)(\d{1,3})(?:\s*:\s*|\s+|\s*[hd]\s*)(\d{1,2})(?:\s*:\s*|\s+|\s*m\s*)"
    r"(\d{1,2}(?:\.\d*)?)\s*s?\s*$"
)


def sexagesimal_values(texts: pd.Series) -> np.ndarray:
    """Return angles in units of their first part (hours or degrees).

    Parameters
    ----------
    texts : (n,) Series of str
        Angles such as ``-33:57:54.2``; blanks, or the letters h, d, m and s, may separate the parts.

    Returns
    -------
    (n,) float64 array
        NaN for text of another form, and for minutes or seconds of 60 and more.
    """
    parts = texts.str.extract(FORM)
    whole, minutes, seconds = (pd.to_numeric(parts[part]).to_numpy(float) for part in (1, 2, 3))
    sign = np.where(parts[0].to_numpy(object) == "-", -1.0, 1.0)
    valid = (minutes < 60) & (seconds < 60)
    return np.where(valid, sign * (whole + minutes / 60.0 + seconds / 3600.0), np.nan)
