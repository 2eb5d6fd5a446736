"""Values of FITS cards."""

import pytest
from astropy.io import fits

from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.header_values import has_value, number_of, value_of

HEADER = fits.Header.fromstring(
    "".join(
        card.ljust(80)
        for card in (
            "BPA     =                  inf / broken",
            "BMAJ    = 1.5D-3",
            "EMPTY   =",
            "FLAG    = T",
            "END",
        )
    )
)


def test_values_of_cards() -> None:
    assert number_of(HEADER, "BMAJ") == 1.5e-3
    with quiet_astropy():
        assert value_of(HEADER, "BPA") == "inf"
        assert [has_value(HEADER, key) for key in ("BPA", "BMAJ", "EMPTY", "BMIN")] == [
            True,
            True,
            False,
            False,
        ]


@pytest.mark.parametrize(("key", "shown"), [("BPA", "'inf'"), ("FLAG", "True")])
def test_what_is_no_number_is_named(key: str, shown: str) -> None:
    with quiet_astropy(), pytest.raises(ValueError, match=f"{key} = {shown} is not a finite number"):
        number_of(HEADER, key)
