"""The numbers of the report: small tables made from the tables of a run."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.flags import DESCRIPTIONS
from claran_core.morphology import MORPHOLOGIES
from claran_core.tables import SPLITS

__all__ = [
    "Bar",
    "BandRow",
    "FlagRow",
    "LedgerProblem",
    "SkyCell",
    "band_rows",
    "class_bars",
    "flag_rows",
    "ledger_problems",
    "probability_bars",
    "sky_cells",
    "split_bars",
]

STATUSES = ("ok", "partial", "no_coverage", "failed")

# What went wrong is listed with the worst first, and no longer than one screen or two.
PROBLEM_ORDER = {"failed": 0, "no_coverage": 1, "partial": 2}
MAX_PROBLEMS = 40

PROBABILITY_BIN = 0.05

# Cells of the map of targets: fine enough for the eye, few enough for a page (15,000 on the whole sky).
SKY_CELL_DEG = 2.0


@dataclass(frozen=True)
class Bar:
    """A bar of a chart: its name, its count, and its length as a share of the longest."""

    label: str
    count: int
    length: float


@dataclass(frozen=True)
class BandRow:
    """How the images of one band came in: number of subjects per status, and what was seen of the sky."""

    band: str
    survey: str
    counts: tuple[int, ...]
    mean_coverage: float


@dataclass(frozen=True)
class LedgerProblem:
    """A reason why images are missing or incomplete, how often it was met, and one subject that met it."""

    band: str
    status: str
    reason: str
    count: int
    example: str


@dataclass(frozen=True)
class FlagRow:
    """A flag, what it means, and how many subjects and catalogued sources carry it."""

    bit: int
    name: str
    description: str
    subjects: int
    sources: int


@dataclass(frozen=True)
class SkyCell:
    """Targets in a cell of the sky: its lower left corner in deg, its count, and the share of the fullest."""

    ra: float
    dec: float
    count: int
    share: float


def _bars(labels: Iterable[str], counts: Iterable[int]) -> list[Bar]:
    counts = [int(count) for count in counts]
    longest = max(counts, default=0) or 1
    return [Bar(label, count, count / longest) for label, count in zip(labels, counts, strict=True)]


def split_bars(targets: pd.DataFrame) -> list[Bar]:
    """Number of targets per split."""
    counts = targets["split"].value_counts()
    return _bars(SPLITS, (counts.get(split, 0) for split in SPLITS))


def class_bars(table: pd.DataFrame) -> list[Bar]:
    """Number of sources per class, in the order of the classes."""
    counts = table["morphology"].value_counts()
    return _bars(MORPHOLOGIES, (counts.get(name, 0) for name in MORPHOLOGIES))


def probability_bars(catalogue: pd.DataFrame) -> list[Bar]:
    """Histogram of the probabilities in steps of 0.05; a bar is named by its lower edge."""
    edges = np.linspace(0, 1, round(1 / PROBABILITY_BIN) + 1)
    # Stored as float32, 0.8 is a little more and 0.7 a little less than the edge it stands on.
    values = catalogue["probability"].to_numpy(dtype=float).round(6)
    counts, _ = np.histogram(values, bins=edges.round(6))
    return _bars((f"{edge:.2f}" for edge in edges[:-1]), counts)


def band_rows(ledger: pd.DataFrame) -> list[BandRow]:
    """One row per band and survey, radio first."""
    rows = []
    for (band, survey), part in ledger.groupby(["band", "survey"], sort=True):
        counts = part["status"].value_counts()
        statuses = tuple(int(counts.get(status, 0)) for status in STATUSES)
        rows.append(BandRow(band, survey, statuses, float(part["coverage"].mean())))
    return sorted(rows, key=lambda row: row.band != "radio")


def ledger_problems(ledger: pd.DataFrame) -> tuple[list[LedgerProblem], int]:
    """Reasons for images that are not ``ok``, worst and most frequent first, and how many were left out."""
    wrong = ledger[ledger["status"] != "ok"].sort_values("subject_id", kind="stable")
    grouped = wrong.groupby(["band", "status", "reason"], sort=True)["subject_id"].agg(["size", "first"])
    problems = [
        LedgerProblem(band, status, reason, int(count), example)
        for (band, status, reason), count, example in zip(
            grouped.index, grouped["size"], grouped["first"], strict=True
        )
    ]
    problems.sort(key=lambda problem: (PROBLEM_ORDER[problem.status], -problem.count))
    return problems[:MAX_PROBLEMS], max(len(problems) - MAX_PROBLEMS, 0)


def flag_rows(fused: pd.DataFrame, catalogue: pd.DataFrame) -> list[FlagRow]:
    """Every flag with its counts, lowest bit first."""
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


def sky_cells(targets: pd.DataFrame) -> list[SkyCell]:
    """Targets counted in cells of 2 x 2 degrees of right ascension and declination."""
    if targets.empty:
        return []
    ra = targets["ra"].to_numpy(float) % 360.0 // SKY_CELL_DEG
    dec = np.clip(targets["dec"].to_numpy(float), -90, 89.999) // SKY_CELL_DEG
    cells, counts = np.unique(np.stack([ra, dec], axis=1), axis=0, return_counts=True)
    return [
        SkyCell(float(x) * SKY_CELL_DEG, float(y) * SKY_CELL_DEG, int(count), float(count / counts.max()))
        for (x, y), count in zip(cells, counts, strict=True)
    ]
