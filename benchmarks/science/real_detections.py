"""Score shipped weights on real labelled FIRST cut-outs, and list their mistakes.

The cut-outs are never used for training.  The metric is that of the paper (eq. 12-14), with intervals from a
bootstrap over the subjects.  There are only radio images, so the weights must be for F or D1.

    python -m benchmarks.science.real_detections ../shared/data/first_train \
        --weights resources/models/D1.safetensors
    python -m benchmarks.science.real_detections ../shared/data/first_train --weights ... --mistakes
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.science import real_cutouts
from claran_core.common.boxes import box_array, paired_iou
from claran_core.common.errors import ClaranError
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.find import component_tables
from claran_core.evaluation.metrics import Sample, evaluate, summary_line
from claran_core.fusion.render import render
from claran_core.fusion.shard import make_planes
from claran_core.inference.infer import infer_shard
from claran_core.labels.dr1_labels import label_from_table
from claran_core.model.weights import load_weights
from claran_core.model.weights_header import read_info
from claran_core.settings.evaluation import ScoringOptions
from claran_core.settings.fusion import ImageOptions
from claran_core.settings.inference import InferenceOptions
from claran_core.survey.surveys import SURVEYS

# Minimum probability of a detection that counts as a mistake.
MISTAKE_PROBABILITY = 0.4

INFERENCE = InferenceOptions(min_snr=10, batch_size=16, min_probability=0.01, nms_iou=0.3, device="auto")


def detect(folder: Path, weights: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Detections, true sources and names of all subjects of a folder of labelled cut-outs."""
    info = read_info(weights)
    options = ImageOptions.model_validate(info.fusion_options)
    detector, _ = load_weights(
        weights, method=info.method, fusion_options=options.pixel_options, survey=SURVEYS["FIRST"]
    )
    images, components, labels, index = [], [], [], []
    for real in real_cutouts.real_subjects(folder):
        subject = real.subject
        found = component_tables([(subject, real.cutout, (NOMINAL_LEVEL,))], options.frame)
        components.append(found.components)
        planes = make_planes(
            real.cutout,
            None,
            options.frame,
            ra_deg=subject.ra_deg,
            dec_deg=subject.dec_deg,
            sigma=found.noise["sigma"][0],
        )
        images.append(render(planes, info.method, options.drawing)[0])
        labels.append(label_from_table(subject, real.cutout, real.rows))
        index.append(
            {
                "subject_id": subject.subject_id,
                "ra": subject.ra_deg,
                "dec": subject.dec_deg,
                "scale": 1,
                "flags": 0,
            }
        )
    detections = infer_shard(
        np.stack(images),
        pd.DataFrame(index),
        pd.concat([table for table in components if len(table)]),
        detector,
        INFERENCE,
        options.frame,
    ).detections
    return detections, pd.concat(labels, ignore_index=True), [row["subject_id"] for row in index]


def mistakes(found: pd.DataFrame, truth: pd.DataFrame) -> list[str]:
    """Return one line per false probable detection and per missed true source."""
    lines = []
    for name, own in truth.groupby("subject_id"):
        rows = found[found["subject_id"] == name]
        overlap = paired_iou(box_array(rows)[:, None], box_array(own)[None])
        same = rows["morphology"].to_numpy()[:, None] == own["morphology"].to_numpy()[None]
        right = (overlap > 0.5) & same
        sure = rows["probability"].to_numpy() >= MISTAKE_PROBABILITY
        expected = " ".join(own["morphology"])
        for row in np.flatnonzero(sure & ~right.any(axis=1)):
            best = overlap[row].max()
            lines.append(
                f"{name} ({expected}): {rows['morphology'].iloc[row]} at "
                f"{rows['probability'].iloc[row]:.2f}, overlaps a true source by {best:.2f}"
            )
        for k in np.flatnonzero(~(right & (rows["probability"].to_numpy() > 0.1)[:, None]).any(axis=0)):
            lines.append(f"{name} ({expected}): {own['morphology'].iloc[k]} not found")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="labels.csv and radio/*.fits")
    parser.add_argument("--weights", type=Path, required=True, help="safetensors for F or D1")
    parser.add_argument("--mistakes", action="store_true", help="list what is wrong")
    options = parser.parse_args(arguments)
    try:
        found, truth, names = detect(options.folder, options.weights)
    except ClaranError as error:
        print(f"claran: {error}", file=sys.stderr)
        return 1
    sample = Sample("real", np.unique(np.array(names, dtype=str)))
    scoring = ScoringOptions(min_iou=0.5, bootstrap=1000)
    metrics = evaluate(found, truth, sample, scoring, min_probability=0.5, method="D1", seed=0)
    low, high = metrics["ap"]["interval_68"]["mean"]
    print(summary_line(metrics))
    print(f"mAP {metrics['ap']['mean']:.3f} ({low:.3f} to {high:.3f})")
    if options.mistakes:
        print(*mistakes(found, truth), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
