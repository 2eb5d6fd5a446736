"""The Faster R-CNN: losses, gradients, detections, independence of the batch."""

import numpy as np
import pytest
import torch
from small_detectors import pyramid_detector

from claran_core.model.architectures import build_detector
from claran_core.model.faster_rcnn.network import FasterRCNN
from claran_core.model.layers.boxes import box_iou
from claran_core.model.layers.processing import select_detections
from claran_core.model.layers.types import Detections, Regions, Truth

MEANS = (120.0, 45.0, 14.0)
NONE = Truth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


Trained = tuple[FasterRCNN, dict[str, float], dict[str, float]]


def generators(n: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + 1000 * k) for k in range(n)]


def scene(n: int, side: int = 132) -> tuple[torch.Tensor, list[Truth]]:
    """Return images of one bright square on noise, and the truth; class 1 is small, class 6 is large."""
    (draw,) = generators(1, 5)
    images = torch.randint(0, 60, (n, side, side, 3), generator=draw, dtype=torch.uint8)
    truths = []
    for k in range(n):
        size = (14, 44)[k % 2]
        x, y = (int(value) for value in torch.randint(0, side - size, (2,), generator=draw))
        images[k, y : y + size, x : x + size, 2] = 255
        truths.append(
            Truth(torch.tensor([[x, y, x + size, y + size]]).float(), torch.tensor([(1, 6)[k % 2]]))
        )
    return images, truths


@pytest.fixture(scope="module")
def trained() -> Trained:
    """Train a small detector on squares, and return it with its first and last losses."""
    detector = pyramid_detector(MEANS)
    images, truths = scene(32)
    optimiser = torch.optim.AdamW(detector.parameters(), lr=1e-3)
    draws = generators(4)
    first = None
    for step in range(90):
        batch = [(4 * step + k) % len(images) for k in range(4)]
        losses = detector(images[batch], [truths[k] for k in batch], draws)
        first = first or {name: loss.item() for name, loss in losses.items()}
        optimiser.zero_grad()
        # Equation 6 divides by all anchors, so that the boxes of a dozen positive ones would hardly count.
        (sum(losses.values()) + 59 * losses["anchor_box"]).backward()
        optimiser.step()
    return detector.eval(), first, {name: loss.item() for name, loss in losses.items()}


def same(one: Detections, other: Detections, *, atol: float) -> None:
    assert torch.equal(one.classes, other.classes)
    torch.testing.assert_close(one.boxes, other.boxes, atol=atol, rtol=0)
    torch.testing.assert_close(one.probabilities, other.probabilities, atol=atol, rtol=0)


def test_losses_have_their_names_and_are_scalars() -> None:
    images, truths = scene(2)
    losses = pyramid_detector(MEANS)(images, truths, generators(len(images)))
    assert tuple(losses) == ("anchor_class", "anchor_box", "roi_class", "roi_box")
    assert all(loss.shape == () and loss.isfinite() and loss > 0 for loss in losses.values())


def test_training_reduces_the_losses_and_finds_the_squares(trained: Trained) -> None:
    detector, first, last = trained
    assert sum(last.values()) < 0.4 * sum(first.values())
    images, truths = scene(32)
    found = detector.detect(images, min_probability=0.05, nms_iou=0.3)
    right = [
        len(rows) > 0
        and rows.classes[0] == truth.classes[0]
        and box_iou(rows.boxes[:1], truth.boxes).item() > 0.5
        for rows, truth in zip(found, truths, strict=True)
    ]
    assert sum(right) >= 28


def test_detections_have_the_documented_form(trained: Trained) -> None:
    images, _ = scene(6)
    for rows in trained[0].detect(images, min_probability=0.02, nms_iou=0.3):
        assert rows.boxes.dtype == torch.float32 and rows.classes.dtype == torch.int64
        assert rows.boxes.shape == (len(rows), 4) and rows.probabilities.shape == (len(rows), 6)
        assert (rows.boxes >= 0).all() and (rows.boxes <= 132).all()
        assert (rows.probabilities.sum(dim=1) <= 1 + 1e-5).all()
        assert (rows.scores > 0.02).all() and (rows.scores.diff() <= 0).all()
        for k in rows.classes.unique():
            overlap = box_iou(rows.boxes[rows.classes == k], rows.boxes[rows.classes == k])
            assert (overlap.triu(diagonal=1) <= 0.3).all()


def test_detections_do_not_depend_on_the_batch(trained: Trained) -> None:
    images, _ = scene(7)
    together = trained[0].detect(images, min_probability=0.05, nms_iou=0.3)
    assert sum(len(rows) for rows in together) > 0
    for k, rows in enumerate(together):
        (alone,) = trained[0].detect(images[k : k + 1], min_probability=0.05, nms_iou=0.3)
        same(alone, rows, atol=2e-3)


def test_float_images_equal_uint8_images(trained: Trained) -> None:
    images, _ = scene(3)
    whole = trained[0].detect(images, min_probability=0.05, nms_iou=0.3)
    for one, other in zip(
        whole, trained[0].detect(images.float(), min_probability=0.05, nms_iou=0.3), strict=True
    ):
        same(one, other, atol=0)


def test_losses_depend_only_on_the_given_generators() -> None:
    images, truths = scene(2)
    before = torch.random.get_rng_state()
    first, again, other = (
        pyramid_detector(MEANS)(images, truths, generators(len(images), seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_inputs_are_not_changed() -> None:
    images, truths = scene(2)
    copies = images.clone(), [truth.boxes.clone() for truth in truths]
    pyramid_detector(MEANS)(images, truths, generators(len(images)))
    assert torch.equal(images, copies[0])
    assert all(torch.equal(truth.boxes, copy) for truth, copy in zip(truths, copies[1], strict=True))


def test_subjects_without_sources_have_class_losses_only() -> None:
    images, truths = scene(2)
    detector = pyramid_detector(MEANS)
    losses = detector(images, [NONE, truths[1]], generators(2))
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in detector.parameters())
    empty = pyramid_detector(MEANS)(images, [NONE, NONE], generators(2))
    assert empty["anchor_box"] == 0 and empty["roi_box"] == 0
    assert empty["anchor_class"] > 0 and empty["roi_class"] > 0


def test_recognition_losses_reach_the_box_layer_of_the_proposal_network(trained: Trained) -> None:
    # Section 4.4, end to end: with pooling that ignores the boxes' gradient this is exactly zero.
    detector, _, _ = trained
    images, truths = scene(4)
    losses = detector(images, truths, generators(len(images)))
    (gradient,) = torch.autograd.grad(
        losses["roi_class"] + losses["roi_box"], detector.rpn.offset.weight, allow_unused=True
    )
    assert gradient is not None and gradient.abs().sum() > 0


def test_no_proposals_give_no_detections() -> None:
    detector = pyramid_detector(MEANS)
    images, truths = scene(2)
    with torch.no_grad():
        detector.rpn.offset.bias.fill_(-50.0)  # every proposal shrinks to a point
    assert [len(rows) for rows in detector.detect(images, min_probability=0.0, nms_iou=0.3)] == [0, 0]
    losses = detector(images, [truths[0], NONE], generators(2))
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_pixels_that_are_not_finite_are_set_to_the_mean(trained: Trained, value: float) -> None:
    images = scene(2)[0].float()
    marked, plain = images.clone(), images.clone()
    marked[0], plain[0] = value, torch.tensor(MEANS)
    found = trained[0].detect(marked, min_probability=0.05, nms_iou=0.3)
    expected = trained[0].detect(plain, min_probability=0.05, nms_iou=0.3)
    for one, other in zip(found, expected, strict=True):
        same(one, other, atol=0)


def test_a_diverged_network_detects_nothing_and_has_nan_losses() -> None:
    detector = pyramid_detector(MEANS)
    images, truths = scene(1)
    with torch.no_grad():
        detector.head.score.weight.fill_(torch.nan)
    assert len(detector.detect(images, min_probability=0.05, nms_iou=0.3)[0]) == 0
    assert detector(images, truths, generators(len(images)))["roi_class"].isnan()
    with torch.no_grad():
        detector.backbone.stem.convolution.weight.fill_(torch.nan)
    assert len(detector.detect(images, min_probability=0.05, nms_iou=0.3)[0]) == 0
    assert detector(images, truths, generators(len(images)))["anchor_class"].isnan()


def test_fields_larger_than_a_subject(trained: Trained) -> None:
    # The same square in the middle of a wide field is found at the same place.
    images, truths = scene(2)
    field = torch.full((1, 400, 400, 3), 30, dtype=torch.uint8)
    field[0, 200:332, 100:232] = images[1]
    (rows,) = trained[0].detect(field, min_probability=0.05, nms_iou=0.3)
    moved = truths[1].boxes + torch.tensor([100.0, 200, 100, 200])
    assert box_iou(rows.boxes[:1], moved).item() > 0.4


def test_boxes_are_scaled_to_the_input_and_back() -> None:
    # vgg16's magnification at a size that tests can afford: subjects of 32 px enlarged to 64.
    options = {"fc_width": 8, "input_px": 64}
    detector = build_detector("vgg16", channel_means=MEANS, frame_px=32, options=options)
    images = torch.full((2, 32, 32, 3), 20, dtype=torch.uint8)
    inputs, scale = detector._magnified(images)
    assert inputs.shape == (2, 3, 64, 64) and scale.tolist() == [2.0] * 4
    truth = Truth(torch.tensor([[4.0, 6, 20, 22]]), torch.tensor([2]))
    assert truth.rescaled(scale).boxes.tolist() == [[8, 12, 40, 44]]
    losses = detector(images, [truth, NONE], generators(2))
    assert all(loss.isfinite() for loss in losses.values())
    for rows in detector.detect(images, min_probability=0.01, nms_iou=0.3):
        assert len(rows) > 0
        assert (rows.boxes <= 32).all() and (rows.boxes >= 0).all()


def test_sampled_regions_fill_the_batch_of_the_head() -> None:
    detector = pyramid_detector(MEANS)
    seen = {}
    detector.head.register_forward_hook(lambda module, inputs, output: seen.update(n=len(inputs[0])))
    images, truths = scene(3)
    detector(images, truths, generators(len(images)))
    assert seen["n"] == 3 * detector.matching.batch


def selected(boxes: torch.Tensor, probabilities: torch.Tensor, counts: list[int]) -> list[Detections]:
    regions = Regions(np.array(counts), boxes, probabilities, torch.zeros(len(boxes)))
    return select_detections(regions, min_probability=0.05, nms_iou=0.3)


def test_a_region_is_reported_for_every_likely_class() -> None:
    boxes = torch.zeros(3, 6, 4)
    boxes[:, :] = torch.tensor([0.0, 0, 10, 10])
    boxes[2] += 50
    probabilities = torch.zeros(3, 6)
    probabilities[0, 0], probabilities[0, 3] = 0.6, 0.3
    probabilities[1, 0], probabilities[2, 3] = 0.5, 0.3
    (rows,) = selected(boxes, probabilities, [3])
    # Region 1 loses to region 0 in class 1; the tie in class 4 goes to the first region.
    assert rows.classes.tolist() == [1, 4, 4]
    assert rows.boxes[:, 0].tolist() == [0, 0, 50]
    torch.testing.assert_close(rows.scores, torch.tensor([0.6, 0.3, 0.3]))
    assert torch.equal(rows.probabilities[0], probabilities[0])


def test_regions_of_one_subject_do_not_suppress_those_of_another() -> None:
    boxes = torch.tensor([0.0, 0, 10, 10]).expand(3, 6, 4)
    probabilities = torch.zeros(3, 6)
    probabilities[:, 1] = torch.tensor([0.3, 0.6, 0.5])
    first, none, last = selected(boxes, probabilities, [2, 0, 1])
    assert len(first) == 1 and first.scores.item() == pytest.approx(0.6)
    assert len(none) == 0 and none.boxes.shape == (0, 4)
    assert len(last) == 1 and last.scores.item() == pytest.approx(0.5)


def test_probabilities_at_the_threshold_are_not_reported() -> None:
    boxes = torch.tensor([0.0, 0, 10, 10]).expand(1, 6, 4)
    probabilities = torch.tensor([[0.05, 0.050001, 0, 0, 0, 0]])
    (rows,) = selected(boxes, probabilities, [1])
    assert rows.classes.tolist() == [2]


def test_an_empty_result_has_its_shapes(trained: Trained) -> None:
    (rows,) = trained[0].detect(scene(1)[0], min_probability=1.0, nms_iou=0.3)
    assert isinstance(rows, Detections) and len(rows) == 0
    assert rows.boxes.shape == (0, 4) and rows.probabilities.shape == (0, 6)
    assert rows.scores.shape == (0,)


@pytest.mark.gpu
def test_gpu_and_cpu_give_the_same_detections(trained: Trained) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    images, _ = scene(4)
    detector = trained[0]
    expected = detector.detect(images, min_probability=0.05, nms_iou=0.3)
    try:
        found = detector.cuda().detect(images, min_probability=0.05, nms_iou=0.3)
    finally:
        detector.cpu()
    for one, other in zip(found, expected, strict=True):
        same(one, other, atol=1e-2)
