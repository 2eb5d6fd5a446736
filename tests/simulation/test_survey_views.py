"""Training subjects as in a survey: numbers, regions, and what is at their centres."""

import numpy as np
import pandas as pd
import pytest

from claran_core.common.errors import InputError
from claran_core.common.sky import sky_to_offset
from claran_core.labels.rgz_table import position_of_name
from claran_core.simulation import survey_views as views
from claran_core.simulation.field_sources import FIELD_LIMIT_JY
from claran_core.simulation.geometry import cells_near
from claran_core.simulation.population import RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.rare_sources import RADIO_NSIDE, large_sources
from claran_core.simulation.recipes import SNR_UNIT_JY
from claran_core.simulation.regions import FOOTPRINT_DEC_DEG
from claran_core.simulation.subjects import sources_near
from claran_core.simulation.survey_views import ambiguous_targets, survey_views
from claran_core.survey.surveys import SURVEYS

SEED = 6
FEW = {
    "random": {1: 3, 2: 2},
    "large": {1: 3, 4: 6, 8: 4},
    "crowded": {1: 4},
    "ambiguous": {1: 4},
    "bright": {1: 8},
    "neighbours": {1: 6, 2: 2},
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(views, "VIEWS", FEW)
        return survey_views(SEED)


def of(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    return table[table["kind"] == kind]


def test_numbers_names_and_split(table: pd.DataFrame) -> None:
    numbers = table.groupby(["kind", "scale"]).size().to_dict()
    assert numbers == {(kind, scale): n for kind, by_scale in FEW.items() for scale, n in by_scale.items()}
    assert table.subject_id.is_unique and set(table.split) == {"train"}
    for row in table.itertuples():
        name, _, scale = row.subject_id.partition("_x")
        assert (row.ra, row.dec) == position_of_name(name) and int(scale or 1) == row.scale
    # South of the regions of the test subjects, whose borders are at -14 deg.
    assert table.dec.max() < FOOTPRINT_DEC_DEG[0] - 6.5


def test_large_sources_fit_their_scale(table: pd.DataFrame) -> None:
    for row in of(table, "large").itertuples():
        near = [
            source
            for cell in cells_near(row.ra, row.dec, 1200.0, RADIO_NSIDE)
            for source in large_sources(SEED, cell)
        ]
        apart = [float(np.hypot(*sky_to_offset(row.ra, row.dec, one.ra_deg, one.dec_deg))) for one in near]
        low, high = views.LARGE_AT_SCALE[row.scale]
        fits = [
            low <= one.extent_arcsec <= high and d < 1.5 * one.extent_arcsec
            for one, d in zip(near, apart, strict=True)
        ]
        assert any(fits)


def test_neighbours_are_two_separate_bright_sources(table: pd.DataFrame) -> None:
    for row in of(table, "neighbours").itertuples():
        reach = row.scale * views.NEIGHBOUR_WITHIN_ARCSEC
        near = sources_near(SEED, row.ra, row.dec, reach + 6 * views.OFF_CENTRE_ARCSEC * row.scale)
        bright = [one for one in near if one.peak_jy >= views.NEIGHBOUR_SNR * SNR_UNIT_JY]
        apart = [
            float(np.hypot(*sky_to_offset(one.ra_deg, one.dec_deg, other.ra_deg, other.dec_deg)))
            for one in bright
            for other in bright
            if one is not other
        ]
        assert min(apart) <= reach


def test_bright_fields_have_bright_sources(table: pd.DataFrame) -> None:
    brightest = []
    for row in of(table, "bright").itertuples():
        near = sources_near(SEED, row.ra, row.dec, 602.0)
        brightest.append(max(source.peak_jy for source in near) / SNR_UNIT_JY)
    assert min(brightest) >= 100 and sum(snr > 3000 for snr in brightest) >= 2


def test_crowded_fields_are_crowded(table: pd.DataFrame) -> None:
    for row in of(table, "crowded").itertuples():
        near = sources_near(SEED, row.ra, row.dec, 300.0)
        density = sum(source.peak_jy > FIELD_LIMIT_JY for source in near) / (np.pi * (300 / 3600) ** 2)
        assert density > 200


def test_views_of_another_survey_are_those_of_first_in_its_beams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        views, "VIEWS", {"large": {2: 6}, "ambiguous": {1: 2}, "bright": {1: 4}, "random": {1: 1}}
    )
    survey = SURVEYS["VLASS"]
    table = survey_views(SEED, survey)
    assert len(table) == 13 and table.subject_id.str.match(r"VLASSJ\d{6}\.\d[+-]\d{6}(_x2)?$").all()
    sky, beams = SimulatedProvider(survey, seed=SEED), survey.beam_arcsec / SURVEYS["FIRST"].beam_arcsec
    low, high = (beams * size for size in views.LARGE_AT_SCALE[2])
    for row in of(table, "large").itertuples():
        near = near_sources(sky, row.ra, row.dec, 1.5 * high)
        extents = [one.peak_reach_arcsec for one in near if one.kind != "large"]
        cells = cells_near(row.ra, row.dec, 1.5 * high, RADIO_NSIDE)
        extents += [one.extent_arcsec for cell in cells for one in large_sources(SEED, cell)]
        assert any(low <= extent <= high for extent in extents)
    for row in of(table, "bright").itertuples():
        near = near_sources(sky, row.ra, row.dec, 602.0 * beams)
        assert (
            max(one.peak_jy for one in near) >= 0.99 * 100 * SNR_UNIT_JY * survey.rms / SURVEYS["FIRST"].rms
        )


def near_sources(sky: SimulatedProvider, ra: float, dec: float, radius_arcsec: float) -> list[RadioSource]:
    cells = cells_near(ra, dec, radius_arcsec, RADIO_NSIDE)
    every = [one for cell in cells for one in sky.population.cell(int(cell))]
    apart = [float(np.hypot(*sky_to_offset(ra, dec, one.ra_deg, one.dec_deg))) for one in every]
    return [one for one, distance in zip(every, apart, strict=True) if distance <= radius_arcsec]


def test_a_wide_beam_shows_no_large_sources_and_no_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "VIEWS", {"large": {8: 6}, "ambiguous": {1: 2}, "random": {1: 2}})
    table = survey_views(SEED, SURVEYS["NVSS"])
    assert table.kind.tolist() == ["random", "random"]


def test_ambiguous_test_subjects_are_far_from_others() -> None:
    targets = ambiguous_targets(SEED, 6)
    assert targets.kind.tolist() == ["one_source", "two_sources"] * 3
    assert set(targets.split) == {"test"} and set(targets.scale) == {1}
    assert targets.dec.min() > 55
    with pytest.raises(InputError, match="even"):
        ambiguous_targets(SEED, 5)


def test_too_few_places_are_refused() -> None:
    with pytest.raises(InputError, match="2 of 3 bright subjects at scale 2 not found"):
        views._Table("FIRST").add("bright", 2, 3, iter([(10.0, -30.0)]))
