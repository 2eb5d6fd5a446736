"""Verification of answers: completeness, requested position, unit and beam of the survey."""

import gzip
import hashlib
import io
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sky_images import FRAME, image_header, positions, sky_pixels

from claran_core.common.cutout import Beam, Cutout, NoImage
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.reprojection import reproject
from claran_core.survey.archive.http import Answer
from claran_core.survey.archive.outcomes import Doubtful, Fault
from claran_core.survey.archive.services import SERVICES
from claran_core.survey.archive.verify import ImageReader
from claran_core.survey.celestial import pixels_to_sky
from claran_core.survey.description import described_survey
from claran_core.survey.fits_image import quiet_astropy, scan_file
from claran_core.survey.surveys import SURVEYS, Survey

FIRST, WISE = SURVEYS["FIRST"], SURVEYS["WISE_W1"]
RA, DEC, WIDTH = 30.0, 10.0, 72.0
NOISE = (np.random.default_rng(1).standard_normal((60, 60)) * FIRST.rms).astype(np.float32)


def answer(content: bytes) -> Answer:
    return Answer(content, "http://x", hashlib.sha256(content).hexdigest(), "2026-01-01T00:00:00+00:00")


def fits_bytes(data: np.ndarray = NOISE, ra: float = RA, dec: float = DEC, **cards: Any) -> bytes:
    header = image_header(ra, dec, size_px=data.shape[-1], **cards)
    buffer = io.BytesIO()
    with quiet_astropy():
        fits.PrimaryHDU(data, header).writeto(buffer, output_verify="ignore")
    return buffer.getvalue()


def read(content: bytes, *, service: str = "first", survey: Survey = FIRST, **options: Any) -> Any:
    return ImageReader(SERVICES[service], survey, RA, DEC, WIDTH, **options)(answer(content))


def test_a_valid_image_becomes_a_cutout_with_provenance() -> None:
    content = fits_bytes()
    cutout = read(content)
    assert isinstance(cutout, Cutout) and not cutout.flags and cutout.origin == "first"
    assert cutout.provenance.sha256 == hashlib.sha256(content).hexdigest()
    assert (cutout.provenance.service, cutout.provenance.url) == ("first", "http://x")
    # The window that the subject needs, with pixels as they were.
    frame = Frame(size_px=40, pixel_scale_arcsec=1.8)
    assert np.isfinite(reproject(cutout, frame, RA, DEC)).all()
    assert cutout.data.shape[0] < 60 and np.isin(cutout.data, NOISE).all()


def test_first_images_have_four_axes_in_their_header_and_two_in_their_pixels() -> None:
    header = image_header(RA, DEC, size_px=60, projection="SIN", BMAJ=1.5e-3, BMIN=1.5e-3)
    for axis, name in ((3, "FREQ"), (4, "STOKES")):
        header.update({f"CTYPE{axis}": name, f"CRVAL{axis}": 1.0, f"CDELT{axis}": 1.0, f"CRPIX{axis}": 1.0})
    buffer = io.BytesIO()
    with quiet_astropy():
        fits.PrimaryHDU(NOISE, header).writeto(buffer, output_verify="ignore")
    # Nor is their last block filled.
    content = buffer.getvalue().rstrip(b"\0")
    cutout = read(content + bytes(-len(content) % 4))
    assert cutout.wcs.projection == "SIN" and cutout.pixel_scale_arcsec == pytest.approx(1.8)
    assert cutout.unit == "JY/BEAM" and cutout.beam == Beam(5.4, 5.4, 0.0)


def test_gzip_is_always_decompressed() -> None:
    cutout = read(gzip.compress(fits_bytes()))
    np.testing.assert_array_equal(cutout.data, read(fits_bytes()).data)


def test_millijansky_become_jansky() -> None:
    cutout = read(fits_bytes(NOISE * 1000, BUNIT="mJy/beam"))
    assert not cutout.flags
    np.testing.assert_allclose(cutout.data, read(fits_bytes()).data, rtol=1e-6)


def test_pixels_that_do_not_fit_their_unit_are_flagged() -> None:
    assert read(fits_bytes(NOISE * 1000)).flags == Flag.SUSPECT_UNIT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty answer"),
        (fits_bytes()[:9000], "a truncated FITS file: 9000 bytes"),
        (fits_bytes()[:1000], "damaged FITS file|without an image"),
        (gzip.compress(fits_bytes(), mtime=0)[:5000], "a truncated or damaged gzip"),
        (
            b"<html><head><style>x</style></head><body>Internal &amp; <b>error</b></body></html>",
            "Internal & error$",
        ),
        (b"\x00\x01\x02", "a page instead of an image"),
        (fits_bytes(ra=31.0), "does not show the requested position"),
        (fits_bytes(BUNIT="mag"), "pixels in 'mag', but FIRST has Jy/beam"),
        (fits_bytes(BMAJ=0.0125, BMIN=0.0125), "a beam of 45.0 arcsec, but FIRST has 5.4"),
        (fits_bytes(np.zeros((2, 60, 60), np.float32)), "a cube of 2 planes"),
        (fits_bytes(CTYPE1="X", CTYPE2="Y"), "no celestial WCS"),
    ],
)
def test_invalid_answers_are_faults(content: bytes, message: str) -> None:
    with pytest.raises(Fault, match=message):
        read(content)


def test_each_axis_of_a_beam_is_compared_with_that_of_the_survey() -> None:
    wide = described_survey("FIRST", "radio", {"beam_arcsec": (10.0, 4.0, 0.0)})
    beam = read(fits_bytes(BMAJ=10 / 3600, BMIN=4 / 3600), survey=wide).beam
    assert vars(beam) == pytest.approx(vars(Beam(10.0, 4.0, 0.0)))
    with pytest.raises(Fault, match="a beam of 5.4 arcsec, but FIRST has 10"):
        read(fits_bytes(BMAJ=5.4 / 3600, BMIN=5.4 / 3600), survey=wide)


def test_a_page_about_the_survey_means_no_coverage() -> None:
    found = read(b"<html>Position is outside of the area of the FIRST survey</html>")
    assert isinstance(found, NoImage) and found.status == "no_coverage"
    assert found.reason.startswith("first says: Position is outside") and found.provenance.url == "http://x"


@pytest.mark.parametrize("value", [0.0, np.nan, 3.0])
def test_images_without_signal_are_doubtful_unless_that_means_outside(value: float) -> None:
    content = fits_bytes(np.full((60, 60), value, np.float32))
    with pytest.raises(Doubtful, match="all pixels are blank or equal") as doubt:
        read(content)
    assert doubt.value.value.status == "no_coverage" and not doubt.value.blames_host
    assert read(content, service="skyview").status == "no_coverage"


def test_an_image_of_a_part_of_the_subject_is_doubtful_unless_it_was_to_be_expected() -> None:
    content = fits_bytes(dec=DEC + 50 / 3600)
    with pytest.raises(Doubtful, match="only part of the subject") as doubt:
        read(content)
    assert isinstance(doubt.value.value, Cutout)
    assert isinstance(read(content, shown=lambda points: points[:, 1] < 20), Cutout)


def test_some_blank_pixels_are_the_surveys() -> None:
    data = NOISE.copy()
    data[:30] = np.nan
    assert np.isnan(read(fits_bytes(data)).data).any()


def test_infrared_counts_need_no_unit() -> None:
    content = fits_bytes(NOISE / FIRST.rms * WISE.rms + 10, scale_arcsec=1.375, BUNIT="")
    assert not read(content, service="irsa", survey=WISE).flags


def test_an_answer_of_the_real_first_server_is_understood() -> None:
    # Of 2020, 1 arcmin around J105007.2+304037; astroquery ships it for its own tests.
    path = files("astroquery.image_cutouts.first") / "tests" / "data" / "image.fits"
    if not path.is_file():
        pytest.skip("this astroquery comes without its tests")
    content = path.read_bytes()
    cutout = ImageReader(SERVICES["first"], FIRST, 162.53, 30.677, 40.0)(answer(content))
    assert isinstance(cutout, Cutout)
    frame = Frame(size_px=22, pixel_scale_arcsec=1.8)
    image = reproject(cutout, frame, 162.53, 30.677)
    # Its brightest pixel, row 10 and column 22, lies 5.8 px south and 6.6 px west of the middle.
    assert np.unravel_index(image.argmax(), image.shape) == pytest.approx((16.8, 17.6), abs=1.1)
    assert image.max() == pytest.approx(0.00682, rel=0.05)


@pytest.mark.data
@pytest.mark.parametrize(("folder", "service"), [("radio", "first"), ("infrared", "irsa")])
def test_real_images_pass(shared_data: Path, folder: str, service: str) -> None:
    survey = SURVEYS[SERVICES[service].survey]
    paths = sorted((shared_data / "pairs" / folder).glob("*.fits"))
    assert len(paths) == 6
    for path in paths:
        (image,), _ = scan_file(path, path.name)
        ny, nx = image.footprint.shape
        place = pixels_to_sky(image.footprint.wcs, (nx - 1) / 2, (ny - 1) / 2)
        cutout = ImageReader(SERVICES[service], survey, *map(float, place), 120.0)(answer(path.read_bytes()))
        assert isinstance(cutout, Cutout) and not cutout.flags, path.name


def test_distortions_are_kept() -> None:
    sip = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-4, "B_0_2": 1e-4}
    cards: dict[str, Any] = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", **sip}
    data = sky_pixels(image_header(RA, DEC, size_px=60, **cards), (60, 60), RA, DEC)
    cutout = read(fits_bytes(data, **cards))
    np.testing.assert_allclose(reproject(cutout, FRAME, RA, DEC), positions(), atol=0.3)
    # Without the distortions, the border would be off by 0.04 px, or 4.
    header = image_header(RA, DEC, size_px=60)
    plain = read(fits_bytes(data, **header))
    assert np.abs(reproject(plain, FRAME, RA, DEC) - positions()).max() > 1


def packed_bytes(data: np.ndarray, **cards: Any) -> bytes:
    """Return a tile-compressed image; the cards of the table of its tiles can be changed."""
    buffer = io.BytesIO()
    header = image_header(RA, DEC, size_px=60)
    del header["BLANK"]  # that of the compressed integers
    image = fits.CompImageHDU(data, header, compression_type="RICE_1", quantize_level=64)
    with quiet_astropy():
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(buffer, output_verify="ignore")
    content = buffer.getvalue()
    for name, value in cards.items():
        start = content.index(f"{name:8}= ".encode())
        content = content[:start] + f"{name:8}= {value:>20}".encode() + content[start + 30 :]
    return content


def test_a_tile_compressed_image_is_read() -> None:
    np.testing.assert_allclose(read(packed_bytes(NOISE)).data, read(fits_bytes()).data, atol=FIRST.rms / 30)


def test_a_tile_compressed_image_that_would_fill_the_memory_is_a_fault() -> None:
    with pytest.raises(Fault, match="a compressed image of 4624000000 bytes"):
        read(packed_bytes(NOISE, ZNAXIS1=34000, ZNAXIS2=34000))


def test_an_image_with_wide_pixels_is_a_fault() -> None:
    with pytest.raises(Fault, match="pixels of 15 arcsec, but FIRST has 1.8"):
        read(fits_bytes(scale_arcsec=15.0))


def test_an_image_of_another_band_is_a_fault() -> None:
    content = fits_bytes(NOISE / FIRST.rms * WISE.rms, scale_arcsec=1.375, BUNIT="DN", BAND=2, MAGZP=19.5)
    with pytest.raises(Fault, match="an image of band 2"):
        read(content, service="irsa", survey=WISE)


@pytest.mark.parametrize("card", ["BMAJ    = 1.2.3", "CRVAL1  = what?", "NAXIS1  = 1e99", "BUNIT   = 'Jy"])
def test_cards_that_cannot_be_parsed_are_faults(card: str) -> None:
    content = fits_bytes(BMAJ=1.5e-3, BMIN=1.5e-3)
    start = content.index(card[:10].encode())
    broken = content[:start] + card.ljust(80).encode() + content[start + 80 :]
    with pytest.raises(Fault, match="FITS file|requested position|is not a finite number"):
        read(broken)


def test_damaged_files_never_raise_another_error() -> None:
    content, rng = fits_bytes(BMAJ=1.5e-3, BMIN=1.5e-3), np.random.default_rng(11)
    for _ in range(40):
        broken = bytearray(content)
        for place in rng.integers(0, 2880, 4):
            broken[place] = rng.integers(32, 127)
        try:
            read(bytes(broken))
        except Fault as fault:
            assert str(fault).isprintable()
