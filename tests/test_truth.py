"""Truth of shards and runs, from the simulated sky and from a label table."""

import pandas as pd
import pytest

from claran_core.config import REPOSITORY, load_config
from claran_core.cutouts import cut_shard
from claran_core.files import read_table
from claran_core.frame import Frame
from claran_core.paths import Results
from claran_core.survey.base import SURVEYS
from claran_core.survey.simulated import SimulatedSource
from claran_core.tables import LABELS
from claran_core.truth import gather_labels, label_shard_from_table, label_simulated_shard, truth_kind

FRAME = Frame()
HEADER = "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training\n"


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """Six subjects of the demonstration, cut out of its sky."""
    seed = load_config().seed
    targets = pd.read_csv(REPOSITORY / "resources" / "demo" / "targets.csv").head(6).assign(shard="00000")
    results = Results(tmp_path_factory.mktemp("truth"))
    sky = SimulatedSource(SURVEYS["FIRST"], seed=seed)
    cut_shard(targets, sky, None, FRAME, results=results, shard="00000")
    return targets, results, sky


def test_where_truth_comes_from(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(HEADER + "1,FIRSTJ000007.0+081644,1,1,0.029,8.279,24.1,0.75,1\n")
    plain = tmp_path / "plain.csv"
    plain.write_text("ra,dec\n1,2\n")
    survey = {"radio": {"source": "directory", "path": "x"}, "infrared": {"source": "none"}}
    real = load_config({"survey": survey})
    assert truth_kind(load_config(), plain) == "simulated"
    assert truth_kind(real, table) == "label table"
    assert truth_kind(real, plain) is None


def test_simulated_labels_lie_on_their_subjects(shard):
    targets, results, sky = shard
    paths = {"radio_path": results.cutouts("00000", "radio"), "output_path": results.shard_labels("00000")}
    label_simulated_shard(targets, sky, FRAME, **paths)
    labels = read_table(results.shard_labels("00000"))
    assert labels.columns.tolist() == LABELS.names
    assert set(labels.subject_id) == set(targets.subject_id)
    # The subject is centred on a component of a source: some box holds the middle of the frame.
    near = labels[(labels.box_x1 < 70) & (labels.box_x2 > 62) & (labels.box_y1 < 70) & (labels.box_y2 > 62)]
    assert near.subject_id.nunique() >= 5


def test_labels_from_a_table(shard, tmp_path):
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
    output = tmp_path / "labels.parquet"
    label_shard_from_table(
        targets, table, FRAME, radio_path=results.cutouts("00000", "radio"), output_path=output
    )
    labels = read_table(output)
    assert labels.label_id.tolist() == ["11", "12", "13"]
    assert labels.morphology.tolist() == ["1C_2P", "1C_1P", "2C_2P"]


def test_gathered_labels_do_not_show_the_shards(shard, tmp_path):
    targets, results, sky = shard
    parts = []
    for number, rows in enumerate((targets.iloc[3:], targets.iloc[:3])):
        parts.append(tmp_path / f"{number}.parquet")
        label_simulated_shard(
            rows, sky, FRAME, radio_path=results.cutouts("00000", "radio"), output_path=parts[-1]
        )
    gather_labels(parts, tmp_path / "forward.parquet")
    gather_labels(parts[::-1], tmp_path / "backward.parquet")
    forward = read_table(tmp_path / "forward.parquet")
    pd.testing.assert_frame_equal(forward, read_table(tmp_path / "backward.parquet"))
    assert forward.subject_id.is_monotonic_increasing


def test_a_shard_without_sources_has_an_empty_table(tmp_path, shard):
    targets, results, sky = shard
    output = tmp_path / "labels.parquet"
    label_simulated_shard(
        targets.head(0), sky, FRAME, radio_path=results.cutouts("00000", "radio"), output_path=output
    )
    assert read_table(output).empty
