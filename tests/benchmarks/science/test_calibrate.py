"""The calibration of a finished run is stored with the weights, and a second run with it needs none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from catalogue_rows import random_catalogue
from truth_rows import DEC, RA, source, truth_of

from benchmarks.science.calibrate import main
from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.common.calibration import Calibration, logit
from claran_core.common.files import write_table
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.paths import Results
from claran_core.common.sky import offset_to_sky
from claran_core.common.tables import TARGETS
from claran_core.evaluation.sky_truth import SKY_TRUTH
from claran_core.model.architectures import build_detector
from claran_core.model.weights import save_weights
from claran_core.model.weights_header import WeightsInfo, read_info

N, N_TRAINING = 2000, 500


def run_of(root: Path, calibration: Calibration) -> Results:
    """Write a catalogue of single components whose logits are twice too large, calibrated, and its truth.

    The truth is that of the test split; other rows are of the training split.
    """
    rng = np.random.default_rng(5)
    logits = rng.normal(1.0, 1.5, N)
    is_true = rng.random(N) < 1 / (1 + np.exp(-logits))
    places = [(60.0 * (k % 50), 60.0 * (k // 50)) for k in range(N)]
    truth = truth_of(*[source(f"t{k}", place) for k, place in enumerate(places)])
    probability = calibration.apply(2 * logits)
    n = N + N_TRAINING
    elsewhere = {"ra": [[10.0]] * N_TRAINING, "dec": [[-40.0]] * N_TRAINING}
    rows = random_catalogue(n).assign(
        source_id=[f"J{k}" for k in range(n)],
        subject_id=[f"s{k // 4}" for k in range(n)],
        source_probability=np.append(probability, np.full(N_TRAINING, 0.9)),
        ra=np.append(truth["ra"], np.full(N_TRAINING, 10.0)),
        dec=np.append(truth["dec"], np.full(N_TRAINING, -40.0)),
        component_ra=[*truth["component_ra"], *elsewhere["ra"]],
        component_dec=[*truth["component_dec"], *elsewhere["dec"]],
        component_flux=[np.ones(1)] * n,
        component_peak_flux=[np.ones(1)] * n,
    )
    east, north = (axis.ravel() for axis in np.meshgrid([700.0, 1500.0, 2300.0], [700.0, 1700.0]))
    ra, dec = offset_to_sky(RA, DEC, east, north)
    targets = pd.DataFrame({"subject_id": [f"s{k}" for k in range(6)], "ra": ra, "dec": dec, "scale": 8})
    training = pd.DataFrame({"subject_id": ["t"], "ra": [10.0], "dec": [-40.0], "scale": [1]})
    subjects = pd.concat([targets.assign(split="test"), training.assign(split="train")]).assign(shard="00000")
    results = Results(root)
    write_table(results.targets, subjects, TARGETS)
    write_table(results.outcomes, pd.DataFrame(columns=OUTCOMES.names), OUTCOMES)
    write_table(results.catalogue, rows, CATALOGUE)
    write_table(results.catalogue_evaluation("truth.parquet"), truth[is_true], SKY_TRUTH)
    return results


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Return weights without a calibration."""
    detector = build_detector("association", channel_means=(1.0, 2.0, 3.0), seed=7).eval()
    about = {
        "fusion_options": {"size_px": 132, "pixel_scale_arcsec": 1.5},
        "training": {},
        "data": {},
        "metrics": {},
    }
    info = WeightsInfo(
        architecture="association",
        class_names=MORPHOLOGIES,
        method="D4",
        channel_means=(1.0, 2.0, 3.0),
        seed=7,
        package_version="0.1.0",
        **about,
    )
    save_weights(tmp_path / "weights.safetensors", detector, info)
    return tmp_path / "weights.safetensors"


def test_logits_twice_too_large_are_halved(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = run_of(tmp_path / "first", Calibration())
    assert main([str(results.root), "--weights", str(weights), "--dry-run"]) == 0
    assert read_info(weights).calibration == ()
    assert main([str(results.root), "--weights", str(weights)]) == 0
    first = Calibration(read_info(weights).calibration)
    places = np.array([-3.0, 0.0, 1.0, 4.0])
    np.testing.assert_allclose(logit(first.apply(places)), places / 2, atol=0.5)
    # A run that applied the map gives the same one again, though its probabilities are rounded to float32.
    again = run_of(tmp_path / "second", first)
    assert main([str(again.root), "--weights", str(weights)]) == 0
    second = Calibration(read_info(weights).calibration)
    np.testing.assert_allclose(second.apply(places), first.apply(places), atol=1e-3)
    assert "expected calibration error" in capsys.readouterr().out


def test_a_run_without_truth_is_reported_in_one_line(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = run_of(tmp_path / "run", Calibration())
    results.catalogue_evaluation("truth.parquet").unlink()
    assert main([str(results.root), "--weights", str(weights)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
