"""Histograms, classes and hosts: every value counts once, and missing values are stated."""

import numpy as np
import pandas as pd
import pytest
from report_inputs import sources

from claran_core.common.morphology import MORPHOLOGIES
from claran_core.report.distributions import Histogram, class_rows, histograms, host_summary


def chart(catalogue: pd.DataFrame, name: str) -> Histogram:
    """Return the histogram of one column."""
    return next(chart for chart in histograms(catalogue) if chart.name == name)


def test_every_value_is_in_one_bar() -> None:
    catalogue = sources(30)
    for drawn in histograms(catalogue):
        part = (
            catalogue if not drawn.name.startswith("host") else catalogue[catalogue["host_reliability"] > 0]
        )
        assert sum(bar.count for bar in drawn.bars) + drawn.n_missing == len(part), drawn.name
        assert max(bar.height for bar in drawn.bars) == 1
        assert all(0 <= place <= 1 for place, _ in drawn.ticks)


def test_fluxes_lie_on_a_logarithmic_axis() -> None:
    values = np.array([0.2, 3.0, np.nan, 0.0] * 2)
    drawn = chart(sources(8).assign(integrated_flux=values), "integrated_flux")
    assert [text for _, text in drawn.ticks] == ["0.2", "0.5", "1", "2", "5"]
    places = np.log([1, 2.5, 5, 10, 25]) / np.log(25)
    np.testing.assert_allclose([place for place, _ in drawn.ticks], places)
    assert (drawn.median, drawn.n_missing) == (pytest.approx(1.6), 4)
    # 20 ln(15) / ln(25) is 16.8.
    assert [i for i, bar in enumerate(drawn.bars) if bar.count] == [0, 16]


@pytest.mark.parametrize("value", [1.0, 2.0, 0.05, 3.3e-4, 1e6])
def test_a_single_flux_density_lies_inside_its_axis(value: float) -> None:
    drawn = chart(sources(3).assign(integrated_flux=value), "integrated_flux")
    assert drawn.bars[0].low <= value * (1 + 1e-6)
    assert drawn.bars[-1].high >= value
    assert sum(bar.count for bar in drawn.bars) == 3


def test_wide_ranges_have_powers_of_ten() -> None:
    drawn = chart(sources(2).assign(integrated_flux=[0.3, 4000.0]), "integrated_flux")
    assert [text for _, text in drawn.ticks] == ["1", "10", "100", "1000"]


def test_probabilities_on_an_edge_count_above_it() -> None:
    values = np.array([0.0, 0.05, 0.7, 0.8, 0.8499, 1.0], dtype=np.float32)
    drawn = chart(sources(6).assign(probability=values), "probability")
    counts = {round(bar.low, 2): bar.count for bar in drawn.bars if bar.count}
    assert counts == {0.0: 1, 0.05: 1, 0.7: 1, 0.8: 2, 0.95: 1}


def test_a_quantity_without_values_has_no_bars() -> None:
    drawn = chart(sources(4).assign(integrated_flux=np.nan), "integrated_flux")
    assert (drawn.bars, drawn.median, drawn.n_missing) == ((), None, 4)


@pytest.mark.parametrize("value", [14.5, 0.0, -3.0, 1e-9])
def test_a_single_value_is_drawn(value: float) -> None:
    catalogue = sources(3).assign(host_reliability=0.9, host_w1=value)
    drawn = chart(catalogue, "host_w1")
    assert sum(bar.count for bar in drawn.bars) == 3


def test_class_medians_use_the_known_values() -> None:
    catalogue = sources(12).assign(integrated_flux=[1.0] * 6 + [3.0] * 5 + [np.nan], host_reliability=0.0)
    catalogue["host_reliability"] = catalogue["host_reliability"].where(np.arange(12) != 0, 0.9)
    rows = class_rows(catalogue, MORPHOLOGIES)
    assert [row.count for row in rows] == [2] * 6 + [12]
    assert [row.flux for row in rows[:6]] == [2.0] * 5 + [1.0]
    assert [row.host_share for row in rows[:2]] == [0.5, 0.0]
    assert class_rows(catalogue.iloc[:0], MORPHOLOGIES)[-1].host_share is None


def test_sources_with_a_host_are_counted() -> None:
    catalogue = sources(3).assign(
        host_reliability=[0.9, 0.5, 0.0], host_separation=[1.0, 3.0, 0.0], host_w1=[14.0, 15.0, 0.0]
    )
    catalogue["host_candidate_ra"] = [np.array([1.0]), np.array([1.0, 2.0]), np.array([])]
    hosts = host_summary(catalogue)
    assert (hosts.n_sources, hosts.n_with_host, hosts.n_secure, hosts.n_several) == (3, 2, 1, 1)
    assert (hosts.separation, hosts.magnitude) == (2.0, 14.5)
