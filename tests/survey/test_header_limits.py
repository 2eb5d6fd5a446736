"""Orders of distortions that no image has."""

from typing import Any

import pytest
from astropy.io import fits

from claran_core.survey.header_limits import absurd_card


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({}, ""),
        ({"A_ORDER": 2, "B_ORDER": 9, "AP_ORDER": 0, "BP_ORDER": 3.0}, ""),
        ({"B_ORDER": 30_000}, "B_ORDER = 30000 is no order of a distortion (0 to 20)"),
        ({"AP_ORDER": "two"}, "AP_ORDER = 'two' is no order of a distortion (0 to 20)"),
        ({"A_ORDER": -1}, "A_ORDER = -1 is no order of a distortion (0 to 20)"),
    ],
)
def test_absurd_cards(cards: dict[str, Any], said: str) -> None:
    assert absurd_card(fits.Header(cards)) == said
