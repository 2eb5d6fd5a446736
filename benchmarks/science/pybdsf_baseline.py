"""Score PyBDSF as a baseline: islands and Gaussians, grouped by friends-of-friends, classed by the DR1 rule.

    pip install bdsf
    python -m benchmarks.science.pybdsf_baseline targets.csv --seed 20181031 --sample 600

PyBDSF (Mohan & Rafferty 2015) runs with its defaults (islands at 3 sigma with a pixel above 5) on the radio
cut-out of each subject.  An island counts as a component and a Gaussian as a peak.  The box of an island is
that of its Gaussians at the rule's 5.3 sigma.  The score uses a random sample of the test subjects, because
PyBDSF takes one or two seconds per subject.
"""

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bdsf
import numpy as np
import pandas as pd
from astropy.io import fits

from benchmarks.science.classical_baseline import HALF_SCORE_SNR, Labelled, linked_boxes, simulated_subjects
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.cutout import Cutout
from claran_core.common.morphology import MORPHOLOGIES, morphology_of
from claran_core.common.noise import noise_sigma
from claran_core.components.contour_rule import COMPONENT_SIGMA, dr1_extent, union_centre
from claran_core.evaluation.metrics import Sample, evaluate
from claran_core.labels.units import truth_box
from claran_core.settings.config import load_config
from claran_core.settings.evaluation import ScoringOptions
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.regular import wcs_cards
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.target_table import read_targets

SURVEY = SURVEYS["FIRST"]
LINKS_ARCSEC = (0.0, 20.0, 35.0, 60.0)


def gaussians(cutout: Cutout, folder: Path) -> list[Any]:
    """Return the Gaussians that PyBDSF fits to a cut-out."""
    header = fits.Header(wcs_cards(cutout.wcs))
    beam = SURVEY.beam_arcsec / 3600
    header.update({"BUNIT": "JY/BEAM", "BMAJ": beam, "BMIN": beam, "BPA": 0.0})
    path = folder / "subject.fits"
    fits.writeto(path, cutout.data, header, overwrite=True)
    with (
        Path(os.devnull).open("w") as null,
        contextlib.redirect_stdout(null),
        contextlib.redirect_stderr(null),
    ):
        image = bdsf.process_image(str(path), quiet=True, frequency=SURVEY.frequency_hz, outdir=str(folder))
    return list(image.gaussians) if image.ngaus else []


def island_boxes(found: list[Any], level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (px), Gaussians and brightest peak of each island that reaches a level (Jy/beam)."""
    rows: dict[int, list[tuple[float, ...]]] = {}
    for one in found:
        if one.peak_flux > level:
            major, minor, angle = one.size_pix
            reach = 0.5 * np.sqrt(np.log2(one.peak_flux / level))
            turn = np.deg2rad(angle + 90)
            half_x = reach * np.hypot(major * np.cos(turn), minor * np.sin(turn))
            half_y = reach * np.hypot(major * np.sin(turn), minor * np.cos(turn))
            x, y = one.centre_pix
            rows.setdefault(one.island_id, []).append(
                (x - half_x, y - half_y, x + half_x, y + half_y, one.peak_flux)
            )
    parts = [np.array(part) for part in rows.values()]
    boxes = [np.concatenate([part[:, :2].min(axis=0), part[:, 2:4].max(axis=0)]) for part in parts]
    counts = np.array([len(part) for part in parts], int)
    return np.array(boxes).reshape(-1, 4), counts, np.array([part[:, 4].max() for part in parts])


def detections(one: Labelled, folder: Path) -> dict[float, list[dict[str, Any]]]:
    """Rows of detections of one subject, per linking length."""
    sigma = noise_sigma(one.cutout.data)
    boxes, counts, peaks = island_boxes(gaussians(one.cutout, folder), COMPONENT_SIGMA * sigma)
    rows: dict[float, list[dict[str, Any]]] = {}
    for link in LINKS_ARCSEC:
        groups = linked_boxes(boxes, link / SURVEY.pixel_scale_arcsec)
        rows[link] = [
            _source(one, boxes[own], int(counts[own].sum()), peaks[own].max() / sigma) for own in groups
        ]
    return rows


def _source(one: Labelled, boxes: np.ndarray, n_peaks: int, snr: float) -> dict[str, Any]:
    ra, dec = one.cutout.wcs.pixels_to_sky(*union_centre(boxes))
    box = truth_box(one.subject, float(ra), float(dec), dr1_extent(boxes) * SURVEY.pixel_scale_arcsec)
    return {
        "subject_id": one.subject.subject_id,
        **dict(zip(BOX_COLUMNS, box, strict=True)),
        "morphology": morphology_of(len(boxes), n_peaks)[0],
        "probability": snr / (snr + HALF_SCORE_SNR),
    }


def sampled(targets: pd.DataFrame, size: int, seed: int) -> Iterator[Labelled]:
    """Test subjects at random, with their truth."""
    chosen = targets[targets["split"] == "test"].sample(size, random_state=1)
    return simulated_subjects(chosen, SimulatedProvider(SURVEY, seed=seed))


def main() -> None:
    """Print the score of each linking length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("targets", type=Path)
    parser.add_argument("--seed", type=int, default=load_config().seed, help="which sky")
    parser.add_argument("--sample", type=int, default=600, help="subjects")
    options = parser.parse_args()
    rows: dict[float, list[dict[str, Any]]] = {link: [] for link in LINKS_ARCSEC}
    labels, names, seconds = [], [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for one in sampled(read_targets(options.targets), options.sample, options.seed):
            start = time.perf_counter()
            found = detections(one, Path(folder))
            seconds += time.perf_counter() - start
            names.append(one.subject.subject_id)
            labels.append(one.labels)
            for link in LINKS_ARCSEC:
                rows[link].extend(found[link])
    truth = pd.concat([table for table in labels if len(table)], ignore_index=True)
    sample = Sample("baseline", np.unique(np.array(names, dtype=str)))
    print(f"{len(truth)} true sources in {len(names)} subjects, {seconds / len(names):.2f} s each")
    for link in LINKS_ARCSEC:
        table = pd.DataFrame(rows[link], columns=["subject_id", *BOX_COLUMNS, "morphology", "probability"])
        scoring = ScoringOptions(min_iou=0.5, bootstrap=1000)
        metrics = evaluate(table, truth, sample, scoring, min_probability=0.5, method="baseline", seed=0)
        ap = metrics["ap"]
        low, high = ap["interval_68"]["mean"]
        classes = "  ".join(f"{one} {np.nan if ap[one] is None else ap[one]:.2f}" for one in MORPHOLOGIES)
        print(f'link {link:.0f}": mAP {ap["mean"]:.3f} ({low:.2f}-{high:.2f}, 68 % bootstrap)  {classes}')


if __name__ == "__main__":
    main()
