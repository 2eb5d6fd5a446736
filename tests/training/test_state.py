"""The state of a training: its end, the best epoch, the precision of the losses."""

import math

import numpy as np
import pytest
import torch
from fused_runs import blob_sky, open_run
from small_detectors import NARROW_VGG16
from training_runs import TRAINING, VALIDATED

from claran_core.common.errors import ConfigError
from claran_core.model.architectures import build_detector
from claran_core.settings.training import TrainingOptions
from claran_core.training.dataset import FusedDataset
from claran_core.training.distributed import ProcessGroup
from claran_core.training.epochs import validation_error
from claran_core.training.optimizer import OPTIMIZER_OPTIONS
from claran_core.training.state import TrainingState

ARCHITECTURES = pytest.mark.parametrize(
    ("architecture", "options"), [("association", {}), ("vgg16", NARROW_VGG16)]
)


def make_state(
    training: TrainingOptions = TRAINING,
    architecture: str = "association",
    device: str = "cpu",
    **options: int,
) -> TrainingState:
    detector = build_detector(
        architecture, channel_means=(9.0, 8.0, 7.0), frame_px=64, seed=1, options=options
    ).to(device)
    return TrainingState(detector, OPTIMIZER_OPTIONS[architecture], training, 3, ProcessGroup())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> FusedDataset:
    return open_run(tmp_path_factory.mktemp("blobs"), blob_sky(6))


def losses_of(state: TrainingState, dataset: FusedDataset) -> dict[str, torch.Tensor]:
    batch = dataset.batch([0, 1, 2], augmentation="none", seed=1, epoch=0)
    return state.compute_losses(batch, [torch.Generator().manual_seed(i) for i in range(3)])


@pytest.mark.parametrize(
    ("errors", "best", "finished"),
    [
        ([3.0], 1, False),
        ([3.0, 2.0], 2, False),
        ([3.0, 2.0, 2.5], 2, False),
        ([3.0, 2.0, 2.5, 2.0], 2, True),  # equal is not better
        ([3.0, 2.0, 2.5, 1.9], 4, False),
        ([3.0, 2.0, 1.0, 0.9, 0.8, 0.7], 6, True),  # all epochs are done
    ],
)
def test_training_ends_after_patience_or_all_epochs(errors: list[float], best: int, finished: bool) -> None:
    state = make_state(VALIDATED.changed(epochs=6), "association", width=2)
    for epoch, error in enumerate(errors, 1):
        state.epoch = epoch
        with torch.no_grad():
            state.detector.class_score.bias.fill_(epoch)
        state.record_validation(error)
    assert state.finished is finished
    assert state.restore_best() == best
    assert (state.detector.class_score.bias == best).all()


def test_without_validation_all_epochs_are_run() -> None:
    state = make_state(architecture="association", width=2)
    for epoch, finished in ((0, False), (2, False), (3, True)):
        state.epoch = epoch
        assert state.finished is finished
    assert state.restore_best() == 3


def test_validation_error_that_is_not_finite_is_refused() -> None:
    state = make_state(architecture="association", width=2)
    with pytest.raises(ConfigError, match=r"diverged at iteration 1 \(validation nan\); lower"):
        state.record_validation(math.nan)


@ARCHITECTURES
def test_validation_error_depends_only_on_the_detector(
    architecture: str, options: dict, dataset: FusedDataset
) -> None:
    state = make_state(architecture=architecture, **options)
    error = validation_error(state, dataset, seed=3)
    state.epoch = 2  # nothing is drawn anew
    assert validation_error(state, dataset, seed=3) == error > 0
    one_by_one = make_state(TRAINING.changed(batch_size=1), architecture, **options)
    assert validation_error(one_by_one, dataset, seed=3) == pytest.approx(error, rel=1e-4)
    # Nothing is dropped: the mean over subjects of the losses in evaluation mode.
    assert not state.detector.training and all(p.grad is None for p in state.parameters)


@ARCHITECTURES
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_losses_stay_in_single_precision(
    architecture: str, options: dict, device: str, dataset: FusedDataset
) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    seen = []
    states = [
        make_state(TRAINING.changed(precision=precision), architecture, device, **options)
        for precision in ("float32", "bfloat16")
    ]
    for state in states:
        # Not the last layer: on a GPU normalisation is always done in single precision.
        first = next(m for m in state.detector.modules() if isinstance(m, torch.nn.Conv2d))
        first.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    exact, rough = (losses_of(state, dataset) for state in states)
    assert seen == [torch.float32, torch.bfloat16]
    assert {loss.dtype for loss in (*exact.values(), *rough.values())} == {torch.float32}
    # Eight bits of mantissa; other regions may be sampled.
    assert sum(rough.values()).item() == pytest.approx(sum(exact.values()).item(), rel=0.1)
    sum(rough.values()).backward()
    for parameter in states[1].parameters:
        assert parameter.grad is not None and parameter.grad.dtype == torch.float32
        assert torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_of_vgg16_reduce_the_loss_and_repeat(precision: str, dataset: FusedDataset) -> None:
    training = TRAINING.changed(precision=precision, learning_rate=0.01)
    batch = dataset.batch([0, 1, 2], augmentation="none", seed=1, epoch=0)
    ends = []
    for _ in range(2):
        state = make_state(training, "vgg16", **NARROW_VGG16)
        for _ in range(6):
            state.step(batch, [torch.Generator().manual_seed(i) for i in range(3)], fraction=1.0)
        ends.append(state)
    totals = [np.nansum(row[1:]) for row in ends[0].losses]
    assert totals[-1] < 0.8 * totals[0]
    np.testing.assert_array_equal(ends[0].losses, ends[1].losses)
    assert all(map(torch.equal, ends[0].parameters, ends[1].parameters))


def test_parameters_without_a_part_of_the_batch_have_zero_gradients(dataset: FusedDataset) -> None:
    state = make_state(architecture="association", width=2)
    before = [parameter.clone() for parameter in state.parameters]
    batch = dataset.batch([0], augmentation="none", seed=1, epoch=0)
    state._backward(batch, [], 0.0)
    assert all((parameter.grad == 0).all() for parameter in state.parameters)
    state._backward(batch, [torch.Generator().manual_seed(0)], 1.0)
    first = [parameter.grad.clone() for parameter in state.parameters]
    state._backward(batch, [torch.Generator().manual_seed(0)], 1.0)  # nothing is added to the last gradient
    assert all(map(torch.equal, first, (parameter.grad for parameter in state.parameters)))
    assert all(map(torch.equal, before, state.parameters))
