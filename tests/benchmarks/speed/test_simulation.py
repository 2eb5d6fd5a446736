"""The benchmark of the simulated sky, on few subjects."""

import sys
from pathlib import Path

import pytest

from benchmarks.speed import simulation

TARGETS = Path(__file__).resolve().parents[3] / "resources/demo/targets.csv"


def test_every_subject_after_the_first_is_timed() -> None:
    subjects = simulation.chosen_subjects(TARGETS, 3)
    assert len({subject.subject_id for subject in subjects}) == 3 + simulation.FIRST_SUBJECTS
    seen = []
    assert simulation.processor_time(seen.append, subjects) >= 0
    assert seen == subjects


def test_each_task_is_printed_with_its_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulation", "--subjects", "2"])
    monkeypatch.setattr(simulation, "TRIES", 1)
    simulation.main()
    *tasks, product = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in tasks] == list(simulation.TASKS)
    ms = [float(line.split()[1]) for line in tasks]
    assert min(ms) > 0 and float(product.split()[-2]) > 0
    assert "pairs per second" in tasks[2]
