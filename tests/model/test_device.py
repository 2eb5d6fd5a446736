"""Choice of the device, and settings of PyTorch."""

import pytest
import torch

from claran_core.common.errors import ConfigError
from claran_core.model.device import choose_device, reproducible


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="'gpu'; write one of: auto, cpu, cuda"):
        choose_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu_is_refused() -> None:
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="PyTorch sees no GPU"):
        choose_device("cuda")


def test_settings_of_pytorch_are_restored() -> None:
    def settings() -> tuple[int, bool, bool]:
        return (
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,
        )

    before = settings()
    with reproducible(before[0] + 1):
        assert settings() == (before[0] + 1, True, False)
    assert settings() == before
