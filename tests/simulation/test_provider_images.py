"""The image provider of the simulated sky: all windows show the same sky."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.errors import ConfigError
from claran_core.common.frame import Frame
from claran_core.common.noise import noise_sigma
from claran_core.components.contour_rule import find_components
from claran_core.simulation import infrared, noise, population, provider, radio
from claran_core.simulation.geometry import cells_near
from claran_core.simulation.population import RADIO_NSIDE, RadioSource, radio_cell
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

SEED = 5
WIDTH = 182.0


def sky(name: str = "FIRST", seed: int = SEED) -> SimulatedProvider:
    return SimulatedProvider(SURVEYS[name], seed=seed)


def image(survey: SimulatedProvider, ra: float, dec: float, width: float = WIDTH) -> Cutout:
    cutout = survey.cutout("any", ra, dec, width)
    assert isinstance(cutout, Cutout)
    return cutout


def shared_pixels(a: Cutout, b: Cutout) -> tuple[np.ndarray, np.ndarray]:
    """The part of either image that shows the same pixels of their tile."""
    assert (a.wcs.ra_deg, a.wcs.dec_deg) == (b.wcs.ra_deg, b.wcs.dec_deg), "different tiles"
    step = np.rint([b.wcs.x - a.wcs.x, b.wcs.y - a.wcs.y]).astype(int)  # b's pixel 0 is a's pixel -step
    x0, y0 = np.maximum(-step, 0)
    x1, y1 = np.minimum(a.data.shape[::-1], np.array(b.data.shape[::-1]) - step)
    return a.data[y0:y1, x0:x1], b.data[y0 + step[1] : y1 + step[1], x0 + step[0] : x1 + step[0]]


def clear_caches() -> None:
    for module in (radio, noise, infrared, population, provider):
        for cached in vars(module).values():
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()


@pytest.mark.parametrize("name", ["FIRST", "WISE_W1"])
def test_cutout_has_the_pixels_of_the_survey(name: str) -> None:
    cutout = image(sky(name), 150.0, 30.0)
    survey = SURVEYS[name]
    assert cutout.data.dtype == np.float32 and np.isfinite(cutout.data).all()
    assert cutout.origin == "simulated" and not cutout.flags
    # The width of a pixel is that where the subject is, up to half a degree from the reference position.
    assert cutout.pixel_scale_arcsec == pytest.approx(survey.pixel_scale_arcsec, rel=4e-5)
    assert cutout.unit == survey.unit
    assert noise_sigma(cutout.data) == pytest.approx(survey.rms, rel=0.6)


@pytest.mark.parametrize("name", ["FIRST", "WISE_W1"])
@pytest.mark.parametrize(
    ("ra", "dec"), [(150.0, 30.0), (359.9999, -12.0), (0.0, 0.0), (77.0, 90.0), (200.0, -89.99)]
)
def test_window_contains_the_square_with_a_margin(name: str, ra: float, dec: float) -> None:
    cutout = image(sky(name), ra, dec)
    frame = Frame()
    edge = np.linspace(0, frame.size_px, 9)
    x, y = np.meshgrid(edge, edge)
    px, py = cutout.wcs.sky_to_pixels(*(v.ravel() for v in frame.frame_to_sky(ra, dec, x, y)))
    ny, nx = cutout.data.shape
    assert px.min() >= 2 and px.max() <= nx - 3
    assert py.min() >= 2 and py.max() <= ny - 3


@settings(max_examples=12)
@given(
    name=st.sampled_from(["FIRST", "WISE_W1"]),
    east=st.floats(-100, 100),
    north=st.floats(-100, 100),
    width=st.floats(20, 300),
    dec=st.sampled_from([-89.97, -40.0, 3.0, 61.0, 89.98]),
)
def test_all_windows_have_the_same_pixels(
    name: str, east: float, north: float, width: float, dec: float
) -> None:
    survey = sky(name)
    tile = survey.grid.tile_at(120.0, dec)
    ra, dec = tile.ra_deg, tile.dec_deg
    ra2 = (ra + east / 3600 / max(np.cos(np.deg2rad(dec)), 0.02)) % 360
    first = image(survey, ra, dec, 200.0)
    clear_caches()
    second = image(survey, ra2, dec + north / 3600, width)
    a, b = shared_pixels(first, second)
    assert a.size > 0
    np.testing.assert_array_equal(a, b)


def test_small_window_and_wide_field_have_the_same_pixels() -> None:
    for name in ("FIRST", "WISE_W1"):
        tile = sky(name).grid.tile_at(183.0, 44.0)
        wide = image(sky(name), tile.ra_deg, tile.dec_deg, 900.0)
        small = image(sky(name), tile.ra_deg, tile.dec_deg + 0.08, 60.0)
        a, b = shared_pixels(wide, small)
        assert a.shape == small.data.shape
        np.testing.assert_array_equal(a, b)


def test_another_process_gives_the_same_bits() -> None:
    program = (
        "import hashlib; from claran_core.survey.surveys import SURVEYS\n"
        "from claran_core.simulation.provider import SimulatedProvider as S\n"
        f"for n in ('FIRST', 'WISE_W1'): print(hashlib.sha256(S(SURVEYS[n], seed={SEED})"
        ".cutout('', 211.0, 12.0, 90.0).data.tobytes()).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    here = [
        hashlib.sha256(image(sky(n), 211.0, 12.0, 90.0).data.tobytes()).hexdigest()
        for n in ("FIRST", "WISE_W1")
    ]
    assert run.stdout.split() == here


def test_another_seed_is_another_sky() -> None:
    ours, other = image(sky(), 10.0, 10.0), image(sky(seed=SEED + 1), 10.0, 10.0)
    assert np.corrcoef(ours.data.ravel(), other.data.ravel())[0, 1] < 0.2


def bright_source(minimum_jy: float = 0.03) -> RadioSource:
    for cell in cells_near(40.0, 20.0, 7200.0, RADIO_NSIDE):
        for one in radio_cell(SEED, cell):
            if one.gaussians.peak.max() > minimum_jy:
                return one
    raise AssertionError("no bright provider near; choose another place")


def test_truth_is_the_emission_in_the_image() -> None:
    one = bright_source()
    cutout = image(sky(), one.ra_deg, one.dec_deg)
    truth = sky().truth(one.ra_deg, one.dec_deg, WIDTH)
    assert {t.source_id for t in truth} >= {one.source_id}
    assert len({t.source_id for t in truth}) == len(truth)
    emission = sum(t.image for t in truth)
    assert emission.shape == cutout.data.shape and emission.dtype == np.float32
    # What is left is noise and residual sidelobes, without the provider.
    rest = cutout.data - emission
    assert np.abs(rest).max() < 7.0 * noise_sigma(cutout.data)
    assert cutout.data.max() > 0.9 * one.gaussians.peak.max()


def test_emission_is_at_its_position_also_at_the_pole() -> None:
    one = bright_source()
    for dec in (one.dec_deg, 89.9995):
        sources = sky().truth(one.ra_deg, dec, 600.0)
        wcs = image(sky(), one.ra_deg, dec, 600.0).wcs
        singles = [s for s in sources if s.kind == "field"]
        inside = 0
        for s in singles:
            x, y = wcs.sky_to_pixels(s.ra_deg, s.dec_deg)
            if 5 < x < s.image.shape[1] - 6 and 5 < y < s.image.shape[0] - 6:
                peak_y, peak_x = np.unravel_index(s.image.argmax(), s.image.shape)
                assert abs(peak_x - x) <= 0.51 and abs(peak_y - y) <= 0.51
                inside += 1
        assert inside > 0


def test_truth_needs_the_radio_sky() -> None:
    with pytest.raises(ConfigError, match="WISE_W1.*radio"):
        sky("WISE_W1").truth(1.0, 1.0, WIDTH)


@pytest.mark.parametrize(
    ("ra", "dec", "width"),
    [(np.nan, 0, 182), (0, np.nan, 182), (0, 91, 182), (0, 0, 0), (0, 0, -5), (0, 0, np.nan), (0, 0, 1e6)],
)
def test_invalid_position_or_width_gives_a_reason(ra: float, dec: float, width: float) -> None:
    answer = sky().cutout("any", ra, dec, width)
    assert isinstance(answer, NoImage) and answer.status == "failed"
    assert "\n" not in answer.reason and answer.reason
    assert sky().truth(ra, dec, width) == []


def test_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigError, match="seed: -1"):
        SimulatedProvider(SURVEYS["FIRST"], seed=-1)


def test_hosts_appear_in_the_infrared_at_the_radio_position() -> None:
    bright = [
        one
        for cell in cells_near(60.0, 10.0, 7200.0, RADIO_NSIDE)
        for one in radio_cell(SEED, cell)
        if one.host_magnitude < 13.5
    ][:5]
    assert len(bright) == 5
    for one in bright:
        cutout = image(sky("WISE_W1"), one.ra_deg, one.dec_deg, 40.0)
        x, y = np.rint(cutout.wcs.sky_to_pixels(one.ra_deg, one.dec_deg)).astype(int)
        assert cutout.data[y, x] - np.median(cutout.data) > 5.0


def test_images_have_the_measured_statistics_of_random_fields() -> None:
    rng = np.random.default_rng(0)
    places = zip(rng.uniform(0, 360, 60), rng.uniform(-38, 60, 60), strict=True)
    radio = [image(sky(), *place) for place in places]
    sigma = np.array([noise_sigma(cutout.data) for cutout in radio])
    assert np.median(sigma) == pytest.approx(1.56e-4, rel=0.06)
    area = sum(cutout.data.size for cutout in radio) * 1.8**2 / 180**2
    islands = sum(len(find_components(c.data, s, threshold=5.0)) for c, s in zip(radio, sigma, strict=True))
    # FIRST: 0.262 in 3' x 3'; three standard deviations of a count of about 17.
    assert 0.05 < islands / area < 0.50
