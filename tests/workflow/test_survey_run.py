"""The workflow with other surveys than FIRST: their beam and unit, the subjects and weights that fit them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sky_images import image_header
from workflow_runs import Run, messages_of, output_of

from claran_core.catalogue.product.schema import SECOND_RADIO_COLUMNS
from claran_core.common.flags import Flag
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


def write_image(path: Path, name: str, *, ra: float = 30.0, peak_mjy: float = PEAK_MJY) -> None:
    """Write an image of NVSS's pixels and noise with one point source in its middle."""
    header = image_header(ra, 10.0, size_px=SIZE_PX, scale_arcsec=NVSS.pixel_scale_arcsec)
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
    pixels = peak_mjy * 0.5 ** np.square(2 * np.stack([along, across]) / widths).sum(axis=0)
    pixels += np.random.default_rng(1).normal(0.0, 1e3 * NVSS.rms, pixels.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.writeto(path, (pixels if name == "MINE" else 1e-3 * pixels).astype(np.float32), header)


def run_on_images(folder: Path, survey: dict[str, Any], pixel_scale_arcsec: float) -> Run:
    """Return a run of one subject on the images of a folder."""
    (folder / "targets.csv").write_text("subject_id,ra,dec\ns0,30.0,10.0\n")
    settings = {
        "targets": {"path": "targets.csv"},
        "survey": {
            "radio": {**survey, "source": "directory", "path": "images"},
            "infrared": {"source": "none"},
        },
        "fusion": {"methods": ["D1"], "pixel_scale_arcsec": pixel_scale_arcsec},
        "catalogue": {"method": "D1"},
    }
    return Run(folder, settings)


@pytest.mark.parametrize("name", RUNS)
def test_from_images_to_the_catalogue(name: str, tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "image.fits", name)
    run = run_on_images(tmp_path, *RUNS[name])
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beam_arcsec": None}, "config: survey.radio.description lacks beam_arcsec; MINE does not ship"),
        ({"pixel_scale_arcsec": 20.0}, "a beam of 36 arcsec is narrower than 2 pixels of 20 arcsec"),
        ({"unit": "K"}, "description.unit is 'K', which cannot be converted to Jy/beam"),
    ],
)
def test_an_impossible_description_is_one_line_before_anything_runs(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    changed = {key: value for key, value in {**DESCRIPTION, **change}.items() if value is not None}
    run = run_on_images(tmp_path, {"name": "MINE", "description": changed}, 11.33)
    done = run("catalogue", check=False)
    [printed] = messages_of(done)
    assert done.returncode and message in printed and "Traceback" not in output_of(done)
    assert not run.results.exists()


def test_an_image_in_kelvin_without_a_frequency_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "images" / "image.fits"
    write_image(path, "MINE")
    fits.setval(path, "BUNIT", value="K")
    run = run_on_images(tmp_path, *RUNS["MINE"])
    done = run("catalogue", check=False)
    [line] = (run.results / "logs" / "index_images.log").read_text().splitlines()[-1:]
    assert done.returncode and "Traceback" not in output_of(done)
    assert "shows MINE; image.fits: BUNIT = 'K' cannot be converted to Jy/beam" in line
    assert line.endswith("a temperature needs survey.radio.description.frequency_hz")
    assert not (run.results / "cutouts").exists()


def test_a_second_radio_survey_adds_flux_densities_and_spectral_indices(tmp_path: Path) -> None:
    for number, ra in enumerate((30.0, 60.0)):
        write_image(tmp_path / "images" / f"{number}.fits", "NVSS", ra=ra)
    write_image(tmp_path / "second" / "image.fits", "MINE", peak_mjy=90.0)
    (tmp_path / "targets.csv").write_text("subject_id,ra,dec\ns0,30.0,10.0\ns1,60.0,10.0\n")
    survey = {
        "radio": {"name": "NVSS", "source": "directory", "path": "images"},
        "infrared": {"source": "none"},
    }
    settings = {
        "targets": {"path": "targets.csv"},
        "survey": survey,
        "fusion": {"methods": ["D1"], "pixel_scale_arcsec": 11.46},
        "catalogue": {"method": "D1"},
    }
    run = Run(tmp_path, settings)
    run("cutouts")
    assert not list(run.results.rglob("*second*"))
    described = {"name": "MINE", "description": DESCRIPTION | {"frequency_hz": 7e8}}
    run.settings["survey"] = survey | {"second_radio": described | {"source": "directory", "path": "second"}}
    assert "cut_out" not in run.planned("catalogue")  # those of the first survey are kept
    run("catalogue")
    ledger = run.table("catalogue/ledger.parquet")
    statuses = ledger[ledger["band"] == "second_radio"].set_index("subject_id")["status"]
    assert statuses.to_dict() == {"s0": "ok", "s1": "no_coverage"}
    rows = (
        run.table("catalogue/catalogue.parquet")
        .sort_values("integrated_flux")
        .tail(2)
        .set_index("subject_id")
    )
    both, alone = rows.loc["s0"], rows.loc["s1"]
    assert both["matched_flux"] == pytest.approx(PEAK_MJY, rel=0.06)
    assert both["second_radio_flux"] == pytest.approx(90.0, rel=0.06)
    assert both["spectral_index"] == pytest.approx(
        np.log(1.8) / np.log(0.5), abs=4 * float(both["spectral_index_err"])
    )
    assert 0 < both["spectral_index_err"] < 0.1
    assert alone["flags"] & Flag.SECOND_RADIO_MISSING and not both["flags"] & Flag.SECOND_RADIO_MISSING
    assert alone[SECOND_RADIO_COLUMNS].isna().all() and alone["integrated_flux"] > 40
