"""Consensus levels: they fall with difficulty and have the published distribution."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claran_core.common.constants import QUANTILE_PROBABILITIES
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.components.contour_rule import find_components
from claran_core.labels.consensus import CONSENSUS, DIFFICULTY, consensus_level, difficulty, difficulty_of
from claran_core.labels.rgz_table import read_label_table

EASY = {
    "n_components": 1,
    "gap_ratio": 0.0,
    "faintest_snr": 30.0,
    "host_magnitude": 12.0,
    "neighbour_ratio": np.inf,
}


def test_single_source_has_difficulty_zero() -> None:
    assert difficulty(**EASY) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    "term",
    [
        {"n_components": 2},
        {"gap_ratio": 1.0},
        {"faintest_snr": 10.0},
        {"host_magnitude": 17.0},
        {"neighbour_ratio": 2.0},
    ],
)
def test_each_term_increases_the_difficulty(term: dict[str, float]) -> None:
    assert difficulty(**EASY | term) > difficulty(**EASY) + 0.1


def test_host_term_changes_around_magnitude_17() -> None:
    levels = [difficulty(**EASY | {"host_magnitude": magnitude}) for magnitude in (15.5, 17.0, 18.5)]
    assert levels == pytest.approx([0.0, 0.4, 0.8], abs=0.01)


@given(
    st.sampled_from(MORPHOLOGIES),
    st.floats(-20, 20),
    st.floats(-20, 20),
)
def test_levels_never_rise_with_difficulty(morphology: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.6 <= consensus_level(morphology, high) <= consensus_level(morphology, low) <= 1.0


@pytest.mark.parametrize("morphology", MORPHOLOGIES)
def test_tabulated_difficulties_give_the_published_levels(morphology: str) -> None:
    rank = np.linspace(0, 1, 2001)
    drawn = np.interp(rank, QUANTILE_PROBABILITIES, DIFFICULTY[morphology])
    levels = np.sort([consensus_level(morphology, value) for value in drawn])
    assert np.quantile(levels, QUANTILE_PROBABILITIES) == pytest.approx(CONSENSUS[morphology], abs=0.005)
    assert np.all(np.diff(DIFFICULTY[morphology]) > 0)


@pytest.mark.data
def test_published_levels_are_those_of_the_label_table(shared_data: Path) -> None:
    table = read_label_table(shared_data / "rgz" / "full_catalogue.csv")
    names = table.num_cpnts.astype(str) + "C_" + table.num_peaks.astype(str) + "P"
    for name in MORPHOLOGIES:
        assert np.quantile(table.cl[names == name], QUANTILE_PROBABILITIES) == pytest.approx(
            CONSENSUS[name], abs=5e-4
        )


def test_difficulty_is_measured_on_the_contours() -> None:
    image = np.zeros((40, 60))
    image[10:20, 5:15] = image[10:20, 25:35] = 100.0  # two squares, 10 px apart
    image[30:35, 5:15] = 100.0  # another source, 10 px below the first
    components = find_components(image, 1.0)
    snr, owners = np.array([40.0, 20.0, 90.0]), np.array([0, 0, 1])
    measured = difficulty_of(components.boxes, snr, owners, 0, host_magnitude=14.0)
    # Contours at 5.3 of 100 lie almost a pixel outside the squares of 10 px.
    width = 9 + 2 * (1 - 0.053)
    gap = 20 - width
    expected = difficulty(
        n_components=2,
        gap_ratio=gap / (np.sqrt(2) * width),
        faintest_snr=20.0,
        host_magnitude=14.0,
        neighbour_ratio=gap / 20.0,
    )
    assert measured == pytest.approx(expected, abs=1e-6)
    # Noise does not count as another source.
    alone = difficulty_of(components.boxes, snr, np.array([0, 0, -1]), 0, host_magnitude=14.0)
    assert alone == pytest.approx(expected - 1 / (1 + gap / 20), abs=1e-6)
