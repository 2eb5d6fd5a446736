"""Named random streams, so that a result does not depend on earlier draws.

Every part of the sky (a cell's sources, a tile's noise level, a block of noise) has its own stream, made
from the seed, the stream and an index.  Results therefore do not depend on processes, shards or order.
"""

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import overload

import numpy as np

from claran_core.common.constants import QUANTILE_PROBABILITIES
from claran_core.simulation.plane_normals import fill_normals

__all__ = ["Stream", "StreamName", "generator", "plane_normals", "quantile_draw"]


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
    RADIO_ARTEFACTS = 14
    LARGE_SOURCES = 17
    LARGE_STRUCTURE = 18
    COMPACT_PAIRS = 19
    RADIO_CLUSTERING = 20
    RADIO_SPECTRA = 21
    FAINT_SOURCES = 22
    SURVEY_NOISE = 23


# Arguments of `generator`.
StreamName = tuple[int, Stream, *tuple[int, ...]]


def generator(seed: int, stream: Stream, *index: int) -> np.random.Generator:
    """Return the random generator of one part of the sky; all arguments must be non-negative."""
    return np.random.default_rng([seed, int(stream), *index])


@lru_cache(maxsize=256)
def _key(seed: int, stream: Stream, *index: int) -> np.ndarray:
    """Return the key of a plane, ``(2,)`` uint64."""
    return np.random.SeedSequence([seed, int(stream), *index]).generate_state(2, np.uint64)


def plane_normals(
    shape: tuple[int, int], seed: int, stream: Stream, *index: int, x0: int, y0: int, block_px: int
) -> np.ndarray:
    """Return standard normal numbers in a window ``(ny, nx)`` of a plane, float64.

    The window starts at column `x0` and row `y0`, which may be negative.  The numbers of a plane are those of
    blocks of `block_px` columns and rows, so that a place has the same number in all windows.
    """
    plane = np.empty(shape)
    fill_normals(plane, _key(seed, stream, *index), x0, y0, block_px)
    return plane


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
    drawn = np.exp(np.interp(rng.random(size), QUANTILE_PROBABILITIES, _logarithms(tuple(values))))
    return float(drawn) if size is None else drawn


@lru_cache(maxsize=64)
def _logarithms(values: tuple[float, ...]) -> np.ndarray:
    return np.log(values)
