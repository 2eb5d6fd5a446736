"""What a table says about one of its columns, and which columns hold the position."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from claran_core.common.errors import InputError
from claran_core.common.stated_units import is_unit

__all__ = ["TableColumn", "named_column", "position_columns"]

# Names of right ascension and declination (deg, ICRS or FK5 J2000), in lower case, first choice first.  The
# first pair is ours; then come VizieR's, and those of SExtractor, TOPCAT and others.
POSITIONS = (
    ("ra", "dec"),
    ("ra_icrs", "de_icrs"),
    ("ra_icrs", "dec_icrs"),
    ("_ra_icrs", "_de_icrs"),
    ("_ra.icrs", "_de.icrs"),
    ("_ra", "_de"),
    ("raj2000", "dej2000"),
    ("raj2000", "decj2000"),
    ("_raj2000", "_dej2000"),
    ("ra_j2000", "dec_j2000"),
    ("alpha_j2000", "delta_j2000"),
    ("ra_deg", "dec_deg"),
    ("radeg", "decdeg"),
    ("radeg", "dedeg"),
    ("right_ascension", "declination"),
)
# UCDs of the position of a row, in lower case, first choice first; the last two are UCD1 (before 2005).
POSITION_UCDS = (
    ("pos.eq.ra;meta.main", "pos.eq.dec;meta.main"),
    ("pos_eq_ra_main", "pos_eq_dec_main"),
    ("pos.eq.ra", "pos.eq.dec"),
)
UNIT_IN_NAME = re.compile(r"(?P<label>.*\S)\s*[\[(]\s*(?P<unit>[^\[\]()]+?)\s*[\])]\s*")


@dataclass(frozen=True)
class TableColumn:
    """A column of a user's table.

    Attributes
    ----------
    name : str
        Name in the file.
    unit : str
        Unit as the file spells it; empty if it states none.
    ucd : str
        UCD; empty if the file states none.
    frame : str
        Reference frame of a position if it is not ICRS or FK5 J2000; else empty.
    """

    name: str
    unit: str = ""
    ucd: str = ""
    frame: str = ""

    @property
    def label(self) -> str:
        """The name without a unit in brackets: ``RA`` of ``RA (deg)``."""
        return self._split[0]

    @property
    def stated_unit(self) -> str:
        """The unit of the file, else that in brackets in the name; empty without both."""
        return self.unit.strip() or self._split[1]

    @property
    def says_unit(self) -> bool:
        """Whether the file, or the name of a column of positions, states the unit: ``ra_deg``."""
        return bool(self.stated_unit) or self.label.lower().endswith("deg")

    @property
    def _split(self) -> tuple[str, str]:
        spelled = UNIT_IN_NAME.fullmatch(self.name)
        if spelled is None or not is_unit(spelled["unit"]):
            return self.name.strip(), ""
        return spelled["label"].strip(), spelled["unit"]


def named_column(path: Path, wanted: str, columns: Sequence[TableColumn]) -> TableColumn | None:
    """Return the column of a name, in any case; an exact match takes precedence.

    Raises
    ------
    InputError
        If several columns differ from the name in case alone.
    """
    low = wanted.lower()
    for alike in (
        [column for column in columns if column.name == wanted],
        [column for column in columns if column.name.strip().lower() == low],
        [column for column in columns if column.label.lower() == low],
    ):
        if len({column.name for column in alike}) > 1:
            names = " and ".join(column.name for column in alike)
            raise InputError(f"{path}: columns {names} could both be {wanted!r}; rename one")
        if alike:
            return alike[0]
    return None


def position_columns(path: Path, columns: Sequence[TableColumn]) -> dict[str, TableColumn]:
    """Find right ascension and declination: by our names, by UCDs of the main position, by other names.

    Returns
    -------
    dict
        The columns ``ra`` and ``dec``.

    Raises
    ------
    InputError
        If there is no pair, or its reference frame is neither ICRS nor FK5 J2000.
    """
    ours, *others = POSITIONS
    *main, any_position = POSITION_UCDS
    pair = (
        _named_pair(path, ours, columns)
        or _first_pair(_of_ucds(columns, ucds) for ucds in main)
        or _first_pair(_named_pair(path, names, columns) for names in others)
        or _of_ucds(columns, any_position)
    )
    if pair is None:
        missing = [name for name in ours if named_column(path, name, columns) is None]
        raise InputError(
            f"{path}: no column {' and '.join(map(repr, missing))} (deg, ICRS); "
            f"it has: {', '.join(column.name for column in columns)}"
        )
    for column in pair:
        if column.frame:
            raise InputError(f"{path}: column {column.name} is in {column.frame}; give ICRS positions")
    return dict(zip(ours, pair, strict=True))


Pair = tuple[TableColumn, TableColumn]


def _named_pair(path: Path, names: tuple[str, str], columns: Sequence[TableColumn]) -> Pair | None:
    first, second = (named_column(path, name, columns) for name in names)
    return (first, second) if first and second else None


def _of_ucds(columns: Sequence[TableColumn], ucds: tuple[str, str]) -> Pair | None:
    """Return the columns of two UCDs if there is exactly one of each."""
    first, second = ([column for column in columns if column.ucd.strip().lower() == ucd] for ucd in ucds)
    return (first[0], second[0]) if len(first) == len(second) == 1 else None


def _first_pair(pairs: Iterable[Pair | None]) -> Pair | None:
    return next((pair for pair in pairs if pair), None)
