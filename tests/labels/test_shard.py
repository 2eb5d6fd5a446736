"""Labels of shards and runs, from the simulated sky and from a label table."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import ConfigError, InputError
from claran_core.common.files import content_of, read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.paths import Results
from claran_core.common.sky import offset_to_sky
from claran_core.common.tables import LABELS, OWNERS
from claran_core.components.component_table import read_noise
from claran_core.components.shard import find_shard_components
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.cutouts.shard import cut_shard
from claran_core.labels.owner_table import COMPONENT_COLUMNS
from claran_core.labels.shard import (
    TruthFiles,
    gather_labels,
    label_own_shard,
    label_shard_from_table,
    label_simulated_shard,
    sky_truth,
    truth_kind,
)
from claran_core.labels.sky_labels import SkyLabel, SkyLabels
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.subjects import Selection, select_subjects, sources_near
from claran_core.survey.surveys import SURVEYS

Shard = tuple[pd.DataFrame, Results, SimulatedProvider]

FRAME = Frame()
SEED = 4
HEADER = "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training\n"


@pytest.fixture(scope="module")
def selection() -> Selection:
    """Return six subjects of frequent classes."""
    mix = {"1C_1P": 2, "1C_2P": 2, "1C_1P+1C_1P": 1, "2C_2P": 1}
    return select_subjects(seed=SEED, n_train=6, n_test=0, mix={"train": mix, "test": mix})


@pytest.fixture(scope="module")
def shard(selection: Selection, tmp_path_factory: pytest.TempPathFactory) -> Shard:
    """Return targets, results with cut-outs, and the sky of the six subjects."""
    targets = selection.targets.assign(scale=1, shard="00000")
    results = Results(tmp_path_factory.mktemp("truth"))
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=SEED)
    cut_shard(targets, sky, None, FRAME, results=results, shard="00000")
    with read_cutouts(results.cutouts("00000", "radio")) as radio:
        find_shard_components(
            targets,
            radio,
            FRAME,
            components_path=results.components("00000"),
            noise_path=results.noise("00000"),
        )
    return targets, results, sky


def components_of(results: Results) -> dict[str, Any]:
    """Return what the labels stage reads of the components stage."""
    table = read_table(results.components("00000"), COMPONENT_COLUMNS)
    return {"components": table, "noise": read_noise(results.noise("00000"))}


def files_of(results: Results) -> TruthFiles:
    """Return the files of the shard."""
    made_from = {"components": "a digest"}
    return TruthFiles(results.shard_labels("00000"), results.owners("00000"), made_from)


def test_origin_of_the_truth(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(HEADER + "1,FIRSTJ000007.0+081644,1,1,0.029,8.279,24.1,0.75,1\n")
    plain = tmp_path / "plain.csv"
    plain.write_text("ra,dec\n1,2\n")
    six = {"own_labels": None, "classes": MORPHOLOGIES}
    assert truth_kind("simulated", plain, **six) == "simulated"
    assert truth_kind("directory", table, **six) == "label table"
    assert truth_kind("directory", plain, **six) is None
    others = {"classes": ["FR-I", "FR-II"]}
    assert truth_kind("simulated", table, own_labels=plain, **others) == "own labels"
    assert truth_kind("directory", tmp_path / "labels.json", own_labels=None, **others) is None
    with pytest.raises(ConfigError, match="model.classes are FR-I, FR-II, but .* simulated sky are 1C_1P, "):
        truth_kind("simulated", plain, own_labels=None, **others)


def test_labels_of_a_user_that_are_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = {**dict.fromkeys(LABELS.names, 0.0), "subject_id": "s", "label_id": "a", "split": "train"}
    row |= {"morphology": "FR-I", "n_components": 1, "n_peaks": 1, "flags": 0}
    row |= {"component_ra": [1.0], "component_dec": [2.0]}
    write_table(tmp_path / "one.parquet", pd.DataFrame([row]), LABELS)
    with caplog.at_level(logging.WARNING):
        gather_labels([tmp_path / "one.parquet"], tmp_path / "all.parquet", ["a", "b", "c", "d", "e"])
    assert "4 of 5 labels are not used: no component of 5.3 sigma" in caplog.text
    assert caplog.text.rstrip().endswith(": b, c, d, ..")
    with pytest.raises(InputError, match="none of 1 labels is used"):
        gather_labels([tmp_path / "one.parquet"], tmp_path / "all.parquet", ["b"])


def test_simulated_labels_equal_those_of_the_selection(shard: Shard, selection: Selection) -> None:
    targets, results, sky = shard
    with read_cutouts(results.cutouts("00000", "radio")) as radio:
        label_simulated_shard(
            targets, sky, FRAME, radio=radio, files=files_of(results), **components_of(results)
        )
    for path in (results.shard_labels("00000"), results.owners("00000")):
        assert content_of(path)[1] == {"components": "a digest"}
    labels = read_table(results.shard_labels("00000"))
    assert labels.columns.tolist() == LABELS.names
    assert labels[["subject_id", "label_id", "morphology"]].values.tolist() == (
        selection.labels[["subject_id", "label_id", "morphology"]].values.tolist()
    )
    owners = read_table(results.owners("00000"))
    assert owners.columns.tolist() == OWNERS.names
    components = read_table(results.components("00000"))
    keys = ["subject_id", "scale", "level", "component_id"]
    pd.testing.assert_frame_equal(owners[keys], components[keys])
    large = owners[(components["n_pixels"] > 1) & (owners["level"] == 1)]
    for label in labels.itertuples():
        own = large[(large["subject_id"] == label.subject_id) & (large["source_id"] == label.label_id)]
        assert len(own) == label.n_components
        assert set(own["morphology"]) == {label.morphology} and set(own["kind"]) == {"source"}
    numbers = ["ra", "dec", "box_x1", "angular_size", "consensus", "host_ra", "host_dec"]
    np.testing.assert_allclose(labels[numbers], selection.labels[numbers].astype(float), rtol=1e-6)


def test_drawn_boxes_own_the_components_of_the_simulated_labels(shard: Shard, selection: Selection) -> None:
    targets, results, _ = shard
    drawn = []
    for label in selection.labels.itertuples():
        half = label.angular_size / 2 + 5
        east, north = half * np.array([1, -1, -1, 1]), half * np.array([-1, -1, 1, 1])
        corners = np.stack(offset_to_sky(label.ra, label.dec, east, north), axis=-1)
        drawn.append(SkyLabel(label.label_id, f"class-{label.n_components}", corners))
    label_own_shard(
        targets,
        SkyLabels(drawn),
        FRAME,
        components=components_of(results)["components"],
        files=files_of(results),
    )
    labels = read_table(results.shard_labels("00000")).set_index("label_id")
    known = selection.labels.set_index("label_id")
    whole = known[BOX_COLUMNS].apply(lambda edge: edge.between(4, FRAME.size_px - 4)).all(axis=1)
    assert set(known.index[whole]) <= set(labels.index) <= set(known.index) and whole.sum() > 3
    assert labels["n_components"].tolist() == known.loc[labels.index, "n_components"].tolist()
    assert (labels["morphology"] == "class-" + labels["n_components"].astype(str)).all()
    for name in ("ra", "dec", "angular_size", "box_x1"):
        np.testing.assert_allclose(labels[name], known.loc[labels.index, name].astype(float), rtol=1e-4)
    owners = read_table(results.owners("00000"))
    assert set(owners["kind"]) <= {"source", "unknown"}
    assert set(owners.loc[owners["kind"] == "source", "morphology"]) == set(labels["morphology"])


@pytest.mark.parametrize("scale", [2, 4])
def test_fine_components_of_a_coarser_view_have_the_same_owners(
    shard: Shard, tmp_path: Path, scale: int
) -> None:
    targets, results, sky = shard
    wide = targets.head(2).assign(scale=scale)
    coarse = Results(tmp_path)
    cut_shard(wide, sky, None, FRAME, results=coarse, shard="00000")
    owners = []
    for rows, files in ((targets, results), (wide, coarse)):
        with read_cutouts(files.cutouts("00000", "radio")) as radio:
            if files is coarse:
                paths = {"components_path": coarse.components("00000"), "noise_path": coarse.noise("00000")}
                find_shard_components(wide, radio, FRAME, **paths)
            inputs = {"radio": radio, "files": files_of(files), **components_of(files)}
            label_simulated_shard(rows, sky, FRAME, **inputs)
        table = read_table(files.owners("00000"))
        keys = ["subject_id", "level", "component_id"]
        owners.append(table[table["scale"] == 1].set_index(keys)["source_id"])
    fine, parts = owners
    same = fine.loc[wide["subject_id"]].reindex(parts.index).dropna()
    assert len(same) > 0.5 * len(fine.loc[wide["subject_id"]])
    # The noise of the wider image differs, so contours move a little.
    assert (same == parts[same.index]).mean() > 0.95
    table = read_table(coarse.owners("00000"))
    assert set(table["scale"]) == {1, scale}
    labels = read_table(coarse.shard_labels("00000"))
    assert set(labels["subject_id"]) == set(wide["subject_id"])
    nominal = table[(table["level"] == 1) & (table["kind"] == "source")]
    assert set(labels["label_id"]) <= set(nominal["source_id"][nominal["scale"] == scale])


def test_sky_truth_labels_each_source_in_its_own_subject(selection: Selection) -> None:
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=SEED)
    own = selection.own_labels.set_index("label_id")
    host = own.iloc[0]
    sources = sources_near(SEED, host.host_ra, host.host_dec, 200.0)
    truth = sky_truth(sky, sources, FRAME).set_index("label_id")
    assert truth.index.is_unique and set(truth.index) <= {source.source_id for source in sources}
    assert (truth.subject_id == truth.index).all() and (truth.split == "none").all()
    same = truth.loc[own.index[0]]
    # Another window has another noise level, so contours move slightly.
    assert same.ra == pytest.approx(host.ra, abs=1e-3) and same.dec == pytest.approx(host.dec, abs=1e-3)
    assert same.angular_size == pytest.approx(host.angular_size, rel=0.3)
    assert (same.host_ra, same.host_dec) == (host.host_ra, host.host_dec)
    # The subject is centred on the host.
    assert (same.box_x1 + same.box_x2) / 2 == pytest.approx(66, abs=30)
    assert sky_truth(sky, [], FRAME).columns.tolist() == LABELS.names


def test_labels_from_a_table(shard: Shard, tmp_path: Path) -> None:
    targets, results, _ = shard
    first, second = targets.iloc[0], targets.iloc[1]
    table = tmp_path / "labels.csv"
    rows = [
        f"11,{first.subject_id},1,2,{first.ra},{first.dec},30.0,0.9,1",
        f"12,{first.subject_id},1,1,{first.ra},{first.dec + 0.01},9.0,0.7,1",
        f"13,{second.subject_id},2,2,{second.ra};{second.ra},{second.dec};{second.dec + 0.005},40.0,0.8,0",
        "14,FIRSTJ000007.0+081644,1,1,0.029,8.279,24.1,0.75,1",
    ]
    table.write_text(HEADER + "\n".join(rows) + "\n")
    files = TruthFiles(tmp_path / "labels.parquet", tmp_path / "owners.parquet")
    with read_cutouts(results.cutouts("00000", "radio")) as radio:
        inputs = components_of(results)
        label_shard_from_table(targets, table, FRAME, radio=radio, files=files, **inputs)
    labels = read_table(files.labels)
    assert labels.label_id.tolist() == ["11", "12", "13"]
    assert labels.morphology.tolist() == ["1C_2P", "1C_1P", "2C_2P"]
    owners = read_table(files.owners)
    assert len(owners) == len(read_table(results.components("00000")))
    assert set(owners["kind"]) == {"source", "unknown"}
    assert set(owners["source_id"][owners["kind"] == "unknown"]) == {""}
    assert set(zip(owners["source_id"], owners["morphology"], strict=True)) >= {("11", "1C_2P"), ("", "")}


def test_gathered_labels_do_not_depend_on_the_shards(shard: Shard, tmp_path: Path) -> None:
    targets, results, sky = shard
    parts = []
    for number, rows in enumerate((targets.iloc[3:], targets.iloc[:3])):
        parts.append(tmp_path / f"{number}.parquet")
        files = TruthFiles(parts[-1], tmp_path / f"{number}.owners.parquet")
        with read_cutouts(results.cutouts("00000", "radio")) as radio:
            inputs = components_of(results)
            own = inputs["components"]["subject_id"].isin(rows["subject_id"])
            inputs["components"] = inputs["components"][own]
            label_simulated_shard(rows, sky, FRAME, radio=radio, files=files, **inputs)
    gather_labels(parts, tmp_path / "forward.parquet")
    gather_labels(parts[::-1], tmp_path / "backward.parquet")
    forward = read_table(tmp_path / "forward.parquet")
    pd.testing.assert_frame_equal(forward, read_table(tmp_path / "backward.parquet"))
    assert forward.subject_id.is_monotonic_increasing


def test_shard_without_sources_has_an_empty_table(tmp_path: Path, shard: Shard) -> None:
    targets, results, sky = shard
    files = TruthFiles(tmp_path / "labels.parquet", tmp_path / "owners.parquet")
    inputs = components_of(results)
    inputs["components"] = inputs["components"].head(0)
    label_simulated_shard(targets.head(0), sky, FRAME, radio={}, files=files, **inputs)
    assert read_table(files.labels).empty and read_table(files.owners).empty
