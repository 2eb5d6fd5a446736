"""The whole evaluation: against an independent slow version, on hand-made and on empty tables."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from detection_rows import detection

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.flags import Flag
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.evaluation.metrics import Sample, choose_sample, evaluate, evaluate_sources, summary_line
from claran_core.settings.evaluation import ScoringOptions

OPTIONS = ScoringOptions(min_iou=0.5, bootstrap=50)
PUBLISHED = Path(__file__).resolve().parents[2] / "resources" / "published"


def random_tables(seed: int, n_subjects: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return detections scattered around true sources, some of a wrong class, and the true sources."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for subject in [f"s{number:03d}" for number in range(n_subjects)]:
        for _ in range(rng.integers(1, 4)):
            x, y = rng.uniform(20, 110, 2)
            side = rng.uniform(8, 40)
            kind = str(rng.choice(MORPHOLOGIES))
            truth.append((subject, kind, x - side / 2, y - side / 2, x + side / 2, y + side / 2))
            for _ in range(rng.integers(0, 3)):
                dx, dy = rng.normal(0, side / 8, 2)
                kind = kind if rng.random() < 0.8 else str(rng.choice(MORPHOLOGIES))
                half = side / 2 * rng.uniform(0.8, 1.2)
                box = (x + dx - half, y + dy - half, x + dx + half, y + dy + half)
                found.append((subject, kind, round(rng.random(), 2), *box))
    labels = pd.DataFrame(truth, columns=["subject_id", "morphology", *BOX_COLUMNS])
    detections = pd.DataFrame(found, columns=["subject_id", "morphology", "probability", *BOX_COLUMNS])
    return detections, labels


def slow_average_precision(detections: pd.DataFrame, labels: pd.DataFrame, kind: str) -> float:
    """Return AP by paper eq. 12 and 13, with plain lists."""

    def overlap(a: dict, b: dict) -> float:
        width = min(a["box_x2"], b["box_x2"]) - max(a["box_x1"], b["box_x1"])
        height = min(a["box_y2"], b["box_y2"]) - max(a["box_y1"], b["box_y1"])
        shared = max(width, 0) * max(height, 0)
        area = [(c["box_x2"] - c["box_x1"]) * (c["box_y2"] - c["box_y1"]) for c in (a, b)]
        return shared / (sum(area) - shared)

    ranked = [row for row in detections.to_dict("records") if row["morphology"] == kind]
    ranked.sort(key=lambda row: (-row["probability"], row["subject_id"], *[row[c] for c in BOX_COLUMNS]))
    left = [row for row in labels.to_dict("records") if row["morphology"] == kind]
    n_truth, hits, total = len(left), 0, 0.0
    for k, row in enumerate(ranked, start=1):
        near = [one for one in left if one["subject_id"] == row["subject_id"] and overlap(row, one) > 0.5]
        if near:
            left.remove(max(near, key=lambda one: overlap(row, one)))
            hits += 1
            total += hits / k
    return total / n_truth


def of_all(labels: pd.DataFrame) -> Sample:
    """Return a sample of all labelled subjects."""
    return Sample("test", np.unique(labels["subject_id"].to_numpy(str)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_agrees_with_an_independent_slow_version(seed: int) -> None:
    detections, labels = random_tables(seed)
    metrics = evaluate(detections, labels, of_all(labels), OPTIONS, min_probability=0.5, method="D4", seed=0)
    expected = {kind: slow_average_precision(detections, labels, kind) for kind in MORPHOLOGIES}
    assert {kind: metrics["ap"][kind] for kind in MORPHOLOGIES} == pytest.approx(expected, abs=1e-6)
    assert metrics["ap"]["mean"] == pytest.approx(np.mean(list(expected.values())), abs=1e-6)
    assert metrics["ap"]["n_classes"] == 6
    low, high = metrics["ap"]["interval_95"]["mean"]
    inner_low, inner_high = metrics["ap"]["interval_68"]["mean"]
    assert low < inner_low < metrics["ap"]["mean"] < inner_high < high


def test_does_not_depend_on_the_order_of_rows() -> None:
    detections, labels = random_tables(4)
    flags = pd.Series(0, index=labels["subject_id"].unique())
    sample = of_all(labels)
    first = evaluate(
        detections, labels, sample, OPTIONS, min_probability=0.5, method="D4", seed=7, flags=flags
    )
    shuffled = (detections.sample(frac=1, random_state=1), labels.sample(frac=1, random_state=2))
    second = evaluate(
        *shuffled, sample, OPTIONS, min_probability=0.5, method="D4", seed=7, flags=flags.sample(frac=1)
    )
    assert first == second


def test_perfect_detections_are_perfect() -> None:
    _, labels = random_tables(5)
    detections = labels.assign(probability=0.9)
    metrics = evaluate(detections, labels, of_all(labels), OPTIONS, min_probability=0.5, method="D1", seed=0)
    for part in ("ap", "coco_ap50", "by_components", "multi_source"):
        assert metrics[part]["mean"] == 1
    assert metrics["ap"]["interval_95"]["mean"] == [1, 1]
    assert metrics["completeness_ratio"]["classifications"]["all"]["equal"] == 1
    assert metrics["calibration"]["error"] == pytest.approx(0.1)
    assert set(metrics["confusion"]["counts"]["background"].values()) == {0}
    assert all(one["correlation"] == 1 for one in metrics["box_width"].values())
    several = labels["subject_id"].value_counts()
    assert metrics["multi_source"]["n_subjects"] == (several > 1).sum()
    assert sum(metrics["multi_source"]["sources"].values()) == several[several > 1].sum()


def test_the_number_of_peaks_does_not_matter_for_component_classes() -> None:
    _, labels = random_tables(6)
    wrong_peaks = {"1C_1P": "1C_2P", "1C_2P": "1C_3P", "1C_3P": "1C_1P", "2C_2P": "2C_3P", "2C_3P": "2C_2P"}
    detections = labels.assign(probability=0.9).replace({"morphology": wrong_peaks})
    metrics = evaluate(detections, labels, of_all(labels), OPTIONS, min_probability=0.5, method="D4", seed=0)
    assert metrics["by_components"]["mean"] == 1
    assert metrics["ap"]["1C_1P"] == 0
    assert metrics["ap"]["3C_3P"] == 1


def test_subjects_outside_the_sample_do_not_count() -> None:
    detections, labels = random_tables(7)
    sample = Sample("test", np.array(["s000", "s001"]))
    metrics = evaluate(detections, labels, sample, OPTIONS, min_probability=0.5, method="D4", seed=0)
    inside = labels["subject_id"].isin(sample.subjects)
    assert metrics["counts"]["n_sources"] == inside.sum()
    few = (detections[detections["subject_id"].isin(sample.subjects)], labels[inside])
    assert metrics == evaluate(*few, sample, OPTIONS, min_probability=0.5, method="D4", seed=0)


def boxes(*entries: tuple[str, str, float, float]) -> pd.DataFrame:
    """Return detections of (subject, class, probability, left edge) with boxes of 10 px."""
    return pd.DataFrame(
        [
            detection(subject, (x, 0, x + 10, 10), morphology=kind, probability=probability)
            for subject, kind, probability, x in entries
        ]
    )


def test_completeness_ratio_by_hand() -> None:
    places = (("equal", 0), ("two", 0), ("two", 50), ("double", 0), ("missed", 0))
    labels = boxes(*[(subject, "1C_1P", 1, x) for subject, x in places])
    detections = boxes(
        ("equal", "1C_1P", 0.5, 0),  # below the paper's 0.8, but the best of its subject
        ("equal", "1C_1P", 0.4, 50),
        ("two", "1C_1P", 0.9, 0),
        ("double", "1C_1P", 0.9, 0),
        ("double", "1C_1P", 0.85, 1),  # the same source again
    )
    metrics = evaluate(detections, labels, of_all(labels), OPTIONS, min_probability=0.5, method="D4", seed=0)
    ratio = metrics["completeness_ratio"]
    every = ratio["classifications"]["all"]
    assert (every["equal"], every["fewer_true"], every["more_true"], every["n_subjects"]) == (
        0.25,
        0.25,
        0.5,
        4,
    )
    # One subject each: 1 true of 2 classified, 1 of 1, 2 of 1, 1 of none.
    assert [one["ratio"] for one in every["distribution"]] == [0.5, 1, 2, None]
    assert [one["n_subjects"] for one in every["distribution"]] == [1, 1, 1, 1]
    assert ratio["sources"]["all"]["equal"] == 0.5
    assert ratio["classifications"]["multi_source"]["more_true"] == 1


def test_confusion_and_sources_agree_by_hand() -> None:
    labels = boxes(("b", "1C_1P", 1, 0), ("a", "2C_2P", 1, 0), ("a", "1C_1P", 1, 50))
    detections = boxes(
        ("a", "2C_3P", 0.9, 0),
        ("a", "2C_2P", 0.85, 0),  # right, but the other class of this box is listed
        ("a", "1C_1P", 0.3, 50),  # right, but too improbable to be listed
        ("b", "1C_1P", 0.4, 80),  # on no source
    )
    sample = of_all(labels)
    confusion = evaluate(detections, labels, sample, OPTIONS, min_probability=0.5, method="D4", seed=0)[
        "confusion"
    ]
    assert confusion["min_probability"] == 0.5
    counts = {
        (row, name): n for row, columns in confusion["counts"].items() for name, n in columns.items() if n
    }
    # The second class of a box is the same source as the first; "b" stays blank.
    assert counts == {("2C_2P", "2C_3P"): 1, ("1C_1P", "missed"): 2}
    sources = evaluate_sources(detections, labels, sample, OPTIONS, min_probability=0.5)
    assert sources["subject_id"].tolist() == ["a", "a", "b"]
    assert sources["probability"].fillna(-1).to_numpy() == pytest.approx([0.85, 0.3, -1])
    assert sources["listed_as"].fillna("-").tolist() == ["2C_3P", "-", "-"]


def test_intervals_of_few_subjects_are_wide_in_the_tables_of_components() -> None:
    detections, labels = random_tables(12)
    metrics = evaluate(detections, labels, of_all(labels), OPTIONS, min_probability=0.5, method="D4", seed=0)
    every, several = metrics["by_components"], metrics["multi_source"]
    assert several["n_subjects"] < every["n_subjects"]
    for one in (every, several):
        low, high = one["interval_95"]["mean"]
        assert low < one["mean"] < high


def test_counts_subjects_without_infrared() -> None:
    detections, labels = random_tables(8)
    flags = pd.Series(
        [int(Flag.INFRARED_MISSING | Flag.EDGE), int(Flag.RADIO_PARTIAL), int(Flag.INFRARED_MISSING)],
        index=["s000", "s001", "not evaluated"],
    )
    counts = evaluate(
        detections, labels, of_all(labels), OPTIONS, min_probability=0.5, method="D4", seed=0, flags=flags
    )["counts"]
    assert counts["n_subjects_infrared_missing"] == 1


def test_no_detections() -> None:
    _, labels = random_tables(9)
    none = tables.DETECTIONS.empty_table().to_pandas()
    metrics = evaluate(none, labels, of_all(labels), OPTIONS, min_probability=0.5, method="D4", seed=0)
    assert metrics["ap"]["mean"] == 0
    assert metrics["counts"]["n_subjects_without_detection"] == metrics["counts"]["n_subjects"]
    assert metrics["curves"]["1C_1P"]["completeness"] == []
    assert metrics["confusion"]["counts"]["3C_3P"]["missed"] == (labels["morphology"] == "3C_3P").sum()
    assert metrics["calibration"]["error"] is None
    assert metrics["box_width"]["1C_1P"]["correlation"] is None
    assert "mAP 0.00" in summary_line(metrics)


def test_without_truth_the_result_is_none_and_valid_json() -> None:
    detections, _ = random_tables(10)
    labels = tables.LABELS.empty_table().to_pandas()
    sample = Sample("test", np.unique(detections["subject_id"].to_numpy(str)))
    metrics = evaluate(detections, labels, sample, OPTIONS, min_probability=0.5, method="D4", seed=0)
    json.dumps(metrics, allow_nan=False)
    assert metrics["ap"]["mean"] is None
    assert metrics["ap"]["n_classes"] == 0
    assert metrics["ap"]["interval_68"]["mean"] is None
    assert "not measurable" in summary_line(metrics)
    empty = evaluate(
        detections,
        labels,
        Sample("labelled", np.array([], str)),
        OPTIONS,
        min_probability=0.5,
        method="D4",
        seed=0,
    )
    assert empty["counts"]["n_subjects"] == 0


def test_the_sample_is_the_test_split_if_there_is_one() -> None:
    labels = pd.DataFrame({"subject_id": ["c", "a", "a", "wide"]})
    targets = pd.DataFrame(
        {
            "subject_id": ["c", "b", "a", "wide", "b_x2"],
            "split": ["train", "test", "none", "none", "test"],
            "scale": [1, 1, 1, 2, 2],
        }
    )
    with_test = choose_sample(targets, labels)
    assert (with_test.name, with_test.subjects.tolist()) == ("test", ["b"])
    without = choose_sample(targets[targets["split"] != "test"], labels)
    assert (without.name, without.subjects.tolist()) == ("labelled", ["a", "c"])
    assert choose_sample(targets, labels, scale=2).subjects.tolist() == ["b_x2"]


def test_the_summary_line_gives_the_number_of_classes_in_the_mean() -> None:
    detections, labels = random_tables(11)
    labels = labels[labels["morphology"] != "2C_2P"]
    metrics = evaluate(detections, labels, of_all(labels), OPTIONS, min_probability=0.5, method="D3", seed=0)
    assert metrics["ap"]["2C_2P"] is None
    line = summary_line(metrics)
    assert line.startswith(f"D3: mAP {metrics['ap']['mean']:.2f} (")
    assert f"over 5 of 6 classes on {len(labels)} sources of" in line
    assert "2C_2P n/a" in line


@pytest.mark.parametrize(("name", "inconsistent"), [("table5", {"F"}), ("table6", set())])
def test_published_means_are_means_of_their_columns(name: str, inconsistent: set) -> None:
    # The paper prints 78.5 % for method F in Table 5, whose column has a mean of 76.6 %.
    with (PUBLISHED / f"{name}.csv").open() as handle:
        header, *rows = csv.reader(line for line in handle if not line.startswith("#"))
    columns = dict(zip(header[1:], np.array([row[1:] for row in rows], float).T, strict=True))
    off = {method for method, values in columns.items() if abs(values[:-1].mean() - values[-1]) > 0.0006}
    assert off == inconsistent
    assert [row[0] for row in rows[:-1]] == (list(MORPHOLOGIES) if name == "table5" else ["1C", "2C", "3C"])
