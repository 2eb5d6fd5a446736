"""The paper's values, for orientation beside those of a run: they belong to another data set."""

from pathlib import Path

import pandas as pd

from claran_core.config import resolve_path

__all__ = ["DATA_SET", "published_values", "read_published"]

DATA_SET = (
    "another data set: 4603 real FIRST and WISE subjects of Radio Galaxy Zoo (Wu et al. 2019, Tables 5 and 6)"
)

# By the key of the metrics they stand beside.
TABLES = {"ap": "resources/published/table5.csv", "by_components": "resources/published/table6.csv"}


def published_values(method: str) -> dict[str, str | dict[str, float]]:
    """What the paper prints for a fusion method.

    Returns
    -------
    dict
        ``data_set``, and per table that has the method (``ap``: Table 5, ``by_components``: Table 6) the
        AP of each class and their ``mean``.
    """
    tables = {key: read_published(resolve_path(name)) for key, name in TABLES.items()}
    return {"data_set": DATA_SET, **{key: table[method] for key, table in tables.items() if method in table}}


def read_published(path: Path) -> dict[str, dict[str, float]]:
    """Read one of the paper's tables: per fusion method, AP of each class and their mean as printed."""
    table = pd.read_csv(path, comment="#", index_col="morphology")
    return {method: {str(name): float(ap) for name, ap in table[method].items()} for method in table}
