"""The association network: learning, losses, detections, independence of the batch."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from component_images import components

from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_table import NO_COMPONENTS, SubjectComponents
from claran_core.model.architectures import build_detector
from claran_core.model.association.candidates import find_candidates
from claran_core.model.association.network import FULL_WEIGHT, AssociationNetwork
from claran_core.model.layers.boxes import box_iou
from claran_core.model.layers.detector import total_loss
from claran_core.model.layers.types import ARTEFACT, UNKNOWN, Candidates, Detections, Ownership, Truth

MEANS = (120.0, 45.0, 14.0)
NONE = Truth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def generators(n: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + 1000 * k) for k in range(n)]


def network(**options: Any) -> AssociationNetwork:
    return build_detector("association", channel_means=MEANS, seed=3, **options)


def candidates_of(subjects: list[SubjectComponents]) -> Candidates:
    return find_candidates(ComponentBatch.of(subjects))


def scene(
    n: int, seed: int = 5
) -> tuple[torch.Tensor, list[Truth], list[SubjectComponents], list[Ownership]]:
    """Return images of two components: one 2C_2P if a bridge links them, else two 1C_1P.

    Only the image distinguishes the two cases.
    """
    rng = np.random.default_rng(seed)
    images = rng.integers(100, 140, (n, 132, 132, 3)).astype(np.uint8)
    subjects, truths, owners = [], [], []
    for k in range(n):
        x, y = rng.uniform(30, 70, 2).round()
        own = components((x, y), (x + 32, y))
        found = candidates_of([own])
        for px, py in own.peaks.astype(int):
            images[k, py - 3 : py + 3, px - 3 : px + 3] = 255
        if k % 2:
            images[k, int(y) - 1 : int(y) + 2, int(x) : int(x) + 32] = 255
            truths.append(Truth(torch.from_numpy(found.boxes[2:]), torch.tensor([4])))
            owners.append(Ownership(np.array([0, 0]), np.array([4])))
        else:
            truths.append(Truth(torch.from_numpy(found.boxes[:2]), torch.tensor([1, 1])))
            owners.append(Ownership(np.array([0, 1]), np.array([1, 1])))
        subjects.append(own)
    return torch.from_numpy(images), truths, subjects, owners


@pytest.fixture(scope="module")
def trained() -> tuple[AssociationNetwork, list[float]]:
    """Train a network on bridges, and return it with the loss of every step."""
    detector = network()
    images, truths, subjects, owners = scene(32)
    optimiser = torch.optim.AdamW(detector.parameters(), lr=1e-3)
    draws, errors = generators(8), []
    for step in range(60):
        batch = [(8 * step + k) % len(images) for k in range(8)]
        losses = detector(
            images[batch],
            [truths[k] for k in batch],
            draws,
            components=ComponentBatch.of([subjects[k] for k in batch]),
            owners=[owners[k] for k in batch],
        )
        errors.append(losses["roi_class"].item())
        optimiser.zero_grad()
        losses["roi_class"].backward()
        optimiser.step()
    return detector.eval(), errors


def detect(
    detector: AssociationNetwork,
    images: torch.Tensor,
    subjects: list[SubjectComponents],
    *,
    min_probability: float = 0.05,
) -> list[Detections]:
    found = candidates_of(subjects)
    return detector.detect(images, found, min_probability=min_probability, nms_iou=0.3)


def same(one: Detections, other: Detections, *, atol: float) -> None:
    assert torch.equal(one.classes, other.classes)
    torch.testing.assert_close(one.boxes, other.boxes, atol=atol, rtol=0)
    torch.testing.assert_close(one.probabilities, other.probabilities, atol=atol, rtol=0)


def test_the_image_shows_which_components_form_one_source(
    trained: tuple[AssociationNetwork, list[float]],
) -> None:
    detector, errors = trained
    assert np.mean(errors[-5:]) < 0.4 * errors[0]
    images, truths, subjects, _ = scene(32, seed=6)  # not those it has learned from
    right = 0
    for rows, truth in zip(detect(detector, images, subjects), truths, strict=True):
        best = rows.classes[rows.scores > 0.5]
        right += best.tolist() == truth.classes.tolist()
    assert right >= 28


def test_boxes_are_those_of_the_rule(trained: tuple[AssociationNetwork, list[float]]) -> None:
    images, truths, subjects, _ = scene(6, seed=7)
    for rows, truth in zip(detect(trained[0], images, subjects), truths, strict=True):
        for box in rows.boxes[rows.scores > 0.5]:
            assert box_iou(box[None], truth.boxes).max() > 0.999


def test_detections_do_not_depend_on_the_batch(trained: tuple[AssociationNetwork, list[float]]) -> None:
    images, _, subjects, _ = scene(7)
    subjects[2] = NO_COMPONENTS
    subjects[4] = components(*np.random.default_rng(0).uniform(20, 110, (5, 2)))
    together = detect(trained[0], images, subjects)
    assert len(together[2]) == 0 and len(together[4]) > 0
    for k, rows in enumerate(together):
        (alone,) = detect(trained[0], images[k : k + 1], subjects[k : k + 1])
        same(alone, rows, atol=1e-4)


def test_subjects_without_components_have_no_detections() -> None:
    images = scene(2)[0]
    assert [len(rows) for rows in detect(network().eval(), images, [NO_COMPONENTS] * 2)] == [0, 0]
    nothing = Ownership(np.zeros(0, np.int64), np.zeros(0, np.int64))
    blank = ComponentBatch.of([NO_COMPONENTS] * 2)
    losses = network()(images, [NONE, NONE], generators(2), components=blank, owners=[nothing] * 2)
    assert losses["roi_class"] == 0
    losses["roi_class"].backward()


def test_losses_depend_only_on_the_given_generators() -> None:
    images, truths, subjects, owners = scene(4)
    before = torch.random.get_rng_state()
    first, again, other = (
        network()(
            images,
            truths,
            generators(len(images), seed),
            components=ComponentBatch.of(subjects),
            owners=owners,
        )["roi_class"]
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_gradients_reach_every_part() -> None:
    images, truths, subjects, owners = scene(4)
    detector = network(options={"blind": 0.0})
    batch = ComponentBatch.of(subjects)
    detector(images, truths, generators(len(images)), components=batch, owners=owners)["roi_class"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in detector.parameters())
    assert detector.backbone.stem.convolution.weight.grad.abs().sum() > 0
    assert detector.numbers.weight.grad.abs().sum() > 0


def test_a_diverged_network_detects_nothing() -> None:
    detector = network().eval()
    with torch.no_grad():
        detector.class_score.weight.fill_(torch.nan)
    images, _, subjects, _ = scene(1)
    assert len(detect(detector, images, subjects)[0]) == 0


def test_a_crowd_counts_as_much_as_a_full_subject() -> None:
    rng = np.random.default_rng(0)
    crowd = components(*rng.uniform(5, 127, (90, 2)), half=0.5)
    owners = [Ownership(np.arange(90), np.ones(90, np.int64))]
    detector, images = network(options={"dropout": 0.0, "blind": 0.0}), scene(1)[0]
    batch = ComponentBatch.of([crowd])
    n = len(find_candidates(batch))
    loss = detector(images, [NONE], generators(1), components=batch, owners=owners)["roi_class"].item()
    assert n > FULL_WEIGHT
    assert loss == pytest.approx(FULL_WEIGHT * math.log(8), rel=0.1)  # untrained: all eight scores are alike


def test_artefacts_are_learned_and_said_of_single_units_only() -> None:
    images, _, subjects, _ = scene(8)
    owners = [Ownership(np.array([0, ARTEFACT]), np.array([1])) for _ in subjects]
    for own in subjects:
        own.snr[:] = [500.0, 6.0]
    detector = network()
    optimiser, draws = torch.optim.AdamW(detector.parameters(), lr=3e-3), generators(8)
    for _ in range(60):
        loss = total_loss(
            detector(images, [NONE] * 8, draws, components=ComponentBatch.of(subjects), owners=owners)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    regions = detector.eval().score(images, candidates_of(subjects))
    artefact = regions.artefact.reshape(8, 3)  # bright, faint, both
    assert (artefact[:, 0] < 0.1).all() and (artefact[:, 1] > 0.9).all() and (artefact[:, 2] == 0).all()


def test_many_candidates_are_sampled_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    subjects = [components(*rng.uniform(5, 127, (n, 2)), half=0.5) for n in (3, 12, 0, 2)]
    images, found, detector = scene(4)[0], candidates_of(subjects), network().eval()
    whole = detector.score(images, found)
    monkeypatch.setattr("claran_core.model.association.network.SEEN_AT_ONCE", 5)
    pieces = detector.score(images, found)
    torch.testing.assert_close(pieces.probabilities, whole.probabilities, atol=2e-6, rtol=0)
    torch.testing.assert_close(pieces.artefact, whole.artefact, atol=2e-6, rtol=0)


def test_grouping_compares_the_candidates_of_each_unit() -> None:
    detector = network().eval()
    subjects = [components((20, 20), (40, 20)), components((60, 60))]
    images = scene(2)[0]
    one = [Ownership(np.array([0, 0]), np.array([4])), Ownership(np.array([ARTEFACT]), np.zeros(0, np.int64))]
    two = [Ownership(np.array([0, 1]), np.array([1, 1])), Ownership(np.array([0]), np.array([1]))]
    regions = detector.score(images, candidates_of(subjects))
    source = regions.probabilities.sum(dim=1).double()
    artefact = regions.artefact.double()
    totals = source[0] + artefact[0] + source[2], source[1] + artefact[1] + source[2]
    last = source[3] + artefact[3]
    for owners, shares in (
        (one, (source[2] / totals[0], source[2] / totals[1], artefact[3] / last)),
        (two, (source[0] / totals[0], source[1] / totals[1], source[3] / last)),
    ):
        losses = detector(images, [NONE, NONE], [], components=ComponentBatch.of(subjects), owners=owners)
        expected = -sum(math.log(share) for share in shares) / 2
        assert losses["grouping"].item() == pytest.approx(expected, rel=1e-3)


def test_units_of_unknown_owner_have_no_grouping_loss() -> None:
    losses = network()(
        scene(1)[0],
        [NONE],
        [],
        components=ComponentBatch.of([components((20, 20), (40, 20))]),
        owners=[Ownership(np.array([UNKNOWN, UNKNOWN]), np.zeros(0, np.int64))],
    )
    assert losses["grouping"].item() == 0.0 and losses["roi_class"].item() == 0.0


def test_options_change_the_network() -> None:
    small = network(options={"width": 16})
    assert small.class_score.in_features == 16 and small.options == {"width": 16}
