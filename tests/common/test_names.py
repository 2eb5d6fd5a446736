"""Names of sources: truncated by the IAU convention, correct at carries, unique in a catalogue."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.names import position_names, source_names


@pytest.mark.parametrize(
    ("ra", "dec", "name"),
    [
        (0.0, 0.0, "J000000.0+000000"),
        (191.6946556, 22.7615058, "J124646.7+224541"),  # 12:46:46.717 +22:45:41.42
        (
            15 * (12 + 46 / 60 + 46.7 / 3600),
            22 + 45 / 60 + 54 / 3600,
            "J124646.7+224554",
        ),  # exactly on a digit
        (15 * 59.999 / 3600, 0.0, "J000059.9+000000"),  # not 60.0
        (15 * (59 / 60 + 59.99 / 3600), 59.9 / 3600, "J005959.9+000059"),
        (359.99999999, -0.5 / 3600, "J235959.9-000000"),  # the sign of a truncated zero stays
        (np.nextafter(360.0, 0.0), 0.0, "J000000.0+000000"),  # a rounding error below 24 h is 0 h
        (-15 * 0.05 / 3600, 0.0, "J235959.9+000000"),
        (10.0, 90.0, "J004000.0+900000"),
        (10.0, -89.9999999, "J004000.0-895959"),
        (10.0, -0.0, "J004000.0+000000"),
    ],
)
def test_coordinates_are_truncated(ra: float, dec: float, name: str) -> None:
    assert position_names(np.array([ra]), np.array([dec])).tolist() == [name]


def test_more_decimals_for_subjects() -> None:
    ra, dec = np.array([15 * 59.999 / 3600, 359.999999]), np.array([9.99999, -89.99999])
    names = position_names(ra, dec, ra_decimals=2, dec_decimals=1)
    assert names.tolist() == ["J000059.99+095959.9", "J235959.99-895959.9"]


@given(
    st.integers(0, 863_999), st.integers(-323_999, 323_999), st.floats(0.001, 0.999), st.floats(0.001, 0.999)
)
def test_name_does_not_exceed_the_position(tenths: int, arcsec: int, more_ra: float, more_dec: float) -> None:
    sign = -1 if arcsec < 0 else 1
    ra, dec = (tenths + more_ra) / 2400, sign * (abs(arcsec) + more_dec) / 3600
    name = position_names(np.array([ra]), np.array([dec]))[0]
    hours, minutes, seconds = int(name[1:3]), int(name[3:5]), name[5:9]
    assert minutes < 60 and float(seconds) < 60
    assert (hours * 3600 + minutes * 60) * 10 + int(seconds.replace(".", "")) == tenths
    degrees, arcmin, arcseconds = int(name[10:12]), int(name[12:14]), int(name[14:16])
    assert arcmin < 60 and arcseconds < 60
    assert name[9] == ("-" if sign < 0 else "+")
    assert degrees * 3600 + arcmin * 60 + arcseconds == abs(arcsec)


def test_equal_names_get_letters_in_order_of_position() -> None:
    ra = np.array([10.00003, 50.0, 10.00001, 10.00002])
    names = source_names(ra, np.zeros(4))
    base = "J004000.0+000000"
    assert names.tolist() == [base + "c", "J032000.0+000000", base + "a", base + "b"]


def test_same_right_ascension_is_ordered_by_declination() -> None:
    names = source_names(np.array([10.0, 10.0]), np.array([2e-4, 1e-4]))
    assert [name[-1] for name in names] == ["b", "a"]


def test_more_collisions_than_letters() -> None:
    ra = 10.0 + np.arange(60) * 1e-7
    names = source_names(ra, np.zeros(60))
    assert len(set(names)) == 60
    assert [name[16:] for name in names[[0, 25, 26, 27, 51, 52]]] == ["a", "z", "aa", "ab", "az", "ba"]


def test_no_positions_give_no_names() -> None:
    assert source_names(np.zeros(0), np.zeros(0)).tolist() == []
