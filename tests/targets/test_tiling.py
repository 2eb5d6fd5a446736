"""Subjects that cover an area: no gap anywhere, no more than needed, the same grid for all areas."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.errors import ConfigError, InputError
from claran_core.common.frame import Frame
from claran_core.common.sky import unit_vectors
from claran_core.targets.target_table import read_targets
from claran_core.targets.tiling import (
    DEFAULT_LARGEST_ARCSEC,
    BoxArea,
    Circle,
    CircleArea,
    ImageArea,
    MocArea,
    SkyGrid,
    image_area,
    tile,
    write_tiles,
)

FRAME = Frame()
GRID = SkyGrid(FRAME)


def scattered(circle: Circle, n: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Positions spread over a circle."""
    rng = np.random.default_rng(0)
    distance = circle.radius_deg * np.sqrt(rng.uniform(0, 1, n)) * ARCSEC_PER_DEG
    angle = rng.uniform(0, 2 * np.pi, n)
    plane = Frame(size_px=2, pixel_scale_arcsec=1.0)
    return plane.frame_to_sky(
        circle.ra_deg, circle.dec_deg, 1 + distance * np.cos(angle), 1 + distance * np.sin(angle)
    )


def room(subjects: pd.DataFrame, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """How far (arcsec) positions are inside the subject that shows them best; below 0: in none."""
    best = np.full(len(ra_deg), -np.inf)
    for subject in subjects.itertuples():
        x, y = FRAME.sky_to_frame(subject.ra, subject.dec, ra_deg, dec_deg)
        own = FRAME.size_px / 2 - np.maximum(np.abs(x - 66), np.abs(y - 66))
        best = np.fmax(best, own * FRAME.pixel_scale_arcsec)
    return best


@pytest.mark.parametrize("dec_deg", [0.0, 45.0, -60.0, 80.0, 89.0, 89.5, 89.9, 89.97, 90.0, -90.0])
@pytest.mark.parametrize("ra_deg", [0.0, 123.4])
def test_a_source_of_the_largest_extent_lies_whole_in_a_subject_wherever_it_is(ra_deg, dec_deg):
    area = CircleArea(ra_deg, dec_deg, 0.08)
    subjects = tile(area, GRID)
    assert room(subjects, *scattered(area.circles()[0])).min() >= DEFAULT_LARGEST_ARCSEC / 2
    assert subjects["subject_id"].is_unique


@pytest.mark.parametrize("largest", [0.0, 20.0, 150.0])
def test_the_overlap_is_what_is_asked_for(largest):
    area = CircleArea(200.0, 30.0, 0.05)
    subjects = tile(area, SkyGrid(FRAME, largest))
    least = room(subjects, *scattered(area.circles()[0])).min()
    assert largest / 2 <= least < largest / 2 + 0.05 * (FRAME.width_arcsec - largest)


def test_subjects_are_not_more_than_needed():
    side = 2 * GRID.half_core_deg
    n = len(tile(BoxArea(180.0, 184.0, -2.0, 2.0), GRID))
    assert 1 <= n * side**2 / 16 < 1.1


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        (BoxArea(359.9, 0.1, -0.1, 0.1), CircleArea(0.0, 0.0, 0.1)),
        (BoxArea(0.0, 0.0, 89.9, 90.0), CircleArea(77.0, 90.0, 0.1)),
        (BoxArea(0.0, 360.0, -90.0, -89.95), CircleArea(5.0, -90.0, 0.05)),
        (BoxArea(10.0, 40.0, 88.5, 88.6), CircleArea(25.0, 88.55, 0.05)),
    ],
)
def test_boxes_cross_zero_and_reach_the_poles(box, inside):
    subjects = tile(box, GRID)
    assert room(subjects, *scattered(inside.circles()[0])).min() >= DEFAULT_LARGEST_ARCSEC / 2


def test_a_box_holds_its_side_of_the_sky_alone():
    box = BoxArea(350.0, 10.0, -5.0, 5.0)
    ra_deg, dec_deg = np.array([355.0, 5.0, 345.0, 15.0, 0.0, 180.0]), np.array([0.0, 0, 0, 0, 6, 0])
    assert box.holds(ra_deg, dec_deg, 0.01).tolist() == [True, True, False, False, False, False]


def test_a_larger_area_has_the_subjects_of_a_smaller_one():
    small, large = (set(tile(CircleArea(150.0, 40.0, radius), GRID)["subject_id"]) for radius in (0.1, 0.2))
    assert small < large


@pytest.fixture
def mosaic(tmp_path):
    """A file of 500 x 300 px at 2 arcsec around (210, 52)."""
    wcs = Frame(size_px=300, pixel_scale_arcsec=2.0).fits_wcs(210.0, 52.0)
    wcs.wcs.crpix = [250.5, 150.5]
    path = tmp_path / "mosaic.fits"
    fits.writeto(path, np.zeros((300, 500), np.float32), wcs.to_header())
    return path, wcs


def test_an_image_is_covered_to_its_corners(mosaic):
    path, wcs = mosaic
    area = image_area(path)
    subjects = tile(area, GRID)
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-0.5, 499.5, 60), np.linspace(-0.5, 299.5, 40)))
    assert room(subjects, *wcs.all_pix2world(x, y, 0)).min() >= DEFAULT_LARGEST_ARCSEC / 2
    # No subject beside it: every core is at most its diagonal away from the image.
    at = np.array(wcs.all_world2pix(subjects["ra"], subjects["dec"], 0))
    beyond = np.maximum(np.abs(at - [[249.5], [149.5]]) - [[250], [150]], 0)
    assert np.hypot(*beyond).max() * 2 <= 1.6 * GRID.half_core_deg * ARCSEC_PER_DEG
    assert len(subjects) < 1.6 * (1000 * 600) / (2 * GRID.half_core_deg * ARCSEC_PER_DEG) ** 2 + 40


def test_a_folder_is_covered_and_what_cannot_be_read_is_told(mosaic, caplog):
    path, _ = mosaic
    (path.parent / "broken.fits").write_bytes(b"no image")
    assert tile(image_area(path.parent), GRID).equals(tile(image_area(path), GRID))
    assert "broken.fits: not covered: " in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.fits", None, "no such file"),
        ("text.fits", b"text", "damaged or not FITS"),
        ("empty/", None, "no file"),
    ],
)
def test_no_image_is_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    elif content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"no image to cover .*{message}"):
        image_area(path)


@pytest.mark.parametrize("order", [9, 13, 17])
@pytest.mark.parametrize("suffix", [".fits", ".json", ".txt"])
def test_a_coverage_map_is_covered(tmp_path, order, suffix):
    mocpy = pytest.importorskip("mocpy")
    from astropy import units as u

    moc = mocpy.MOC.from_cone(35 * u.deg, -20 * u.deg, radius=0.1 * u.deg, max_depth=order)
    path = tmp_path / f"area{suffix}"
    moc.save(str(path), format={".fits": "fits", ".json": "json", ".txt": "ascii"}[suffix])
    area = MocArea(path)
    subjects = tile(area, GRID)
    ra_deg, dec_deg = scattered(Circle(35.0, -20.0, 0.1))
    assert room(subjects, ra_deg, dec_deg).min() >= DEFAULT_LARGEST_ARCSEC / 2
    if order == 17:  # cells far smaller than a core
        assert len(subjects) < 1.5 * len(tile(CircleArea(35.0, -20.0, 0.1), GRID))


@pytest.mark.parametrize("content", [b"", b"{}", b"SIMPLE  = nothing"])
def test_what_is_no_map_is_one_line(tmp_path, content):
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
def test_impossible_areas_and_grids_are_one_line(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_images_over_the_pole_and_all_sky_maps_are_covered(tmp_path):
    wcs = Frame(size_px=400, pixel_scale_arcsec=2.0).fits_wcs(10.0, 89.95)
    path = tmp_path / "pole.fits"
    fits.writeto(path, np.zeros((400, 400), np.float32), wcs.to_header())
    subjects = tile(image_area(path), GRID)
    assert room(subjects, np.array([0.0, 120.0, 240.0]), np.array([90.0, 89.99, 89.98])).min() >= 45
    assert isinstance(image_area(path), ImageArea)
    nearest = unit_vectors(subjects["ra"], subjects["dec"]) @ unit_vectors(10.0, 89.95)
    assert np.rad2deg(np.arccos(nearest.min())) < 0.25


@pytest.mark.parametrize("name", ["targets.csv", "targets.parquet"])
def test_tiles_are_targets(tmp_path, name):
    subjects = tile(CircleArea(359.99, 10.0, 0.05), GRID)
    path = tmp_path / name
    write_tiles(path, subjects)
    read = read_targets(path)
    assert read["subject_id"].tolist() == subjects["subject_id"].tolist()
    np.testing.assert_array_equal(read[["ra", "dec"]], subjects[["ra", "dec"]])
    with pytest.raises(InputError, match="is there already"):
        write_tiles(path, subjects)
    write_tiles(path, subjects, overwrite=True)


def test_an_unknown_ending_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"name it .csv or .parquet"):
        write_tiles(tmp_path / "targets.fits", tile(CircleArea(0.0, 0.0, 0.02), GRID))
