"""Hosts of some subjects of the simulated sky, found as `benchmarks/science/hosts.py` measures it for all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.science import hosts
from benchmarks.science.host_samples import simulated_samples
from claran_core.catalogue.measure.host import host_of
from claran_core.settings.config import load_config
from claran_core.targets.target_table import read_targets

TARGETS = Path(__file__).resolve().parents[3] / "resources/demo/targets.csv"


@pytest.fixture(scope="module")
def samples() -> list[Any]:
    targets = read_targets(TARGETS)
    return list(simulated_samples(targets[targets["split"] == "test"].iloc[::16], load_config().seed))


def test_seen_hosts_are_the_best_candidates(samples: list[Any]) -> None:
    seen = [sample for sample in samples if sample.seen is not None]
    assert 0.5 < len(seen) / len(samples) < 0.95
    found = [host_of(sample.infrared, sample.radio) for sample in seen]
    right = [hosts.is_right(sample, one.ra, one.dec) for sample, one in zip(seen, found, strict=True)]
    assert np.mean(right) > 0.9


def test_reliabilities_add_up_to_the_hosts_seen(samples: list[Any]) -> None:
    said = [sum(host_of(sample.infrared, sample.radio).candidate_reliability) for sample in samples]
    seen = [sample.seen is not None for sample in samples]
    assert np.mean(said) == pytest.approx(np.mean(seen), abs=0.1)
    assert np.mean(np.array(said)[~np.array(seen)]) < 0.4
