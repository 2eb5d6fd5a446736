"""Images of a FITS file according to its headers, and windows of their pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits.hdu.compressed import section
from sky_images import image_header, open_odd, write_image

from claran_core.common.cutout import Beam
from claran_core.survey.fits_image import READ_ERRORS, read_window, scan_file
from claran_core.survey.footprint import PixelWindow

WINDOW = PixelWindow(y0=10, y1=30, x0=5, x1=55, complete=False)


def test_an_image_by_its_header(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.fits")
    (image,), faults = scan_file(path, "deep/a.fits")
    assert faults == []
    assert (image.name, image.hdu, image.unit, image.transposed) == ("deep/a.fits", 0, "JY/BEAM", False)
    assert image.footprint.shape == (80, 80)


def test_pixels_of_a_window(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.fits", change=lambda data: data.__setitem__((12, 7), np.inf))
    (image,), _ = scan_file(path, "a.fits")
    with open_odd(path) as hdus:
        expected = hdus[0].data[10:30, 5:55].astype(np.float32)
    data = read_window(image, WINDOW)
    assert data.dtype == np.float32 and data.dtype.isnative
    np.testing.assert_array_equal(data, expected)


@pytest.mark.parametrize("dtype", [">u1", ">i2", ">i4", ">i8", ">f4", ">f8"])
def test_all_types_of_pixels(tmp_path: Path, dtype: str) -> None:
    stored = np.arange(40 * 60).reshape(40, 60).astype(dtype)
    fits.PrimaryHDU(stored, image_header(30, 10)).writeto(tmp_path / "a.fits", output_verify="ignore")
    (image,), _ = scan_file(tmp_path / "a.fits", "a.fits")
    expected = stored[10:30, 5:55].astype(np.float32)
    np.testing.assert_array_equal(read_window(image, WINDOW), expected)


@pytest.mark.parametrize("shape", [(90, 70), (1, 1, 90, 70), (90, 1, 70)])
@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_a_window_of_a_tile_compressed_image_reads_only_its_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], dtype: str
) -> None:
    stored = np.arange(90 * 70).reshape(90, 70).astype(dtype)
    axes = {f"CTYPE{axis}": name for axis, name in enumerate(("RA---TAN", "DEC--TAN", "FREQ", "STOKES"), 1)}
    if shape == (90, 1, 70):
        axes |= {"CTYPE2": "FREQ", "CTYPE3": "DEC--TAN", "CRVAL3": 10.0, "CDELT3": 5e-4, "CRVAL2": 1.4e9}
        axes["CRPIX3"] = 35.5
    header = image_header(30, 10, **{name: axes[name] for name in axes if int(name[5]) <= len(shape)})
    compressed = fits.CompImageHDU(stored.reshape(shape), header, compression_type="GZIP_1", quantize_level=0)
    compressed.writeto(tmp_path / "a.fits.fz", output_verify="ignore")
    (image,), faults = scan_file(tmp_path / "a.fits.fz", "a.fits.fz")
    assert faults == [] and image.layout is None
    tiles = []
    decompress = section.decompress_image_data_section
    monkeypatch.setattr(
        section,
        "decompress_image_data_section",
        lambda *arguments: tiles.append(arguments[-2:]) or decompress(*arguments),
    )
    data = read_window(image, WINDOW)
    np.testing.assert_array_equal(data, stored[10:30, 5:55].astype(np.float32))
    ((first, last),) = tiles
    assert np.prod(np.subtract(last, first) + 1) == 20  # a tile is one row


def test_several_images_of_one_file(tmp_path: Path) -> None:
    images = [fits.ImageHDU(np.zeros((8, 8), np.float32), image_header(ra, 10)) for ra in (30, 40)]
    thumbnail = fits.PrimaryHDU(np.zeros((4, 4), np.float32))
    fits.HDUList([thumbnail, *images]).writeto(tmp_path / "a.fits", output_verify="ignore")
    found, faults = scan_file(tmp_path / "a.fits", "a.fits")
    assert [image.name for image in found] == ["a.fits[1]", "a.fits[2]"]
    assert faults == []


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "its image has no celestial WCS"),
        ({"CTYPE1": "RA---XXX", "CTYPE2": "DEC--XXX"}, "its WCS cannot be used"),
        ({"CDELT1": 0.0}, "its WCS cannot be used"),
        ({"A_ORDER": 1_000_000}, "A_ORDER = 1000000 is no order of a distortion (0 to 20)"),
        ({"BP_ORDER": -3}, "BP_ORDER = -3 is no order"),
    ],
)
def test_images_that_cannot_be_placed(tmp_path: Path, cards: dict[str, Any], reason: str) -> None:
    header = image_header(30, 10, **cards)
    fits.PrimaryHDU(np.zeros((8, 8), np.float32), header).writeto(tmp_path / "a.fits", output_verify="ignore")
    images, (fault,) = scan_file(tmp_path / "a.fits", "a.fits")
    assert images == [] and fault.footprint is None
    assert reason in fault.reason and "\n" not in fault.reason


def test_an_image_that_shrank_raises_what_is_caught(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.fits")
    (image,), _ = scan_file(path, "a.fits")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(READ_ERRORS):
        read_window(image, WINDOW)


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"BSCALE": 0.0}, "BSCALE = 0.0 leaves no pixel with data"),
        ({"BSCALE": 3e25}, "BSCALE = 3e+25 leaves no pixel"),
        ({"BZERO": "zero"}, "BZERO = 'zero' is not a finite number"),
        ({"BMAJ": 6.2, "BMIN": 5.4}, "BMAJ = 6.2, BMIN = 5.4 deg is a beam of more than 200 pixels"),
    ],
)
def test_a_damaged_scale_or_beam_is_named_and_the_image_stays_placed(
    tmp_path: Path, cards: dict[str, Any], reason: str
) -> None:
    hdu = fits.PrimaryHDU(np.zeros((8, 8), np.float32), image_header(30, 10))
    hdu.header.update(cards)
    hdu.writeto(tmp_path / "a.fits", output_verify="ignore")
    images, (fault,) = scan_file(tmp_path / "a.fits", "a.fits")
    assert images == [] and fault.footprint is not None and reason in fault.reason


def test_an_extension_inherits_what_it_lacks(tmp_path: Path) -> None:
    header = image_header(30, 10, BMAJ=0.002)
    extension = fits.ImageHDU(np.zeros((8, 8), np.float32))
    extension.header.update({"INHERIT": True, "CRVAL1": 77.0})
    fits.HDUList([fits.PrimaryHDU(header=header), extension]).writeto(
        tmp_path / "a.fits", output_verify="ignore"
    )
    (image,), faults = scan_file(tmp_path / "a.fits", "a.fits")
    assert faults == [] and image.unit == "JY/BEAM" and image.beam == Beam(7.2, 7.2, 0.0)
    assert image.footprint.wcs.wcs.crval.tolist() == [77.0, 10.0]


def test_a_file_that_says_it_is_not_fits(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.fits")
    path.write_bytes(
        path.read_bytes().replace(b"SIMPLE  =                    T", b"SIMPLE  =                    F")
    )
    images, (fault,) = scan_file(path, "a.fits")
    assert images == [] and "SIMPLE = F" in fault.reason
