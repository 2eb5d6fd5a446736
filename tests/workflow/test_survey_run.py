"""The workflow with other surveys than FIRST: their beam and unit, the subjects and weights that fit them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sky_images import image_header
from workflow_runs import Run

from claran_core.survey.surveys import SURVEYS

NVSS = SURVEYS["NVSS"]
SIZE_PX = 160
PEAK_MJY = 50.0

# What an image of a survey that only the settings describe does not say itself.
DESCRIPTION = {
    "beam_arcsec": [55.0, 36.0, 60.0],
    "pixel_scale_arcsec": 15.0,
    "rms": 0.45,
    "unit": "mJy/beam",
    "noise_correlation": "measure",
}

# Frame pixels of 3.9 to the beam, as in docs/surveys.md: FIRST's at 1.375 arcsec.
RUNS: dict[str, tuple[dict[str, Any], float]] = {
    "NVSS": ({"name": "NVSS"}, 11.46),
    "MINE": ({"name": "MINE", "description": DESCRIPTION}, 11.33),
}


def write_image(path: Path, name: str) -> None:
    """Write an image of NVSS's pixels and noise with one point source in its middle."""
    header = image_header(30.0, 10.0, size_px=SIZE_PX, scale_arcsec=NVSS.pixel_scale_arcsec)
    del header["BLANK"]
    north, west = np.indices((SIZE_PX, SIZE_PX)) - (SIZE_PX - 1) / 2
    major, minor, angle = 45.0, 45.0, 0.0
    if name == "MINE":
        del header["BUNIT"]
        major, minor, angle = 55.0, 36.0, np.deg2rad(60.0)
    else:
        header["BMAJ"] = 45.0 / 3600
    along, across = north * np.cos(angle) - west * np.sin(angle), north * np.sin(angle) + west * np.cos(angle)
    widths = (np.array([major, minor]) / NVSS.pixel_scale_arcsec)[:, None, None]
    pixels = PEAK_MJY * 0.5 ** np.square(2 * np.stack([along, across]) / widths).sum(axis=0)
    pixels += np.random.default_rng(1).normal(0.0, 1e3 * NVSS.rms, pixels.shape)
    path.parent.mkdir(parents=True)
    fits.writeto(path, (pixels if name == "MINE" else 1e-3 * pixels).astype(np.float32), header)


@pytest.mark.parametrize("name", RUNS)
def test_from_images_to_the_catalogue(name: str, tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "image.fits", name)
    (tmp_path / "targets.csv").write_text("subject_id,ra,dec\ns0,30.0,10.0\n")
    survey, pixel_scale_arcsec = RUNS[name]
    settings = {
        "targets": {"path": "targets.csv"},
        "survey": {
            "radio": {**survey, "source": "directory", "path": "images"},
            "infrared": {"source": "none"},
        },
        "fusion": {"methods": ["D1"], "pixel_scale_arcsec": pixel_scale_arcsec},
        "catalogue": {"method": "D1"},
    }
    run = Run(tmp_path, settings)
    run("catalogue")
    ledger = run.table("catalogue/ledger.parquet")
    assert ledger.loc[ledger["band"] == "radio", ["status", "survey"]].values.tolist() == [["ok", name]]
    catalogue = run.table("catalogue/catalogue.parquet")
    nearest = np.hypot(catalogue["ra"] - 30.0, catalogue["dec"] - 10.0).idxmin()
    source = catalogue.loc[nearest]
    assert abs(source["ra"] - 30.0) * 3600 < NVSS.beam_arcsec / 2
    assert abs(source["dec"] - 10.0) * 3600 < NVSS.beam_arcsec / 2
    assert source["morphology"] == "1C_1P"
    assert source["peak_flux"] == pytest.approx(PEAK_MJY, rel=0.1)
    assert source["integrated_flux"] == pytest.approx(PEAK_MJY, rel=0.05)
