"""The paper's values, for orientation: they are measured on another data set than a run's."""

from pathlib import Path

import pandas as pd

from claran_core.common.paths import resolve_path

__all__ = ["DATA_SET", "published_values", "read_published"]

DATA_SET = (
    "another data set: real FIRST and WISE subjects of Radio Galaxy Zoo (Wu et al. 2019), 4603 in Tables 5, "
    "6 and 8, 250 in Table 7, 500 in Table 10, 36 in Table 11"
)

# Keys are those of the metrics that the values belong to.
TABLES = {
    "ap": "resources/published/table5.csv",
    "by_components": "resources/published/table6.csv",
    "multi_source": "resources/published/table7.csv",
    "box_width": "resources/published/table8.csv",
    "completeness_ratio": "resources/published/table10.csv",
    "completeness_ratio_multi_source": "resources/published/table11.csv",
}


def published_values(method: str) -> dict[str, str | dict[str, float]]:
    """Return the values that the paper prints for a fusion method.

    Returns
    -------
    dict
        ``data_set``, and for each table that has the method its rows by name: ``ap`` (Table 5),
        ``by_components`` (6) and ``multi_source`` (7) with their ``mean``, ``box_width`` (8),
        ``completeness_ratio`` (10) and ``completeness_ratio_multi_source`` (11).
    """
    tables = {key: read_published(resolve_path(name)) for key, name in TABLES.items()}
    return {"data_set": DATA_SET, **{key: table[method] for key, table in tables.items() if method in table}}


def read_published(path: Path) -> dict[str, dict[str, float]]:
    """Read one of the paper's tables: per fusion method, the values of its rows as printed."""
    table = pd.read_csv(path, comment="#", index_col=0)
    return {
        str(method): {str(name): float(value) for name, value in column.items()}
        for method, column in table.items()
    }
