"""The whole workflow on a tiny sky, run as a user runs it: stages, reruns, added targets, shards."""

import json

import pandas as pd
import pytest
from workflow_runs import Run, demo_targets

from claran_core.catalogue.product.schema import CATALOGUE

pytestmark = pytest.mark.xdist_group("workflow")

N_TRAIN, N_TEST = 28, 14
TINY = {
    "shard_size": 12,
    "model": {"weights": {"D4": None}},
    "training": {"epochs": 2},
    "evaluation": {"bootstrap": 20},
    "report": {"gallery_size": 6},
}
PROVENANCE = ["pipeline_version", "model_id"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A finished run in four shards."""
    directory = tmp_path_factory.mktemp("tiny")
    path = demo_targets(directory / "targets.csv", N_TRAIN, N_TEST)
    run = Run(directory, {**TINY, "targets": {"path": str(path)}})
    run.printed = run()
    return run


def test_every_product_is_there(tiny):
    results = tiny.results
    assert len(tiny.table("targets.parquet")) == N_TRAIN + N_TEST
    ledger = tiny.table("catalogue/ledger.parquet")
    assert len(ledger) == 2 * (N_TRAIN + N_TEST)
    assert set(ledger.status) == {"ok"}
    assert not ledger.duplicated(["subject_id", "band"]).any()
    assert tiny.table("catalogue/catalogue.parquet").columns.tolist() == CATALOGUE.names
    assert (results / "model" / "D4" / "weights.safetensors").exists()
    assert not (results / "model" / "D4" / "checkpoint.pt").exists()
    for figure in ("precision_recall.png", "losses.png"):
        assert (results / "evaluation" / "D4" / figure).stat().st_size > 5000
    assert "<html" in (results / "report.html").read_text()[:300]
    assert (results / "config.yaml").read_text().startswith("seed:")


def test_every_demo_subject_shows_a_source(tiny):
    labels = tiny.table("labels.parquet")
    labelled = set(labels.subject_id)
    assert len(labelled) >= 0.9 * (N_TRAIN + N_TEST)
    assert labels.morphology.nunique() >= 4


def test_the_end_tells_where_things_are_and_how_good(tiny):
    said = tiny.printed.stdout + tiny.printed.stderr
    assert str(tiny.results / "catalogue" / "catalogue.parquet") in said
    assert str(tiny.results / "report.html") in said
    metrics = json.loads((tiny.results / "evaluation" / "D4" / "metrics.json").read_text())
    assert metrics["counts"]["n_subjects"] == N_TEST
    assert "mAP" in said


def test_every_job_has_a_log_and_a_benchmark(tiny):
    for folder, suffix in (("logs", ".log"), ("benchmarks", ".tsv")):
        jobs = {
            path.relative_to(tiny.results / folder).with_suffix("")
            for path in (tiny.results / folder).rglob(f"*{suffix}")
        }
        assert len(jobs) == 4 * 5 + 10, sorted(map(str, jobs))


def test_a_second_run_finds_nothing_to_do(tiny):
    assert "Nothing to be done" in tiny("--quiet", "progress").stderr or tiny.planned() == {}


def test_forcing_fusion_reruns_from_fusion_on_only(tiny):
    jobs = tiny.planned("-R", "fuse")
    assert jobs["fuse"] == 4 and {"train", "infer", "build_catalogue", "evaluate", "write_report"} <= set(
        jobs
    )
    assert not {"assign_shards", "cut_out", "gather_ledger", "label_shard", "gather_labels"} & set(jobs)


def test_a_changed_contour_level_reruns_fusion_and_what_follows(tiny):
    changed = Run(tiny.directory, {**tiny.settings, "fusion": {"contour_sigma": 4.0}})
    jobs = changed.planned()
    assert jobs["fuse"] == 4 and jobs["train"] == 1
    assert not {"assign_shards", "cut_out", "label_shard"} & set(jobs)


def test_a_changed_filter_reruns_the_catalogue_only(tiny):
    changed = Run(tiny.directory, {**tiny.settings, "catalogue": {"min_probability": 0.5}})
    jobs = changed.planned()
    again = {"record_config", "measure_sources", "build_catalogue", "evaluate_catalogue", "write_report"}
    assert set(jobs) - {"all", "total"} == again


@pytest.mark.parametrize(
    ("stage", "first"),
    [
        ("targets", "assign_shards"),
        ("cutouts", "cut_out"),
        ("fusion", "fuse"),
        ("training", "train"),
        ("inference", "infer"),
        ("catalogue", "build_catalogue"),
        ("evaluation", "evaluate"),
        ("report", "write_report"),
    ],
)
def test_stages_are_target_names(tiny, tmp_path, stage, first):
    fresh = Run(tmp_path, {**tiny.settings})
    assert first in fresh.planned(stage)


def test_added_targets_leave_the_other_shards_alone(tiny, tmp_path):
    path = demo_targets(tmp_path / "targets.csv", N_TRAIN, N_TEST)
    run = Run(tmp_path, {**TINY, "targets": {"path": str(path)}})
    run("fusion")
    before = {file.name: file.stat().st_mtime_ns for file in (run.results / "fused" / "D4").iterdir()}
    old = run.table("targets.parquet")
    demo_targets(path, N_TRAIN + 3, N_TEST)
    assert run.planned("fusion")["cut_out"] == 1
    run("fusion")
    after = {file.name: file.stat().st_mtime_ns for file in (run.results / "fused" / "D4").iterdir()}
    assert {name: after[name] for name in before} == before and len(after) == len(before) + 3
    new = run.table("targets.parquet").set_index("subject_id")
    assert (new.loc[old.subject_id, "shard"].to_numpy() == old.shard.to_numpy()).all()
    assert run.planned("fusion") == {}


def test_one_shard_or_four_give_the_same_catalogue(tiny, tmp_path):
    one = Run(tmp_path, {**tiny.settings, "shard_size": 512})
    one()
    many = tiny.table("catalogue/catalogue.parquet").drop(columns=PROVENANCE)
    pd.testing.assert_frame_equal(one.table("catalogue/catalogue.parquet").drop(columns=PROVENANCE), many)
    assert one.table("targets.parquet").shard.nunique() == 1
    pd.testing.assert_frame_equal(one.table("labels.parquet"), tiny.table("labels.parquet"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"fusion": {"contour_sgima": 3}}, "did you mean 'contour_sigma'"),
        ({"targets": {"path": "absent.csv"}}, "absent.csv: no such file"),
        ({"survey": {"radio": {"source": "archive"}}}, "would show different skies"),
    ],
)
def test_mistakes_end_in_one_line_before_anything_runs(tmp_path, settings, says):
    run = Run(tmp_path, settings)
    done = run(check=False)
    assert done.returncode != 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("claran:")]
    assert len(said) == 1 and says in said[0]
    assert "Traceback" not in done.stderr
    assert not run.results.exists()


def test_a_survey_without_truth_needs_weights(tmp_path):
    (tmp_path / "targets.csv").write_text("ra,dec\n10,10\n")
    (tmp_path / "images").mkdir()
    settings = {
        "targets": {"path": "targets.csv"},
        "survey": {"radio": {"source": "directory", "path": "images"}, "infrared": {"source": "none"}},
        "model": {"weights": {"D4": None}},
    }
    done = Run(tmp_path, settings)(check=False)
    assert done.returncode != 0 and "give model.weights" in done.stdout + done.stderr


def test_shipped_weights_need_no_training(tiny, tmp_path):
    settings = {**tiny.settings, "fusion": {"methods": ["D1", "D4"]}}
    del settings["model"], settings["training"]
    jobs = Run(tmp_path, settings).planned()
    assert jobs["infer"] == 8 and "train" not in jobs and "plot_losses" not in jobs


def test_shipped_weights_that_do_not_fit_give_way_to_training(tiny, tmp_path):
    settings = {**tiny.settings, "fusion": {"contour_sigma": 4.0}}
    del settings["model"]
    assert Run(tmp_path, settings).planned()["train"] == 1
    vgg16 = {**tiny.settings, "model": {"architecture": "vgg16"}}
    assert Run(tmp_path, vgg16).planned()["train"] == 1


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"weights": {"D1": "{own}"}}, "weights for D4 images, asked for D1"),
        ({"weights": {"D1": "{own}"}, "architecture": "vgg16"}, "weights of association, but"),
        ({"weights": {"D1": "absent.safetensors"}}, "absent.safetensors: cannot be read"),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_anything_runs(tiny, tmp_path, model, says):
    own = tiny.results / "model" / "D4" / "weights.safetensors"
    weights = {method: path.format(own=own) for method, path in model["weights"].items()}
    settings = {
        **tiny.settings,
        "fusion": {"methods": ["D1"]},
        "catalogue": {"method": "D1"},
        "model": {**model, "weights": weights},
    }
    run = Run(tmp_path, settings)
    done = run("catalogue", check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("claran:")]
    assert done.returncode != 0 and len(said) == 1 and says in said[0]
    assert not run.results.exists()
