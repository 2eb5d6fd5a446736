"""`claran cutout`: the image of one subject as a FITS file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from report_inputs import make_inputs, planes_of, write_run

Run = Callable[..., tuple[int, str, str]]


def test_image_of_a_run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "results", make_inputs())
    for band in ("radio", "infrared"):
        status, out, err = run("cutout", "S001", "--band", band, "--output", "image.fits", "--overwrite")
        assert (status, out, err) == (0, f"image.fits: {band} image of S001\n", "")
        image = np.array(fits.getdata("image.fits"), np.float32)
        np.testing.assert_array_equal(image, np.float32(getattr(planes_of("S001"), band)[::-1]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["S000", "--band", "infrared"], "S000: has no infrared image"),
        (["S9", "--results", "other"], "other/targets.parquet: no such file"),
    ],
)
def test_mistakes_are_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "results", make_inputs())
    status, out, err = run("cutout", *arguments, "--output", "image.fits")
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert message in err
