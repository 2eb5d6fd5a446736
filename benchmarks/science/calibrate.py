"""Calibrate the probability of a source on a finished run of the simulated sky; store it with the weights.

    python -m benchmarks.science.calibrate RUN/results --weights resources/models/D4.safetensors

The run must be of subjects that the weights were not trained on, compared with their truth (stage
`evaluation`, or --truth).  Where its targets have a test split, only the rows of that split count.  A source
is true when it has exactly the components of one true source.  The map is first fitted to one half of the
subjects and tested on the other, then fitted to all and written into the header of the weights; --dry-run
does not write it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.science.blind_sky import read_owners
from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.common.calibration import Calibration, logit
from claran_core.common.errors import ClaranError
from claran_core.common.files import read_table
from claran_core.common.frame import Frame
from claran_core.common.paths import Results
from claran_core.common.tables import TARGETS
from claran_core.evaluation.calibration import catalogue_calibration, fit_calibration
from claran_core.evaluation.catalogue_sample import choose_catalogue_sample
from claran_core.evaluation.catalogue_truth import compare_with_truth
from claran_core.evaluation.sky_truth import SKY_TRUTH
from claran_core.model.weights import calibrate_weights
from claran_core.model.weights_header import read_info

# Seed of the halves, and of the bootstrap of the error.
SEED, N_RESAMPLINGS = 1, 200


def evaluated_rows(results: Results) -> pd.DataFrame:
    """Return the rows of the catalogue that the truth of the run covers."""
    catalogue = read_table(results.catalogue, CATALOGUE.names)
    outcomes = read_table(results.outcomes, OUTCOMES.names)
    targets = read_table(results.targets, TARGETS.names)
    return choose_catalogue_sample(targets, catalogue, outcomes, Frame()).catalogue


def uncalibrated(catalogue: pd.DataFrame, calibration: Calibration) -> np.ndarray:
    """Return the probabilities before a calibration that the run applied."""
    return calibration.inverse().apply(logit(catalogue["source_probability"].to_numpy(float)))


def held_out_error(catalogue: pd.DataFrame, raw: np.ndarray, status: np.ndarray) -> float:
    """Return the calibration error of one half of the subjects with the map of the other."""
    subject = pd.factorize(catalogue["subject_id"])[0]
    is_first = np.random.default_rng(SEED).random(subject.max(initial=0) + 1)[subject] < 0.5
    fitted = fit_calibration(raw[is_first], status[is_first] == "true")
    rest = catalogue[~is_first].assign(source_probability=fitted.apply(logit(raw[~is_first])))
    return catalogue_calibration(rest, status[~is_first], 0, np.random.default_rng(SEED))["error"]


def described(name: str, catalogue: pd.DataFrame, probability: np.ndarray, status: np.ndarray) -> str:
    """Return error and reliability diagram as text."""
    table = catalogue.assign(source_probability=probability)
    measured = catalogue_calibration(table, status, N_RESAMPLINGS, np.random.default_rng(SEED))
    lines = [f"{name}: expected calibration error {measured['error']:.4f} ({measured['interval_95']})"]
    lines += [
        f"  {one['low']:.1f}-{one['high']:.1f}: {one['n']} rows, mean {one['mean_probability']:.3f}, "
        f"true {one['share_right']:.3f}"
        for one in measured["bins"]
        if one["n"]
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Fit, test and store the calibration."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="results folder of the run")
    parser.add_argument("--weights", type=Path, required=True, help="weights of the run")
    parser.add_argument("--truth", type=Path, help="default: evaluation/catalogue/truth.parquet")
    parser.add_argument("--dry-run", action="store_true", help="do not write the weights")
    options = parser.parse_args(arguments)
    results = Results(options.results)
    try:
        catalogue = evaluated_rows(results)
        truth = read_table(options.truth or results.catalogue_evaluation("truth.parquet"), SKY_TRUTH.names)
        applied = Calibration.of(read_info(options.weights).calibration)
        comparison = compare_with_truth(catalogue, truth, owners=read_owners(results))
        status = comparison.rows["status"].to_numpy(object)
        raw = uncalibrated(catalogue, applied)
        fitted = fit_calibration(raw, status == "true")
        print(described("before", catalogue, raw, status))
        print(f"of the other half of the subjects: {held_out_error(catalogue, raw, status):.4f}")
        print(described("after", catalogue, fitted.apply(logit(raw)), status))
        print(f"{len(fitted.knots)} knots: {fitted.knots}")
        if not options.dry_run:
            calibrate_weights(options.weights, fitted)
    except ClaranError as error:
        print(f"claran: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
