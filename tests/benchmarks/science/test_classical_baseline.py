"""The classical baseline: made images with a known answer, and its score on real images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from true_sources import SIZE, Source, native_wcs

from benchmarks.science.classical_baseline import (
    Labelled,
    detect,
    main,
    matched_subjects,
    measure,
    real_subjects,
    simulated_subjects,
)
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.labels.dr1_labels import label_simulated
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.subjects import select_subjects
from claran_core.survey.surveys import SURVEYS

SUBJECT = Subject("here", 150.0, 20.0, "test", Frame())


def made(**sources: list[tuple[int, int, int]]) -> Labelled:
    """Subject with sources of Gaussian blobs ``(x, y, peak)`` in units of the noise."""
    wcs = native_wcs(SIZE)
    rows, columns = np.indices((SIZE, SIZE))
    models = {
        name: sum(
            peak * np.exp(-4 * np.log(2) * ((columns - x) ** 2 + (rows - y) ** 2) / 9) for x, y, peak in blobs
        )
        for name, blobs in sources.items()
    }
    noise = np.random.default_rng(3).normal(0, 1.0, (SIZE, SIZE))
    cutout = Cutout((noise + sum(models.values())).astype(np.float32), wcs, "made")
    true = [Source(name, image) for name, image in models.items()]
    return Labelled(SUBJECT, cutout, label_simulated(SUBJECT, cutout, true))


DOUBLE_AND_NEIGHBOUR = {"double": [(40, 52, 60), (65, 52, 40)], "neighbour": [(80, 90, 30)]}


def test_the_linking_length_decides_what_is_one_source() -> None:
    one = made(**DOUBLE_AND_NEIGHBOUR)
    found = detect(one.subject, one.cutout, (None, 20.0, 60.0, 100.0))
    classes = {link: sorted(row["morphology"] for row in rows) for link, rows in found.items()}
    assert classes[None] == classes[20.0] == ["1C_1P"] * 3
    # 25 px of 1.8" less half a box on either side: about 32".
    assert classes[60.0] == ["1C_1P", "2C_2P"]
    assert classes[100.0] == ["3C_3P"]
    assert found[60.0][0]["probability"] == pytest.approx(60 / 70, abs=0.02)


def test_what_is_grouped_rightly_scores_one_and_what_is_not_nothing() -> None:
    results = measure([made(**DOUBLE_AND_NEIGHBOUR)], (None, 60.0), n_resamplings=20)
    assert results[60.0]["ap"]["mean"] == 1.0
    # Ungrouped, the double is missed, and its two halves stand before the neighbour: 1/3.
    assert results[None]["ap"]["2C_2P"] == 0.0
    assert results[None]["ap"]["1C_1P"] == pytest.approx(1 / 3)


def test_nothing_to_measure_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["real", str(tmp_path)]) == 1
    empty = tmp_path / "targets.csv"
    empty.write_text("ra,dec,split\n150.0,20.0,none\n")
    assert main(["simulated", str(empty), "--split", "test"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and "no such file" in told[0] and "no true source in 0 subjects" in told[1]


def test_subjects_of_the_simulated_sky(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A compact source is found whatever the linking length; a double needs one."""
    mix = {"1C_1P": 2, "1C_2P": 1, "2C_2P": 1}
    chosen = select_subjects(seed=5, n_train=0, n_test=4, mix={"train": mix, "test": mix})
    path = tmp_path / "targets.csv"
    chosen.targets.to_csv(path, index=False)
    assert main(["simulated", str(path), "--seed", "5", "--limit", "3"]) == 0
    assert "3 true sources in 3 subjects" in capsys.readouterr().out
    labelled = list(
        simulated_subjects(chosen.targets.assign(scale=1), SimulatedProvider(SURVEYS["FIRST"], seed=5))
    )
    numbers = ["box_x1", "box_y1", "box_x2", "box_y2"]
    found = pd.concat([one.labels for one in labelled])[numbers]
    np.testing.assert_allclose(found.astype(float), chosen.labels[numbers].astype(float))
    ungrouped, all_grouped = measure(labelled, (None, 250.0), n_resamplings=5).values()
    assert ungrouped["ap"]["2C_2P"] == 0.0 and ungrouped["ap"]["1C_2P"] == 1.0
    # One group per subject is right here: every subject has one source.
    assert all_grouped["ap"]["mean"] > ungrouped["ap"]["mean"]


@pytest.mark.data
def test_the_published_baseline_is_reproduced_on_real_images(shared_data: Path) -> None:
    """facts.md section 2, column first_train: 0.28, 0.50, 0.44 and 0.46."""
    results = measure(real_subjects(shared_data / "first_train"), n_resamplings=20)
    means = [metrics["ap"]["mean"] for metrics in results.values()]
    assert next(iter(results.values()))["counts"]["n_sources"] == 165
    assert means == pytest.approx([0.28, 0.50, 0.44, 0.46], abs=0.006)


@pytest.mark.data
def test_matched_subjects_are_centred_on_labelled_sources(shared_data: Path) -> None:
    labelled = list(matched_subjects(shared_data / "first_train", seed=1, n_pool=80))
    assert len(labelled) > 5
    assert all(len(one.labels) and one.subject.subject_id in set(one.labels["label_id"]) for one in labelled)
