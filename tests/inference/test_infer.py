"""Inference: detections of trained detectors, independent of batches and shards."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from fused_runs import blob_sky, component_rows, index_of, write_run
from small_detectors import NARROW_VGG16

from claran_core.common import tables
from claran_core.common.boxes import box_array
from claran_core.common.errors import InputError, WeightsError
from claran_core.common.files import content_of, digest_of, read_metadata, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES, probability_columns
from claran_core.common.paths import Results
from claran_core.components.component_batch import ComponentBatch
from claran_core.fusion.fused_images import open_shard
from claran_core.inference.infer import infer_shard, run_inference
from claran_core.inference.membership import members_of
from claran_core.model.architectures import build_detector
from claran_core.model.layers.detector import Detector
from claran_core.model.weights import load_weights
from claran_core.model.weights_header import model_id
from claran_core.settings.config import load_config
from claran_core.settings.inference import InferenceOptions
from claran_core.survey.surveys import SURVEYS
from claran_core.training.dataset import FusedDataset, FusedShard
from claran_core.training.train import train

FIRST = SURVEYS["FIRST"]
CONFIG = load_config(
    {
        "fusion": {"size_px": 64},
        "training": {
            "batch_size": 6,
            "epochs": 20,
            "learning_rate": 0.002,
            "weight_decay": 0,
            "augmentation": "flip",
            "checkpoint_every": 99,
        },
    }
)
FUSION = CONFIG.fusion
OPTIONS = InferenceOptions(batch_size=4, min_snr=10, min_probability=0.05, nms_iou=0.3, device="cpu")
N = 18


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, list[FusedShard]]:
    """Files of a run after a short training on blobs."""
    results, shards = write_run(tmp_path_factory.mktemp("trained"), blob_sky(N))
    train(
        FusedDataset(shards, targets=[results.targets], labels=results.labels),
        method="D4",
        fusion=FUSION,
        model=CONFIG.model,
        training=CONFIG.training,
        seed=1,
        survey=FIRST,
        weights_path=results.weights("D4"),
        losses_path=results.losses("D4"),
        checkpoint_path=results.checkpoint("D4"),
        device="cpu",
        threads=1,
    )
    return results, shards


@pytest.fixture(scope="module")
def trained_detector(trained: tuple[Results, list[FusedShard]]) -> Detector:
    path = trained[0].weights("D4")
    return load_weights(path, method="D4", fusion_options=FUSION.pixel_options, survey=FIRST)[0]


@pytest.fixture(scope="module", params=["association", "vgg16"])
def detector(request: pytest.FixtureRequest) -> Detector:
    """Return a detector of each architecture: the default trained, a narrow `vgg16` with random weights."""
    if request.param == "association":
        return request.getfixturevalue("trained_detector")
    # Of this seed no row lies at a limit, where the last bit of a sum decides.
    return build_detector("vgg16", channel_means=(9.0, 9.0, 9.0), frame_px=64, seed=2, options=NARROW_VGG16)


def infer(detector: Detector, images: np.ndarray, index: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    options = OPTIONS.changed(**changes)
    components = component_rows(blob_sky(N)[2])
    return infer_shard(images, index, components, detector, options, FUSION.frame, threads=1).detections


def test_training_error_falls(trained: tuple[Results, list[FusedShard]]) -> None:
    losses = read_table(trained[0].losses("D4"))
    error = losses[["anchor_class", "anchor_box", "roi_class", "roi_box"]].sum(axis=1).to_numpy()
    assert error[-6:].mean() < 0.5 * error[:6].mean()


def test_most_probable_box_lies_on_the_blob(trained_detector: Detector) -> None:
    images, index, labels = blob_sky(N)
    best = infer(trained_detector, images, index).drop_duplicates("subject_id")
    pairs = labels.merge(best, on="subject_id", suffixes=("_true", ""))
    assert len(pairs) > 0.8 * len(labels)
    off = [
        pairs[[f"{c}1", f"{c}2"]].mean(axis=1) - pairs[[f"{c}1_true", f"{c}2_true"]].mean(axis=1)
        for c in ("box_x", "box_y")
    ]
    assert np.median(np.hypot(*off)) < 5  # px; a box at random is about 20 off


def test_rows_and_their_order(detector: Detector) -> None:
    images, index, _ = blob_sky(N)
    index = index.iloc[::-1]  # the order of the shard counts, not that of the ids
    table = infer(detector, images[::-1], index)
    assert table.columns.tolist() == tables.DETECTIONS.names
    place = table["subject_id"].map({name: i for i, name in enumerate(index["subject_id"])})
    assert place.is_monotonic_increasing and place.nunique() > N / 2
    assert (table.groupby("subject_id")["probability"].diff().fillna(0) <= 0).all()
    assert (table["probability"] > OPTIONS.min_probability).all()
    own = table[probability_columns()].to_numpy()[
        np.arange(len(table)), [MORPHOLOGIES.index(name) for name in table["morphology"]]
    ]
    np.testing.assert_array_equal(own, table["probability"])


def test_detections_know_their_components(detector: Detector) -> None:
    images, index, _ = blob_sky(N)
    rows, table = component_rows(blob_sky(N)[2]), infer(detector, images, index)
    batch = ComponentBatch.from_table(rows, index["subject_id"])
    subject = pd.Index(index["subject_id"]).get_indexer(table["subject_id"])
    boxes, names = box_array(table), table["morphology"].to_numpy()
    expected = members_of(boxes, names, subject, batch, FUSION.frame)
    own = [batch.components.ids[batch.starts[k] + units] for k, units in zip(subject, expected, strict=True)]
    assert table["component_ids"].map(list).tolist() == [list(ids) for ids in own]
    assert table["component_ids"].map(len).max() == 2 and (table["scale"] == 1).all()


def test_damaged_pixels_are_refused(
    trained: tuple[Results, list[FusedShard]], trained_detector: Detector
) -> None:
    _, [files] = trained
    images, index = open_shard(files.images, files.index)
    damaged = images.copy()
    damaged[5, 3, 3, 0] ^= 1
    arguments = component_rows(blob_sky(N)[2]), trained_detector, OPTIONS, FUSION.frame
    infer_shard(images, index, *arguments, images_path=files.images)
    with pytest.raises(InputError, match=r"the image of S005 is damaged") as error:
        infer_shard(damaged, index, *arguments, images_path=files.images)
    assert str(files.images) in str(error.value)
    # Subjects without components, such as S007, are not read.
    damaged[5, 3, 3, 0] ^= 1
    damaged[7, 3, 3, 0] ^= 1
    infer_shard(damaged, index, *arguments, images_path=files.images)


def test_sky_position_is_that_of_the_box_centre(detector: Detector) -> None:
    images, index, _ = blob_sky(N)
    row = infer(detector, images, index).iloc[0]
    centre = index.set_index("subject_id").loc[row["subject_id"]]
    x, y = Frame(64, 1.375).sky_to_frame(centre["ra"], centre["dec"], row["ra"], row["dec"])
    assert x == pytest.approx((row["box_x1"] + row["box_x2"]) / 2, abs=1e-6)
    assert y == pytest.approx((row["box_y1"] + row["box_y2"]) / 2, abs=1e-6)


def test_detections_do_not_depend_on_the_batch(detector: Detector) -> None:
    images, index, _ = blob_sky(N)
    alone, together = (infer(detector, images, index, batch_size=size) for size in (1, 16))
    texts = ["subject_id", "morphology"]
    pd.testing.assert_frame_equal(alone[texts], together[texts])
    # The detector rounds boxes to 1e-4 px and probabilities to 1e-6; a last bit may tip either one step.
    boxes = [f"box_{corner}" for corner in ("x1", "y1", "x2", "y2")]
    np.testing.assert_allclose(alone[boxes], together[boxes], rtol=0, atol=1.5e-4)
    others = [name for name in tables.DETECTIONS.names if name not in [*texts, *boxes, "component_ids"]]
    assert alone["component_ids"].map(list).tolist() == together["component_ids"].map(list).tolist()
    np.testing.assert_allclose(alone[others], together[others], rtol=0, atol=1e-5)


@pytest.mark.parametrize("cut", [1, 6, 11])
def test_detections_do_not_depend_on_the_shards(detector: Detector, cut: int) -> None:
    images, index, _ = blob_sky(N)
    parts = [infer(detector, images[rows], index.iloc[rows]) for rows in np.split(np.arange(N), [cut])]
    whole = infer(detector, images, index)
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole, check_exact=True)


def test_no_rows_for_a_subject_without_radio(detector: Detector) -> None:
    images, index, _ = blob_sky(N)
    whole = infer(detector, images, index)
    left_out = whole["subject_id"].iloc[0]
    index.loc[index["subject_id"] == left_out, "flags"] = int(Flag.RADIO_MISSING | Flag.NO_CONTOUR)
    rest = whole[whole["subject_id"] != left_out].reset_index(drop=True)
    pd.testing.assert_frame_equal(infer(detector, images, index), rest, check_exact=True)


def test_no_detections_give_an_empty_table(detector: Detector, tmp_path: Path) -> None:
    images, index, _ = blob_sky(3)
    for rows, changes in ((slice(0), {}), (slice(None), {"min_probability": 1.0})):
        table = infer(detector, images[rows], index.iloc[rows], **changes)
        write_table(tmp_path / "empty.parquet", table, tables.DETECTIONS)
        assert len(read_table(tmp_path / "empty.parquet", tables.DETECTIONS.names)) == 0


def test_run_inference_writes_the_table_of_infer_shard(
    trained: tuple[Results, list[FusedShard]], trained_detector: Detector, tmp_path: Path
) -> None:
    results, [files] = trained
    output = tmp_path / "detections.parquet"
    paths = {
        "fused_path": files.images,
        "index_path": files.index,
        "components_path": files.components,
        "detections_path": output,
        "candidates_path": tmp_path / "candidates.parquet",
        "survey": FIRST,
    }
    run_inference(results.weights("D4"), method="D4", fusion=FUSION, options=OPTIONS, **paths, threads=1)
    expected = infer(trained_detector, *blob_sky(N)[:2])
    pd.testing.assert_frame_equal(read_table(output), expected, check_dtype=False, rtol=1e-6)
    assert read_metadata(output) == {
        "model_id": model_id(results.weights("D4")),
        "method": "D4",
        "class_names": list(MORPHOLOGIES),
    }
    for path in (output, paths["candidates_path"]):
        made_from = content_of(path)[1]
        assert made_from["fused"] == digest_of(files.index)
        assert made_from["components"] == digest_of(files.components)
        assert (made_from["weights"], made_from["method"]) == (model_id(results.weights("D4")), "D4")
    scored = infer_shard(
        *blob_sky(N)[:2], component_rows(blob_sky(N)[2]), trained_detector, OPTIONS, FUSION.frame, threads=1
    ).candidates
    listed = read_table(paths["candidates_path"], tables.CANDIDATES.names)
    pd.testing.assert_frame_equal(listed, scored, check_dtype=False, rtol=1e-6)
    with pytest.raises(WeightsError, match="D1"):
        run_inference(results.weights("D4"), method="D1", fusion=FUSION, options=OPTIONS, **paths)
    paths["components_path"] = tmp_path / "components.parquet"
    write_table(paths["components_path"], component_rows(blob_sky(3)[2]), tables.COMPONENTS)
    with pytest.raises(InputError, match=r"made from other components .* rerun the stage fusion"):
        run_inference(results.weights("D4"), method="D4", fusion=FUSION, options=OPTIONS, **paths)


def test_weights_that_overflow_stop_inference(trained: tuple[Results, list[FusedShard]]) -> None:
    path = trained[0].weights("D4")
    detector, _ = load_weights(path, method="D4", fusion_options=FUSION.pixel_options, survey=FIRST)
    with torch.no_grad():
        for tensor in detector.parameters():
            tensor.mul_(1e30)  # finite, as a check of the file finds
    images, index, _ = blob_sky(N)
    rows = component_rows(blob_sky(N)[2])
    with pytest.raises(WeightsError, match=r"weights\.safetensors: .* of subject .* not finite numbers"):
        infer_shard(images, index, rows, detector, OPTIONS, FUSION.frame, threads=1, weights_path=path)


def test_images_of_another_size(detector: Detector) -> None:
    with pytest.raises(InputError, match=r"do not fit fusion\.size_px 64"):
        infer(detector, np.zeros((1, 32, 32, 3), np.uint8), index_of(["A"]))


def test_faint_sources_are_candidates_and_no_detections(trained_detector: Detector) -> None:
    images, index, labels = blob_sky(N)
    rows = component_rows(labels)
    rows["snr"] = np.where(rows["subject_id"] == "S001", 9.9, 20.0)
    found = infer_shard(images, index, rows, trained_detector, OPTIONS, FUSION.frame, threads=1)
    assert "S001" not in set(found.detections["subject_id"])
    assert "S001" in set(found.candidates["subject_id"])
    bright = infer(trained_detector, images, index)
    assert "S001" in set(bright["subject_id"])


def test_every_unit_is_a_candidate_alone(detector: Detector) -> None:
    images, index, labels = blob_sky(N)
    rows = component_rows(labels)
    found = infer_shard(images, index, rows, detector, OPTIONS, FUSION.frame, threads=1).candidates
    single = found[found["unit_ids"].map(len) == 1]
    nominal = rows[rows["level"] == 1]
    assert sorted(zip(single["subject_id"], single["unit_ids"].str[0], strict=True)) == sorted(
        zip(nominal["subject_id"], nominal["component_id"], strict=True)
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_and_cpu_give_the_same_detections(detector: Detector) -> None:
    images, index, _ = blob_sky(N)
    cpu, gpu = (infer(detector, images, index, device=device) for device in ("cpu", "cuda"))
    detector.cpu()
    assert gpu["subject_id"].tolist() == cpu["subject_id"].tolist()
    np.testing.assert_allclose(gpu["probability"], cpu["probability"], atol=1e-3)
