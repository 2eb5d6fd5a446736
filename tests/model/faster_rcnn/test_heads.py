"""The recognition head."""

from typing import Any

import torch

from claran_core.model.faster_rcnn.heads import RecognitionHead


def head(**options: Any) -> RecognitionHead:
    torch.manual_seed(0)
    return RecognitionHead(4, 3, fc_width=16, n_classes=6, **options)


def test_shapes_with_and_without_regions() -> None:
    for n in (5, 0):
        scores, offsets = head()(torch.zeros(n, 4, 3, 3))
        assert scores.shape == (n, 7) and offsets.shape == (n, 7, 4)


def test_parameters_of_the_paper() -> None:
    # Table 4, layers 24, 26 and 28, biases included.
    with torch.device("meta"):
        layers = RecognitionHead(512, 7, n_classes=6)
    counted = {name: sum(p.numel() for p in layer.parameters()) for name, layer in layers.named_children()}
    published = {"fc6": 102_764_544, "fc7": 16_781_312, "score": 28_679, "offset": 114_716}
    assert {name: number for name, number in counted.items() if number} == published


def test_normalised_neurons_are_never_all_silent() -> None:
    # A bias that silences every neuron is what a few large first steps leave behind.
    regions = torch.rand(5, 4, 3, 3)
    for normalise in (False, True):
        layers = head(normalise=normalise).eval()
        with torch.no_grad():
            layers.fc6.bias.fill_(-100.0)
        scores = layers(regions)[0]
        assert (scores.std(dim=0).max() > 0).item() is normalise


def test_dropout_follows_its_generator_and_training_mode() -> None:
    layers, regions = head(dropout=0.5), torch.ones(6, 4, 3, 3)

    def scores(seed: int | None = None) -> torch.Tensor:
        generators = [] if seed is None else [torch.Generator().manual_seed(seed)]
        return layers(regions, generators)[0]

    assert torch.equal(scores(1), scores(1))
    assert not torch.equal(scores(1), scores(2))
    assert not torch.equal(scores(1), scores())
    layers.eval()
    assert torch.equal(scores(1), scores())


def test_dropout_keeps_the_mean() -> None:
    layers = head(dropout=0.25)
    dropped = layers._drop(torch.ones(200, 200), [torch.Generator().manual_seed(k) for k in range(4)])
    assert abs(dropped.mean().item() - 1) < 0.01
    assert sorted(dropped.unique().tolist()) == [0, torch.tensor(4 / 3).item()]
