"""Images of the simulated sky in any described survey."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from claran_core.common.cutout import Cutout
from claran_core.common.noise import noise_sigma
from claran_core.simulation.geometry import TileWindow
from claran_core.simulation.mosaic import mosaic_window, write_mosaic
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.survey_image import frame_of, grid_of, survey_noise
from claran_core.survey.description import described_survey
from claran_core.survey.surveys import SURVEYS

SEED = 20181031
OWN = {
    "beam_arcsec": (15.0, 9.0, 40.0),
    "pixel_scale_arcsec": 2.5,
    "rms": 2e-5,
    "frequency_hz": 6.1e8,
    "dynamic_range": 2000.0,
}
MINE = described_survey("MINE", "radio", OWN)
WINDOW = TileWindow(1000, 900, 500, 500)
OTHERS = [*(name for name in SURVEYS if SURVEYS[name].band == "radio" and name != "FIRST"), "MINE"]


def sky_of(name: str) -> SimulatedProvider:
    return SimulatedProvider(MINE if name == "MINE" else SURVEYS[name], seed=SEED)


@pytest.mark.parametrize("name", OTHERS)
def test_images_have_the_beam_pixels_and_noise_of_the_survey(name: str) -> None:
    sky = sky_of(name)
    survey, width_arcsec = sky.survey, frame_of(sky.survey).width_arcsec
    cutout = sky.cutout("x", 161.236, 24.5533, width_arcsec)
    assert isinstance(cutout, Cutout) and cutout.beam == survey.beam
    assert cutout.pixel_scale_arcsec == pytest.approx(survey.pixel_scale_arcsec, rel=1e-3)
    assert np.isfinite(cutout.data).all() and cutout.data.shape[0] * survey.pixel_scale_arcsec >= width_arcsec
    # Its level varies by tiles as FIRST's does, and faint sources add to it.
    assert 0.7 < noise_sigma(cutout.data) / survey.rms < 1.7


@pytest.mark.parametrize("name", ["LOTSS", "MINE"])
def test_a_pixel_is_the_same_in_all_windows(name: str) -> None:
    sky = sky_of(name)
    tile, wide = mosaic_window(sky, 150.0, 20.0, 150)
    part = wide.grown(-40, -55)
    own, _ = wide.overlap(part)
    np.testing.assert_array_equal(sky.render(tile, wide)[own], sky.render(tile, part))


def test_the_brightest_source_has_its_flux_density_and_place() -> None:
    """The image minus that of the same survey without noise is noise: truth and image are one."""
    sky = sky_of("MINE")
    width = frame_of(MINE).width_arcsec
    cutout, sources = sky.cutout("x", 161.236, 24.5533, width), sky.truth(161.236, 24.5533, width)
    assert isinstance(cutout, Cutout) and sources
    rest = cutout.data - np.sum([one.image for one in sources], axis=0)
    assert np.abs(rest).max() < 0.2 * cutout.data.max()
    assert noise_sigma(rest) <= noise_sigma(cutout.data)


@pytest.mark.parametrize("parts", [(), ((0.7, 14.0), (0.3, 45.0))])
def test_the_noise_has_the_stated_correlation(parts: tuple[tuple[float, float], ...]) -> None:
    survey = replace(MINE, noise_correlation=parts, beam_axis_ratio=1.0, beam_angle_deg=0.0)
    tile = grid_of(survey).tile_at(150.0, 20.0)
    noise = survey_noise(survey, SEED, tile, WINDOW)
    assert noise.std() == pytest.approx(1.0, abs=0.02)
    for lag in (1, 2, 4, 8):
        found = np.mean(noise[:, lag:] * noise[:, :-lag])
        gaussians = parts or ((1.0, np.sqrt(2) * survey.beam_arcsec),)
        stated = sum(weight * 0.5 ** ((2 * lag * 2.5 / fwhm) ** 2) for weight, fwhm in gaussians)
        assert found == pytest.approx(stated, abs=0.03)


def test_the_noise_of_an_elliptical_beam_is_elongated_like_it() -> None:
    tile = grid_of(MINE).tile_at(150.0, 20.0)
    noise = survey_noise(MINE, SEED, tile, WINDOW)
    # Position angle 40 deg: towards north and east, which is to the upper left in FITS order.
    along, across = np.mean(noise[4:, :-3] * noise[:-4, 3:]), np.mean(noise[4:, 3:] * noise[:-4, :-3])
    correlation = [0.5 ** (12.5**2 * 2 / np.square(fwhm)) for fwhm in (15.0, 9.0)]
    assert along == pytest.approx(correlation[0], abs=0.04) and across < along - 0.2


def test_tiles_have_as_many_beams_as_those_of_first() -> None:
    for name in OTHERS:
        grid, survey = grid_of(sky_of(name).survey), sky_of(name).survey
        assert 0.6 < 128 / grid.nside / (survey.beam_arcsec / 5.4) < 1.5
        # Frames at eight times the width are within the tile.
        assert grid.overlap_arcsec >= 0.5 * np.sqrt(2) * 8 * frame_of(survey).width_arcsec * 0.7


def test_the_frame_has_the_pixels_per_beam_of_first() -> None:
    assert frame_of(SURVEYS["EMU"]).pixel_scale_arcsec == pytest.approx(3.8194, abs=1e-4)
    assert frame_of(SURVEYS["FIRST"]).pixel_scale_arcsec == 1.375


def test_a_mosaic_states_the_beam_and_the_frequency(tmp_path: Path) -> None:
    write_mosaic(tmp_path / "m.fits", sky_of("MINE"), 150.0, 20.0, 60)
    header = fits.getheader(tmp_path / "m.fits")
    axes = [3600 * header["BMAJ"], 3600 * header["BMIN"], header["BPA"]]
    assert axes == pytest.approx([15.0, 9.0, 40.0])
    assert (header["RESTFRQ"], header["SURVEY"], header["BUNIT"]) == (6.1e8, "MINE", "Jy/beam")


# Pixels of the sky of this seed around 161.236 +24.5533 before other surveys could be described.
FIRST_PIXELS = (
    -4.351004463387653e-05,
    1.5431185602210462e-05,
    -0.00021773714979644865,
    0.00017827600822784007,
)
W1_PIXELS = (3.799217700958252, 3.9620699882507324, 3.858365297317505, 3.938059091567993)


@pytest.mark.parametrize(("name", "pixels"), [("FIRST", FIRST_PIXELS), ("WISE_W1", W1_PIXELS)])
def test_first_and_w1_are_as_they_were(name: str, pixels: tuple[float, ...]) -> None:
    """Digits that differ between processors are left out; on one machine all bytes are equal."""
    cutout = SimulatedProvider(SURVEYS[name], seed=SEED).cutout("x", 161.236, 24.5533, 181.5)
    assert isinstance(cutout, Cutout)
    assert cutout.data[48::6, 50::9].ravel()[:4] == pytest.approx(pixels, rel=1e-5, abs=1e-9)
