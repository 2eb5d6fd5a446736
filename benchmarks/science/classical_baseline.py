"""Score the classical baseline: contour-rule components grouped by friends-of-friends, no learning.

Components whose contour boxes are closer than a linking length, edge to edge, form one source.  Its box,
class and centre follow the rule of Radio Galaxy Zoo DR1; its score is SNR / (SNR + 10) of its brightest
pixel.  The metric is that of the paper (eq. 12-14), with intervals from a bootstrap over the subjects.

    python -m benchmarks.science.classical_baseline real ../shared/data/first_train
    python -m benchmarks.science.classical_baseline simulated resources/demo/targets.csv \
        --seed 20181031 --split test
    python -m benchmarks.science.classical_baseline matched ../shared/data/first_train

The last command uses up to four simulated subjects of the same class, brightness and extent for each real
one.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from benchmarks.science import real_cutouts
from benchmarks.sky import samples as sky_samples
from benchmarks.sky.matching import like_real
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.cutout import Cutout
from claran_core.common.errors import ClaranError, InputError
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES, morphology_of
from claran_core.common.noise import noise_sigma
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.components.contour_rule import (
    Components,
    box_gaps,
    dr1_extent,
    find_components,
    union_centre,
)
from claran_core.evaluation.metrics import Sample, evaluate
from claran_core.labels.dr1_labels import label_from_table, label_simulated
from claran_core.labels.units import truth_box
from claran_core.settings.config import load_config
from claran_core.settings.evaluation import ScoringOptions
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.target_table import read_targets

__all__ = [
    "LINKS_ARCSEC",
    "Labelled",
    "detect",
    "linked_boxes",
    "main",
    "matched_subjects",
    "measure",
    "real_subjects",
    "simulated_subjects",
]

# Linking lengths tried; None groups nothing.
LINKS_ARCSEC = (None, 20.0, 40.0, 60.0)

# Signal to noise at which a source scores one half.
HALF_SCORE_SNR = 10.0

N_RESAMPLINGS = 1000


@dataclass(frozen=True)
class Labelled:
    """A subject, its radio image, and its true sources (columns of `claran_core.common.tables.LABELS`)."""

    subject: Subject
    cutout: Cutout
    labels: pd.DataFrame


def real_subjects(folder: Path) -> Iterator[Labelled]:
    """Subjects of a folder with ``labels.csv`` (an RGZ label table) and ``radio/<first_id>.fits``.

    Raises
    ------
    InputError
        If the label table is missing or broken.
    """
    for real in real_cutouts.real_subjects(folder):
        yield Labelled(real.subject, real.cutout, label_from_table(real.subject, real.cutout, real.rows))


def simulated_subjects(targets: pd.DataFrame, sky: SimulatedProvider) -> Iterator[Labelled]:
    """Subjects of the simulated radio sky.

    `targets` as `claran_core.targets.target_table.read_targets` gives them.
    """
    for target in targets.itertuples():
        subject = Subject.of_target(target, Frame())
        window = target.ra, target.dec, subject.frame.width_arcsec
        cutout = sky.cutout(target.subject_id, *window)
        yield Labelled(subject, cutout, label_simulated(subject, cutout, sky.truth(*window)))


def matched_subjects(folder: Path, seed: int, n_pool: int) -> Iterator[Labelled]:
    """Yield simulated subjects matched to the real ones of a folder (`benchmarks.sky.matching.like_real`)."""
    real = sky_samples.real_subjects(folder)
    if not real:
        raise InputError(f"{folder}: no labelled subject")
    _, groups = like_real(real, seed=seed, n_pool=n_pool)
    chosen = [(one.name, one.ra_deg, one.dec_deg, "none") for group in groups for one in group]
    targets = pd.DataFrame(chosen, columns=["subject_id", "ra", "dec", "split"]).assign(scale=1)
    return simulated_subjects(targets, SimulatedProvider(SURVEYS["FIRST"], seed=seed))


def linked_boxes(boxes: np.ndarray, link: float | None) -> list[np.ndarray]:
    """Friends-of-friends: indices of the boxes in each group, linked by gaps of at most `link`."""
    friends = np.eye(len(boxes), dtype=bool) if link is None else box_gaps(boxes) <= link
    count, group = connected_components(friends, directed=False)
    return [np.flatnonzero(group == number) for number in range(count)]


def detect(
    subject: Subject, cutout: Cutout, links_arcsec: Sequence[float | None]
) -> dict[float | None, list[dict[str, Any]]]:
    """Return the sources of the baseline in one subject, per linking length.

    Returns
    -------
    dict
        Rows with ``subject_id``, box (frame px), ``morphology`` and ``probability``.
    """
    visible = visible_in_frame(subject, cutout)
    sigma = noise_sigma(visible)
    components = find_components(visible, sigma)
    native_px = cutout.pixel_scale_arcsec
    x, y = components.brightest.T
    snr = visible[y, x] / sigma
    return {
        link: [
            _source(subject, cutout, components, own, snr[own].max(), native_px)
            for own in linked_boxes(components.boxes, None if link is None else link / native_px)
        ]
        for link in links_arcsec
    }


def _source(
    subject: Subject, cutout: Cutout, components: Components, own: np.ndarray, snr: float, native_px: float
) -> dict[str, Any]:
    boxes = components.boxes[own]
    ra, dec = cutout.wcs.pixels_to_sky(*union_centre(boxes))
    box = truth_box(subject, float(ra), float(dec), dr1_extent(boxes) * native_px)
    return {
        "subject_id": subject.subject_id,
        **dict(zip(BOX_COLUMNS, box, strict=True)),
        "morphology": morphology_of(len(own), int(components.n_peaks[own].sum()))[0],
        "probability": snr / (snr + HALF_SCORE_SNR),
    }


def measure(
    labelled: Iterable[Labelled],
    links_arcsec: Sequence[float | None] = LINKS_ARCSEC,
    *,
    n_resamplings: int = N_RESAMPLINGS,
    seed: int = 0,
) -> dict[float | None, dict[str, Any]]:
    """Score the baseline by `claran_core.evaluation.metrics.evaluate`, per linking length.

    Raises
    ------
    InputError
        If there is no subject, or no true source in any.
    """
    rows: dict[float | None, list[dict[str, Any]]] = {link: [] for link in links_arcsec}
    labels, names = [], []
    for one in labelled:
        names.append(one.subject.subject_id)
        labels.append(one.labels)
        for link, found in detect(one.subject, one.cutout, links_arcsec).items():
            rows[link].extend(found)
    filled = [table for table in labels if len(table)]
    if not filled:
        raise InputError(f"nothing to measure: no true source in {len(names)} subjects")
    truth = pd.concat(filled, ignore_index=True)
    sample = Sample("baseline", np.unique(np.array(names, dtype=str)))
    options = ScoringOptions(min_iou=0.5, bootstrap=n_resamplings)
    columns = ["subject_id", *BOX_COLUMNS, "morphology", "probability"]
    return {
        link: evaluate(
            pd.DataFrame(found, columns=columns),
            truth,
            sample,
            options,
            min_probability=0.5,
            method="baseline",
            seed=seed,
        )
        for link, found in rows.items()
    }


def _line(link: float | None, metrics: dict[str, Any]) -> str:
    ap = metrics["ap"]
    name = "no grouping" if link is None else f'link {link:.0f}"'
    low, high = ap["interval_68"]["mean"] or (np.nan, np.nan)
    classes = "  ".join(f"{one} {np.nan if ap[one] is None else ap[one]:.2f}" for one in MORPHOLOGIES)
    return f"{name:>12}: mAP {ap['mean']:.3f} ({low:.2f}-{high:.2f}, 68 % bootstrap)  {classes}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    real = kinds.add_parser("real", help="real cut-outs with an RGZ label table")
    real.add_argument("folder", type=Path)
    simulated = kinds.add_parser("simulated", help="targets of the simulated sky")
    simulated.add_argument("targets", type=Path)
    simulated.add_argument("--seed", type=int, default=load_config().seed, help="which sky")
    simulated.add_argument("--split", default="test", choices=("train", "test", "none", "all"))
    simulated.add_argument("--limit", type=int, help="first so many targets only")
    matched = kinds.add_parser("matched", help="subjects of the simulated sky that are like real ones")
    matched.add_argument("folder", type=Path, help="the real ones, as for `real`")
    matched.add_argument("--seed", type=int, default=1, help="which sky")
    matched.add_argument("--pool", type=int, default=2500, help="simulated subjects to choose from")
    return parser.parse_args(arguments)


def _labelled(options: argparse.Namespace) -> Iterator[Labelled]:
    if options.kind == "real":
        return real_subjects(options.folder)
    if options.kind == "matched":
        return matched_subjects(options.folder, options.seed, options.pool)
    targets = read_targets(options.targets)
    chosen = targets if options.split == "all" else targets[targets["split"] == options.split]
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=options.seed)
    return simulated_subjects(chosen.head(options.limit) if options.limit else chosen, sky)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the baseline's scores; return the exit status."""
    options = _options(arguments)
    try:
        results = measure(_labelled(options))
    except (ClaranError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    counts = next(iter(results.values()))["counts"]
    print(f"{counts['n_sources']} true sources in {counts['n_subjects']} subjects")
    for link, metrics in results.items():
        print(_line(link, metrics))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
