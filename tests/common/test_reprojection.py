"""Resampling to the frame of a subject, compared with `reproject_interp`."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from reproject import reproject_interp

from claran_core.common import reprojection
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame, flip_rows
from claran_core.common.noise import noise_sigma
from claran_core.common.reprojection import reproject
from claran_core.survey.regular import astropy_wcs, regular_image


def both(cutout: Cutout, wcs: WCS, frame: Frame, ra: float, dec: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the image of `reproject` and that of `reproject_interp` with the file's own system."""
    ours = reproject(cutout, frame, ra, dec)
    theirs, _ = reproject_interp((cutout.data, wcs), astropy_wcs(frame.wcs(ra, dec)), shape_out=ours.shape)
    return ours, flip_rows(theirs)


def made(
    projection: str,
    radesys: str,
    crval: list[float],
    shape: tuple[int, int] = (130, 120),
    rotation_deg: float = 7.0,
) -> tuple[Cutout, WCS]:
    """Return a cut-out of noise in a projection, and its system as in a file."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = crval, [40.0, -30.0], [-5e-4, 5e-4]
    c, s = np.cos(np.deg2rad(rotation_deg)), np.sin(np.deg2rad(rotation_deg))
    wcs.wcs.pc, wcs.wcs.radesys = [[c, -s], [s, c]], radesys
    data = np.random.default_rng(1).normal(0, 1, shape).astype(np.float32)
    data[60:63, 50:55] = 300.0
    data[:8] = np.nan
    data[100, 20] = np.nan
    return Cutout(*regular_image(data, wcs), "made"), wcs


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
@pytest.mark.parametrize("radesys", ["ICRS", "FK5"])
@pytest.mark.parametrize("crval", [(0.01, 0.0), (200.0, 45.0), (10.0, 89.99), (350.0, -89.0)])
@pytest.mark.parametrize("size_px", [132, 45])
def test_equals_reproject_interp(projection: str, radesys: str, crval: list[float], size_px: int) -> None:
    cutout, wcs = made(projection, radesys, crval)
    ra, dec = cutout.wcs.pixels_to_sky(60, 65)
    ours, theirs = both(cutout, wcs, Frame(size_px=size_px), float(ra), float(dec))
    assert np.array_equal(np.isfinite(ours), np.isfinite(theirs))
    # 1e-3 of the noise, where no pixel differs from its neighbour by more than a few hundred sigma.
    np.testing.assert_allclose(ours, theirs, atol=1e-4, equal_nan=True)


def test_cutout_outside_the_frame_gives_a_blank_image() -> None:
    image = reproject(made("TAN", "ICRS", (200.0, 45.0))[0], Frame(), 20.0, -45.0)
    assert image.shape == (132, 132) and np.isnan(image).all() and image.dtype == np.float32


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
def test_frames_of_any_width_and_pixel_scale(projection: str) -> None:
    cutout, wcs = made(projection, "ICRS", [200.0, 45.0])
    ra, dec = (float(value) for value in cutout.wcs.pixels_to_sky(60, 65))
    for frame in (Frame(300, 0.4), Frame(66, 11.0), Frame(40, 600.0)):
        ours, theirs = both(cutout, wcs, frame, ra, dec)
        assert np.array_equal(np.isfinite(ours), np.isfinite(theirs))
        np.testing.assert_allclose(ours, theirs, atol=1e-4, equal_nan=True)


def test_positions_half_a_pixel_outside_the_outermost_centres_are_inside() -> None:
    frame = Frame(20, 1.0)
    data = np.arange(100, dtype=np.float32).reshape(10, 10)
    image = reproject(Cutout(data, Frame(10, 1.0).wcs(30.0, 40.0), "made"), frame, 30.0, 40.0)
    assert np.isfinite(image).sum() == 100  # the frame's pixels are those of the cut-out
    finer = reproject(Cutout(data, Frame(10, 1.0).wcs(30.0, 40.0), "made"), Frame(24, 0.5), 30.0, 40.0)
    shown = finer[2:-2, 2:-2]
    assert np.isfinite(shown).all() and np.isnan(finer[1]).all() and np.isnan(finer[:, -2]).all()
    assert shown[-1, 0] == pytest.approx(0.0, abs=1e-6) and shown[0, -1] == pytest.approx(99.0)


def test_pixels_of_a_read_only_map_give_the_same_image() -> None:
    cutout, _ = made("SIN", "ICRS", [200.0, 45.0])
    ra, dec = (float(value) for value in cutout.wcs.pixels_to_sky(60, 65))
    image = reproject(cutout, Frame(), ra, dec)
    cutout.data.flags.writeable = False
    assert np.array_equal(reproject(cutout, Frame(), ra, dec), image, equal_nan=True)


@pytest.mark.parametrize("projection", ["TAN", "SIN"])
def test_compiled_functions_give_the_results_of_the_written_ones(
    projection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cutout, _ = made(projection, "ICRS", [200.0, 45.0])
    ra, dec = (float(value) for value in cutout.wcs.pixels_to_sky(60, 65))
    image = reproject(cutout, Frame(45), ra, dec)
    for name in ("_sampled", "_interpolate"):
        monkeypatch.setattr(reprojection, name, getattr(reprojection, name).py_func)
    np.testing.assert_allclose(reproject(cutout, Frame(45), ra, dec), image, rtol=1e-6, atol=1e-6)


def test_orientation() -> None:
    frame = Frame()
    wcs = frame.wcs(30.0, 0.0)
    data = np.zeros((132, 132), np.float32)
    data[131, 0] = 1.0  # FITS: last row is north, first column east
    image = reproject(Cutout(data, wcs, "made"), frame, 30.0, 0.0)
    assert image[0, 0] == pytest.approx(1.0, abs=1e-6) and image.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
def test_equals_reproject_interp_on_real_images(shared_data: Path) -> None:
    files = sorted((shared_data / "pairs").glob("*/*.fits"))
    assert len(files) == 12
    for path in files:
        with fits.open(path) as hdus:
            data, wcs = hdus[0].data.squeeze().astype(np.float32), WCS(hdus[0].header).celestial
        cutout = Cutout(*regular_image(data, wcs), path.name)
        ra, dec = (float(value) for value in cutout.wcs.pixels_to_sky(*(np.array(data.shape[::-1]) / 2)))
        ours, theirs = both(cutout, wcs, Frame(), ra, dec)
        assert np.array_equal(np.isfinite(ours), np.isfinite(theirs)), path.name
        assert np.nanmax(np.abs(ours - theirs)) < 1e-3 * noise_sigma(cutout.data), path.name
