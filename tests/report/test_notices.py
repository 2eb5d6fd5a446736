"""What is unusual about a run is said; an ordinary run says nothing."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from claran_core.common.flags import Flag
from claran_core.common.paths import Results
from claran_core.report.notices import notices, read_notices
from claran_core.settings.config import load_config
from claran_core.targets.shards import write_targets

IMAGE_COLUMNS = ["name", "differs", "reason", "refused", "passed_over"]
NO_IMAGES = {"radio": pd.DataFrame(columns=IMAGE_COLUMNS)}


def ledger(n: int = 40, band: str = "radio", **columns: Any) -> pd.DataFrame:
    """Return rows of one band; a list in `columns` sets the first rows, the others are ordinary."""
    rows = pd.DataFrame({"subject_id": [f"s{k}" for k in range(n)], "band": band, "survey": "FIRST"})
    for name, usual in (("status", "ok"), ("reason", ""), ("flags", 0)):
        first = columns.get(name, [])
        rows[name] = [*first, *[usual] * (n - len(first))]
    return rows


def image_rows(**rows: dict[str, str]) -> pd.DataFrame:
    """Return rows of images: an ordinary one named ``a``, and others by name."""
    empty = dict.fromkeys(IMAGE_COLUMNS, "")
    return pd.DataFrame([{**empty, "name": name, **row} for name, row in ({"a": {}} | rows).items()])


def outcomes(*snr: float, outcome: str = "source") -> pd.DataFrame:
    return pd.DataFrame({"ra": 10.0, "dec": -5.0, "snr": snr, "outcome": outcome}, index=range(len(snr)))


def sources(*flags: int, n: int = 40) -> pd.DataFrame:
    return pd.DataFrame({"flags": [*flags, *[0] * (n - len(flags))]})


def test_an_ordinary_run_says_nothing() -> None:
    some = [int(Flag.RADIO_PARTIAL)] * 3
    assert notices(ledger(flags=some), sources(int(Flag.EDGE)), outcomes(6, 80), NO_IMAGES) == []
    assert notices(ledger(), None, outcomes(), NO_IMAGES) == []


def test_no_radio_image_at_all() -> None:
    rows = ledger(2, status=["no_coverage"] * 2, reason=["no image covers it"] * 2)
    assert notices(rows, None, outcomes(), NO_IMAGES) == [
        "No subject has a radio image; the first, s0: no image covers it"
    ]


def test_failed_images() -> None:
    rows = ledger(band="infrared", status=["failed"], reason=["no answer"])
    assert notices(rows, None, outcomes(), NO_IMAGES) == [
        "1 of 40 infrared images could not be obtained; s0: no answer"
    ]


@pytest.mark.parametrize(
    ("band", "survey"), [("second_radio", "VLASS"), ("infrared", "WISE_W1"), ("infrared", "none")]
)
def test_surveys_that_do_not_overlap(band: str, survey: str) -> None:
    outside = ledger(3, band, status=["no_coverage"] * 3, reason=["no image in v covers it"] * 3)
    outside["survey"] = survey
    elsewhere = outside.assign(status=["no_coverage", "no_coverage", "ok"])
    radio = ledger(3, status=["ok", "partial", "no_coverage"])
    expected = (
        f"No subject has an image of both FIRST (survey.radio) and {survey} (survey.{band}); do the surveys "
        "overlap at the targets? s0: no image in v covers it"
    )
    for other in (outside, elsewhere):
        found = notices(pd.concat([radio, other], ignore_index=True), None, outcomes(), NO_IMAGES)
        assert found == ([] if survey == "none" else [expected])
    one = outside.assign(status=["no_coverage", "ok", "no_coverage"])
    assert notices(pd.concat([radio, one], ignore_index=True), None, outcomes(), NO_IMAGES) == []


def test_an_empty_catalogue() -> None:
    (line,) = notices(ledger(), sources(n=0), outcomes(6.0, outcome="noise"), NO_IMAGES)
    assert line.startswith("The catalogue is empty: 1 components of 5.3 sigma were found")


def test_bright_emission_without_a_row() -> None:
    rows = pd.concat([outcomes(29.0, 31.0, 300.0, outcome="artefact"), outcomes(900.0)], ignore_index=True)
    assert notices(ledger(), sources(), rows, NO_IMAGES) == [
        "2 components of more than 30 sigma are in no source; the brightest, of 300 sigma at RA 10.00000, "
        "Dec -5.00000 deg: artefact"
    ]


@pytest.mark.parametrize("n", [2, 3])
def test_more_flags_than_usual(n: int) -> None:
    rows = ledger(flags=[int(Flag.SUSPECT_UNIT | Flag.COADDED)] * n)
    expected = "8% of the radio images (3 of 40) have the flag SUSPECT_UNIT; usual are at most 2%"
    assert notices(rows, sources(), outcomes(9.0), NO_IMAGES) == ([expected] if n == 3 else [])
    rows = sources(*[int(Flag.EDGE)] * (2 + n))
    expected = "12% of the sources (5 of 40) have the flag EDGE; usual are at most 10%"
    assert notices(ledger(), rows, outcomes(9.0), NO_IMAGES) == ([expected] if n == 3 else [])


def test_a_band_that_the_run_does_not_use_is_not_missing() -> None:
    rows = ledger(band="infrared", flags=[int(Flag.INFRARED_MISSING)] * 40).assign(survey="none")
    assert notices(rows, sources(), outcomes(9.0), NO_IMAGES) == []


def test_images_that_cannot_be_used() -> None:
    images = image_rows(b={"reason": "it is damaged"}, c={"refused": "BUNIT = 'DN'"})
    assert notices(ledger(), sources(), outcomes(9.0), {"radio": images}) == [
        "2 of 3 files or images of survey.radio.path cannot be used; b: it is damaged"
    ]


@pytest.mark.parametrize("name", ["ra", "ra (deg)"])
def test_right_ascensions_that_may_be_hours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    (tmp_path / "mine.csv").write_text(f"{name},dec\n13.4,29.7\n13.5,29.8\n")
    results = Results(tmp_path / "results")
    with caplog.at_level(logging.WARNING):
        write_targets(load_config(), tmp_path / "mine.csv", results)
    expected = (
        "mine.csv: all right ascensions are below 24 and the table states no unit, so they may be hours; "
        "they were read as degrees. State it, in CSV as 'ra (deg)' or 'ra (h)'"
    )
    assert read_notices(results) == ([expected] if name == "ra" else [])
    assert [record.getMessage() for record in caplog.records] == ([expected] if name == "ra" else [])


def test_images_of_another_survey() -> None:
    other = {"differs": "a frequency of 3e+09 Hz, but FIRST has 1.4e+09"}
    unused = {"passed_over": "noise", **other}
    images = image_rows(b=other, c=other, d=unused)
    assert notices(ledger(), sources(), outcomes(9.0), {"radio": images}) == [
        "2 of 3 images of survey.radio.path differ from survey.radio.name; b: a frequency of 3e+09 Hz, but "
        "FIRST has 1.4e+09; is it the survey that they show?"
    ]
