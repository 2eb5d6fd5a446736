"""Cut-outs of a shard, its ledger, and the gate before the catalogue."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from sky_images import FRAME, positions, write_image

from claran_core.common.cutout import Beam, Cutout, NoImage, Provenance
from claran_core.common.errors import InputError, TooManyFailures
from claran_core.common.files import read_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.paths import Results
from claran_core.common.reprojection import reproject
from claran_core.common.tables import LEDGER, TARGETS
from claran_core.cutouts.coarse import coarse_cutout
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.cutouts.shard import check_failures, cut_second_radio, cut_shard, merge_ledgers
from claran_core.survey.celestial import pixels_to_sky
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.surveys import SURVEYS

FIRST, WISE = SURVEYS["FIRST"], SURVEYS["WISE_W1"]
PLACES = {"whole": (30.0, 10.0), "half": (40.0, 10.0), "blank": (50.0, 10.0), "broken": (60.0, 10.0)}


def table(places: dict[str, tuple[float, float]]) -> pd.DataFrame:
    rows = [(name, *place, 1, "none", "00000") for name, place in places.items()]
    return pd.DataFrame(rows, columns=TARGETS.names)


def blank_south(data: np.ndarray) -> None:
    data[:40] = np.nan


@pytest.fixture
def radio(tmp_path: Path) -> DirectoryProvider:
    """A folder with a whole, a half blank, a blank and a truncated image."""
    folder = tmp_path / "images"
    write_image(folder / "whole.fits", *PLACES["whole"])
    write_image(folder / "half.fits", *PLACES["half"], change=blank_south)
    write_image(folder / "blank.fits", *PLACES["blank"], change=lambda data: data.fill(np.nan))
    broken = write_image(folder / "broken.fits", *PLACES["broken"])
    broken.write_bytes(broken.read_bytes()[:-9000])
    return DirectoryProvider(FIRST, folder)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def ledger_of(results: Results, shard: str = "00000") -> dict[str, pd.DataFrame]:
    ledger = read_table(results.ledger(shard), LEDGER.names)
    return {band: rows.set_index("subject_id") for band, rows in ledger.groupby("band")}


def test_every_subject_has_a_row_in_every_band(radio: DirectoryProvider, results: Results) -> None:
    cut_shard(table(PLACES | {"outside": (200.0, 0.0)}), radio, None, FRAME, results=results, shard="00000")
    rows = ledger_of(results)["radio"]
    assert rows["status"].to_dict() == {
        "whole": "ok",
        "half": "partial",
        "blank": "no_coverage",
        "broken": "failed",
        "outside": "no_coverage",
    }
    assert rows.loc["whole", ["reason", "coverage", "origin"]].tolist() == ["", 1.0, "whole.fits"]
    # Rows 0 to 39 of 80 are blank, and the row of the frame that straddles the border: 20 of 40 have data.
    assert rows.loc["half", "coverage"] == pytest.approx(0.5, abs=0.03)
    assert rows.loc["half", "flags"] & Flag.RADIO_PARTIAL and "no data" in rows.loc["half", "reason"]
    assert rows.loc["broken", "reason"].endswith("truncated: pixels are missing at its end")
    assert rows.loc["broken", "flags"] == Flag.RADIO_MISSING
    assert rows.loc["blank", "reason"] == "blank.fits has only blank pixels there"


def test_the_files_hold_what_the_ledger_says(radio: DirectoryProvider, results: Results) -> None:
    cut_shard(table(PLACES), radio, None, FRAME, results=results, shard="00000")
    with read_cutouts(results.cutouts("00000", "radio")) as cutouts:
        assert list(cutouts) == ["whole", "half"]
        image = reproject(cutouts["whole"], FRAME, *PLACES["whole"])
        np.testing.assert_allclose(image, positions(), atol=0.2)
    with read_cutouts(results.cutouts("00000", "infrared")) as cutouts:
        assert len(cutouts) == 0


def test_without_infrared_every_row_says_so(radio: DirectoryProvider, results: Results) -> None:
    cut_shard(table(PLACES), radio, None, FRAME, results=results, shard="00000")
    rows = ledger_of(results)["infrared"]
    assert set(rows["status"]) == {"no_coverage"} and set(rows["reason"]) == {"radio only"}
    assert set(rows["flags"]) == {int(Flag.INFRARED_MISSING)} and set(rows["coverage"]) == {0.0}


def test_infrared_rows_have_infrared_flags(
    tmp_path: Path, radio: DirectoryProvider, results: Results
) -> None:
    write_image(tmp_path / "w1" / "a.fits", *PLACES["whole"], BUNIT="DN", change=blank_south)
    infrared = DirectoryProvider(WISE, tmp_path / "w1")
    cut_shard(table(PLACES), radio, infrared, FRAME, results=results, shard="00000")
    rows = ledger_of(results)["infrared"]
    assert rows["survey"].unique() == ["WISE_W1"]
    assert rows.loc["whole", "flags"] & (Flag.INFRARED_PARTIAL | Flag.RADIO_PARTIAL) == Flag.INFRARED_PARTIAL
    assert rows.loc["half", "flags"] == Flag.INFRARED_MISSING


def test_coarse_views_are_smoothed_and_covered_by_the_wide_frame(
    tmp_path: Path, radio: DirectoryProvider, results: Results
) -> None:
    views = table(PLACES | {name: PLACES["whole"] for name in ("x2", "x8")})
    views["scale"] = [1, 1, 1, 1, 2, 8]
    write_image(tmp_path / "w1" / "a.fits", *PLACES["whole"], BUNIT="DN")
    infrared = DirectoryProvider(WISE, tmp_path / "w1")
    cut_shard(views, radio, infrared, FRAME, results=results, shard="00000")
    rows = ledger_of(results)["radio"]
    # The image is twice as wide as the frame: it covers the view of scale 2 and a sixteenth of that of 8.
    width_px = 80 * 1.8 / FRAME.pixel_scale_arcsec / FRAME.size_px
    assert rows.loc["x2", "coverage"] == pytest.approx(min(1, width_px / 2) ** 2, abs=0.03)
    assert rows.loc["x8", "coverage"] == pytest.approx((width_px / 8) ** 2, rel=0.15)
    assert rows.loc["x8", "status"] == "partial"
    with read_cutouts(results.cutouts("00000", "radio")) as cutouts:
        assert list(cutouts) == ["whole", "half", "x2", "x8"]
        assert cutouts["whole"].native is None and cutouts["whole"].beam is None
        for name, scale in (("x2", 2), ("x8", 8)):
            cutout, place = cutouts[name], PLACES["whole"]
            native = radio.cutout(name, *place, FRAME.at_scale(scale).width_arcsec + 2 * scale * 5.4)
            assert isinstance(native, Cutout)
            np.testing.assert_array_equal(cutout.data, coarse_cutout(native, scale, FIRST).data)
            assert cutout.pixel_scale_arcsec == pytest.approx(scale * 1.8)
            assert cutout.native is not None
    with read_cutouts(results.cutouts("00000", "infrared")) as cutouts:
        assert cutouts["x2"].native is None and cutouts["x2"].beam == Beam(2 * 8.36, 2 * 8.36, 0.0)


class Faulty(DirectoryProvider):
    """A provider that raises an unexpected error for one subject."""

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        if subject_id == "half":
            raise RuntimeError("something\nunexpected")
        return super().cutout(subject_id, ra_deg, dec_deg, width_arcsec)


def test_an_error_of_one_subject_affects_only_its_row(
    radio: DirectoryProvider, results: Results, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "claran_core"):
        cut_shard(table(PLACES), Faulty(FIRST, radio.path), None, FRAME, results=results, shard="00000")
    rows = ledger_of(results)["radio"]
    assert rows.loc["half", ["status", "reason"]].tolist() == ["failed", "RuntimeError: something unexpected"]
    assert rows.loc["whole", "status"] == "ok" and len(rows) == 4
    assert any(record.exc_info for record in caplog.records)


def test_a_killed_job_leaves_nothing_that_looks_finished(radio: DirectoryProvider, results: Results) -> None:
    class Killed(DirectoryProvider):
        def cutout(self, *_: object) -> NoReturn:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_shard(table(PLACES), Killed(FIRST, radio.path), None, FRAME, results=results, shard="00000")
    assert [path for path in results.root.rglob("*") if path.is_file()] == []


def test_ledgers_are_joined_in_one_order_whatever_the_shards(
    radio: DirectoryProvider, results: Results
) -> None:
    halves = [dict(list(PLACES.items())[:2]), dict(list(PLACES.items())[2:])]
    for shard, places in zip(("00000", "00001"), halves, strict=True):
        cut_shard(table(places), radio, None, FRAME, results=results, shard=shard)
    paths = [results.ledger(shard) for shard in ("00000", "00001")]
    merged = merge_ledgers(paths, results.catalogue_ledger)
    pd.testing.assert_frame_equal(merged, read_table(results.catalogue_ledger))
    assert merged["subject_id"].tolist() == [name for name in sorted(PLACES) for _ in range(2)]
    assert merged["band"].tolist() == ["radio", "infrared"] * 4
    pd.testing.assert_frame_equal(merged, merge_ledgers(paths[::-1], results.catalogue_ledger))
    with pytest.raises(InputError, match="no such file"):
        merge_ledgers([results.ledger("00009")], results.catalogue_ledger)


def test_a_second_radio_survey_has_its_own_files_and_rows(
    radio: DirectoryProvider, results: Results, tmp_path: Path
) -> None:
    cut_shard(table(PLACES), radio, None, FRAME, results=results, shard="00000")
    before = {path.name: path.read_bytes() for path in results.ledger("00000").parent.iterdir()}
    lotss = replace(SURVEYS["LOTSS"], used_as="second_radio")
    write_image(tmp_path / "second" / "whole.fits", *PLACES["whole"], size_px=200)
    (tmp_path / "second" / "broken.fits").write_bytes((radio.path / "broken.fits").read_bytes())
    second = DirectoryProvider(lotss, tmp_path / "second")
    cut_second_radio(table(PLACES), second, FRAME, results=results, shard="00000")
    after = {path.name: path.read_bytes() for path in results.ledger("00000").parent.iterdir()}
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"second_radio.arrow", "second_radio.ledger.parquet"}
    merged = merge_ledgers(
        [results.ledger("00000")], results.catalogue_ledger, second_paths=[results.second_ledger("00000")]
    )
    assert merged["band"].tolist() == ["radio", "second_radio", "infrared"] * 4
    rows = merged[merged["band"] == "second_radio"].set_index("subject_id")
    assert rows["status"].to_dict() == {
        **dict.fromkeys(["half", "blank"], "no_coverage"),
        **{"broken": "failed", "whole": "ok"},
    }
    assert (rows.loc[rows["status"] != "ok", "flags"] == int(Flag.SECOND_RADIO_MISSING)).all()
    widths = []
    for role, survey, names in (("radio", "FIRST", ["whole", "half"]), ("second_radio", "LOTSS", ["whole"])):
        with read_cutouts(results.cutouts("00000", role)) as images:
            assert sorted(images) == sorted(names) and images.survey == survey
            widths.append(min(images["whole"].data.shape) * images["whole"].pixel_scale_arcsec)
    # It reaches 15 % of the frame's width farther on both sides.
    assert widths[1] - widths[0] == pytest.approx(0.3 * FRAME.width_arcsec, abs=4)
    with pytest.raises(TooManyFailures, match=r"--forcerun results/cutouts/00000/ledger.parquet results/cut"):
        check_failures(merged, 0.01)
    only = merged[merged["band"] == "second_radio"]
    with pytest.raises(
        TooManyFailures, match=r"--forcerun results/cutouts/00000/second_radio.ledger.parquet$"
    ):
        check_failures(only, 0.01)


def test_the_joined_ledger_names_no_folder_and_no_password(
    radio: DirectoryProvider, results: Results
) -> None:
    class Private(DirectoryProvider):
        def cutout(self, *_: object) -> NoImage:
            url = "https://alice:pa55@maps.example.org/c?size=3&token=a1b2"
            facts = Provenance("mine", url, "", "")
            return NoImage("failed", "/data/alice/maps/a.fits: damaged; tell alice@example.org", facts)

    cut_shard(table(PLACES), Private(FIRST, radio.path), None, FRAME, results=results, shard="00000")
    merged = merge_ledgers([results.ledger("00000")], results.catalogue_ledger)
    rows = merged[merged["band"] == "radio"]
    assert set(rows["reason"]) == {"a.fits: damaged; tell (e-mail address)"}
    assert set(rows["url"]) == {"https://maps.example.org/c?size=3&token=(left out)"}


def ledger_with(failed: Iterable[int], rows: int = 100) -> pd.DataFrame:
    status = ["failed" if number in failed else "ok" for number in range(rows)]
    shards = [f"{number // 10:05d}" for number in range(rows)]
    ids = [f"s{number}" for number in range(rows)]
    return pd.DataFrame(
        {"subject_id": ids, "shard": shards, "band": "radio", "status": status, "reason": "gone"}
    )


def test_the_gate_lets_pass_up_to_the_fraction() -> None:
    check_failures(ledger_with([]), 0.0)
    check_failures(ledger_with([5]), 0.01)
    check_failures(ledger_with(range(100)), 1.0)
    with pytest.raises(TooManyFailures):
        check_failures(ledger_with([5]), 0.0)


def test_the_gate_names_shards_and_the_command() -> None:
    with pytest.raises(TooManyFailures) as error:
        check_failures(ledger_with([35, 77, 78]), 0.02)
    message = str(error.value)
    assert "\n" not in message
    assert "3 of 100 (subject, survey) rows failed" in message and "s35 (radio): gone" in message
    assert "shards 00003, 00007;" in message
    assert message.endswith(
        "--forcerun results/cutouts/00003/ledger.parquet results/cutouts/00007/ledger.parquet"
    )


@pytest.mark.data
def test_six_pairs_of_first_and_allwise(shared_data: Path, results: Results) -> None:
    names = sorted(path.stem for path in (shared_data / "pairs" / "radio").glob("*.fits"))
    places = {}
    for name in names:
        with quiet_astropy(), fits.open(shared_data / "pairs" / "radio" / f"{name}.fits") as hdus:
            ny, nx = hdus[0].shape
            ra, dec = pixels_to_sky(WCS(hdus[0].header).celestial, (nx - 1) / 2, (ny - 1) / 2)
        places[name] = float(ra), float(dec)
    sources = [DirectoryProvider(survey, shared_data / "pairs" / survey.band) for survey in (FIRST, WISE)]
    cut_shard(table(places), *sources, Frame(), results=results, shard="00000")
    ledger = read_table(results.ledger("00000"))
    assert len(ledger) == 12 and set(ledger["status"]) <= {"ok", "partial"}
    assert (ledger["origin"] == ledger["subject_id"] + ".fits").all()
    assert not (ledger["flags"] & int(Flag.SUSPECT_UNIT | Flag.COARSE_PIXELS)).any()


@pytest.mark.data
def test_hostile_files_beside_good_ones(shared_data: Path, results: Results, tmp_path: Path) -> None:
    for path in (*(shared_data / "hostile").iterdir(), *(shared_data / "pairs" / "radio").iterdir()):
        (tmp_path / path.name).symlink_to(path)
    places = {
        "3C192": (121.395827, 24.163995),
        "half_nan": border_of_the_blank(shared_data / "hostile" / "half_nan.fits"),
        "nowhere": (293.15643, 65.26267),
        "ATLAS": (8.276555, -43.175087),
        "good": (132.3875, 1.727778),
    }
    # The ATLAS image is 2 arcmin wide; a subject of the paper's 3 arcmin would be partial.
    narrow = Frame(size_px=80)
    source = DirectoryProvider(FIRST, tmp_path, pattern="*.fits")
    cut_shard(table(places), source, None, narrow, results=results, shard="00000")
    rows = ledger_of(results)["radio"]
    assert rows["status"].to_dict() == {
        "3C192": "ok",
        "half_nan": "partial",
        "nowhere": "failed",
        "ATLAS": "ok",
        "good": "ok",
    }
    assert rows["flags"].to_dict() == {
        "3C192": 0,
        "half_nan": Flag.COARSE_PIXELS | Flag.RADIO_PARTIAL | Flag.BEAM_DIFFERS,
        "nowhere": Flag.RADIO_MISSING,
        "ATLAS": Flag.SUSPECT_UNIT | Flag.BEAM_DIFFERS,
        "good": 0,
    }
    assert "table_not_image.fits: it holds no image" in rows.loc["nowhere", "reason"]
    alone = DirectoryProvider(FIRST, shared_data / "pairs" / "radio").cutout(
        "good", *places["good"], narrow.width_arcsec
    )
    with read_cutouts(results.cutouts("00000", "radio")) as cutouts:
        assert isinstance(alone, Cutout)
        np.testing.assert_array_equal(cutouts["good"].data, alone.data)


def border_of_the_blank(path: Path) -> tuple[float, float]:
    """Position of a pixel with data whose neighbour has none."""
    with quiet_astropy(), fits.open(path) as hdus:
        data, wcs = hdus[0].data, WCS(hdus[0].header).celestial
    rows, columns = np.nonzero(np.isfinite(data[:, 1:]) & np.isnan(data[:, :-1]))
    middle = len(rows) // 2
    ra, dec = pixels_to_sky(wcs, columns[middle] + 1.0, rows[middle] * 1.0)
    return float(ra), float(dec)
