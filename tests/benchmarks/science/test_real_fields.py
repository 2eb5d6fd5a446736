"""The command that scores real fields: pictures of failures, and a clear message without data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from matplotlib.image import imread

from benchmarks.science.real_fields import main
from benchmarks.science.real_pictures import PER_PAGE, Picture, write_pictures
from benchmarks.science.real_runs import RealRun
from claran_core.common.errors import InputError
from claran_core.common.frame import Frame


def image(path: Path, ra: float) -> Path:
    """Write an image of noise with one source in the middle."""
    data = np.random.default_rng(1).normal(0, 1e-4, (60, 60))
    data[28:33, 28:33] += 0.01
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 30.5, "CRPIX2": 30.5})
    header.update({"CRVAL1": ra, "CRVAL2": 0.0, "CDELT1": -0.0005, "CDELT2": 0.0005})
    fits.writeto(path, data.astype(np.float32), header)
    return path


def test_pictures_fill_pages_and_replace_those_of_earlier_runs(tmp_path: Path) -> None:
    picture = Picture(image(tmp_path / "a.fits", 10.0), 10.0, 0.0, 40.0, "a", 30.0, [(10.0, 0.0)])
    box = {"tight_ra": 10.0, "tight_dec": 0.0, "tight_width": 12.0, "tight_height": 12.0}
    catalogue = pd.DataFrame([box | {"morphology": "1C_1P", "source_probability": 0.9}])
    write_pictures(tmp_path, "large", [picture] * (PER_PAGE + 1), catalogue)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["large_00.png", "large_01.png"]
    write_pictures(tmp_path, "large", [picture], catalogue)
    (page,) = tmp_path.glob("*.png")
    pixels = imread(page)[..., :3]
    red = (pixels[..., 0] > 0.7) & (pixels[..., 1] < 0.3) & (pixels[..., 2] < 0.3)
    assert np.count_nonzero(red) > 50  # the tight box


def test_places_are_shown_on_the_nearest_image(tmp_path: Path) -> None:
    first, second = (image(tmp_path / f"{ra:g}.fits", ra) for ra in (10.0, 11.0))
    run = RealRun(tmp_path / "run", tmp_path)
    places = pd.DataFrame({"ra": [10.99, 10.01], "dec": 0.0})
    assert run.images_of(places) == [second, first]
    assert run.optional_table("catalogue") is None
    with pytest.raises(InputError, match="has no table catalogue"):
        run.table("catalogue")


def test_frames_have_as_many_pixels_to_the_beam_as_for_first(tmp_path: Path) -> None:
    assert RealRun(tmp_path, tmp_path).frame == Frame()
    assert RealRun(tmp_path, tmp_path, "VLASS").frame.pixel_scale_arcsec == pytest.approx(0.637)


def test_missing_data_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nowhere"), str(tmp_path)]) == 1
    assert "nowhere/data: not found" in capsys.readouterr().err
