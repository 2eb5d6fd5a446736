"""The table that compares two skies: its rows and their text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.sky.statistics import Statistic, Values, compared
from claran_core.common.errors import InputError
from claran_core.common.files import write_text
from claran_core.common.morphology import MORPHOLOGIES

# Marks in a page between which the table is written.
BEGIN, END = "<!-- benchmarks/sky/radio_sky.py writes from here -->", "<!-- to here -->"

# Differences above this are shown in bold where chance does not explain them, per cent.
NOTABLE_PERCENT = 20.0

COLUMNS = ("real", "simulated", "%")

LEGEND = (
    "A star marks a difference of more than twice the error that chance gives it; bold are those of more "
    f"than {NOTABLE_PERCENT:.0f} %. Where a real value is within twice that error of zero, the difference "
    f"itself stands in brackets. Numbers by class are medians, in the order {', '.join(MORPHOLOGIES)}."
)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    group : str
        Part of the table.
    name : str
        What is measured, with its unit.
    statistics : tuple of Statistic
        Its numbers.
    n_real, n_simulated : int
        Sizes of the samples.
    note : str
        Why a difference is expected, if it is.
    """

    group: str
    name: str
    statistics: tuple[Statistic, ...]
    n_real: int
    n_simulated: int
    note: str = ""


def row(group: str, name: str, functions: Sequence[str], real: Values, simulated: Values) -> Row:
    """Row with several statistics of one quantity."""
    numbers = tuple(compared(function, function, real, simulated) for function in functions)
    return Row(group, name, numbers, len(real.values), len(simulated.values))


def cells_of(one: Row, *, bold: str = "") -> tuple[str, str, str, str]:
    """Quantity, real and simulated values, and differences (%) of a row, as text."""
    real, simulated = (
        " / ".join(_short(getattr(number, which)) for number in one.statistics)
        for which in ("real", "simulated")
    )
    differences = " / ".join(_difference(number, bold) for number in one.statistics)
    return f"{one.name} ({_names(one)})", real, simulated, differences


def _names(one: Row) -> str:
    """Names of a row's statistics, their common unit once."""
    names = [number.name for number in one.statistics]
    if tuple(names) == MORPHOLOGIES:
        return "by class"
    units = {name.partition(" ")[2] for name in names}
    return f"{' / '.join(name.partition(' ')[0] for name in names)} {' '.join(units)}".rstrip()


def _short(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _difference(number: Statistic, bold: str) -> str:
    if not np.isfinite(number.simulated - number.real):
        return "-"
    star = "*" if number.is_significant else ""
    if abs(number.real) <= 2 * number.error:
        return f"({number.simulated - number.real:+.2g}{star})"
    percent = number.difference_percent
    notable = number.is_significant and abs(percent) > NOTABLE_PERCENT
    return f"{bold}{percent:+.0f}{star}{bold}" if notable else f"{percent:+.0f}{star}"


def as_text(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    lines, group = [], None
    for one in rows:
        if one.group != group:
            group = one.group
            lines += ["", group]
        name, *values = cells_of(one)
        lines.append(f"  {name}")
        lines += [f"    {what:10s}{value}" for what, value in zip(COLUMNS, values, strict=True)]
        lines += [f"    {one.note}"] if one.note else []
    return "\n".join(lines[1:])


def as_markdown(rows: Sequence[Row], quality: str) -> str:
    """Return the table for a page, with a description of its samples."""
    lines = [quality, "", LEGEND, "", "| | real | simulated | difference, % | |", "|---|---|---|---|---|"]
    group = None
    for one in rows:
        if one.group != group:
            group = one.group
            lines.append(f"| **{group}** | | | | |")
        name, *numbers = (cell.replace("*", "\\*") for cell in cells_of(one, bold="@"))
        lines.append(f"| {name} | {' | '.join(numbers).replace('@', '**')} | {one.note} |")
    return "\n".join(lines)


def write_between_marks(path: Path, text: str) -> None:
    """Replace what is between the marks of a page.

    Raises
    ------
    InputError
        If the page is not there or has no such marks.
    """
    page = path.read_text(encoding="utf-8") if path.is_file() else ""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise InputError(f"{path}: needs the lines {BEGIN!r} and {END!r}, once each, for the table")
    before, _, rest = page.partition(BEGIN)
    write_text(path, f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


def as_records(rows: Sequence[Row]) -> list[dict]:
    """One record per number of the table."""
    return [
        {
            "group": one.group,
            "quantity": one.name,
            "statistic": number.name,
            "real": _or_none(number.real),
            "simulated": _or_none(number.simulated),
            "difference_percent": _or_none(number.difference_percent),
            "error": _or_none(number.error),
            "n_real": one.n_real,
            "n_simulated": one.n_simulated,
        }
        for one in rows
        for number in one.statistics
    ]


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
