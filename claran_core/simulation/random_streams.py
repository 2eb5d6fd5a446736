"""Named random streams, so that a result does not depend on earlier draws.

Every part of the sky (a cell's sources, a tile's noise level, a block of noise) has its own stream, made
from the seed, the stream and an index.  Results therefore do not depend on processes, shards or order.
"""

import threading
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, overload

import numpy as np

from claran_core.common.constants import QUANTILE_PROBABILITIES

__all__ = ["Stream", "StreamName", "generator", "grid_normals", "quantile_draw"]


# Offset of block and node numbers, because counters must not be negative.
GRID_ORIGIN = 1 << 20

# One generator for all planes, set to a block each time: creating one takes as long as drawing a block.
PLANES, PLANES_LOCK = np.random.Generator(np.random.Philox(0)), threading.Lock()


class Stream(IntEnum):
    """Kinds of random stream.  The numbers define the sky: never reuse or renumber them."""

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
    LABEL_TABLE = 11
    RADIO_WHITE = 12
    RADIO_BASELINES = 13


# Arguments of `generator`.
StreamName = tuple[int, Stream, *tuple[int, ...]]


def generator(seed: int, stream: Stream, *index: int) -> np.random.Generator:
    """Return the random generator of one part of the sky; all arguments must be non-negative."""
    return np.random.default_rng([seed, int(stream), *index])


@lru_cache(maxsize=256)
def _start(seed: int, stream: Stream, *index: int) -> Mapping[str, Any]:
    """Return the state of `PLANES` at the start of a plane."""
    key = np.random.SeedSequence([seed, int(stream), *index]).generate_state(2, np.uint64)
    return np.random.Philox(key=key).state


def grid_normals(
    shape: tuple[int, ...], seed: int, stream: Stream, *index: int, x: int, y: int
) -> np.ndarray:
    """Return standard normal numbers of one block or node of a plane; `x` and `y` may be negative.

    The blocks of a plane are counters of one generator, about five times as fast as one stream per block.
    """
    state = _start(seed, stream, *index)
    counter = np.array([0, 0, x + GRID_ORIGIN, y + GRID_ORIGIN], np.uint64)
    with PLANES_LOCK:
        PLANES.bit_generator.state = {**state, "state": {**state["state"], "counter": counter}}
        return PLANES.standard_normal(shape)


@overload
def quantile_draw(rng: np.random.Generator, values: Sequence[float]) -> float: ...


@overload
def quantile_draw(rng: np.random.Generator, values: Sequence[float], size: int) -> np.ndarray: ...


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
        Number of draws; one float by default.
    """
    drawn = np.exp(np.interp(rng.random(size), QUANTILE_PROBABILITIES, np.log(values)))
    return float(drawn) if size is None else drawn
