"""Morphology classes: the six ``iC_jP`` of the paper (Table 3), and the names that a run may give its own."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "CLASSES_KEY",
    "MAX_COUNT",
    "MORPHOLOGIES",
    "check_classes",
    "classes_of",
    "counts_of",
    "morphology_of",
    "probability_columns",
]

# Class k of a detector of these classes is MORPHOLOGIES[k - 1]; class 0 is background (paper section 4.3.2).
MORPHOLOGIES = ("1C_1P", "1C_2P", "1C_3P", "2C_2P", "2C_3P", "3C_3P")

# More components or peaks than this are too rare to learn (paper Table 1).
MAX_COUNT = 3

# Name of a class: it becomes the name of a column, and of a style in the report.
CLASS_NAME = re.compile(r"[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*")
MAX_LENGTH = 24

# Column ``p_artefact`` is the probability of an artefact (`claran_core.common.tables`).
RESERVED = "p_artefact"

# Entry of a file's metadata: the classes of its rows.
CLASSES_KEY = "class_names"


def morphology_of(n_components: int, n_peaks: int) -> tuple[str, bool]:
    """Return the nearest of the six classes, and whether a count lies outside them.

    Raises
    ------
    ValueError
        If a count is below one.
    """
    if n_components < 1 or n_peaks < 1:
        raise ValueError(f"a source has at least one component and one peak, not {n_components}, {n_peaks}")
    components = min(n_components, MAX_COUNT)
    peaks = min(max(n_peaks, components), MAX_COUNT)
    return f"{components}C_{peaks}P", (components, peaks) != (n_components, n_peaks)


def counts_of(name: str) -> tuple[int, int] | None:
    """Return the components and peaks that a class is named after; None for none of the six."""
    return (int(name[0]), int(name[3])) if name in MORPHOLOGIES else None


def probability_columns(classes: Sequence[str] = MORPHOLOGIES) -> list[str]:
    """Return the column names of the class probabilities: ``p_1c_1p`` .. ``p_3c_3p``, ``p_fr_ii``."""
    return [f"p_{name.lower().replace('-', '_')}" for name in classes]


def check_classes(classes: Sequence[str]) -> None:
    """Raise if names cannot be the classes of a run.

    Raises
    ------
    ValueError
        In one line, for an empty list, a name with other characters than letters, digits, ``-`` and ``_``,
        and two names of the same column.
    """
    if not classes:
        raise ValueError("no class is named; name at least one")
    columns: dict[str, str] = {}
    for name, column in zip(classes, probability_columns(classes), strict=True):
        if not CLASS_NAME.fullmatch(name) or len(name) > MAX_LENGTH:
            raise ValueError(
                f"class {name!r} is no name of a column; write letters and digits, with - or _ between them, "
                f"{MAX_LENGTH} characters at most"
            )
        if column == RESERVED:
            raise ValueError(f"class {name!r} is the program's own word for no source; choose another name")
        if column in columns:
            raise ValueError(f"classes {columns[column]!r} and {name!r} would both be column {column}")
        columns[column] = name


def classes_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the classes that the metadata of a file names; the six of the paper in older files."""
    return tuple(metadata.get(CLASSES_KEY, MORPHOLOGIES))
