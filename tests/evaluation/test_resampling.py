"""Bootstrap samples of subjects: their number, their size, and repeatability."""

import numpy as np

from claran_core.evaluation.resampling import draw_copies, interval


def test_samples_have_the_size_of_the_whole_and_are_repeatable() -> None:
    drawn = np.array(list(draw_copies(7, 50, np.random.default_rng(1))))
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()
    assert drawn.max() > 1
    np.testing.assert_array_equal(drawn, list(draw_copies(7, 50, np.random.default_rng(1))))


def test_no_subjects_give_no_samples() -> None:
    assert list(draw_copies(0, 50, np.random.default_rng(1))) == []


def test_interval_leaves_out_samples_without_a_value() -> None:
    assert interval(np.array([np.nan, 0.0, 1.0, 2.0]), 25, 75) == [0.5, 1.5]
    assert interval(np.array([np.nan]), 25, 75) is None
    assert interval(np.array([]), 25, 75) is None
