"""The whole workflow on a few simulated subjects, as users run it: stages, reruns, added targets, shards."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sky_images import write_image
from workflow_runs import PROVENANCE, Run, demo_targets, messages_of, output_of

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.cutouts.cutout_file import cutout_writer, read_cutouts, settings_digest

N_TRAIN, N_TEST = 28, 14
TINY: dict[str, Any] = {
    "targets": {"path": "targets.csv"},
    "shard_size": 12,
    "model": {"weights": {"D4": None}},
    "training": {"epochs": 2},
    "evaluation": {"bootstrap": 20},
    "report": {"gallery_size": 6},
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the whole workflow in four shards."""
    run = Run(tmp_path_factory.mktemp("tiny"), TINY)
    demo_targets(run.directory / "targets.csv", N_TRAIN, N_TEST)
    (run.directory / "output").write_text(output_of(run()))
    return run


def prepared(directory: Path, tiny: Run, **settings: Any) -> Run:
    """Prepare a run on the same targets, without any results."""
    run = Run(directory, {**tiny.settings, **settings})
    demo_targets(directory / "targets.csv", N_TRAIN, N_TEST)
    return run


def test_every_product_is_there(tiny: Run) -> None:
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


def test_every_demo_subject_shows_a_source(tiny: Run) -> None:
    labels = tiny.table("labels.parquet")
    labelled = set(labels.subject_id)
    assert len(labelled) >= 0.9 * (N_TRAIN + N_TEST)
    assert labels.morphology.nunique() >= 4


def test_the_last_lines_name_the_results_and_their_score(tiny: Run) -> None:
    output = (tiny.directory / "output").read_text()
    assert str(tiny.results / "catalogue" / "catalogue.parquet") in output
    assert str(tiny.results / "report.html") in output
    metrics = json.loads((tiny.results / "evaluation" / "D4" / "metrics.json").read_text())
    assert metrics["counts"]["n_subjects"] == N_TEST
    assert "mAP" in output


def test_every_job_has_a_log_and_a_benchmark(tiny: Run) -> None:
    for folder, suffix in (("logs", ".log"), ("benchmarks", ".tsv")):
        jobs = {
            path.relative_to(tiny.results / folder).with_suffix("")
            for path in (tiny.results / folder).rglob(f"*{suffix}")
        }
        assert len(jobs) == 4 * 6 + 12, sorted(map(str, jobs))


def test_a_second_run_has_nothing_to_do(tiny: Run) -> None:
    assert "Nothing to be done" in tiny("--quiet", "progress").stderr or tiny.planned() == {}


def test_forcing_fusion_reruns_only_fusion_and_later_stages(tiny: Run) -> None:
    jobs = tiny.planned("-R", "fuse")
    assert jobs["fuse"] == 4
    assert {"train", "infer", "build_catalogue", "evaluate", "write_report"} <= set(jobs)
    earlier = {"assign_shards", "cut_out", "gather_ledger", "find_components", "label_shard", "gather_labels"}
    assert not earlier & set(jobs)


def test_a_changed_contour_level_reruns_fusion_and_later_stages(tiny: Run) -> None:
    changed = Run(tiny.directory, {**tiny.settings, "fusion": {"contour_sigma": 4.0}})
    jobs = changed.planned()
    assert jobs["fuse"] == 4 and jobs["train"] == 1
    assert not {"assign_shards", "cut_out", "find_components", "label_shard"} & set(jobs)


def test_a_changed_filter_reruns_only_the_catalogue_and_the_evaluations(tiny: Run) -> None:
    changed = Run(tiny.directory, {**tiny.settings, "catalogue": {"min_probability": 0.6}})
    jobs = changed.planned()
    catalogue = {"record_config", "measure_sources", "build_catalogue", "match_targets", "write_report"}
    assert set(jobs) - {"all", "total"} == catalogue | {"evaluate", "evaluate_catalogue"}


@pytest.mark.parametrize(
    ("stage", "first"),
    [
        ("targets", "assign_shards"),
        ("cutouts", "cut_out"),
        ("components", "find_components"),
        ("fusion", "fuse"),
        ("training", "train"),
        ("inference", "infer"),
        ("catalogue", "build_catalogue"),
        ("evaluation", "evaluate"),
        ("report", "write_report"),
    ],
)
def test_stages_are_target_names(tiny: Run, tmp_path: Path, stage: str, first: str) -> None:
    assert first in prepared(tmp_path, tiny).planned(stage)


def test_added_targets_do_not_change_the_other_shards(tiny: Run, tmp_path: Path) -> None:
    run = tiny.copy(tmp_path / "run")
    fused = run.results / "fused" / "D4"
    before = {file.name: file.stat().st_mtime_ns for file in fused.iterdir()}
    old = run.table("targets.parquet")
    demo_targets(run.directory / "targets.csv", N_TRAIN + 3, N_TEST)
    assert run.planned("fusion")["cut_out"] == 1
    run("fusion")
    after = {file.name: file.stat().st_mtime_ns for file in fused.iterdir()}
    assert {name: after[name] for name in before} == before and len(after) == len(before) + 2
    new = run.table("targets.parquet").set_index("subject_id")
    assert (new.loc[old.subject_id, "shard"].to_numpy() == old.shard.to_numpy()).all()
    assert run.planned("fusion") == {}


def test_cutouts_of_another_sky_are_refused(tiny: Run, tmp_path: Path) -> None:
    run = tiny.copy(tmp_path / "swapped")
    path = run.results / "cutouts" / "00000" / "radio.arrow"
    with read_cutouts(path) as cutouts:
        made_from, rows = cutouts.made_from, [cutouts.row(name) for name in cutouts]
    other_seed = made_from | {"settings": settings_digest({"seed": 2})}
    with cutout_writer(path, survey="FIRST", unit="Jy/beam", made_from=other_seed) as writer:
        for row in rows:
            writer.append(row)
    assert run("components", check=False).returncode != 0
    log = (run.results / "logs" / "find_components" / "00000.log").read_text()
    assert "radio.arrow: made from other settings than those of this run" in log
    assert "Traceback" not in log


def test_one_shard_gives_the_same_catalogue_as_four(tiny: Run, tmp_path: Path) -> None:
    one = prepared(tmp_path, tiny, shard_size=512)
    one("catalogue")
    catalogue, expected = (
        run.table("catalogue/catalogue.parquet").drop(columns=PROVENANCE) for run in (one, tiny)
    )
    pd.testing.assert_frame_equal(catalogue, expected)
    assert one.table("targets.parquet").shard.nunique() == 1
    pd.testing.assert_frame_equal(one.table("labels.parquet"), tiny.table("labels.parquet"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fusion": {"contour_sgima": 3}}, "did you mean 'contour_sigma'"),
        ({"targets": {"path": "absent.csv"}}, "absent.csv: no such file"),
        ({"survey": {"radio": {"source": "archive"}}}, "would show different skies"),
    ],
)
def test_mistakes_end_in_one_line_before_anything_runs(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    run = Run(tmp_path, settings)
    done = run(check=False)
    assert done.returncode != 0
    [printed] = messages_of(done)
    assert message in printed
    assert "Traceback" not in done.stderr
    assert not run.results.exists()


def test_a_survey_without_truth_needs_weights(tmp_path: Path) -> None:
    (tmp_path / "targets.csv").write_text("ra,dec\n10,10\n")
    write_image(tmp_path / "images" / "a.fits", 10.0, 10.0, BUNIT="Jy/beam")
    settings = {
        "targets": {"path": "targets.csv"},
        "survey": {"radio": {"source": "directory", "path": "images"}, "infrared": {"source": "none"}},
        "model": {"weights": {"D4": None}},
    }
    done = Run(tmp_path, settings)(check=False)
    assert done.returncode != 0 and "give model.weights" in output_of(done)


def test_shipped_weights_need_no_training(tiny: Run, tmp_path: Path) -> None:
    run = prepared(tmp_path, tiny, fusion={"methods": ["D1", "D4"]})
    del run.settings["model"], run.settings["training"]
    jobs = run.planned()
    assert jobs["infer"] == 8 and "train" not in jobs and "plot_losses" not in jobs


def test_shipped_weights_that_do_not_fit_are_trained_again(tiny: Run, tmp_path: Path) -> None:
    run = prepared(tmp_path, tiny, fusion={"contour_sigma": 4.0})
    del run.settings["model"]
    assert run.planned()["train"] == 1
    vgg16 = prepared(tmp_path, tiny, model={"architecture": "vgg16"})
    assert vgg16.planned()["train"] == 1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"weights": {"D1": "{trained}"}}, "weights for D4 images, used for D1"),
        ({"weights": {"D1": "{trained}"}, "architecture": "vgg16"}, "weights of association, but"),
        ({"weights": {"D1": "absent.safetensors"}}, "absent.safetensors: cannot be read"),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_anything_runs(
    tiny: Run, tmp_path: Path, model: dict[str, Any], message: str
) -> None:
    trained = tiny.results / "model" / "D4" / "weights.safetensors"
    weights = {method: path.format(trained=trained) for method, path in model["weights"].items()}
    methods = {"fusion": {"methods": ["D1"]}, "catalogue": {"method": "D1"}}
    run = prepared(tmp_path, tiny, **methods, model={**model, "weights": weights})
    done = run("catalogue", check=False)
    [printed] = messages_of(done)
    assert done.returncode != 0 and message in printed
    assert not run.results.exists()
