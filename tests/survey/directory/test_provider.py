"""Images found in a folder by their WCS, and the reasons for missing ones."""

import gzip
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import FK4, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sky_images import FRAME, image_header, open_odd, positions, sky_pixels, write_image

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.errors import ConfigError
from claran_core.common.flags import Flag
from claran_core.common.reprojection import reproject
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.regular import regular_image
from claran_core.survey.surveys import SURVEYS, Survey

FIRST = SURVEYS["FIRST"]
TARGET = (30.0, 10.0)
WIDTH = FRAME.width_arcsec


def cut(
    folder: Path,
    ra_deg: float = TARGET[0],
    dec_deg: float = TARGET[1],
    *,
    width: float = WIDTH,
    survey: Survey = FIRST,
) -> Any:
    return DirectoryProvider(survey, folder).cutout("subject", ra_deg, dec_deg, width)


def assert_shows(cutout: Cutout | NoImage, ra_deg: float = TARGET[0], dec_deg: float = TARGET[1]) -> None:
    """The cut-out holds, all over the frame, the values that belong to these places on the sky."""
    assert isinstance(cutout, Cutout), cutout
    image = reproject(cutout, FRAME, ra_deg, dec_deg)
    # 0.2 is 1/185 pixel in x and 1/500 in y; NCP bends enough to need that much.
    np.testing.assert_allclose(image, positions(), atol=0.2)


@pytest.mark.parametrize("projection", ["TAN", "SIN", "NCP", "ARC", "STG"])
@pytest.mark.parametrize("position", [(30.0, 45.0), (0.0, 10.0), (359.9999, -60.0), (120.0, 89.9)])
def test_projections(tmp_path: Path, projection: str, position: tuple[float, float]) -> None:
    write_image(tmp_path / "a.fits", *position, projection=projection)
    assert_shows(cut(tmp_path, *position), *position)


@pytest.mark.parametrize("dec", [90.0, -90.0, 89.999])
def test_poles(tmp_path: Path, dec: float) -> None:
    write_image(tmp_path / "a.fits", 77.0, dec, target=(200.0, dec))
    assert_shows(cut(tmp_path, 200.0, dec), 200.0, dec)


@given(
    st.floats(0, 359.999),
    st.floats(-89.5, 89.5),
    st.floats(-60, 60),
    st.floats(-60, 60),
    st.sampled_from("ab"),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_target_anywhere_in_an_image_anywhere(
    tmp_path_factory: pytest.TempPathFactory, ra: float, dec: float, east: float, north: float, _name: str
) -> None:
    folder = tmp_path_factory.mktemp("sky")
    centre = SkyCoord(ra * u.deg, dec * u.deg)
    target = centre.spherical_offsets_by(east * u.arcsec, north * u.arcsec)
    place = (float(target.ra.deg) % 360, float(target.dec.deg))
    write_image(folder / "a.fits", ra, dec, size_px=130, target=place)
    assert_shows(cut(folder, *place), *place)


def test_a_target_beside_ra_zero_in_an_image_on_the_other_side(tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits", 359.99, 10.0, size_px=200, target=(0.01, 10.0))
    assert_shows(cut(tmp_path, 0.01, 10.0), 0.01, 10.0)


def test_fk4_images_are_precessed(tmp_path: Path) -> None:
    old = SkyCoord(*TARGET, unit="deg").transform_to(FK4(equinox="B1950"))
    assert abs(old.ra.deg - TARGET[0]) > 0.5
    options = {"RADESYS": "FK4", "EQUINOX": 1950.0, "target": TARGET}
    write_image(tmp_path / "a.fits", old.ra.deg, old.dec.deg, **options)
    assert_shows(cut(tmp_path))


def test_galactic_images(tmp_path: Path) -> None:
    place = SkyCoord(*TARGET, unit="deg").galactic
    cards = {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRVAL2": 0.0}
    header = image_header(place.l.deg, place.b.deg, size_px=120, **cards)
    header["CRPIX2"] = 60.5 - place.b.deg / header["CDELT2"]
    del header["EQUINOX"]
    data = sky_pixels(header, (120, 120), *TARGET)
    fits.PrimaryHDU(data, header).writeto(tmp_path / "a.fits", output_verify="ignore")
    assert_shows(cut(tmp_path))


def test_degenerate_axes_and_extensions(tmp_path: Path) -> None:
    header = image_header(*TARGET)
    data = sky_pixels(header, (80, 80), *TARGET)
    header.update({"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CTYPE4": "STOKES", "CRVAL4": 1.0})
    image = fits.ImageHDU(data[None, None], header)
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1])])
    beam = fits.ImageHDU(np.ones((5, 5), np.float32), name="BEAM")
    hdus = fits.HDUList([fits.PrimaryHDU(), table, beam, image])
    hdus.writeto(tmp_path / "a.fits", output_verify="ignore")
    source = DirectoryProvider(FIRST, tmp_path)
    cutout = source.cutout("subject", *TARGET, WIDTH)
    assert_shows(cutout)
    assert cutout.origin == "a.fits[3]" and not source.index.rows["reason"].any()


def test_header_axes_without_data_axes(tmp_path: Path) -> None:
    cards = {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CDELT3": 1.0, "CRPIX3": 1.0}
    write_image(tmp_path / "a.fits", *TARGET, **cards)
    assert_shows(cut(tmp_path))


def test_latitude_as_the_first_axis(tmp_path: Path) -> None:
    header = image_header(*TARGET)
    data = sky_pixels(header, (80, 80), *TARGET)
    for key in ("CTYPE", "CRVAL", "CRPIX", "CDELT"):
        header[f"{key}1"], header[f"{key}2"] = header[f"{key}2"], header[f"{key}1"]
    fits.PrimaryHDU(np.ascontiguousarray(data[:, :70].T), header).writeto(
        tmp_path / "a.fits", output_verify="ignore"
    )
    assert_shows(cut(tmp_path))


def test_compressed_files(tmp_path: Path) -> None:
    plain = write_image(tmp_path / "plain.fits")
    for folder in ("tiles", "gz"):
        (tmp_path / folder).mkdir()
    with open_odd(plain) as hdus:
        tiles = fits.CompImageHDU(hdus[0].data, hdus[0].header, quantize_level=0, compression_type="GZIP_1")
        tiles.writeto(tmp_path / "tiles" / "a.fits.fz", output_verify="ignore")
    (tmp_path / "gz" / "a.fits.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert_shows(cut(tmp_path / "gz"))
    assert_shows(cut(tmp_path / "tiles"))


def test_scaled_integers_with_blanks(tmp_path: Path) -> None:
    header = image_header(*TARGET)
    header.update({"BLANK": -32768, "BSCALE": 0.5, "BZERO": 10.0})
    stored = np.round((sky_pixels(header, (80, 80), *TARGET) - 10) / 0.5).astype(">i2")
    stored[:30] = -32768
    image = fits.PrimaryHDU(stored)
    image.header.update(header)
    image.writeto(tmp_path / "a.fits", output_verify="ignore")
    shown = reproject(cut(tmp_path), FRAME, *TARGET)
    # Rows 0 to 29 of 80 are blank: the lowest 10 of the frame's 40, and what interpolation draws from them.
    assert np.isnan(shown[-10:]).all() and np.isfinite(shown[:-11]).all()
    np.testing.assert_allclose(shown[:-11], positions()[:-11], atol=0.5)


def blank_left(data: np.ndarray) -> None:
    data[:, :40] = np.nan


def test_the_best_covered_of_overlapping_images_wins(tmp_path: Path) -> None:
    write_image(tmp_path / "a_half.fits", change=blank_left)
    shifted = TARGET[0] - 30 * 1.8 / 3600, TARGET[1]
    write_image(tmp_path / "b_whole.fits", *shifted, size_px=120, target=TARGET)
    write_image(tmp_path / "c_partly.fits", TARGET[0] - 0.02, TARGET[1], target=TARGET)
    cutout = cut(tmp_path)
    assert cutout.origin == "b_whole.fits"
    assert_shows(cutout)


def test_of_equals_the_finer_then_the_nearer_then_the_first_by_name_wins(tmp_path: Path) -> None:
    write_image(tmp_path / "d_coarser.fits", scale_arcsec=2.0)
    far = TARGET[0], TARGET[1] + 0.003
    write_image(tmp_path / "a_far.fits", *far, target=TARGET, scale_arcsec=1.80001)
    assert cut(tmp_path).origin == "a_far.fits"
    write_image(tmp_path / "c_near.fits")
    assert cut(tmp_path).origin == "c_near.fits"
    write_image(tmp_path / "b_near.fits")
    assert cut(tmp_path).origin == "b_near.fits"
    write_image(tmp_path / "e_finer.fits", scale_arcsec=1.5)
    assert cut(tmp_path).origin == "e_finer.fits"


def test_a_window_is_all_that_interpolation_needs_and_little_more(tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits", size_px=400)
    data = cut(tmp_path).data
    assert max(data.shape) <= FRAME.size_px + 10
    with open_odd(tmp_path / "a.fits") as hdus:
        whole = Cutout(*regular_image(hdus[0].data.astype(np.float32), WCS(hdus[0].header)), "a.fits")
    np.testing.assert_array_equal(reproject(cut(tmp_path), FRAME, *TARGET), reproject(whole, FRAME, *TARGET))


def test_outside_all_images(tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits")
    answer = cut(tmp_path, 210.0, -10.0)
    assert answer == NoImage("no_coverage", f"no image in {tmp_path} covers it")


def test_only_blank_pixels_are_no_coverage(tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits", change=lambda data: data.fill(np.nan))
    assert cut(tmp_path) == NoImage("no_coverage", "a.fits has only blank pixels there")


def test_unreadable_files_do_not_matter_where_a_good_one_covers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_image(tmp_path / "good.fits")
    (tmp_path / "empty.fits").write_bytes(b"")
    (tmp_path / "text.fits").write_text("not FITS at all\n" * 300)
    with caplog.at_level(logging.WARNING, "claran_core"):
        source = DirectoryProvider(FIRST, tmp_path)
        assert_shows(source.cutout("subject", *TARGET, WIDTH))
        source.cutout("subject", *TARGET, WIDTH)
    assert sorted(record.getMessage().split(": left out")[0] for record in caplog.records) == [
        str(tmp_path / "empty.fits"),
        str(tmp_path / "text.fits"),
    ]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_file_that_covers_the_subject_is_named(tmp_path: Path, compressed: bool) -> None:
    name = "a.fits.gz" if compressed else "a.fits"
    whole = write_image(tmp_path / "whole" / "a.fits").read_bytes()
    whole = gzip.compress(whole, mtime=0) if compressed else whole
    folder = tmp_path / "cut"
    folder.mkdir()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    answer = cut(folder)
    assert answer.status == "failed" and name in answer.reason
    elsewhere = cut(folder, 210.0, -10.0)
    # The header of the plain file says where it is not; a damaged compressed one may say nothing.
    assert elsewhere.status == "no_coverage" or compressed


def test_a_truncated_file_beside_a_good_one(tmp_path: Path) -> None:
    data = write_image(tmp_path / "a.fits").read_bytes()
    (tmp_path / "a.fits").write_bytes(data[:-4000])
    write_image(tmp_path / "b.fits")
    assert cut(tmp_path).origin == "b.fits"


def test_missing_padding_at_the_end_is_accepted(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.fits")
    with open_odd(path) as hdus:
        end = hdus[0].fileinfo()["datLoc"] + 80 * 80 * 4
    path.write_bytes(path.read_bytes()[:end])
    assert_shows(cut(tmp_path))


def test_a_file_that_vanishes_after_the_scan_fails_with_its_name(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.fits")
    source = DirectoryProvider(FIRST, tmp_path)
    path.unlink()
    answer = source.cutout("subject", *TARGET, WIDTH)
    assert answer.status == "failed" and "a.fits" in answer.reason


def test_a_file_without_a_known_position_makes_uncovered_subjects_fail(tmp_path: Path) -> None:
    fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1])]).writeto(tmp_path / "table.fits")
    fits.PrimaryHDU(np.zeros((9, 9))).writeto(tmp_path / "thumb.fits")
    answer = cut(tmp_path)
    assert answer == NoImage(
        "failed",
        "no readable image covers it; cannot read table.fits: it holds no image "
        "(if it is not an image of the survey, exclude it with survey.radio.pattern), and 1 more",
    )
    with_pattern = DirectoryProvider(
        FIRST, write_image(tmp_path / "good_1.fits").parent, pattern="good_*.fits"
    )
    assert with_pattern.cutout("subject", 99.0, 9.0, WIDTH).status == "no_coverage"


def test_a_cube_of_several_planes_fails(tmp_path: Path) -> None:
    header = image_header(*TARGET)
    header.update({"CTYPE3": "FREQ", "CRVAL3": 1.4e9})
    fits.PrimaryHDU(np.zeros((3, 80, 80), np.float32), header).writeto(
        tmp_path / "a.fits", output_verify="ignore"
    )
    answer = cut(tmp_path)
    assert answer.status == "failed" and "a cube of 3 planes" in answer.reason
    assert cut(tmp_path, 210.0, 0.0).status == "no_coverage"


def noise(rms: float) -> Callable[[np.ndarray], None]:
    def change(data: np.ndarray) -> None:
        data[:] = np.random.default_rng(1).normal(0, rms, data.shape)

    return change


@pytest.mark.parametrize(
    ("unit", "rms", "expected"),
    [
        ("JY/BEAM", FIRST.rms, Flag(0)),
        ("Jy/beam", FIRST.rms * 20, Flag(0)),
        ("Jy/beam", FIRST.rms * 1000, Flag.SUSPECT_UNIT),
        ("Jy/beam", FIRST.rms / 1000, Flag.SUSPECT_UNIT),
        ("mJy/beam", FIRST.rms * 1000, Flag(0)),
    ],
)
def test_units_that_do_not_fit_are_flagged(tmp_path: Path, unit: str, rms: float, expected: Flag) -> None:
    write_image(tmp_path / "a.fits", BUNIT=unit, change=noise(rms))
    assert cut(tmp_path).flags == expected


def test_a_spectral_index_without_a_unit_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits", BUNIT="", change=noise(1.2))
    answer = cut(tmp_path)
    assert answer.status == "failed"
    assert "a.fits, which covers it: it states no unit (BUNIT), and its noise of 1." in answer.reason


def test_units_are_converted(tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits", BUNIT="mJy/beam", change=noise(0.156))
    sigma = np.std(cut(tmp_path).data)
    assert sigma == pytest.approx(1.56e-4, rel=0.1)


def test_pixels_wider_than_the_beam_are_flagged(tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits", scale_arcsec=5.5, change=noise(FIRST.rms))
    assert cut(tmp_path).flags == Flag.COARSE_PIXELS


def test_folders_without_images_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"survey\.radio\.path: no folder .*nowhere"):
        DirectoryProvider(FIRST, tmp_path / "nowhere")
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"survey\.infrared\.path: no file in .* matches"):
        DirectoryProvider(SURVEYS["WISE_W1"], tmp_path)


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    write_image(tmp_path / "archive" / "deep" / "a.fits")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "linked").symlink_to(tmp_path / "archive")
    assert cut(tmp_path / "run").origin == "linked/deep/a.fits"


@pytest.mark.data
def test_fields_as_mosaics_hold_several_subjects(shared_data: Path) -> None:
    source = DirectoryProvider(FIRST, shared_data / "wide")
    places = [(215.319583, 43.188333), (215.375, 43.225), (239.426667, 35.513056)]
    cutouts = [source.cutout("subject", *place, 181.5) for place in places]
    assert [cutout.origin[:11] for cutout in cutouts] == ["100_215.326", "100_215.326", "110_239.427"]
    assert all(cutout.flags == 0 for cutout in cutouts)


@pytest.mark.data
def test_bright_3c192_is_no_unit_error_but_atlas_is(shared_data: Path) -> None:
    source = DirectoryProvider(FIRST, shared_data / "hostile")
    assert source.cutout("3C192", 121.395827, 24.163995, 181.5).flags == Flag(0)
    # Its beam is 12 x 6 arcsec.
    expected = Flag.SUSPECT_UNIT | Flag.BEAM_DIFFERS
    assert source.cutout("ATLAS", 8.276555, -43.175087, 181.5).flags == expected
