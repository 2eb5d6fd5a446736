"""The benchmark RadioGalaxyNET: made images with a known answer, and a few of the real ones."""

import dataclasses
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.science.galaxy_hosts import HIT_PX, host_options, train_hosts
from benchmarks.science.galaxy_islands import (
    BEAM_PX,
    COCO_SHIFT_PX,
    GalaxyImage,
    find_seeds,
    frame_of,
    read_images,
    seed_components,
)
from benchmarks.science.galaxy_models import combined, network_probabilities, train_network
from benchmarks.science.galaxy_scores import GalaxyDetections, confusion, exclusive, read_truth, score_boxes
from benchmarks.science.galaxy_shapes import CENTRE_NUMBERS, shape_numbers
from benchmarks.science.galaxy_subjects import CLASSES, GalaxySubjects, read_subjects
from benchmarks.science.radiogalaxynet import main
from claran_core.model.architectures import build_detector

DATA = Path(__file__).parents[3].parent / "shared/data/radiogalaxynet"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="RadioGalaxyNET is not at hand")

SIZE, RANGE = 120, 3.0


def made(*blobs: tuple[float, float, float]) -> GalaxyImage:
    """Image of point sources ``(x, y, peak)``: logarithms over exp(-RANGE) of the brightest."""
    y, x = np.indices((SIZE, SIZE))
    light = sum(p * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * BEAM_PX**2)) for a, b, p in blobs)
    radio = 1 + np.log(light / light.max()) / RANGE
    return GalaxyImage("made.png", np.maximum(radio, 0.0), np.zeros((SIZE, SIZE), np.uint8), [])


DOUBLE = made((52, 60, 1.0), (64, 60, 0.8))


def test_the_curvature_of_a_point_source_tells_its_range() -> None:
    assert made((60, 60, 1.0)).islands.ranges == pytest.approx([RANGE], rel=0.03)


def test_the_sharper_image_separates_two_blended_sources() -> None:
    image = made((56, 60, 1.0), (62, 60, 0.8))
    assert len(image.islands.maxima.peak) == 1
    sharp = image.islands.sharp_maxima
    main_two = sharp.places[np.argsort(-(sharp.peak - np.maximum(sharp.saddle, 0)))[:2]]
    assert sorted(main_two[:, 0]) == pytest.approx([55.5, 62.5], abs=1.5)


def test_a_seed_has_its_components_in_frame_pixels() -> None:
    (seed,) = find_seeds(DOUBLE)
    own = seed_components(seed)
    assert len(own) == 1 and own.n_peaks[0] == 2
    np.testing.assert_allclose(own.peaks[0] + seed.corner, [52.5, 60.5])
    shown = frame_of(DOUBLE.radio, seed.corner)
    x1, y1, x2, y2 = own.boxes[0].astype(int)
    assert (shown[y1:y2, x1:x2] > 0).sum() == own.area[0] == (DOUBLE.radio > 0).sum()


def test_shape_numbers_are_those_of_any_orientation() -> None:
    numbers = shape_numbers(DOUBLE, np.array([0]))
    turned = dataclasses.replace(DOUBLE, radio=np.ascontiguousarray(np.rot90(DOUBLE.radio)))
    inner = slice(None, -CENTRE_NUMBERS)
    assert np.isfinite(numbers).all()
    np.testing.assert_allclose(shape_numbers(turned, np.array([0]))[inner], numbers[inner], atol=0.02)


def test_the_combination_is_a_normalised_geometric_mean() -> None:
    one, other = np.array([[0.2, 0.8]]), np.array([[0.5, 0.5]])
    np.testing.assert_allclose(combined((one, other), (0.5, 0.5)), [[1 / 3, 2 / 3]])


def candidates(boxes: list[list[float]]) -> GalaxySubjects:
    count = len(boxes)
    subject = np.zeros(count, np.int64)
    none = np.zeros(0)
    return GalaxySubjects(
        ["a.png"], subject[:1], none, none, [], [], subject, subject, np.array(boxes, float), none, subject
    )


def test_an_island_is_in_one_source_only() -> None:
    data = candidates([[0, 0, 40, 20], [0, 0, 18, 20], [60, 60, 80, 80]])
    probabilities = np.array([[0.2, 0.8, 0, 0, 0], [0.5, 0, 0.5, 0, 0], [0.4, 0, 0, 0.6, 0]])
    found = exclusive(data, probabilities)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), [0.8, 0.5 * 0.2, 0.6])


def annotations(path: Path) -> Path:
    boxes = [[10, 10, 30, 20], [60, 50, 20, 20]]
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": 120, "height": 120}],
        "categories": [{"id": k, "name": name} for k, name in enumerate(CLASSES, start=1)],
        "annotations": [
            {"id": k, "image_id": 7, "category_id": k, "bbox": box, "area": 500, "iscrowd": 0}
            for k, box in enumerate(boxes, start=1)
        ],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_right_boxes_of_wrong_classes_score_without_classes_only(tmp_path: Path) -> None:
    path, names = annotations(tmp_path / "a.json"), np.array(["a.png", "a.png"], object)
    boxes = np.array([[10, 10, 40, 30], [60, 50, 80, 70]], float)
    right, wrong = np.eye(4)[:2] * 0.9, np.eye(4)[[1, 0]] * 0.9
    scores = [
        score_boxes(
            read_truth(path), GalaxyDetections(names, boxes, chances), ["a.png"], by_class=by_class
        ).ap50
        for chances in (right, wrong)
        for by_class in (True, False)
    ]
    assert scores == pytest.approx([1.0, 1.0, 0.0, 1.0])


@needs_data
def test_annotated_boxes_are_those_of_islands() -> None:
    apart = []
    for image in islice(read_images(DATA, "train"), 6):
        for number, one in enumerate(image.annotations):
            boxes = image.islands.boxes[image.owners == number] - COCO_SHIFT_PX
            apart.append(np.abs([*boxes[:, :2].min(0), *boxes[:, 2:].max(0)] - one.box).max())
    assert np.mean(np.array(apart) <= 1) > 0.9


@needs_data
def test_a_right_answer_has_no_confusion_and_the_annotated_classes() -> None:
    data = read_subjects(DATA, "train", limit=3)
    answer = exclusive(data, np.eye(5)[data.labels])
    images = {image.name: image.annotations for image in read_images(DATA, "train", data.image_names)}
    table = confusion(images, answer, 0.5)
    assert table.sum() == np.trace(table) == sum(map(len, images.values()))


def test_hosts_are_learned() -> None:
    image = dataclasses.replace(DOUBLE, infrared=DOUBLE.infrared.copy())
    image.infrared[66, 57] = 200
    image.infrared[58, 50] = 90
    box = np.array([45.0, 52, 75, 68]) - COCO_SHIFT_PX
    places, numbers = host_options(image, box)
    host = places[np.argmax(numbers[:, 4])]
    model = train_hosts([(places, numbers)] * 4, np.tile(host, (4, 1)), seed=0)
    assert np.hypot(*(model.choose(places, numbers) - host)) <= HIT_PX


@needs_data
def test_the_benchmark_prints_its_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((DATA / "train.json").read_text(encoding="utf-8"))
    content["images"] = sorted(content["images"], key=lambda one: one["file_name"])[:5]
    ids = {one["id"] for one in content["images"]}
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] in ids]
    (tmp_path / "train.json").write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "train").symlink_to(DATA / "train")
    assert main([str(tmp_path), "--fold", "0", "--epochs", "0"]) == 0
    shown = capsys.readouterr().out
    assert "with the middle, weight 0.0: 4 classes AP50" in shown
    assert "hosts off the middle, detected boxes" in shown


@needs_data
def test_the_association_network_is_trained_and_scores_the_candidates() -> None:
    data = read_subjects(DATA, "train", limit=1)
    start = build_detector("association", channel_means=(0, 0, 0))
    chosen = np.arange(len(data))
    detector = train_network(data, chosen, epochs=1, seed=1, start=start, start_path=Path("start"))
    found = network_probabilities(detector, data, chosen[:2])
    scored = np.isin(data.subject_of, chosen[:2])
    assert np.isnan(found[~scored]).all()
    np.testing.assert_allclose(found[scored].sum(axis=1), 1.0)
    assert (found[scored] >= 0).all()


def test_a_missing_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--validation"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "train.json") in line
