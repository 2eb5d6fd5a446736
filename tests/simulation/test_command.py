"""The command that writes images of the simulated sky; target lists are tested with the selection."""

from pathlib import Path

import pytest
from astropy.io import fits

from claran_core.common.files import read_table
from claran_core.common.tables import LABELS
from claran_core.simulation.__main__ import main


def run(*arguments: str) -> int:
    return main(["image", "--seed", "3", "--ra", "150", "--dec", "20", *arguments])


def test_mosaic_and_its_truth(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    image, truth = tmp_path / "mosaic.fits", tmp_path / "truth.parquet"
    assert run("--size-px", "300", "--output", str(image), "--truth", str(truth)) == 0
    assert "300 x 300 px of FIRST, sky 3" in capsys.readouterr().out
    with fits.open(image) as hdus:
        assert hdus[0].data.shape == (300, 300) and hdus[0].header["BUNIT"] == "Jy/beam"
    table = read_table(truth, LABELS.names)
    assert len(table) and table["label_id"].is_unique


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--size-px", "-3"], "-3"),
        (["--size-px", "wide"], "invalid int value: 'wide'"),
        (["--dec", "95", "--size-px", "10"], "95"),
        (["--survey", "NVSS"], "invalid choice: 'NVSS'"),
        (["--seed", "-1", "--size-px", "10"], "-1 is negative"),
    ],
)
def test_bad_values_are_refused_in_one_line(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "image.fits"
    assert run("--output", str(path), *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and told in error and error.count("\n") == 1
    assert not path.exists()


def test_what_to_write_must_be_said(capsys: pytest.CaptureFixture) -> None:
    assert main([]) == 1
    assert "error: " in capsys.readouterr().err
