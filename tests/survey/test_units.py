"""Units of pixels as files spell them."""

from dataclasses import replace

import numpy as np
import pytest

from claran_core.common.cutout import Beam
from claran_core.survey.description import described_survey
from claran_core.survey.surveys import SURVEYS
from claran_core.survey.units import check_background, check_stated, noise_fits, unit_factor, unit_problem

FIRST, WISE = SURVEYS["FIRST"], SURVEYS["WISE_W1"]


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("Jy/beam", 1.0),
        ("JY/BEAM ", 1.0),
        ("Jy / beam", 1.0),
        ("Jy beam-1", 1.0),
        ("Jy.beam^-1", 1.0),
        ("beam-1 Jy", 1.0),
        ("", 1.0),
        ("mJy/beam", 1e-3),
        ("MJY/BEAM", 1e-3),
        ("uJy/bm", 1e-6),
        ("\u00b5Jy/beam", 1e-6),
        ("?Jy/beam", 1e-6),  # the micro sign in Latin-1, as astropy shows it
        ("??Jy/beam", 1e-6),  # in UTF-8
        ("(Jy/beam)", 1.0),
        ("JANSKY/BEAM", 1.0),
        ("JY PER BEAM", 1.0),
        ("Unknown", 1.0),
        ("Jy", None),
        ("JY/PIXEL", None),
        ("Jy/beam2", None),
        ("dex(Jy/beam)", None),
        ("dex(K)", None),
        ("nonsense", None),
    ],
)
def test_radio_units(unit: str, factor: float | None) -> None:
    assert unit_factor(unit, FIRST) == (None if factor is None else pytest.approx(factor))


@pytest.mark.parametrize(("unit", "factor"), [("DN", 1.0), ("", 1.0), ("counts", 1.0), ("Jy", None)])
def test_infrared_units(unit: str, factor: float | None) -> None:
    assert unit_factor(unit, WISE) == factor


@pytest.mark.parametrize("unit", ["DN", "Jy", "JY/PIXEL", "nonsense", "Jy/b"])
def test_an_image_in_another_unit_shows_no_radio_survey(unit: str) -> None:
    problem = unit_problem(unit, FIRST)
    assert problem == f"BUNIT = {unit!r} cannot be converted to Jy/beam, the unit of FIRST"


@pytest.mark.parametrize("unit", ["", "unknown", "mJy/beam", "(JY/BEAM)", "??Jy/beam"])
def test_units_of_radio_images(unit: str) -> None:
    assert unit_problem(unit, FIRST) == ""


@pytest.mark.parametrize(
    ("unit", "refused"), [("nanomaggies", False), ("DN/s", False), ("JY/BEAM", True), ("mK", True)]
)
def test_only_radio_units_are_refused_in_the_infrared(unit: str, refused: bool) -> None:
    assert bool(unit_problem(unit, WISE)) is refused


def test_an_infrared_survey_in_a_unit_of_its_own_refuses_jansky_per_beam() -> None:
    own = {"beam_arcsec": 2.0, "pixel_scale_arcsec": 0.6, "rms": 0.01, "magnitude_zero_point": 20.0}
    spitzer = described_survey("MINE", "infrared", own | {"unit": "MJy/sr"})
    assert [unit_factor(unit, spitzer) for unit in ("MJy/sr", "MJY/SR", "JY/BEAM", "Jy/beam")] == [
        *(1.0, 1.0),
        *(None, None),
    ]
    # Milli is no mega.
    assert unit_factor("mJy/sr", spitzer) == pytest.approx(1e-9)
    assert unit_factor("kJy/sr", spitzer) == pytest.approx(1e-3)
    maggies = described_survey("MINE", "infrared", own | {"unit": "nanomaggy"})
    assert (unit_factor("NANOMAGGY", maggies), unit_factor("DN", maggies)) == (1.0, None)
    assert "cannot be converted to MJy/sr" in unit_problem("Jy/beam", spitzer)


def test_brightness_per_solid_angle_needs_the_beam_and_a_temperature_the_frequency() -> None:
    # T = 1.222e3 S / (mJy/beam) / (nu / GHz)^2 / (a b / arcsec^2), K (the usual rule of thumb).
    per_kelvin = 1.4**2 * 5.4**2 / 1.222e6
    assert unit_factor("K", FIRST) == pytest.approx(per_kelvin, rel=1e-3)
    assert unit_factor("mK", FIRST, Beam(10.8, 5.4, 20.0)) == pytest.approx(2e-3 * per_kelvin, rel=1e-3)
    assert unit_factor("MJy/sr", FIRST) == pytest.approx(1e6 * 1.13309 * (5.4 / 206264.8) ** 2, rel=1e-4)
    own = {"beam_arcsec": 5.4, "pixel_scale_arcsec": 1.8, "rms": 1e-4}
    unknown = described_survey("MINE", "radio", own)
    assert unit_factor("K", unknown) is None and unit_factor("Jy/beam", unknown) == 1
    assert "a temperature needs survey.radio.description.frequency_hz" in unit_problem("K", unknown)


def test_images_without_a_unit_have_that_of_the_description() -> None:
    own = {"beam_arcsec": 5.4, "pixel_scale_arcsec": 1.8, "rms": 20.0, "unit": "uJy/beam"}
    survey = described_survey("MINE", "radio", own)
    assert unit_factor("", survey) == unit_factor("unknown", survey) == pytest.approx(1e-6)
    assert unit_factor("mJy/beam", survey) == pytest.approx(1e-3)
    own |= {"unit": "nanomaggy", "magnitude_zero_point": 22.5}
    assert unit_factor("nanomaggy", described_survey("LS_Z", "infrared", own)) == 1
    assert unit_factor("DN", described_survey("LS_Z", "infrared", own)) is None


@pytest.mark.parametrize(
    ("ratio", "fits"), [(1, True), (25, True), (1 / 25, True), (40, False), (1 / 40, False), (1e3, False)]
)
def test_noise_far_from_the_surveys_does_not_fit(ratio: float, fits: bool) -> None:
    data = np.random.default_rng(1).normal(0, FIRST.rms * ratio, (100, 100)).astype(np.float32)
    data[:30] = np.nan
    assert noise_fits(data, FIRST) is fits


def test_too_few_or_constant_pixels_are_not_judged() -> None:
    assert noise_fits(np.full((100, 100), 5.0), FIRST)
    few = np.full((100, 100), np.nan)
    few[0, :50] = np.arange(50.0)
    assert noise_fits(few, FIRST)
    assert noise_fits(np.full((9, 9), np.nan), FIRST)


def test_an_image_without_a_unit_may_be_of_mjy_but_not_of_anything() -> None:
    image = np.random.default_rng(3).normal(0, FIRST.rms, (60, 60))
    image[::2] = np.nan
    check_stated("", 2500 * image, FIRST)
    for unit in ("", " ", "unknown"):
        with pytest.raises(
            ValueError, match=r"no unit \(BUNIT\), and its noise of 0\.\d+ is [34]\d{3} times that of"
        ):
            check_stated(unit, 4000 * image, FIRST)
    with pytest.raises(ValueError, match=r"write survey\.second_radio\.description\.unit"):
        check_stated("", 4000 * image, replace(FIRST, used_as="second_radio"))
    check_stated("Jy/beam", 4000 * image, FIRST)  # flagged
    described = {"beam_arcsec": 5.4, "pixel_scale_arcsec": 1.8, "rms": 20.0, "unit": "uJy/beam"}
    check_stated("", 1e6 * image, described_survey("MINE", "radio", described))
    check_stated("", 1e6 * image, WISE)
    check_stated("", 1e6 * image[:2], FIRST)  # too few pixels


def test_a_radio_image_with_a_background_is_refused() -> None:
    sky = np.random.default_rng(2).normal(0, FIRST.rms, (90, 90)).astype(np.float32)
    sky[10:60, 10:80] += np.linspace(0, 100 * FIRST.rms, 70, dtype=np.float32)  # emission over a third
    check_background(sky, FIRST)
    for offset in (12 * FIRST.rms, -12 * FIRST.rms):
        flat = sky - np.float32(offset)
        flat[10:60, 10:80] = np.nan
        check_background(flat, WISE)
        with pytest.raises(ValueError, match="its median pixel is -?0.0018[78] Jy/beam, 12 times the noise"):
            check_background(flat, FIRST)
