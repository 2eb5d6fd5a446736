"""Where and how PyTorch computes: the device, and what makes results repeat themselves."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from claran_core.common.errors import ConfigError

__all__ = ["choose_device", "reproducible"]


def choose_device(name: str) -> torch.device:
    """Device for ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If a GPU is asked for and PyTorch sees none.
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
    """Use only deterministic algorithms, and `threads` CPU threads, until the context is left.

    An operation that has no deterministic version on a GPU still runs, with a warning.
    """
    # cuBLAS repeats itself only with a fixed work space, and reads this when the GPU is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before, filling = torch.get_num_threads(), torch.utils.deterministic.fill_uninitialized_memory
    strict, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory before it is written; filling it first takes a tenth of a step on a GPU.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.utils.deterministic.fill_uninitialized_memory = filling
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
