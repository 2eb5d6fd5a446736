"""The workflow with a survey other than FIRST: its beam and unit, the subjects and weights that fit it."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from sky_images import image_header
from workflow_runs import Run

from claran_core.survey.surveys import SURVEYS

NVSS = SURVEYS["NVSS"]

# Frame pixel of NVSS in docs/surveys.md: 3.9 pixels to the beam, as in FIRST at 1.375 arcsec.
FRAME_PIXEL_ARCSEC = 11.46
PEAK_JY = 0.05


def write_nvss(path: Path, ra_deg: float, dec_deg: float, size_px: int = 160) -> None:
    """Write an image of NVSS's pixels, beam and noise with one point source in its middle."""
    header = image_header(
        ra_deg, dec_deg, size_px=size_px, scale_arcsec=NVSS.pixel_scale_arcsec, BMAJ=NVSS.beam_arcsec / 3600
    )
    del header["BLANK"]
    rows, columns = np.indices((size_px, size_px)) - (size_px - 1) / 2
    sigma_px = NVSS.beam_arcsec / NVSS.pixel_scale_arcsec / np.sqrt(8 * np.log(2))
    pixels = PEAK_JY * np.exp(-(rows**2 + columns**2) / (2 * sigma_px**2))
    pixels += np.random.default_rng(1).normal(0.0, NVSS.rms, pixels.shape)
    path.parent.mkdir(parents=True)
    fits.writeto(path, pixels.astype(np.float32), header)


def test_nvss_from_images_to_the_catalogue(tmp_path: Path) -> None:
    write_nvss(tmp_path / "images" / "nvss.fits", 30.0, 10.0)
    (tmp_path / "targets.csv").write_text("subject_id,ra,dec\ns0,30.0,10.0\n")
    settings = {
        "targets": {"path": "targets.csv"},
        "survey": {
            "radio": {"name": "NVSS", "source": "directory", "path": "images"},
            "infrared": {"source": "none"},
        },
        "fusion": {"methods": ["D1"], "pixel_scale_arcsec": FRAME_PIXEL_ARCSEC},
        "catalogue": {"method": "D1"},
    }
    run = Run(tmp_path, settings)
    run("catalogue")
    ledger = run.table("catalogue/ledger.parquet")
    assert ledger.loc[ledger["band"] == "radio", "status"].tolist() == ["ok"]
    catalogue = run.table("catalogue/catalogue.parquet")
    nearest = np.hypot(catalogue["ra"] - 30.0, catalogue["dec"] - 10.0).idxmin()
    source = catalogue.loc[nearest]
    assert abs(source["ra"] - 30.0) * 3600 < NVSS.beam_arcsec / 2
    assert abs(source["dec"] - 10.0) * 3600 < NVSS.beam_arcsec / 2
    assert source["morphology"] == "1C_1P"
    assert abs(source["peak_flux"] / (PEAK_JY * 1e3) - 1) < 0.1
