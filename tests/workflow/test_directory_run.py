"""The workflow with images on disk: one index for all shards, made again when files have changed."""

import os
from pathlib import Path

import pytest
from sky_images import write_image
from workflow_runs import Run

from claran_core.common.tables import IMAGES
from claran_core.survey.directory.image_index import CHUNK


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Prepare a run on three images of subjects and enough others for several processes to read."""
    for k in range(3):
        write_image(tmp_path / "images" / f"{k}.fits", 30.0 + k, 10.0, size_px=140)
    for k in range(CHUNK):
        write_image(tmp_path / "images" / "far" / f"{k}.fits", 100.0 + k, 10.0, size_px=20)
    rows = [f"s{k},{30.0 + k},10.0" for k in range(3)]
    (tmp_path / "targets.csv").write_text("\n".join(["subject_id,ra,dec", *rows]) + "\n")
    settings = {
        "targets": {"path": "targets.csv"},
        "shard_size": 2,
        "survey": {"radio": {"source": "directory", "path": "images"}, "infrared": {"source": "none"}},
    }
    return Run(tmp_path, settings)


def test_changed_files_update_the_index_and_nothing_else(run: Run, tmp_path: Path) -> None:
    run("cutouts")
    assert run.table("images/radio.parquet").columns.tolist() == IMAGES.names
    ledger = run.table("catalogue/ledger.parquet")
    assert set(ledger.loc[ledger["band"] == "radio", "status"]) == {"ok"}
    assert not run.planned("cutouts")
    os.utime(tmp_path / "images" / "0.fits", (1, 1))
    write_image(tmp_path / "images" / "new.fits", 33.0, 10.0)
    assert run.planned("cutouts") == {"index_images": 1, "total": 1}
    run("cutouts")
    files = run.table("images/radio.parquet")["file"]
    assert files[~files.str.startswith("far/")].tolist() == ["0.fits", "1.fits", "2.fits", "new.fits"]
    assert len(files) == 4 + CHUNK
    assert not run.planned("cutouts")


def test_a_missing_folder_is_one_line_before_anything_runs(run: Run) -> None:
    run.settings["survey"]["radio"]["path"] = "nowhere"
    done = run("cutouts", check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "claran: config: survey.radio.path: no folder" in output and "Traceback" not in output
    assert not (run.results / "cutouts").exists()


def test_targets_outside_all_images_are_one_line_before_anything_long(run: Run, tmp_path: Path) -> None:
    (tmp_path / "targets.csv").write_text("subject_id,ra,dec\na,2.0,10.0\nb,2.1,10.0\n")  # 30 deg is 2 h
    done = run("catalogue", check=False)
    assert done.returncode == 1 and not (run.results / "cutouts").exists()
    (line,) = (run.results / "logs" / "index_images" / "radio.log").read_text().splitlines()[-1:]
    assert "survey.radio.path: none of the 2 targets lies in an image of" in line
    assert "targets: RA 2.000 to 2.100" in line and "in hours, they lie in images: multiply ra by 15" in line
