"""Validation split: neighbours on one side, a choice that depends on ids and seed only."""

from pathlib import Path

import numpy as np
import pytest
from fused_runs import blob_sky, open_run

from claran_core.common.errors import InputError
from claran_core.common.neighbours import linked_groups
from claran_core.training.validation_split import LINK_ARCSEC, split_validation, validation_mask

N = 600


@pytest.fixture(scope="module")
def sky() -> tuple[np.ndarray, np.ndarray]:
    """Ids and positions of subjects, many of which overlap."""
    rng = np.random.default_rng(3)
    positions = np.column_stack([rng.uniform(150, 152, N), rng.uniform(10, 12, N)])
    return np.array([f"S{i:03d}" for i in range(N)], dtype=object), positions


def test_neighbours_are_on_one_side(sky: tuple[np.ndarray, np.ndarray]) -> None:
    held = validation_mask(*sky, fraction=0.3, seed=1)
    groups = linked_groups(sky[1], LINK_ARCSEC)
    assert (held == held[groups]).all()
    assert 100 < len(set(groups.tolist())) < N - 100
    assert 0.2 < held.mean() < 0.4


def test_seed_and_fraction_change_the_split(sky: tuple[np.ndarray, np.ndarray]) -> None:
    held = validation_mask(*sky, fraction=0.3, seed=1)
    assert (held != validation_mask(*sky, fraction=0.3, seed=2)).any()
    more = validation_mask(*sky, fraction=0.5, seed=1)
    assert more.sum() > held.sum() and more[held].all()
    assert (
        not validation_mask(*sky, fraction=0.0, seed=1).any()
        and validation_mask(*sky, fraction=1.0, seed=1).all()
    )


def test_distant_subjects_do_not_change_the_split(sky: tuple[np.ndarray, np.ndarray]) -> None:
    ids, positions = sky
    held, groups = (
        validation_mask(ids, positions, fraction=0.3, seed=1),
        linked_groups(positions, LINK_ARCSEC),
    )
    some = np.isin(groups, np.unique(groups)[::2])
    assert np.array_equal(validation_mask(ids[some], positions[some], fraction=0.3, seed=1), held[some])


def test_both_sides_make_up_the_data_set(tmp_path: Path) -> None:
    dataset = open_run(tmp_path, blob_sky(10))
    assert split_validation(dataset, fraction=0, seed=7) == (dataset, None)
    fitted, held = split_validation(dataset, fraction=0.3, seed=7)
    assert held is not None and sorted([*fitted.subject_ids, *held.subject_ids]) == list(dataset.subject_ids)


@pytest.mark.parametrize(("fraction", "what"), [(1e-9, "none"), (1 - 1e-9, "all")])
def test_empty_sides_are_refused(tmp_path: Path, fraction: float, what: str) -> None:
    dataset = open_run(tmp_path, blob_sky(10))
    with pytest.raises(InputError, match=rf"selects {what} of 10 subjects, which form 10 groups.*or write 0"):
        split_validation(dataset, fraction=fraction, seed=7)
