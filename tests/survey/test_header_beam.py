"""The beam that a header states, in cards, a table or HISTORY."""

from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from claran_core.common.cutout import Beam
from claran_core.survey.description import described_survey
from claran_core.survey.header_beam import beam_of, is_far_from_survey
from claran_core.survey.surveys import SURVEYS

PIXEL_ARCSEC = 1.5


def header(**cards: Any) -> fits.Header:
    given = fits.Header()
    given.update(cards)
    return given


@pytest.mark.parametrize(
    ("cards", "beam"),
    [
        ({"BMAJ": 0.002, "BMIN": 0.001, "BPA": -20.0}, Beam(7.2, 3.6, -20.0)),
        ({"BMAJ": 0.002}, Beam(7.2, 7.2, 0.0)),
        ({}, None),
        ({"BMAJ": 0.0, "BMIN": 0.0, "BPA": 0.0}, None),
        ({"BMAJ": "unknown"}, None),
    ],
)
def test_the_cards(cards: dict[str, Any], beam: Beam | None) -> None:
    found = beam_of(header(**cards), PIXEL_ARCSEC)
    assert found == (None if beam is None else pytest.approx(beam)) or vars(found) == pytest.approx(
        vars(beam)
    )


def test_the_last_clean_of_aips_counts() -> None:
    given = header(BMAJ=0.0)
    for major in ("9.0000E-03", "1.7500E-03"):
        given.add_history(f"AIPS   CLEAN BMAJ=  {major} BMIN=  1.5000E-03 BPA=  12.00")
    found = beam_of(given, PIXEL_ARCSEC)
    assert found is not None and vars(found) == pytest.approx(vars(Beam(6.3, 5.4, 12.0)))


@pytest.mark.parametrize(("unit", "factor"), [("arcsec", 1.0), ("deg", 1 / 3600)])
def test_the_table_of_beams(unit: str, factor: float) -> None:
    columns = [
        fits.Column(name, "1E", unit=own, array=np.array([value, 50.0], np.float32))
        for name, own, value in (
            ("BMAJ", unit, 8.0 * factor),
            ("BMIN", unit, 6.0 * factor),
            ("BPA", "deg", 33.0),
        )
    ]
    table = fits.BinTableHDU.from_columns(columns, name="BEAMS")
    found = beam_of(header(CASAMBM=True), PIXEL_ARCSEC, [fits.PrimaryHDU(), table])
    assert found is not None and vars(found) == pytest.approx(vars(Beam(8.0, 6.0, 33.0)), rel=1e-6)


def test_a_beam_in_arcsec_is_refused() -> None:
    with pytest.raises(ValueError, match="BMAJ = 6.4, BMIN = 5.4 deg is a beam of more than 200 pixels"):
        beam_of(header(BMAJ=6.4, BMIN=5.4), PIXEL_ARCSEC)


@pytest.mark.parametrize(
    ("beam", "is_far"),
    [(None, False), (Beam(6.8, 5.4, 0.0), False), (Beam(7.1, 5.4, 0.0), True), (Beam(5.4, 4.1, 0.0), True)],
)
def test_a_beam_far_from_the_survey(beam: Beam | None, is_far: bool) -> None:
    assert is_far_from_survey(beam, SURVEYS["FIRST"]) is is_far


def test_an_elliptical_beam_is_compared_axis_by_axis() -> None:
    southern = described_survey("FIRST", "radio", {"beam_arcsec": (6.8, 5.4, 0.0)})
    assert not is_far_from_survey(Beam(8.0, 5.6, 0.0), southern)  # 1.18 and 1.04
    assert is_far_from_survey(Beam(6.8, 4.0, 0.0), southern)  # 1 and 0.74
    assert is_far_from_survey(Beam(8.0, 5.6, 0.0), SURVEYS["FIRST"])  # 1.48 and 1.04
