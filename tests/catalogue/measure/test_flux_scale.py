"""Flux densities with the corrections of a survey."""

from dataclasses import replace
from typing import Any

import pytest

from claran_core.catalogue.measure.flux_scale import on_flux_scale
from claran_core.settings.config import load_config
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]
POINT: dict[str, Any] = {
    "unresolved": True,
    "peak_flux": 2.0,
    "peak_flux_err": 0.15,
    "integrated_flux": 2.1,
    "integrated_flux_err": 0.16,
    "local_rms": 0.15,
    "snr": 13.3,
    "component_peak_flux": [2.0],
    "component_flux": [2.3],
    "rule_peaks": 1,
}
DOUBLE = POINT | {
    "unresolved": False,
    "integrated_flux": 20.0,
    "component_peak_flux": [5.0, 1.0],
    "component_flux": [12.0, 8.0],
    "peak_flux": 5.0,
}


def test_without_corrections_nothing_changes() -> None:
    assert on_flux_scale(POINT, FIRST) == POINT and on_flux_scale(DOUBLE, FIRST) == DOUBLE


def test_the_clean_bias_is_added_to_peaks_and_raises_flux_densities_alike() -> None:
    # As the catalogue of FIRST: the peak of 2 mJy/beam becomes 2.25, all flux densities 1.125 times larger.
    found = on_flux_scale(POINT, replace(FIRST, clean_bias_mjy=0.25))
    assert found["peak_flux"] == 2.25 and found["component_peak_flux"] == [2.25]
    assert found["integrated_flux"] == pytest.approx(1.125 * 2.1)
    assert found["component_flux"] == pytest.approx([1.125 * 2.3])
    assert all(found[name] == POINT[name] for name in ("peak_flux_err", "local_rms", "snr", "rule_peaks"))


def test_each_component_has_its_own_factor() -> None:
    found = on_flux_scale(DOUBLE, replace(FIRST, clean_bias_mjy=0.25))
    assert found["component_flux"] == pytest.approx([12 * 1.05, 8 * 1.25])
    assert found["integrated_flux"] == pytest.approx(22.6)


def test_the_scale_multiplies_flux_densities_errors_and_noise() -> None:
    found = on_flux_scale(POINT, replace(FIRST, clean_bias_mjy=0.25, flux_scale=1.1))
    wanted = {"peak_flux": 2.475, "peak_flux_err": 0.165, "integrated_flux_err": 0.176, "local_rms": 0.165}
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)
    assert found["component_peak_flux"] == pytest.approx([2.475]) and found["snr"] == POINT["snr"]


def test_the_settings_describe_the_corrections() -> None:
    description = {"clean_bias_mjy": 0.25, "flux_scale": 1.02}
    survey = load_config({"survey": {"radio": {"description": description}}}).survey.radio.survey
    assert (survey.clean_bias_mjy, survey.flux_scale) == (0.25, 1.02)
    assert (FIRST.clean_bias_mjy, FIRST.flux_scale) == (0.0, 1.0)
