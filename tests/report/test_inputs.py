"""Inputs of the report: read from the files of a run; damaged files are refused in one line."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_inputs import SIZE, fused_of, make_inputs, make_labels, planes_of, with_truth, write_run

from claran_core.common.errors import InputError
from claran_core.common.files import read_table, write_json, write_table
from claran_core.common.tables import LABELS, NOISE
from claran_core.report.inputs import ReportInputs, read_inputs
from claran_core.report.page import render_report


def test_inputs_are_read_from_the_files_of_a_run(tmp_path: Path) -> None:
    made = with_truth(make_inputs(), tmp_path)
    results = write_run(tmp_path / "results", made)
    write_table(results.labels, made.labels, LABELS)
    write_json(results.metrics("D4"), made.metrics["D4"])
    figures = results.evaluation_figures("D4")
    for source, target in (
        *((made.figures["D4"][name], path) for name, path in figures.items()),
        (made.loss_curves["D4"], results.loss_curves("D4")),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    read = read_inputs(results, made.config, date=made.date, evaluated=["D4"], trained=["D4"])
    assert read.notices == [
        "1 of 24 radio images could not be obtained; S023: table_not_image.fits: no image"
    ]
    assert render_report(read) == render_report(dataclasses.replace(made, notices=read.notices))


def test_images_come_shard_by_shard_in_the_order_of_the_run(tmp_path: Path) -> None:
    made = make_inputs()
    read = read_inputs(write_run(tmp_path, made), made.config, date=made.date)
    images = list(read.images_of(["S004", "S000", "S002"]))
    assert [image.subject_id for image in images] == ["S000", "S002", "S004"]
    np.testing.assert_array_equal(images[2].fused, fused_of("S004"))
    np.testing.assert_allclose(images[2].planes.radio, planes_of("S004").radio, atol=1e-3)
    assert np.isnan(images[0].planes.infrared).all()  # it has no infrared image


def test_blank_subjects_have_an_image_and_no_component_of_any_scale(tmp_path: Path) -> None:
    made = make_inputs(8)
    results = write_run(tmp_path, made)
    noise = read_table(results.noise("00001"))
    first = noise["subject_id"].tolist()
    # One of the two without a component has no image; another has components that only smoothing shows.
    noise.loc[noise["subject_id"] == "S007", "sigma"] = np.nan
    noise.loc[noise["subject_id"] == "S003", "n_components"] = 0
    noise.loc[noise["subject_id"] == "S004", "n_components"] = 0
    wide = noise[noise["subject_id"] == "S004"].assign(scale=2, n_components=3)
    write_table(results.noise("00001"), pd.concat([noise, wide]), NOISE)
    assert first == ["S003", "S004", "S005", "S006", "S007"]
    assert read_inputs(results, made.config, date=made.date).blank == {"S003", "S006"}


def test_images_of_a_coarse_subject_are_drawn_in_its_frame(tmp_path: Path) -> None:
    made = make_inputs(6)
    wide = {name: table.assign(scale=[2, *[1] * 5]) for name, table in _with_scale(made).items()}
    made = dataclasses.replace(made, **wide)
    read = read_inputs(write_run(tmp_path, made), made.config, date=made.date)
    coarse, fine = read.images_of(["S000", "S001"])
    np.testing.assert_allclose(fine.planes.radio, planes_of("S001").radio, atol=1e-3)
    # The cut-out of the test is as wide as the fine frame: half the width of the coarse one.
    seen = np.isfinite(coarse.planes.radio)
    assert seen[SIZE // 4 + 1 : -SIZE // 4 - 1, SIZE // 4 + 1 : -SIZE // 4 - 1].all()
    assert not seen[: SIZE // 4 - 1].any()


def _with_scale(made: ReportInputs) -> dict[str, pd.DataFrame]:
    return {"targets": made.targets, "fused": made.fused}


def test_missing_metrics_are_reported_in_one_line(tmp_path: Path) -> None:
    made = make_inputs()
    results = write_run(tmp_path, made)
    write_table(results.labels, make_labels(22), LABELS)
    with pytest.raises(InputError, match=r"metrics\.json"):
        read_inputs(results, made.config, date=made.date, evaluated=["D4"])
    with pytest.raises(InputError, match=r"catalogue/metrics\.json"):
        read_inputs(results, made.config, date=made.date, against_truth=True)
