"""The workflow with images on disk: shards run again when images that they show have changed."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from sky_images import write_image
from workflow_runs import Run, output_of

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


def brighter(pixels: np.ndarray) -> None:
    pixels[60:64, 60:64] += 0.02


def dated(run: Run) -> dict[str, tuple[int, bytes]]:
    """Return date and content of all products of the shards."""
    files = [path for path in run.results.rglob("0000?*") if path.is_file() and "logs" not in path.parts]
    files += list(run.results.glob("cutouts/*/*"))
    wanted = (path for path in files if "benchmarks" not in path.parts)
    return {
        str(path.relative_to(run.results)): (path.stat().st_mtime_ns, path.read_bytes()) for path in wanted
    }


def test_a_changed_image_repeats_only_the_shards_that_show_it(run: Run, tmp_path: Path) -> None:
    run("components")
    assert run.table("images/radio.parquet").columns.tolist() == IMAGES.names
    assert run.table("images/radio/00001.parquet")["file"].tolist() == ["1.fits"]
    before = dated(run)
    (tmp_path / "images" / "1.fits").unlink()
    write_image(tmp_path / "images" / "1.fits", 31.0, 10.0, size_px=140, change=brighter)
    expected = {"index_images": 1, "cut_out": 1, "gather_ledger": 1, "find_components": 1}
    assert run.planned("components", "cutouts").items() >= expected.items()
    run("components", "cutouts")
    after = dated(run)
    assert {name for name in after if after[name] != before[name]} == {
        *("images/radio/00001.parquet", "components/00001.parquet", "components/00001.noise.parquet"),
        *(f"cutouts/00001/{name}" for name in ("radio.arrow", "infrared.arrow", "ledger.parquet")),
    }
    assert after["cutouts/00001/radio.arrow"][1] != before["cutouts/00001/radio.arrow"][1]
    assert not run.planned("components", "cutouts")


def test_one_call_honours_changed_images_missing_files_and_forced_rules(run: Run, tmp_path: Path) -> None:
    run("cutouts")
    write_image(tmp_path / "images" / "elsewhere.fits", 40.0, 10.0)
    assert run.planned("cutouts") == {"index_images": 1, "cutouts": 1, "total": 2}
    assert run.planned("cutouts", "-R", "cut_out").items() >= {"index_images": 1, "cut_out": 2}.items()
    (run.results / "cutouts" / "00001" / "ledger.parquet").unlink()
    assert run.planned("cutouts").items() >= {"index_images": 1, "cut_out": 1}.items()
    os.utime(tmp_path / "images" / "0.fits", (1, 1))
    (tmp_path / "images" / "2.fits").unlink()
    run("cutouts")
    files = run.table("images/radio.parquet")["file"]
    assert files[~files.str.startswith("far/")].tolist() == ["0.fits", "1.fits", "elsewhere.fits"]
    ledger = run.table("catalogue/ledger.parquet").query("band == 'radio'").set_index("subject_id")["status"]
    assert ledger.to_dict() == {"s0": "ok", "s1": "ok", "s2": "no_coverage"}
    assert not run.planned("cutouts")


def test_a_killed_repetition_goes_on_without_its_option(run: Run) -> None:
    run.settings["shard_size"] = 1
    run("cutouts")
    ledgers = [run.results / "cutouts" / f"0000{k}" / "ledger.parquet" for k in range(3)]
    before = [path.stat().st_mtime_ns for path in ledgers]

    def repeated() -> list[int]:
        # A job removes its files before it makes them.
        return [k for k in range(3) if not ledgers[k].exists() or ledgers[k].stat().st_mtime_ns != before[k]]

    with run.start("cutouts", "-R", "cut_out", cores=1) as process:
        while not repeated() and process.poll() is None:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    assert len(repeated()) == 1
    (run.results / "cutouts" / ".ledger.parquet.k1ll3d_0.tmp").write_text("half")
    refused = run("cutouts", check=False)
    assert refused.returncode and "--unlock" in output_of(refused)
    run("--unlock")
    assert "Error" not in output_of(run("cutouts"))
    assert repeated() == [0, 1, 2]
    assert not list(run.results.rglob(".*.tmp"))
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
    (line,) = (run.results / "logs" / "index_images.log").read_text().splitlines()[-1:]
    assert "survey.radio.path: none of the 2 targets lies in an image of" in line
    assert "targets: RA 2.000 to 2.100" in line and "in hours, they lie in images: multiply ra by 15" in line
