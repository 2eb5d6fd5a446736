"""The columns of a position: by name, by UCD, or refused."""

from pathlib import Path

import pytest

from claran_core.common.errors import InputError
from claran_core.common.table_column import TableColumn, named_column, position_columns

PATH = Path("t.fits")
MAIN = ("pos.eq.ra;meta.main", "pos.eq.dec;meta.main")


def columns(*names: str) -> list[TableColumn]:
    """Return columns without units and UCDs."""
    return [TableColumn(name) for name in names]


@pytest.mark.parametrize(
    "names",
    [
        ("ra", "dec"),
        ("RA", "Dec"),
        ("RAJ2000", "DEJ2000"),
        ("_RAJ2000", "_DEJ2000"),
        ("_RA", "_DE"),
        ("RA_ICRS", "DE_ICRS"),
        ("_RA.icrs", "_DE.icrs"),
        ("ALPHA_J2000", "DELTA_J2000"),
        ("RA (deg)", "Dec [deg]"),
    ],
)
def test_names_in_use(names: tuple[str, str]) -> None:
    found = position_columns(PATH, columns("id", *names, "flux", "RAB1950", "DEB1950"))
    assert (found["ra"].name, found["dec"].name) == names


def test_our_names_come_before_ucds_and_these_before_other_names() -> None:
    ucds = [TableColumn(name, ucd=ucd) for name, ucd in zip(("alpha", "delta"), MAIN, strict=True)]
    others = columns("RAJ2000", "DEJ2000")
    assert position_columns(PATH, [*others, *ucds])["ra"].name == "alpha"
    assert position_columns(PATH, [*others, *ucds, *columns("ra", "dec")])["ra"].name == "ra"


def test_a_pair_comes_from_one_convention() -> None:
    found = position_columns(PATH, columns("ra", "RAJ2000", "DEJ2000"))
    assert (found["ra"].name, found["dec"].name) == ("RAJ2000", "DEJ2000")


def test_two_positions_of_the_same_ucd_are_not_chosen_from() -> None:
    both = [TableColumn(f"{name}{n}", ucd=ucd) for n in "12" for name, ucd in zip("ad", MAIN, strict=True)]
    with pytest.raises(InputError, match="no column 'ra' and 'dec'"):
        position_columns(PATH, both)


def test_positions_of_another_frame_are_refused() -> None:
    old = [TableColumn(name, frame="eq_FK4 B1950") for name in ("ra", "dec")]
    with pytest.raises(InputError, match="column ra is in eq_FK4 B1950; give ICRS positions"):
        position_columns(PATH, old)


def test_units_in_names() -> None:
    assert TableColumn("RA (hours)").stated_unit == "hours" and TableColumn("RA (hours)").label == "RA"
    assert TableColumn("S[mJy]", unit="Jy").stated_unit == "Jy"
    assert TableColumn("RA (J2000)").stated_unit == "" and TableColumn("RA (J2000)").label == "RA (J2000)"


def test_names_that_differ_in_case_alone_are_refused() -> None:
    assert named_column(PATH, "ra", columns("RA", "ra")) == TableColumn("ra")
    with pytest.raises(InputError, match="columns RA and Ra could both be 'ra'; rename one"):
        named_column(PATH, "ra", columns("RA", "Ra"))
    assert named_column(PATH, "flux", columns("RA")) is None
