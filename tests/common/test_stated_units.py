"""Units as tables spell them."""

import pytest
from astropy import units as u

from claran_core.common.stated_units import is_sexagesimal, is_unit, stated_factor


@pytest.mark.parametrize(
    ("spelling", "wanted", "factor"),
    [
        ("deg", u.deg, 1.0),
        (" DEGREES ", u.deg, 1.0),
        ("hourangle", u.deg, 15.0),
        ("h", u.deg, 15.0),
        ("15deg", u.deg, 15.0),
        ("arcmin", u.deg, 1 / 60),
        ("rad", u.deg, 57.29577951308232),
        ("Jy", u.mJy, 1000.0),
        ("uJy", u.mJy, 0.001),
        ("\u00b5Jy", u.mJy, 0.001),
        ("\u03bcJy", u.mJy, 0.001),
        ("W/m2/Hz", u.mJy, 1e29),
        ("W m-2 Hz-1", u.mJy, 1e29),
        ("10-29W/m2/Hz", u.mJy, 1.0),
    ],
)
def test_factor_to_the_unit_of_the_program(spelling: str, wanted: u.UnitBase, factor: float) -> None:
    assert stated_factor(spelling, wanted) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    ("spelling", "wanted"),
    [
        ("mJy/beam", u.mJy),
        ("mag", u.mJy),
        ("deg", u.mJy),
        ("---", u.mJy),
        ("pix", u.deg),
        ("nonsense", u.deg),
        ("deg [J2000]", u.deg),
    ],
)
def test_other_units_are_not_converted(spelling: str, wanted: u.UnitBase) -> None:
    assert stated_factor(spelling, wanted) is None


def test_sexagesimal_is_a_unit_of_text() -> None:
    assert is_sexagesimal('"h:m:s"') and is_sexagesimal("D:M:S") and not is_sexagesimal("h")
    assert is_unit("mJy") and is_unit("hms") and is_unit("hours") and not is_unit("J2000")
