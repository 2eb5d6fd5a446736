"""Sets whose atoms a finer view shows; what follows for their probability is in `test_candidate_sets`."""

import numpy as np

from claran_core.catalogue.associate import unlisted
from claran_core.common.ragged import Ragged, starts_of


def test_views_that_show_all_atoms_match_a_plain_search() -> None:
    rng = np.random.default_rng(1)
    scale = np.repeat([1, 2, 4], [6, 3, 2])
    views = [np.flatnonzero(rng.random(11) < 0.4) for _ in range(9)]
    sets = [np.sort(rng.choice(9, rng.integers(2, 5), replace=False)) for _ in range(200)]
    below = rng.choice([2, 4], 200)
    lists = Ragged(starts_of(np.array([len(one) for one in sets])), np.concatenate(sets))
    seen = Ragged(starts_of(np.array([len(one) for one in views])), np.concatenate(views))
    arguments = (lists.starts, lists.values, seen.starts, seen.values, scale, below)
    expected = [
        any(scale[view] < least and all(view in views[atom] for atom in own) for view in range(len(scale)))
        for own, least in zip(sets, below, strict=True)
    ]
    assert unlisted._is_shown(*arguments).tolist() == expected
    assert unlisted._is_shown.py_func(*arguments).tolist() == expected  # type: ignore[attr-defined]
    assert 20 < sum(expected) < 180
