"""The whole workflow on real FIRST and AllWISE images and on malformed files, with the shipped weights."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.io import fits
from astropy.wcs import WCS
from workflow_runs import OVERLAYS, Run

from claran_core.common.files import read_array
from claran_core.common.flags import Flag
from claran_core.survey.celestial import pixels_to_sky

pytestmark = pytest.mark.data
RealRun = Callable[[str], Run]


@pytest.fixture
def real_run(tmp_path: Path, shared_data: Path) -> RealRun:
    """Return a function that prepares the run of an overlay beside a link to the real data."""

    def make(name: str) -> Run:
        (tmp_path / "data").symlink_to(shared_data)
        shutil.copy(OVERLAYS / f"{name}_targets.csv", tmp_path)
        settings = yaml.safe_load((OVERLAYS / f"{name}.yaml").read_text())
        return Run(tmp_path, settings)

    return make


def test_pairs_of_first_and_allwise_give_a_catalogue(real_run: RealRun) -> None:
    run = real_run("pairs")
    run()
    ledger = run.table("catalogue/ledger.parquet")
    assert len(ledger) == 12 and set(ledger.status) <= {"ok", "partial"}
    assert not np.bitwise_and(ledger["flags"].to_numpy(), int(Flag.SUSPECT_UNIT)).any()
    images = read_array(run.results / "fused" / "D4" / "00000.npy")
    assert images.shape == (6, 132, 132, 3)
    catalogue = run.table("catalogue/catalogue.parquet")
    assert set(catalogue.subject_id) <= set(ledger.subject_id)
    assert not (run.results / "evaluation").exists() and not (run.results / "labels.parquet").exists()
    assert (run.results / "report.html").exists()


def test_wide_fields_serve_as_mosaics(real_run: RealRun) -> None:
    run = real_run("wide")
    run()
    ledger = run.table("catalogue/ledger.parquet")
    assert len(ledger) == 12
    radio = ledger[ledger.band == "radio"].set_index("subject_id")
    assert radio.status["field_B_edge"] == "partial"  # 15 arcsec from the border of its field
    assert (radio.status.drop("field_B_edge") == "ok").all()
    assert radio.origin.nunique() == 2
    assert (ledger[ledger.band == "infrared"].status == "no_coverage").all()
    index = run.table("fused/D4/00000.parquet")
    assert (index["flags"].to_numpy() & int(Flag.INFRARED_MISSING)).all()


def position_beside_blank_pixels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the sky position (deg) of a pixel with data whose neighbour is blank."""
    with fits.open(path) as hdus:
        data, wcs = hdus[0].data, WCS(hdus[0].header).celestial
    rows, columns = np.nonzero(np.isfinite(data[:, 1:]) & np.isnan(data[:, :-1]))
    middle = len(rows) // 2
    return pixels_to_sky(wcs, columns[middle] + 1.0, rows[middle] * 1.0)


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
def test_malformed_files_end_in_the_right_ledger_row(real_run: RealRun, shared_data: Path) -> None:
    run = real_run("hostile")
    folder = run.directory / "radio"
    folder.mkdir()
    for path in (*(shared_data / "hostile").iterdir(), *(shared_data / "pairs" / "radio").iterdir()):
        (folder / path.name).symlink_to(path)
    targets = pd.read_csv(run.directory / "hostile_targets.csv").set_index("subject_id")
    targets.loc["half_nan", ["ra", "dec"]] = position_beside_blank_pixels(
        shared_data / "hostile" / "half_nan.fits"
    )
    targets.to_csv(run.directory / "hostile_targets.csv")

    done = run()
    assert "Traceback" not in done.stdout + done.stderr
    ledger = run.table("catalogue/ledger.parquet")
    radio = ledger[ledger.band == "radio"].set_index("subject_id")
    assert radio.status["3C192"] == "ok" and not radio["flags"]["3C192"] & Flag.SUSPECT_UNIT
    assert radio.status["half_nan"] == "partial" and radio["flags"]["half_nan"] & Flag.COARSE_PIXELS
    assert radio.status["table"] == "failed" and "table_not_image.fits" in radio.reason["table"]
    assert radio.status["ATLAS"] == "ok" and radio["flags"]["ATLAS"] & Flag.SUSPECT_UNIT
    for name in ("J084933+014340", "J114522+152943"):
        assert radio.status[name] in ("ok", "partial") and radio["flags"][name] & Flag.SUSPECT_UNIT == 0

    alone = Run(run.directory / "alone", {**run.settings, "targets": {"path": "good.csv"}})
    alone.settings["survey"] = {
        "radio": {"source": "directory", "path": str(shared_data / "pairs" / "radio")},
        "infrared": {"source": "none"},
    }
    good = ["J084933+014340", "J114522+152943"]
    targets.loc[good].to_csv(alone.directory / "good.csv")
    alone("fusion")
    index = run.table("fused/D4/00000.parquet")
    images = read_array(run.results / "fused" / "D4" / "00000.npy")
    index_alone = alone.table("fused/D4/00000.parquet")
    images_alone = read_array(alone.results / "fused" / "D4" / "00000.npy")
    for name in good:
        row, row_alone = (table.subject_id.tolist().index(name) for table in (index, index_alone))
        assert np.array_equal(images[row], images_alone[row_alone])


def test_too_many_failures_stop_the_catalogue_and_name_a_command(
    real_run: RealRun, shared_data: Path
) -> None:
    run = real_run("hostile")
    (run.directory / "radio").mkdir()
    (run.directory / "radio" / "table.fits").symlink_to(shared_data / "hostile" / "table_not_image.fits")
    done = run(check=False)
    assert done.returncode != 0
    assert not (run.results / "catalogue" / "catalogue.parquet").exists()
    assert len(run.table("catalogue/ledger.parquet")) == 12
    log = (run.results / "logs" / "build_catalogue.log").read_text()
    assert log.count("\n") == 1 and "00000" in log and "snakemake" in log
