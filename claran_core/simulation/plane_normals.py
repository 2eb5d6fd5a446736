"""Standard normal numbers for a window of an endless plane of blocks, compiled.

Each block of a plane is one counter of the generator Philox4x64-10 (Salmon et al. 2011, SC '11), from whose
bits the ziggurat method (Marsaglia & Tsang 2000, J. Stat. Softw. 5, 8) makes normal numbers.  They equal,
within 1e-12, those of `numpy.random.Philox` and `numpy.random.Generator.standard_normal` with the same key
and counter.  NumPy needs several calls for each block, which take as long as the numbers.
"""

import math

import numpy as np

from claran_core.common.compiled import compiled

__all__ = ["fill_normals"]

# Offset of block numbers, because counters must not be negative.
BLOCK_ORIGIN = 1 << 20

# Multipliers of Philox4x64 and increments of its key.
TIMES_A, TIMES_C = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
STEP_0, STEP_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
ROUNDS = 10
LOW_HALF, HALF_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)

# The 64 bits of a number give its layer, its sign and its distance within the layer.
LAYER, SIGN, DISTANCE = np.uint64(0xFF), np.uint64(0x100), np.uint64(0x000FFFFFFFFFFFFF)
DISTANCE_FROM, TAIL_SIGN = np.uint64(9), np.uint64(1 << 17)
UNIFORM_FROM, UNIFORM_UNIT = np.uint64(11), 2.0**-53

# The layers of the ziggurat: where the tail begins, and the area of each.
N_LAYERS, TAIL_FROM, AREA = 256, 3.654152885361008772, 0.004928673233974655347

# Numbers drawn at once; a multiple of four.
BATCH = 256


def _layers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each layer its width over 2^52, the distances surely below the curve, and its lower edge.

    Layer 0 is at the bottom; with the tail it has the area of the others.
    """
    widths, heights = np.empty(N_LAYERS), np.empty(N_LAYERS)
    widths[-1], heights[-1] = TAIL_FROM, math.exp(-(TAIL_FROM**2) / 2)
    widths[0], heights[0] = AREA / heights[-1], 1.0
    for layer in range(N_LAYERS - 2, 0, -1):
        heights[layer] = AREA / widths[layer + 1] + heights[layer + 1]
        widths[layer] = math.sqrt(-2 * math.log(heights[layer]))
    within = np.concatenate([[TAIL_FROM / widths[0], 0.0], widths[1:-1] / widths[2:]])
    return widths / 2.0**52, (within * 2.0**52).astype(np.int64), heights


WIDTHS, BELOW_CURVE, HEIGHTS = _layers()


@compiled
def _high_product(a: np.uint64, b: np.uint64) -> np.uint64:
    """Return the upper 64 bits of the product of two numbers of 64 bits."""
    a_low, a_high, b_low, b_high = a & LOW_HALF, a >> HALF_BITS, b & LOW_HALF, b >> HALF_BITS
    middle = a_high * b_low + (a_low * b_low >> HALF_BITS)
    lower_middle = a_low * b_high + (middle & LOW_HALF)
    return a_high * b_high + (middle >> HALF_BITS) + (lower_middle >> HALF_BITS)


@compiled
def _rounds(
    key: np.ndarray, a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the four numbers of a counter."""
    key_0, key_1 = key[0], key[1]
    for _ in range(ROUNDS):
        a, b, c, d = (
            _high_product(TIMES_C, c) ^ b ^ key_0,
            TIMES_C * c,
            _high_product(TIMES_A, a) ^ d ^ key_1,
            TIMES_A * a,
        )
        key_0, key_1 = key_0 + STEP_0, key_1 + STEP_1
    return a, b, c, d


@compiled
def _uniform(key: np.ndarray, x: np.uint64, y: np.uint64, place: int) -> float:
    """Return the number at a place of a block's stream as a float in [0, 1)."""
    four = _rounds(key, np.uint64(1 + place // 4), np.uint64(0), x, y)
    return np.int64(four[place % 4] >> UNIFORM_FROM) * UNIFORM_UNIT


@compiled
def _fill_block(values: np.ndarray, bits: np.ndarray, key: np.ndarray, x: np.uint64, y: np.uint64) -> None:
    """Fill an array with the normal numbers of one block; `bits` is a work array of uint64."""
    place, start, k = 0, -bits.size, 0
    while k < values.size:
        if place - start >= bits.size:
            start = place - place % 4
            for j in range(bits.size // 4):
                counter = np.uint64(1 + start // 4 + j)
                bits[4 * j], bits[4 * j + 1], bits[4 * j + 2], bits[4 * j + 3] = _rounds(
                    key, counter, np.uint64(0), x, y
                )
        number = bits[place - start]
        place += 1
        layer, steps = np.int64(number & LAYER), np.int64(number >> DISTANCE_FROM & DISTANCE)
        sign = 1.0 if number & SIGN == np.uint64(0) else -1.0
        value = sign * (steps * WIDTHS[layer])
        if steps >= BELOW_CURVE[layer] and layer > 0:
            # The number is near the curve: another one decides.
            height = HEIGHTS[layer] + (HEIGHTS[layer - 1] - HEIGHTS[layer]) * _uniform(key, x, y, place)
            place += 1
            if height >= math.exp(-0.5 * value * value):
                continue
        elif steps >= BELOW_CURVE[layer]:
            beyond, decision = 1.0, 0.0
            while 2 * decision <= beyond * beyond:
                beyond = -math.log1p(-_uniform(key, x, y, place)) / TAIL_FROM
                decision = -math.log1p(-_uniform(key, x, y, place + 1))
                place += 2
            sign = 1.0 if number & TAIL_SIGN == np.uint64(0) else -1.0
            value = sign * (TAIL_FROM + beyond)
        values[k] = value
        k += 1


@compiled
def fill_normals(plane: np.ndarray, key: np.ndarray, x0: int, y0: int, block_px: int) -> None:
    """Fill a window of a plane with standard normal numbers.

    Parameters
    ----------
    plane : (ny, nx) float64 array
        The window; it is overwritten.
    key : (2,) uint64 array
        Key of the plane.
    x0, y0 : int
        Column and row of its first pixel; they may be negative.
    block_px : int
        Width of the square blocks, each of which has its own counter.
    """
    ny, nx = plane.shape
    bits, block = np.empty(min(BATCH, 4 * block_px * block_px), np.uint64), np.empty(block_px * block_px)
    for row in range(y0 // block_px, (y0 + ny - 1) // block_px + 1):
        for column in range(x0 // block_px, (x0 + nx - 1) // block_px + 1):
            left, bottom = column * block_px - x0, row * block_px - y0
            # Later rows of the block are not drawn.
            n_rows = min(block_px, ny - bottom)
            _fill_block(
                block[: n_rows * block_px],
                bits,
                key,
                np.uint64(column + BLOCK_ORIGIN),
                np.uint64(row + BLOCK_ORIGIN),
            )
            for j in range(max(0, -bottom), n_rows):
                for i in range(max(0, -left), min(block_px, nx - left)):
                    plane[bottom + j, left + i] = block[j * block_px + i]
