"""From images on disk to flux densities: the same for any unit and beam, wherever the header states them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from measured_images import measured_components
from scipy.ndimage import gaussian_filter
from sky_images import image_header

from claran_core.common.cutout import Beam
from claran_core.common.frame import Frame
from claran_core.survey.description import described_survey

PLACE, SIZE_PX, PIXEL_ARCSEC = (150.0, 20.0), 160, 2.5
FRAME = Frame(size_px=150, pixel_scale_arcsec=PIXEL_ARCSEC)
BEAM, FREQUENCY_HZ, RMS_MJY = Beam(15.0, 10.0, 35.0), 9e8, 0.1
# Sources: offset to the west and north (px), flux density (mJy), axes (arcsec) and position angle (deg).
POINT = (-40.0, 20.0, 20.0, 0.0, 0.0, 0.0)
EXTENDED = (30.0, -25.0, 60.0, 28.0, 20.0, 80.0)

# Solid angle of the beam: pi / (4 ln 2) times its axes.
BEAM_SR = 1.1330900 * 15 * 10 / 206264.806**2
# A pixel of 1 mJy/beam in each unit; 2 k nu^2 / c^2 is the brightness of 1 K.
JY_PER_SR = 1e-3 / BEAM_SR
UNITS = {
    "Jy/beam": 1e-3,
    "mJy/beam": 1.0,
    "uJy/beam": 1e3,
    "Jy/sr": JY_PER_SR,
    "MJy/sr": 1e-6 * JY_PER_SR,
    "K": JY_PER_SR * 1e-26 / (2 * 1.380649e-23 * (FREQUENCY_HZ / 299792458.0) ** 2),
}
CARDS = {"BMAJ": 15 / 3600, "BMIN": 10 / 3600, "BPA": 35.0}
CLEAN = "AIPS   CLEAN BMAJ=  4.1667E-03 BMIN=  2.7778E-03 BPA=  35.00"
# The beam of a description that a header contradicts, by less than what is flagged.
USUAL = {"beam_arcsec": (13.0, 8.0, 0.0), "pixel_scale_arcsec": PIXEL_ARCSEC, "rms": 1e-4}


def covariance(major: float, minor: float, angle_deg: float) -> np.ndarray:
    """Return the matrix of an ellipse in (west, north), from its axes and position angle."""
    along = np.array([-np.sin(np.deg2rad(angle_deg)), np.cos(np.deg2rad(angle_deg))])
    across = np.array([along[1], -along[0]])
    return major**2 * np.outer(along, along) + minor**2 * np.outer(across, across)


def sky_mjy() -> np.ndarray:
    """Return the two sources in noise, mJy/beam."""
    north, west = np.indices((SIZE_PX, SIZE_PX)) - (SIZE_PX - 1) / 2
    noise = gaussian_filter(np.random.default_rng(5).normal(size=north.shape), 2.1)
    image = noise * RMS_MJY / noise.std()
    beam = covariance(BEAM.major_arcsec, BEAM.minor_arcsec, BEAM.angle_deg)
    for x, y, flux, *ellipse in (POINT, EXTENDED):
        wide = beam + covariance(*ellipse)
        offsets = PIXEL_ARCSEC * np.stack([west - x, north - y])
        squared = np.einsum("iyx,ij,jyx->yx", offsets, np.linalg.inv(wide), offsets)
        image += flux * np.sqrt(np.linalg.det(beam) / np.linalg.det(wide)) * 0.5 ** (4 * squared)
    return image


def measured(
    folder: Path,
    unit: str | None,
    scale: float,
    *,
    cards: dict[str, float],
    history: str = "",
    description: Mapping[str, Any] = MappingProxyType({}),
) -> pd.DataFrame:
    """Return the sources of an image in a unit (BUNIT), the point source first."""
    header = image_header(*PLACE, size_px=SIZE_PX, scale_arcsec=PIXEL_ARCSEC, **cards)
    del header["BLANK"], header["BUNIT"]
    if unit is not None:
        header["BUNIT"] = unit
    if history:
        header.add_history(history)
    fits.writeto(folder / "image.fits", (scale * sky_mjy()).astype(np.float32), header)
    survey = described_survey("MINE", "radio", USUAL | {"frequency_hz": FREQUENCY_HZ} | dict(description))
    cutout, sources = measured_components(folder, survey, *PLACE, FRAME)
    assert cutout.flags == 0 and len(sources) == 2
    return sources.sort_values("integrated_flux", ignore_index=True)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return the sources of the image in Jy/beam with its beam in cards, which are as they were drawn."""
    sources = measured(tmp_path_factory.mktemp("usual"), "Jy/beam", 1e-3, cards=CARDS)
    assert sources["unresolved"].tolist() == [True, False]
    assert sources["integrated_flux"].tolist() == pytest.approx([20.0, 60.0], rel=0.02)
    assert sources["peak_flux"][0] == pytest.approx(20.0, rel=0.02)
    assert sources["local_rms"].tolist() == pytest.approx([0.1, 0.1], rel=0.1)
    return sources


@pytest.mark.parametrize("history", ["", CLEAN])
@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_and_the_place_of_the_beam_do_not_matter(
    tmp_path: Path, usual: pd.DataFrame, unit: str, history: str
) -> None:
    found = measured(tmp_path, unit, UNITS[unit], cards={} if history else CARDS, history=history)
    for column in ("integrated_flux", "integrated_flux_err", "peak_flux", "local_rms"):
        # HISTORY rounds the beam to five digits.
        np.testing.assert_allclose(found[column], usual[column], rtol=1e-4)


@pytest.mark.parametrize("unit", UNITS)
def test_what_the_header_does_not_state_is_described(tmp_path: Path, usual: pd.DataFrame, unit: str) -> None:
    scale = UNITS[unit]
    own = {"beam_arcsec": (15.0, 10.0, 35.0), "unit": unit, "rms": scale * RMS_MJY}
    found = measured(tmp_path, None, scale, cards={}, description=own)
    np.testing.assert_allclose(found["integrated_flux"], usual["integrated_flux"], rtol=1e-4)
    np.testing.assert_allclose(found["local_rms"], usual["local_rms"], rtol=1e-4)
