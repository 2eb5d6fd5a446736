"""What the images of a folder say of their pixels: missing ones, absurd ones, beams, backgrounds, damage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import gaussian_filter
from sky_images import FRAME, image_header, write_pixels

from claran_core.common.cutout import Beam, Cutout, NoImage
from claran_core.common.flags import Flag
from claran_core.survey.coverage import coverage_of
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]
RA, DEC = 30.0, 10.0


def sky() -> np.ndarray:
    """Return noise of FIRST."""
    noise = gaussian_filter(np.random.default_rng(8).normal(size=(80, 80)), 1.3)
    return (noise * FIRST.rms / noise.std()).astype(np.float32)


def cut(folder: Path) -> Cutout | NoImage:
    return DirectoryProvider(FIRST, folder).cutout("subject", RA, DEC, FRAME.width_arcsec)


def test_zeros_are_no_data_for_the_choice_between_images(tmp_path: Path) -> None:
    blank = sky()
    blank[15:] = 0.0
    write_pixels(tmp_path / "near.fits", blank)
    write_pixels(tmp_path / "far.fits", sky(), place=(RA, DEC + 15 * 1.8 / 3600))
    found = cut(tmp_path)
    assert isinstance(found, Cutout) and found.origin == "far.fits"


def test_the_coverage_does_not_count_zeros(tmp_path: Path) -> None:
    half = sky()
    half[:, :40] = 0.0
    write_pixels(tmp_path / "a.fits", half)
    found = cut(tmp_path)
    assert isinstance(found, Cutout)
    assert coverage_of(found, FRAME, RA, DEC) == pytest.approx(0.5, abs=0.03)


def test_an_absurd_pixel_is_masked_and_flagged(tmp_path: Path) -> None:
    data = sky()
    data[33, 44] = 3e7
    write_pixels(tmp_path / "a.fits", data)
    found = cut(tmp_path)
    assert isinstance(found, Cutout) and found.flags == Flag.PIXELS_MASKED
    assert np.nanmax(found.data) < 1


@pytest.mark.parametrize(("major", "flags"), [(6.4, Flag(0)), (15.0, Flag.BEAM_DIFFERS)])
def test_the_beam_of_the_image(tmp_path: Path, major: float, flags: Flag) -> None:
    write_pixels(tmp_path / "a.fits", sky(), BMAJ=major / 3600, BMIN=5.4 / 3600, BPA=12.0)
    found = cut(tmp_path)
    assert isinstance(found, Cutout) and found.flags == flags
    assert found.beam is not None and vars(found.beam) == pytest.approx(vars(Beam(major, 5.4, 12.0)))


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"CDELT1": -5e-14}, "CDELT1 = -5e-14"),
        ({"CRVAL2": "NaN"}, "CRVAL2 = 'NaN'"),
        ({"CRPIX1": "1e"}, "CRPIX1 = '1e'"),
        ({"BSCALE": 0.0}, "BSCALE = 0.0"),
    ],
)
def test_damage_is_failed_and_never_outside(tmp_path: Path, cards: dict[str, Any], reason: str) -> None:
    hdu = fits.PrimaryHDU(sky(), image_header(RA, DEC))
    hdu.header.update(cards)
    hdu.writeto(tmp_path / "a.fits", output_verify="ignore")
    found = cut(tmp_path)
    assert isinstance(found, NoImage) and found.status == "failed"
    assert "a.fits" in found.reason and reason in found.reason


def test_a_background_is_failed(tmp_path: Path) -> None:
    write_pixels(tmp_path / "a.fits", sky() + np.float32(0.01))
    found = cut(tmp_path)
    assert (
        isinstance(found, NoImage) and found.status == "failed" and "subtract the background" in found.reason
    )
