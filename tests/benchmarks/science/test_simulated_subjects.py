"""The command that scores networks on simulated test subjects: one subject, and a table without any."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.science.simulated_subjects import main


def test_subjects_without_a_test_split_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = tmp_path / "targets.csv"
    pd.DataFrame({"ra": [150.0], "dec": [20.0], "split": "train"}).to_csv(targets, index=False)
    assert main([str(targets), str(tmp_path / "out")]) == 1
    assert f"{targets}: no subjects of the split test" in capsys.readouterr().err


def test_one_subject_is_drawn_searched_and_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = pd.read_csv("resources/demo/targets.csv")
    targets = tmp_path / "targets.csv"
    demo[demo["split"] == "test"].head(1).to_csv(targets, index=False)
    assert main([str(targets), str(tmp_path / "out"), "--methods", "D1"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("D1: mAP") and "of 1 test subjects" in printed
    assert "expected calibration error" in printed and "mAP of D1 minus D1: +0.000" in printed
