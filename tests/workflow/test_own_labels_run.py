"""The workflow with labels and classes of a user: boxes in a table, FITS images, fine-tuning, catalogue."""

import json
from pathlib import Path

import pandas as pd
import pytest
from workflow_runs import Run, messages_of

from claran_core.catalogue.product.validate import validate_catalogue
from claran_core.cli.commands import claran
from claran_core.common.flags import Flag
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.model.weights_header import read_info

CLASSES = ["compact", "FR-II"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Prepare a run on a simulated image, with boxes around its brightest sources."""
    (tmp_path / "images").mkdir()
    files = ["--output", str(tmp_path / "images" / "a.fits"), "--truth", str(tmp_path / "truth.parquet")]
    where = ["--ra", "150", "--dec", "20", "--size-px", "900"]
    claran.main(["simulate", "image", *where, *files], standalone_mode=False)
    truth = (
        pd.read_parquet(tmp_path / "truth.parquet")
        .sort_values(["n_components", "angular_size"], ascending=False)
        .head(8)
    )
    kinds = [CLASSES[int(n > 1)] for n in truth["n_components"]]
    sides = truth["angular_size"] + 6
    boxes = {"ra": truth["ra"], "dec": truth["dec"], "width": sides, "height": sides, "class": kinds}
    pd.DataFrame(boxes).to_csv(tmp_path / "labels.csv", index=False)
    settings = {
        "targets": {"path": "labels.csv"},
        "labels": {"path": "labels.csv"},
        "survey": {"radio": {"source": "directory", "path": "images"}, "infrared": {"source": "none"}},
        "fusion": {"methods": ["D1"]},
        "model": {"classes": CLASSES, "start_from": {"D1": "resources/models/D1.safetensors"}},
        "training": {"epochs": 2, "learning_rate": 0.0003},
        "catalogue": {"method": "D1"},
        "evaluation": {"bootstrap": 10},
    }
    return Run(tmp_path, settings)


def test_from_boxes_to_a_catalogue_of_their_classes(run: Run) -> None:
    run.settings["model"]["classes"] = ["compact", "compact"]
    (line,) = messages_of(run("report", check=False))
    assert "model.classes is ['compact', 'compact'], classes 'compact' and 'compact' would both" in line
    run.settings["model"]["classes"] = ["FR-I", "FR-II"]
    (line,) = messages_of(run("report", check=False))
    assert "class 'compact' is not one of model.classes, FR-I, FR-II" in line
    run.settings["model"]["classes"] = CLASSES
    run("report")
    weights = read_info(run.results / "model" / "D1" / "weights.safetensors")
    assert weights.class_names == tuple(CLASSES)
    assert weights.training["start_from"]["class_names"] == list(MORPHOLOGIES)
    catalogue = run.table("catalogue/catalogue.parquet")
    assert validate_catalogue(run.results / "catalogue" / "catalogue.parquet") == []
    assert [name for name in catalogue if name.startswith("p_")] == ["p_compact", "p_fr_ii"]
    assert len(catalogue) and set(catalogue["morphology"]) <= set(CLASSES)
    assert (catalogue["n_components"] == catalogue["rule_components"]).all()
    assert not (catalogue["flags"] & int(Flag.COUNTS_DISAGREE)).any()
    labels = run.table("labels.parquet")
    assert len(labels) and set(labels["morphology"]) <= set(CLASSES)
    metrics = json.loads((run.results / "evaluation" / "D1" / "metrics.json").read_text())
    assert metrics["classes"] == CLASSES and metrics["by_components"] is None
    assert metrics["counts"]["n_sources"] == len(labels)
    assert "k-FR-II" in (run.results / "report.html").read_text()
