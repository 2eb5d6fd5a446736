"""Group normalisation fused with ReLU equals that of PyTorch in double precision."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from claran_core.model.layers import normalisation
from claran_core.model.layers.normalisation import NormalisedReLU


def layer(channels: int) -> NormalisedReLU:
    made = NormalisedReLU(8, channels)
    torch.manual_seed(1)
    torch.nn.init.normal_(made.weight)
    torch.nn.init.normal_(made.bias)
    return made


def expected(made: NormalisedReLU, x: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
    weight, bias = made.weight.double(), made.bias.double()
    normalised = F.group_norm(x.double(), 8, weight, bias, made.eps)
    return F.relu(normalised if skip is None else normalised + skip.double()).float()


@pytest.mark.parametrize("with_skip", [False, True])
@pytest.mark.parametrize("shape", [(2, 16, 9, 7), (1, 8, 2, 1), (3, 96, 5, 5)])
def test_equals_double_precision(shape: tuple[int, ...], with_skip: bool) -> None:
    x = 3 + torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    skip = torch.randn(*shape, generator=torch.Generator().manual_seed(2)) if with_skip else None
    made = layer(shape[1])
    reference = expected(made, x, skip)
    with torch.no_grad():
        for layout in (torch.contiguous_format, torch.channels_last):
            found = made(x.clone(memory_format=layout), skip)
            torch.testing.assert_close(found, reference, atol=2e-6, rtol=1e-6)
    trained = made(x.clone(), skip)
    torch.testing.assert_close(trained, reference, atol=5e-6, rtol=1e-5)
    trained.sum().backward()
    assert made.weight.grad is not None and made.weight.grad.isfinite().all()


def test_nan_is_not_hidden() -> None:
    x = torch.full((1, 8, 3, 3), torch.nan)
    with torch.no_grad():
        assert layer(8)(x).isnan().all()


def test_compiled_code_gives_what_is_written() -> None:
    rng = np.random.default_rng(0)
    x, skip = rng.normal(size=(2, 2, 20, 16)).astype(np.float32)
    weight, bias = rng.normal(size=(2, 16)).astype(np.float32)
    one, other = x.copy(), x.copy()
    normalisation._normalise(one, skip, 8, weight, bias, 1e-5)
    normalisation._normalise.py_func(other, skip, 8, weight, bias, 1e-5)
    np.testing.assert_allclose(one, other, atol=1e-6)
