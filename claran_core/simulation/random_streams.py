"""Random streams named by what they draw, so that a result never depends on what was drawn before.

Every part of the sky (a cell's sources, a tile's noise level, a block of noise) has its own stream, made
from the seed, the part's purpose and its index.  Processes, shards and order then cannot matter.
"""

import threading
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np

from claran_core.common.constants import QUANTILE_PROBABILITIES

__all__ = ["Purpose", "generator", "grid_normals", "quantile_draw"]


# Blocks and nodes are counted from here, because counters must not be negative.
GRID_ORIGIN = 1 << 20

# One generator for all planes, put to a block each time: to make one takes as long as to draw a block.
PLANES, PLANES_LOCK = np.random.Generator(np.random.Philox(0)), threading.Lock()


class Purpose(IntEnum):
    """First word of a stream's name.  Numbers are part of the sky: never reuse or renumber them."""

    RADIO_SOURCES = 1
    INFRARED_SOURCES = 2
    RADIO_FIELD = 3
    INFRARED_FIELD = 4
    RADIO_NOISE = 5
    INFRARED_NOISE = 6
    SUBJECTS = 7
    RADIO_STRUCTURE = 8
    RADIO_RMS = 9
    RADIO_SMOOTHNESS = 10
    PLACED = 11
    RADIO_WHITE = 12
    RADIO_BASELINES = 13


def generator(seed: int, purpose: Purpose, *index: int) -> np.random.Generator:
    """Random generator of one part of the sky; all arguments must be non-negative."""
    return np.random.default_rng([seed, int(purpose), *index])


@lru_cache(maxsize=256)
def _start(seed: int, purpose: Purpose, *index: int) -> dict[str, Any]:
    """State of `PLANES` at the start of a plane."""
    key = np.random.SeedSequence([seed, int(purpose), *index]).generate_state(2, np.uint64)
    return np.random.Philox(key=key).state


def grid_normals(
    shape: tuple[int, ...], seed: int, purpose: Purpose, *index: int, x: int, y: int
) -> np.ndarray:
    """Standard normal numbers of one block or node of a plane; `x` and `y` may be negative.

    The blocks of a plane are counters of one generator, which are had some five times as fast as streams
    of their own.
    """
    state = _start(seed, purpose, *index)
    counter = np.array([0, 0, x + GRID_ORIGIN, y + GRID_ORIGIN], np.uint64)
    with PLANES_LOCK:
        PLANES.bit_generator.state = {**state, "state": {**state["state"], "counter": counter}}
        return PLANES.standard_normal(shape)


def quantile_draw(
    rng: np.random.Generator, values: Sequence[float], size: int | None = None
) -> float | np.ndarray:
    """Draw from a distribution tabulated at p0, p5, p25, p50, p75, p95 and p100 (log-linear between).

    Parameters
    ----------
    rng : Generator
        Stream to draw from.
    values : sequence of 7 float
        Positive values at the probabilities `QUANTILE_PROBABILITIES`.
    size : int, optional
        Number of draws; one float without it.
    """
    drawn = np.exp(np.interp(rng.random(size), QUANTILE_PROBABILITIES, np.log(values)))
    return float(drawn) if size is None else drawn
