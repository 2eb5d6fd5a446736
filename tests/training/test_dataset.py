"""Training data: order, truth, orientations, and refusal of contradictory files."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fused_runs import blob_sky, component_rows, label_row, open_run, write_run
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from claran_core.common import tables
from claran_core.common.errors import InputError
from claran_core.common.files import digest_of, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.fusion.fused_images import open_shard
from claran_core.model.layers.types import ARTEFACT
from claran_core.training.dataset import AUGMENTATIONS, FusedDataset, orient


def test_subset_equals_a_smaller_run(tmp_path: Path) -> None:
    images, index, labels = blob_sky(6)
    chosen = np.array([True, False, True, True, False, False])
    part = open_run(tmp_path / "whole", (images, index, labels), cuts=(2,)).subset(chosen)
    few = labels[labels["subject_id"].isin(index["subject_id"][chosen])]
    alone = open_run(tmp_path / "alone", (images[chosen], index[chosen], few))
    assert part.subject_ids.tolist() == alone.subject_ids.tolist() == ["S000", "S002", "S003"]
    assert part.fingerprint() == alone.fingerprint() and part.channel_means() == alone.channel_means()
    assert (len(part), part.n_labels) == (3, 3)
    np.testing.assert_allclose(part.positions_deg, [[180.0, 30], [180.2, 30], [180.3, 30]])


def test_subjects_near_test_subjects_may_be_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Neighbours are 0.1 deg cos(30 deg) = 311.8 arcsec apart; S002 and S005, without radio image, are tested.
    images, index, labels = blob_sky(7)
    index.loc[5, "flags"] = int(Flag.RADIO_MISSING)
    split = {"S002": "test", "S005": "test"}
    logger = logging.getLogger("claran_core.training.dataset")
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.INFO)
    try:
        for apart, kept in ((0, "013 46"), (311, "013 46"), (312, "0"), (700, "")):
            results, shards = write_run(
                tmp_path / str(apart), (images, index, labels), split=split, cuts=(3,)
            )
            options = {"targets": [results.targets], "labels": results.labels, "keep_apart_arcsec": apart}
            found = FusedDataset(shards, **options).subject_ids
            assert found.tolist() == [f"S00{digit}" for digit in kept.replace(" ", "")]
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(logging.NOTSET)
    assert (
        "4 of 5 subjects are left out because they are closer than 312 arcsec to a test subject"
        in caplog.text
    )


def test_orient_by_hand() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6]])
    boxes = np.array([[0.0, 0.0, 1.0, 2.0]])  # the column 1, 4
    flipped, flipped_boxes = orient(image, boxes, 4)
    np.testing.assert_array_equal(flipped, [[3, 2, 1], [6, 5, 4]])
    np.testing.assert_array_equal(flipped_boxes, [[2, 0, 3, 2]])
    turned, turned_boxes = orient(image, boxes, 1)
    np.testing.assert_array_equal(turned, [[3, 6], [2, 5], [1, 4]])
    np.testing.assert_array_equal(turned_boxes, [[0, 2, 2, 3]])


def test_the_eight_orientations_differ() -> None:
    image = np.arange(9).reshape(3, 3)
    seen = {orient(image, np.empty((0, 4)), code)[0].tobytes() for code in AUGMENTATIONS["dihedral"]}
    assert len(seen) == 8


@given(
    corners=hnp.arrays(int, (2, 2), elements=st.integers(0, 11), unique=False),
    code=st.integers(0, 7),
    seed=st.integers(0, 1000),
)
def test_orient_moves_box_with_its_pixels(corners: np.ndarray, code: int, seed: int) -> None:
    (x1, y1), (x2, y2) = corners.min(axis=0), corners.max(axis=0) + 1
    image = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    turned, boxes = orient(image, np.array([[x1, y1, x2, y2]], dtype=np.float32), code)
    a, b, c, d = boxes[0].astype(int)
    inside = np.sort(image[y1:y2, x1:x2].reshape(-1, 3), axis=0)
    np.testing.assert_array_equal(np.sort(turned[b:d, a:c].reshape(-1, 3), axis=0), inside)
    assert (c - a) * (d - b) == (x2 - x1) * (y2 - y1)


@given(boxes=hnp.arrays(np.float32, (3, 4), elements=st.floats(0, 64, width=32)), code=st.integers(1, 3))
def test_four_quarter_turns_or_two_flips_restore_the_image(boxes: np.ndarray, code: int) -> None:
    image = np.arange(64 * 64).reshape(64, 64)
    for codes in ([4, 4], [code, 4 - code]):
        turned, moved = image, boxes
        for step in codes:
            turned, moved = orient(turned, moved, step)
        np.testing.assert_array_equal(turned, image)
        np.testing.assert_allclose(moved, boxes, atol=1e-5)


def test_same_for_any_shards_in_any_order(tmp_path: Path) -> None:
    images, index, labels = blob_sky(12)
    whole = open_run(tmp_path / "one", (images, index, labels))
    mixed = np.random.default_rng(0).permutation(12)
    sky = images[mixed], index.iloc[mixed], labels.sample(frac=1, random_state=0)
    cut = open_run(tmp_path / "four", sky, cuts=(2, 3, 9))
    assert list(whole.subject_ids) == list(cut.subject_ids) == sorted(index["subject_id"])
    np.testing.assert_array_equal(whole.images(range(12)), images)
    np.testing.assert_array_equal(cut.images([11, 0]), images[[11, 0]])
    assert whole.fingerprint() == cut.fingerprint()
    assert whole.channel_means() == cut.channel_means()


def test_channel_means_are_those_of_the_split(tmp_path: Path) -> None:
    images, index, labels = blob_sky(6)
    dataset = open_run(tmp_path, (images, index, labels), split={"S001": "test", "S004": "none"})
    expected = images[[0, 2, 3, 5]].mean(axis=(0, 1, 2), dtype=np.float64)
    np.testing.assert_allclose(dataset.channel_means(), expected, rtol=1e-14)


def test_truth_in_label_order_and_fields_without_source(tmp_path: Path) -> None:
    images, index, _ = blob_sky(2)
    rows = [
        label_row("S000", [1, 2, 11, 12], "3C_3P", "b"),
        label_row("S000", [5, 5, 9, 9], "1C_2P", "a"),
        label_row("ELSEWHERE", [0, 0, 1, 1], "1C_1P"),
    ]
    dataset = open_run(tmp_path, (images, index, pd.DataFrame(rows)))
    two, none = dataset.truths([0, 1])
    assert two.boxes.tolist() == [[5, 5, 9, 9], [1, 2, 11, 12]]
    assert two.classes.tolist() == [2, 6]
    assert none.boxes.shape == (0, 4) and none.classes.shape == (0,)
    assert (len(dataset), dataset.n_labels) == (2, 2)


def test_subject_without_radio_is_left_out(tmp_path: Path) -> None:
    images, index, labels = blob_sky(4)
    index.loc[2, "flags"] = int(Flag.RADIO_MISSING | Flag.NO_CONTOUR)
    index.loc[3, "flags"] = int(Flag.INFRARED_MISSING)
    dataset = open_run(tmp_path, (images, index, labels))
    assert list(dataset.subject_ids) == ["S000", "S001", "S003"]
    assert dataset.n_labels == 3


def test_fingerprint_changes_with_one_pixel_or_one_box(tmp_path: Path) -> None:
    images, index, labels = blob_sky(3)
    before = open_run(tmp_path / "a", (images, index, labels)).fingerprint()
    brighter = images.copy()
    brighter[1, 3, 4, 0] += 1
    assert open_run(tmp_path / "b", (brighter, index, labels)).fingerprint() != before
    moved = labels.assign(box_x1=labels["box_x1"] + [0, 0.5, 0])
    assert open_run(tmp_path / "c", (images, index, moved)).fingerprint() != before


def test_fingerprint_changes_with_one_owner(tmp_path: Path) -> None:
    results, [files] = write_run(tmp_path, blob_sky(3))
    options = {"targets": [results.targets], "labels": results.labels}
    before = FusedDataset([files], **options).fingerprint()
    owners = read_table(files.owners)
    owners.loc[0, ["source_id", "kind", "morphology"]] = ["", "artefact", ""]
    write_table(files.owners, owners, tables.OWNERS)
    assert FusedDataset([files], **options).fingerprint() != before


def test_augmentation_does_not_depend_on_the_batch(tmp_path: Path) -> None:
    dataset = open_run(tmp_path, blob_sky(20))
    options = {"augmentation": "dihedral", "seed": 5}
    together = dataset.batch(range(20), epoch=3, **options)
    alone = dataset.batch([17], epoch=3, **options)
    np.testing.assert_array_equal(alone.images[0], together.images[17])
    np.testing.assert_array_equal(alone.truths[0].boxes, together.truths[17].boxes)
    np.testing.assert_array_equal(alone.components[0].boxes, together.components[17].boxes)
    next_epoch = dataset.batch(range(20), epoch=4, **options)
    assert (next_epoch.images != together.images).any(axis=(1, 2, 3)).sum() >= 10


def test_components_are_oriented_with_their_image(tmp_path: Path) -> None:
    dataset = open_run(tmp_path, blob_sky(20))
    turned = dataset.batch(range(20), augmentation="dihedral", seed=5, epoch=0)
    for truth, components in zip(turned.truths, turned.components, strict=True):
        if len(truth.classes) and truth.classes[0] == 1:  # one component, which has the truth's middle
            middle = (truth.boxes[0, :2] + truth.boxes[0, 2:]) / 2
            np.testing.assert_allclose(components.peaks[0], middle, atol=1e-3)
            box = components.boxes[0]
            np.testing.assert_allclose((box[:2] + box[2:]) / 2, middle, atol=1e-3)


def test_contour_levels_are_random_only_with_augmentation(tmp_path: Path) -> None:
    images, index, labels = blob_sky(40)
    results, [files] = write_run(tmp_path, (images, index, labels))
    rows = component_rows(labels)
    rows.loc[rows["level"] != 1.0, "snr"] = 77.0
    write_table(files.components, rows, tables.COMPONENTS)
    made_from = {"components": digest_of(files.components)}
    write_table(files.index, read_table(files.index), tables.FUSED, made_from=made_from)
    owners = read_table(files.owners)
    owners.loc[owners["level"] != 1.0, ["source_id", "kind", "morphology"]] = ["", "artefact", ""]
    write_table(files.owners, owners, tables.OWNERS)
    dataset = FusedDataset([files], targets=[results.targets], labels=results.labels)

    def drawn(augmentation: str) -> list[float]:
        batch = dataset.batch(range(40), augmentation=augmentation, seed=0, epoch=0)
        for components, owners in zip(batch.components, batch.owners, strict=True):
            artefact = components.snr == 77.0
            assert ((owners.owner == ARTEFACT) == artefact).all() and len(artefact) == len(owners.owner)
            assert (owners.owner[~artefact] == 0).all()
            assert len(owners.classes) == (len(artefact) > 0 and not artefact.any())
        return [components.snr[0] for components in batch.components if len(components)]

    assert set(drawn("none")) == {20.0}
    assert set(drawn("flip")) == {20.0, 77.0}
    assert {components.snr[0] for components in dataset.components(range(40)) if len(components)} == {20.0}


def test_without_augmentation_images_are_unchanged(tmp_path: Path) -> None:
    dataset = open_run(tmp_path, blob_sky(5))
    batch = dataset.batch([4, 2], augmentation="none", seed=0, epoch=0)
    np.testing.assert_array_equal(batch.images, dataset.images([4, 2]))
    np.testing.assert_array_equal(batch.truths[0].boxes, dataset.truths([4])[0].boxes)


def test_flip_gives_both_orientations_and_no_other(tmp_path: Path) -> None:
    dataset = open_run(tmp_path, blob_sky(16))
    images = dataset.batch(range(16), augmentation="flip", seed=0, epoch=0).images
    original = dataset.images(range(16))
    same = (images == original).all(axis=(1, 2, 3))
    mirrored = (images == original[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same | mirrored).all() and same.any() and mirrored.any()


def test_empty_split(tmp_path: Path) -> None:
    dataset = open_run(tmp_path, blob_sky(3), name="test")
    assert len(dataset) == dataset.n_labels == 0
    assert dataset.images([]).shape == (0, 64, 64, 3)
    with pytest.raises(InputError, match="no subject of this split has a radio image"):
        dataset.channel_means()


def test_index_and_images_must_agree(tmp_path: Path) -> None:
    images, index, _ = blob_sky(3)
    fused, index_path = tmp_path / "00000.npy", tmp_path / "00000.parquet"
    write_table(index_path, index.assign(crc32=0), tables.FUSED)
    np.save(fused, images[:2])
    with pytest.raises(InputError, match=r"00000\.npy: 2 images, but 3 rows"):
        open_shard(fused, index_path)
    np.save(fused, images.astype(np.float32))
    with pytest.raises(InputError, match=r"00000\.npy: holds float32"):
        open_shard(fused, index_path)


def test_flipped_byte_of_an_image_is_refused(tmp_path: Path) -> None:
    results, shards = write_run(tmp_path, blob_sky(6), cuts=(3,))
    pixels = bytearray(shards[1].images.read_bytes())
    pixels[-100] ^= 1
    shards[1].images.write_bytes(pixels)
    dataset = FusedDataset(shards, targets=[results.targets], labels=results.labels)
    dataset.images(range(5))
    message = r"00001\.npy: the image of S005 is damaged .* rerun fusion"
    for read in (lambda: dataset.images([5]), dataset.channel_means, dataset.fingerprint):
        with pytest.raises(InputError, match=message):
            read()


def test_subject_in_two_shards_or_in_no_target_list(tmp_path: Path) -> None:
    images, index, labels = blob_sky(3)
    twice = index.assign(subject_id=["S000", "S001", "S000"])
    with pytest.raises(InputError, match="'S000' is in more than one shard"):
        open_run(tmp_path / "a", (images, twice, labels), cuts=(2,))
    results, shards = write_run(tmp_path / "b", (images, index, labels))
    targets = pd.read_parquet(results.targets).iloc[1:]
    write_table(results.targets, targets, tables.TARGETS)
    with pytest.raises(InputError, match=r"'S000' is not among the targets"):
        FusedDataset(shards, targets=[results.targets], labels=results.labels)


def test_shards_of_different_frames(tmp_path: Path) -> None:
    results, shards = write_run(tmp_path, blob_sky(4), cuts=(2,))
    np.save(shards[1].images, np.zeros((2, 66, 66, 3), np.uint8))
    with pytest.raises(InputError, match=r"00001\.npy: images of \(66, 66\) px, but 64 x 64"):
        FusedDataset(shards, targets=[results.targets], labels=results.labels)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("box_x1", np.nan, "has box"),
        ("box_x1", -0.5, "has box"),
        ("box_x2", 65.0, "has box"),
        ("box_y2", 0.0, "has box"),
        ("morphology", "4C_4P", "has morphology 4C_4P"),
    ],
)
def test_bad_labels_are_refused(tmp_path: Path, column: str, value: object, message: str) -> None:
    images, index, labels = blob_sky(3)
    results, shards = write_run(tmp_path, (images, index, labels))
    labels.loc[1, column] = value
    write_table(results.labels, labels, tables.LABELS)
    with pytest.raises(InputError, match=rf"labels\.parquet: label 'a' of 'S001' {message}"):
        FusedDataset(shards, targets=[results.targets], labels=results.labels)
