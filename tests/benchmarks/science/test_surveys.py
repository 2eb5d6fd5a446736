"""The table of surveys: its subjects and its numbers."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.science.surveys import MADE_UP, OFF_CENTRE, config_of, scores, targets_of
from claran_core.common.sky import sky_to_offset
from claran_core.evaluation.catalogue_truth import Comparison
from claran_core.simulation.observed import ObservedPopulation
from claran_core.simulation.provider import SimulatedProvider


@pytest.mark.parametrize("name", ["VLASS", MADE_UP])
def test_subjects_surround_sources_of_the_survey(name: str) -> None:
    config = config_of(name, 5)
    survey, frame = config.survey.radio.survey, config.fusion.frame
    assert frame.pixel_scale_arcsec == pytest.approx(1.375 * survey.beam_arcsec / 5.4)
    targets = targets_of(config, 6)
    assert len(targets) == 6 and targets["subject_id"].is_unique and targets["shard"].nunique() <= 4
    sky = SimulatedProvider(survey, seed=5)
    assert isinstance(sky.population, ObservedPopulation)
    for target in targets.itertuples():
        truth = sky.truth(target.ra, target.dec, frame.width_arcsec)
        near = [
            np.abs(sky_to_offset(target.ra, target.dec, one.ra_deg, one.dec_deg)).max()
            for one in truth
            if one.emission.max() > 3 * survey.rms
        ]
        assert min(near) <= OFF_CENTRE * frame.width_arcsec * 1.01


def test_scores_of_a_small_catalogue() -> None:
    sources = pd.DataFrame(
        {
            "state": ["visible"] * 4 + ["faint"],
            "snr": [20.0, 30.0, 12.0, 8.0, 50.0],
            "placement": ["whole"] * 5,
            "outcome": ["found", "found", "missed", "found", "missed"],
            "listed_as": ["1C_1P", "1C_1P", None, "1C_1P", None],
            "morphology": ["1C_1P", "2C_2P", "1C_1P", "1C_1P", None],
            "n_components": [1, 2, 1, 1, 0],
            "row_ids": [["a"], ["b"], [], ["c"], []],
            "flux": [10.0, 20.0, 5.0, 4.0, 1.0],
        }
    )
    rows = pd.DataFrame({"status": ["true", "true", "true", "spurious"]})
    catalogue = pd.DataFrame(
        {
            "source_id": ["a", "b", "c", "d"],
            "snr": [20.0, 30.0, 8.0, 11.0],
            "integrated_flux": [11.0, 30.0, 4.0, 2.0],
        }
    )
    found = scores(Comparison(sources, rows, 0), catalogue)
    assert (found["sources"], found["several"], found["rows"]) == (3, 1, 3)
    assert (found["completeness"], found["with_class"]) == pytest.approx((2 / 3, 1 / 3))
    assert (found["several_completeness"], found["several_with_class"]) == (1.0, 0.0)
    assert found["reliability"] == pytest.approx(2 / 3) and found["flux_ratio"] == pytest.approx(1.1)
