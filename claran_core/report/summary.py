"""Small tables of the report, made from the tables of a run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.catalogue.product.schema import OUTCOME_DESCRIPTIONS
from claran_core.common.flags import DESCRIPTIONS
from claran_core.common.published import published
from claran_core.common.tables import SPLITS

__all__ = [
    "Bar",
    "BandRow",
    "FlagRow",
    "LedgerProblem",
    "band_rows",
    "class_bars",
    "outcome_rows",
    "flag_rows",
    "ledger_problems",
    "split_bars",
]

STATUSES = ("ok", "partial", "no_coverage", "failed")

# Problems are listed with the worst first, and at most this many.
PROBLEM_ORDER = {"failed": 0, "no_coverage": 1, "partial": 2}
MAX_PROBLEMS = 40


@dataclass(frozen=True)
class Bar:
    """A bar of a chart: its name, its count, and its length relative to the longest."""

    label: str
    count: int
    length: float


@dataclass(frozen=True)
class BandRow:
    """Images of one band: number of subjects per status, and mean coverage."""

    band: str
    survey: str
    counts: tuple[int, ...]
    mean_coverage: float


@dataclass(frozen=True)
class LedgerProblem:
    """A reason why images are missing or incomplete, its number of images, and one subject as an example."""

    band: str
    status: str
    reason: str
    count: int
    example: str


@dataclass(frozen=True)
class FlagRow:
    """A flag, its meaning, and the number of subjects and catalogued sources that have it."""

    bit: int
    name: str
    description: str
    subjects: int
    sources: int


def _bars(labels: Iterable[str], counts: Iterable[int]) -> list[Bar]:
    counts = [int(count) for count in counts]
    longest = max(counts, default=0) or 1
    return [Bar(label, count, count / longest) for label, count in zip(labels, counts, strict=True)]


def split_bars(targets: pd.DataFrame) -> list[Bar]:
    """Return the number of targets per split."""
    counts = targets["split"].value_counts()
    return _bars(SPLITS, (counts.get(split, 0) for split in SPLITS))


def class_bars(table: pd.DataFrame, classes: Sequence[str]) -> list[Bar]:
    """Return the number of sources per class, in the order of the classes."""
    counts = table["morphology"].value_counts()
    return _bars(classes, (counts.get(name, 0) for name in classes))


def band_rows(ledger: pd.DataFrame) -> list[BandRow]:
    """Return one row per band and survey, radio first."""
    rows = []
    for (band, survey), part in ledger.groupby(["band", "survey"], sort=True):
        counts = part["status"].value_counts()
        statuses = tuple(int(counts.get(status, 0)) for status in STATUSES)
        rows.append(BandRow(str(band), str(survey), statuses, float(part["coverage"].mean())))
    return sorted(rows, key=lambda row: row.band != "radio")


def outcome_rows(outcomes: pd.DataFrame) -> list[tuple[str, int, str]]:
    """Return name, count and meaning of each outcome of the components."""
    counts = outcomes["outcome"].value_counts()
    return [(name, int(counts.get(name, 0)), text) for name, text in OUTCOME_DESCRIPTIONS.items()]


def ledger_problems(ledger: pd.DataFrame) -> tuple[list[LedgerProblem], int]:
    """Return why images are not ``ok``, worst and most frequent first, and the number of omitted lines.

    Partial images share one line per band, because their individual reasons all differ.
    """
    wrong = ledger[ledger["status"] != "ok"].sort_values("subject_id", kind="stable")
    gaps = wrong[wrong["status"] == "partial"].groupby("band")["coverage"].agg(["min", "max"])
    gap_texts = {band: _gap_text(1 - most, 1 - least) for band, least, most in gaps.itertuples()}
    is_partial = wrong["status"] == "partial"
    wrong = wrong.assign(reason=wrong["reason"].where(~is_partial, wrong["band"].map(gap_texts)))
    grouped = wrong.groupby(["band", "status", "reason"], sort=True)["subject_id"].agg(["size", "first"])
    problems = [
        LedgerProblem(band, status, published(reason), int(count), example)
        for (band, status, reason), count, example in zip(
            grouped.index, grouped["size"], grouped["first"], strict=True
        )
    ]
    problems.sort(key=lambda problem: (PROBLEM_ORDER[problem.status], -problem.count))
    return problems[:MAX_PROBLEMS], max(len(problems) - MAX_PROBLEMS, 0)


def _gap_text(least: float, most: float) -> str:
    """Return the range of the missing fraction of images as text."""
    shares = f"{least:.2%}" if f"{least:.2%}" == f"{most:.2%}" else f"{least:.2%} to {most:.2%}"
    return f"{shares} of the pixels have no data"


def flag_rows(fused: pd.DataFrame, catalogue: pd.DataFrame) -> list[FlagRow]:
    """Return every flag with its counts, lowest bit first."""
    subjects, sources = fused["flags"].to_numpy(int), catalogue["flags"].to_numpy(int)
    return [
        FlagRow(
            bit=flag.value,
            name=str(flag.name),
            description=description,
            subjects=int(np.count_nonzero(subjects & flag.value)),
            sources=int(np.count_nonzero(sources & flag.value)),
        )
        for flag, description in DESCRIPTIONS.items()
    ]
