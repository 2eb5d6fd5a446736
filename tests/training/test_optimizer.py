"""Optimiser options, learning rates by hand, and weight decay."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from claran_core.common.paths import REPOSITORY
from claran_core.settings.config import load_config
from claran_core.settings.model import ARCHITECTURE_OPTIONS, Vgg16Options, chosen_options
from claran_core.training.optimizer import (
    OPTIMIZER_OPTIONS,
    learning_rate,
    make_optimizer,
    optimizer_options,
)

PARAMETERS = [torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))]


def test_cosine_by_hand() -> None:
    rates = [learning_rate(i, 10, peak=2.0, warmup_fraction=0.2) for i in range(1, 11)]
    assert rates[:2] == [1.0, 2.0]
    assert rates[2] == pytest.approx(1 + math.cos(math.pi / 9))
    assert rates[9] == pytest.approx(1 + math.cos(math.pi * 8 / 9))
    assert np.all(np.diff(rates[1:]) < 0) and rates[9] > 0
    assert learning_rate(1, 1, peak=2.0, warmup_fraction=0.05) == 2.0


def test_steps_by_hand() -> None:
    at = {1: 1e-3, 50_000: 1e-3, 50_001: 1e-4, 80_000: 1e-4, 80_001: 1e-5, 99_999: 1e-5}
    for iteration, rate in at.items():
        options = {"schedule": "steps", "milestones": (50_000, 80_000)}
        # Neither a rise at the start nor the length of the training changes anything.
        for fraction, total in ((0.0, 80_000), (0.05, 200_000)):
            found = learning_rate(iteration, total, peak=1e-3, warmup_fraction=fraction, **options)
            assert found == pytest.approx(rate, rel=1e-12)
    assert learning_rate(3, 9, peak=2.0, warmup_fraction=0.5, schedule="steps") == 2.0


def test_every_architecture_has_optimizer_options() -> None:
    assert list(OPTIMIZER_OPTIONS) == list(ARCHITECTURE_OPTIONS)
    assert optimizer_options("vgg16", "cosine") == OPTIMIZER_OPTIONS["vgg16"]
    assert optimizer_options("vgg16", "steps").warmup_fraction == 0


def test_the_settings_may_name_the_optimizer() -> None:
    chosen = optimizer_options("vgg16", "cosine", "adamw")
    assert chosen == dataclasses.replace(OPTIMIZER_OPTIONS["vgg16"], optimizer="adamw")
    assert optimizer_options("association", "steps", "sgd").optimizer == "sgd"
    assert optimizer_options("association", "cosine", "auto") == OPTIMIZER_OPTIONS["association"]


@pytest.mark.parametrize(
    ("architecture", "kind"), [("vgg16", torch.optim.SGD), ("association", torch.optim.AdamW)]
)
def test_weight_decay_applies_to_weights_but_not_to_biases(architecture: str, kind: type) -> None:
    training = load_config({"training": {"learning_rate": 0.1, "weight_decay": 0.5}}).training
    optimizer = make_optimizer(PARAMETERS, OPTIMIZER_OPTIONS[architecture], training)
    assert isinstance(optimizer, kind)
    assert optimizer.defaults.get("momentum", 0.9) == 0.9
    shrunk, kept = optimizer.param_groups
    assert (shrunk["params"], shrunk["weight_decay"]) == ([PARAMETERS[0]], 0.5)
    assert (kept["params"], kept["weight_decay"]) == ([PARAMETERS[1]], 0.0)


def test_settings_of_the_narrow_network() -> None:
    config = load_config(REPOSITORY / "resources" / "vgg16_narrow.yaml")
    chosen = chosen_options(config.model.architecture, config.model.options)
    assert isinstance(chosen, Vgg16Options) and chosen.fc_width == 64
    # What it needs to learn in a short training (docs/measurements/detector.md).
    assert chosen.normalise and chosen.box_gradient == 0
    assert optimizer_options("vgg16", "cosine", config.training.optimizer).optimizer == "adamw"


def test_settings_of_the_paper() -> None:
    config = load_config(REPOSITORY / "resources" / "vgg16_paper.yaml")
    training = config.training
    assert (training.batch_size, training.weight_decay, training.augmentation) == (1, 0, "flip")
    n_subjects = 6_141  # of the RGZ label table's training split
    iterations = training.epochs * n_subjects
    assert abs(iterations - 80_000) < n_subjects / 2
    recipe = optimizer_options(config.model.architecture, training.schedule)
    rates = [
        learning_rate(
            iteration,
            iterations,
            peak=training.learning_rate,
            warmup_fraction=recipe.warmup_fraction,
            schedule=training.schedule,
            milestones=training.milestones,
        )
        for iteration in (1, 50_000, 50_001, iterations)
    ]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])
    assert recipe.optimizer == "sgd"
    assert config.model.options == {"freeze_low": True} and config.model.pretrained
    assert not any(config.model.weights.values())  # all are trained
