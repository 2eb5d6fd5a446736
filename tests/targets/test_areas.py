"""Areas on the sky: images, coverage maps and boxes are covered whole; invalid areas end in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from subject_coverage import FRAME, GRID, distance_to_border, positions_in

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.errors import ConfigError, InputError
from claran_core.common.frame import Frame
from claran_core.common.sky import unit_vectors
from claran_core.survey.fits_image import scan_file
from claran_core.survey.regular import astropy_wcs
from claran_core.survey.surveys import SURVEYS
from claran_core.targets import areas
from claran_core.targets.areas import (
    BoxArea,
    Circle,
    CircleArea,
    ImageArea,
    MocArea,
    image_area,
    width_deg,
)
from claran_core.targets.subject_grid import DEFAULT_LARGEST_ARCSEC, SkyGrid, tile

FIRST = SURVEYS["FIRST"]


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        (BoxArea(359.9, 0.1, -0.1, 0.1), CircleArea(0.0, 0.0, 0.1)),
        (BoxArea(0.0, 0.0, 89.9, 90.0), CircleArea(77.0, 90.0, 0.1)),
        (BoxArea(0.0, 360.0, -90.0, -89.95), CircleArea(5.0, -90.0, 0.05)),
        (BoxArea(10.0, 40.0, 88.5, 88.6), CircleArea(25.0, 88.55, 0.05)),
    ],
)
def test_box_across_ra_zero_or_at_a_pole_is_covered(box: BoxArea, inside: CircleArea) -> None:
    subjects = tile(box, GRID)
    assert (
        distance_to_border(subjects, *positions_in(inside.circles()[0])).min() >= DEFAULT_LARGEST_ARCSEC / 2
    )


def test_box_contains_only_positions_between_its_borders() -> None:
    box = BoxArea(350.0, 10.0, -5.0, 5.0)
    ra_deg, dec_deg = np.array([355.0, 5.0, 345.0, 15.0, 0.0, 180.0]), np.array([0.0, 0, 0, 0, 6, 0])
    assert box.holds(ra_deg, dec_deg, 0.01).tolist() == [True, True, False, False, False, False]


def test_width_of_an_area_is_that_of_a_circle_around_it() -> None:
    assert width_deg(CircleArea(10.0, 89.0, 1.5)) == pytest.approx(3.0)
    assert 4 <= width_deg(BoxArea(359.0, 1.0, -2.0, 2.0)) < 6
    assert 28.2 <= width_deg(BoxArea(350.0, 10.0, -10.0, 10.0)) < 34
    assert width_deg(BoxArea(0.0, 0.0, -90.0, 90.0)) > 180


@pytest.fixture
def mosaic(tmp_path: Path) -> tuple[Path, WCS]:
    """Return the path and WCS of an image of 500 x 300 px at 2 arcsec around (210, 52)."""
    wcs = astropy_wcs(Frame(size_px=300, pixel_scale_arcsec=2.0).wcs(210.0, 52.0))
    wcs.wcs.crpix = [250.5, 150.5]
    path = tmp_path / "mosaic.fits"
    fits.writeto(path, np.zeros((300, 500), np.float32), wcs.to_header())
    return path, wcs


def test_image_is_covered_to_its_corners(mosaic: tuple[Path, WCS]) -> None:
    path, wcs = mosaic
    area = image_area(path, FIRST)
    subjects = tile(area, GRID)
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-0.5, 499.5, 60), np.linspace(-0.5, 299.5, 40)))
    assert distance_to_border(subjects, *wcs.all_pix2world(x, y, 0)).min() >= DEFAULT_LARGEST_ARCSEC / 2
    # Every core is at most its diagonal away from the image, so no subject lies beside it.
    at = np.array(wcs.all_world2pix(subjects["ra"], subjects["dec"], 0))
    beyond = np.maximum(np.abs(at - [[249.5], [149.5]]) - [[250], [150]], 0)
    assert np.hypot(*beyond).max() * 2 <= 1.6 * GRID.half_core_deg * ARCSEC_PER_DEG
    assert len(subjects) < 1.6 * (1000 * 600) / (2 * GRID.half_core_deg * ARCSEC_PER_DEG) ** 2 + 40


def test_image_across_the_pole_is_covered(tmp_path: Path) -> None:
    wcs = astropy_wcs(Frame(size_px=400, pixel_scale_arcsec=2.0).wcs(10.0, 89.95))
    path = tmp_path / "pole.fits"
    fits.writeto(path, np.zeros((400, 400), np.float32), wcs.to_header())
    subjects = tile(image_area(path, FIRST), GRID)
    assert (
        distance_to_border(subjects, np.array([0.0, 120.0, 240.0]), np.array([90.0, 89.99, 89.98])).min()
        >= 45
    )
    assert isinstance(image_area(path, FIRST), ImageArea)
    nearest = unit_vectors(subjects["ra"], subjects["dec"]) @ unit_vectors(10.0, 89.95)
    assert np.rad2deg(np.arccos(nearest.min())) < 0.25


def test_folder_is_covered_and_unreadable_files_are_logged(
    mosaic: tuple[Path, WCS], caplog: pytest.LogCaptureFixture
) -> None:
    path, _ = mosaic
    (path.parent / "broken.fits").write_bytes(b"no image")
    assert tile(image_area(path.parent, FIRST), GRID).equals(tile(image_area(path, FIRST), GRID))
    assert "broken.fits: left out: " in caplog.text


def test_each_header_is_read_once(mosaic: tuple[Path, WCS], monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = mosaic
    (path.parent / "broken.fits").write_bytes(b"no image")
    read: list[str] = []
    monkeypatch.setattr(areas, "scan_file", lambda *file: read.append(file[1]) or scan_file(*file))
    assert len(image_area(path.parent, FIRST).images) == 1
    assert sorted(read) == ["broken.fits", "mosaic.fits"]


def test_only_images_that_a_run_would_use_are_covered(
    mosaic: tuple[Path, WCS], caplog: pytest.LogCaptureFixture
) -> None:
    path, wcs = mosaic
    for name, right, cards in (
        ("far_weights.fits", 900, {"BTYPE": "Weight"}),
        ("far_q.FITS", -900, {"CTYPE3": "STOKES", "CRVAL3": 2.0}),
        ("counts.fits", 1800, {"BUNIT": "DN"}),
        ("mosaic_rms.fits", 10, {}),
        ("next.FITS", 450, {}),
    ):
        header = wcs.to_header()
        header["CRPIX1"] += right
        header.update(cards)
        fits.writeto(path.parent / name, np.ones((300, 500), np.float32), header)
    area = image_area(path.parent, FIRST)
    assert [image.name for image in area.images] == ["mosaic.fits", "next.FITS"]
    assert "counts.fits: left out: BUNIT = 'DN'" in caplog.text and "far_q.FITS: Stokes Q" in caplog.text
    with pytest.raises(ConfigError, match=r"no image in .* shows FIRST; far_weights.fits: it shows weights"):
        image_area(path.parent / "far_weights.fits", FIRST)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.fits", None, "no such file"),
        ("text.fits", b"text", "damaged or not FITS"),
        ("empty/", None, "no file"),
    ],
)
def test_path_without_an_image_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    elif content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"no image to cover .*{message}"):
        image_area(path, FIRST)


@pytest.mark.parametrize("order", [9, 13, 17])
@pytest.mark.parametrize("suffix", [".fits", ".json", ".txt"])
def test_coverage_map_is_covered(tmp_path: Path, order: int, suffix: str) -> None:
    mocpy = pytest.importorskip("mocpy")
    from astropy import units as u

    moc = mocpy.MOC.from_cone(35 * u.deg, -20 * u.deg, radius=0.1 * u.deg, max_depth=order)
    path = tmp_path / f"area{suffix}"
    moc.save(str(path), format={".fits": "fits", ".json": "json", ".txt": "ascii"}[suffix])
    area = MocArea(path)
    subjects = tile(area, GRID)
    ra_deg, dec_deg = positions_in(Circle(35.0, -20.0, 0.1))
    assert distance_to_border(subjects, ra_deg, dec_deg).min() >= DEFAULT_LARGEST_ARCSEC / 2
    if order == 17:  # cells far smaller than a core
        assert len(subjects) < 1.5 * len(tile(CircleArea(35.0, -20.0, 0.1), GRID))


@pytest.mark.parametrize("content", [b"", b"{}", b"SIMPLE  = nothing"])
def test_invalid_map_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("mocpy")
    path = tmp_path / "area.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"area.json: (cannot be read as a MOC|the MOC is empty)") as caught:
        MocArea(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CircleArea(0.0, 0.0, 0.0), "radius 0 deg"),
        (lambda: CircleArea(-1.0, 0.0, 1.0), "right ascension -1 is outside"),
        (lambda: CircleArea(0.0, float("nan"), 1.0), "declination nan is outside"),
        (lambda: BoxArea(0.0, 1.0, 5.0, 5.0), "declinations 5 to 5 deg; give the smaller one first"),
        (lambda: SkyGrid(FRAME, 181.5), "181.5 arcsec does not fit into subjects of 181.5 arcsec"),
        (lambda: SkyGrid(FRAME, -1.0), "-1 arcsec does not fit"),
    ],
)
def test_invalid_areas_and_grids_are_refused_in_one_line(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
