"""The device of PyTorch, and settings for reproducible results."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from claran_core.common.errors import ConfigError

__all__ = ["choose_device", "reproducible"]

deterministic: Any = torch.utils.deterministic  # mypy does not know its properties


def choose_device(name: str) -> torch.device:
    """Return the device for ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If the name is unknown, or it is ``cuda`` and PyTorch sees no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"config: inference.device is {name!r}; write one of: auto, cpu, cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError(
            "config: inference.device is 'cuda', but PyTorch sees no GPU; "
            "write 'auto' or 'cpu', or install a CUDA build of torch"
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


@contextmanager
def reproducible(threads: int | None = None) -> Iterator[None]:
    """Use only deterministic algorithms, and `threads` CPU threads, within the context.

    An operation without a deterministic version on a GPU runs with a warning.
    """
    # cuBLAS is deterministic only with a fixed workspace; it reads this variable at the first use of the GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    threads_before, fill_before = torch.get_num_threads(), deterministic.fill_uninitialized_memory
    strict, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling uninitialised memory takes a tenth of a step on a GPU, and nothing here reads such memory.
    deterministic.fill_uninitialized_memory = False
    torch.set_num_threads(threads or threads_before)
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        deterministic.fill_uninitialized_memory = fill_before
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
