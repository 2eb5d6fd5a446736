"""The simulated infrared sky: counts, point-spread function, hosts, background."""

import numpy as np
import pytest

from claran_core.simulation import infrared as infrared_module
from claran_core.simulation.gaussians import Gaussians
from claran_core.simulation.geometry import TileWindow
from claran_core.simulation.infrared import (
    InfraredView,
    field,
    half_light_arcsec,
    host_gaussians,
    infrared_cell,
    peak_of_magnitude,
    scan_angle_deg,
)
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.description import described_survey
from claran_core.survey.surveys import SURVEYS, Survey

W1 = SURVEYS["WISE_W1"]
SKY = SimulatedProvider(W1, seed=4)
TILE = SKY.grid.tile_at(180.0, 20.0)
MIDDLE_PX = SKY.grid.size_px // 2


def hosts(*columns: tuple[float, float, float]) -> Gaussians:
    """Hosts of a right ascension, declination and magnitude each."""
    return host_gaussians(*np.array(columns, float).reshape(-1, 3).T)


def drawn(gaussians: Gaussians, half_px: int = 80) -> np.ndarray:
    """Sources on an empty tile, around its middle."""
    window = TileWindow(MIDDLE_PX - half_px, MIDDLE_PX - half_px, 2 * half_px + 1, 2 * half_px + 1)
    image = np.zeros(window.shape)
    placed = gaussians.place(TILE)
    placed.add_to(image, window)
    return image


def star(peak_dn: float, wider: float = 1.0) -> Gaussians:
    one = (np.array([TILE.ra_deg]), np.array([TILE.dec_deg]), np.array([peak_dn]))
    return infrared_module._sources(*one, np.zeros(1), np.ones(1), np.zeros(1), wider)


@pytest.fixture(scope="module")
def windows() -> list[np.ndarray]:
    places = np.random.default_rng(2).uniform((0, -50), (360, 50), (40, 2))
    return [SKY.cutout("", ra, dec, 181.5).data for ra, dec in places]


def test_background_and_noise_are_those_of_w1(windows: list[np.ndarray]) -> None:
    median = [np.median(window) for window in windows]
    below = [np.sqrt(((w[w < m] - m) ** 2).mean()) for w, m in zip(windows, median, strict=True)]
    mad = [1.4826 * np.median(np.abs(w - m)) for w, m in zip(windows, median, strict=True)]
    # 12 AllWISE images: 4.1 (2.0 to 4.5), 0.12 and 0.18 (0.11 to 0.39) DN.
    assert np.median(median) == pytest.approx(4.1, rel=0.15) and min(median) > 1.8
    assert np.median(below) == pytest.approx(0.12, rel=0.3)
    assert np.median(mad) == pytest.approx(0.18, rel=0.3)


def test_number_of_sources_is_that_of_w1(windows: list[np.ndarray]) -> None:
    def count(window: np.ndarray) -> int:
        inner = window[3:-3, 3:-3]
        shifts = [(y, x) for y in range(7) for x in range(7) if (y, x) != (3, 3)]
        ny, nx = inner.shape
        highest = np.all([inner >= window[y : y + ny, x : x + nx] for y, x in shifts], axis=0)
        return int((highest & (inner - np.median(window) > 0.9)).sum())

    area = np.mean([(w.shape[0] - 6) * (w.shape[1] - 6) for w in windows]) * 1.375**2 / 180**2
    density = np.array([count(window) for window in windows]) / area
    # 12.4 in 3' x 3', from 4.9 to 19.7.
    assert density.mean() == pytest.approx(12.4, rel=0.2)
    assert density.std() > 3.6  # more than chance alone: places differ


def test_counts_are_a_power_law() -> None:
    peak = np.concatenate([infrared_cell(1, cell).peak for cell in range(3000, 3040)])
    # Parts of bright sources beside their cores only steepen the faint end.
    slope = np.log10((peak > 4).sum() / (peak > 40).sum())
    assert slope == pytest.approx(infrared_module.SLOPE, abs=0.15)


def test_magnitude_gives_the_total_counts() -> None:
    for magnitude in (8.0, 11.0, 14.0):
        image = drawn(star(float(peak_of_magnitude(np.array(magnitude)))), half_px=150)
        # Zero point 20.5: the spikes hold some per cent more.
        assert image.sum() == pytest.approx(10 ** (0.4 * (20.5 - magnitude)), rel=0.08)


def test_star_has_the_width_and_wings_of_w1() -> None:
    image = drawn(star(1000.0))
    middle = image.shape[0] // 2
    peak = image[middle, middle]
    assert peak == pytest.approx(1000, rel=0.06)
    above_half = (image > 0.5 * peak).sum() * 1.375**2
    assert 2 * np.sqrt(above_half / np.pi) == pytest.approx(8.36, rel=0.06)  # some 30 pixels
    distance = np.hypot(*np.indices(image.shape) - middle) * 1.375
    ring = [image[np.abs(distance - r) < 0.7].mean() / peak for r in (10, 20, 30)]
    # Stars on six real images: 0.047, 0.0030 and 0.0013 of the peak; faint ones among them are uncertain.
    assert ring == pytest.approx([0.047, 0.0035, 0.0013], rel=0.35)


def test_spikes_cross_at_45_degrees_to_the_scans() -> None:
    image = drawn(star(1500.0))
    middle = image.shape[0] // 2
    angle = np.arange(0, 180, 3.0)
    east, north = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
    height = [
        image[np.rint(middle + 22 * n).astype(int), np.rint(middle - 22 * e).astype(int)]
        for e, n in zip(east, north, strict=True)
    ]
    spike = angle[int(np.argmax(height))]
    scan = scan_angle_deg(TILE.ra_deg, TILE.dec_deg)
    assert (spike - scan) % 90 == pytest.approx(45, abs=7)


def test_scans_point_to_the_pole_of_the_ecliptic() -> None:
    # On the hour circle of the pole, south of it, north is ahead.
    assert scan_angle_deg(270.0, 10.0) == pytest.approx(0, abs=1e-6)
    # Six hours before it on the equator: cot of the angle is tan(66.56 deg).
    assert scan_angle_deg(180.0, 0.0) == pytest.approx(23.44, abs=0.01)


def test_near_hosts_are_resolved_and_far_ones_are_not() -> None:
    def width(magnitude: float) -> float:
        image = drawn(hosts((TILE.ra_deg, TILE.dec_deg, magnitude)))
        return 2 * np.sqrt((image > 0.5 * image.max()).sum() * 1.375**2 / np.pi)

    assert width(11.5) > 1.1 * width(16.0)
    assert width(16.0) == pytest.approx(8.7, rel=0.08)
    assert half_light_arcsec(np.array(11.0)) > half_light_arcsec(np.array(14.0))


def test_hosts_have_the_given_positions_and_magnitudes() -> None:
    image = drawn(hosts((TILE.ra_deg, TILE.dec_deg, 12.0), (TILE.ra_deg, TILE.dec_deg + 0.02, 17.5)))
    middle = image.shape[0] // 2
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert max(abs(row - middle), abs(column - middle)) <= 1
    assert image[middle + 47 : middle + 58, middle - 5 : middle + 6].max() < 0.5  # 72 arcsec north: not seen
    assert len(hosts()) == 0


def test_background_and_noise_lie_in_the_measured_range() -> None:
    drawn_fields = np.array([field(np.random.default_rng(k)) for k in range(200)])
    assert drawn_fields[:, 0].min() >= 1.9 and drawn_fields[:, 0].max() <= 4.6
    assert np.median(drawn_fields[:, 0]) == pytest.approx(4.1, abs=0.1)


KS = described_survey(
    "MY_KS",
    "infrared",
    {"beam_arcsec": 2.5, "pixel_scale_arcsec": 1.0, "rms": 3.0, "magnitude_zero_point": 24.0, "filter": "Ks"},
)


@pytest.mark.parametrize("survey", [SURVEYS["UNWISE_W1"], KS], ids=lambda one: one.name)
def test_another_survey_has_the_magnitudes_in_its_counts(survey: Survey) -> None:
    view = InfraredView.of(survey)
    assert view.grid.pixel_scale_arcsec == survey.pixel_scale_arcsec
    tile = view.grid.tile_at(TILE.ra_deg, TILE.dec_deg)
    for magnitude in (9.0, 13.0):
        seen = view.seen(star(float(peak_of_magnitude(np.array(magnitude))), view.wider))
        middle = view.grid.size_px // 2
        window = TileWindow(middle - 150, middle - 150, 301, 301)
        image = np.zeros(window.shape)
        seen.place(tile, view.drawn_to).add_to(image, window)
        counts = 10 ** (0.4 * (survey.magnitude_zero_point - magnitude))  # type: ignore[operator]  # it has one
        assert image.sum() == pytest.approx(counts, rel=0.08)
        # Half of the light is within the width of the point-spread function.
        y, x = np.indices(image.shape) - 150
        width_px = survey.beam_arcsec / survey.pixel_scale_arcsec
        assert 0.3 < image[np.hypot(x, y) <= 0.5 * width_px].sum() / image.sum() < 0.6


def test_other_surveys_show_the_same_sources_and_their_own_noise() -> None:
    place = (180.0, 20.0, 181.5)
    wise, unwise = SKY.cutout("", *place), SimulatedProvider(SURVEYS["UNWISE_W1"], seed=4).cutout("", *place)
    assert unwise.data.shape[0] == pytest.approx(wise.data.shape[0] / 2, abs=4)
    # The brightest source is at the same place.
    row, column = np.unravel_index(np.argmax(wise.data[30:-30, 30:-30]), np.array(wise.data.shape) - 60)
    x, y = np.rint(unwise.wcs.sky_to_pixels(*wise.wcs.pixels_to_sky(column + 30, row + 30))).astype(int)
    around = unwise.data[y - 5 : y + 6, x - 5 : x + 6]
    assert np.abs(np.array(np.unravel_index(np.argmax(around), around.shape)) - 5).max() <= 1
    noise = [1.4826 * np.median(np.abs(one.data - np.median(one.data))) for one in (wise, unwise)]
    assert noise[1] / noise[0] == pytest.approx(1.1 / 0.18, rel=0.35)
