"""Resampling of the real FIRST cut-outs, applied to simulated ones for comparisons."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from claran_core.common.cutout import Cutout

# A subject is up to so far in RA from the meridian on which the columns of its FIRST image run north: images
# some 3 min apart leave as many seams as the real cut-outs have (benchmarks/sky/resampling_seams.py).
OFF_MERIDIAN_DEG = 22.5 / 60


def resampled(cutout: Cutout, rng: np.random.Generator) -> Cutout:
    """A cut-out as SkyView hands it out: the nearest pixels of an image that is turned a little from north.

    All real cut-outs have come that way.  They consist of pieces that are shifted by one pixel against each
    other, with straight seams between them.
    """
    ny, nx = cutout.data.shape
    dec = float(cutout.wcs.pixels_to_sky(nx / 2, ny / 2)[1])
    angle = np.deg2rad(rng.uniform(-OFF_MERIDIAN_DEG, OFF_MERIDIAN_DEG)) * np.sin(np.deg2rad(dec))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([nx - 1, ny - 1]) / 2
    there = middle + rng.uniform(-0.5, 0.5, 2)  # pixels of the two grids do not coincide
    # Arrays count rows first, so that the turn is the opposite one.
    start = there[::-1] - turn.T @ middle[::-1]
    image = ndimage.affine_transform(cutout.data, turn.T, start, order=0, mode="grid-constant", cval=np.nan)
    x, y = middle - turn.T @ (there - (cutout.wcs.x, cutout.wcs.y))
    a, b, c, d = (np.reshape(cutout.wcs.matrix, (2, 2)) @ turn).ravel().tolist()
    wcs = replace(cutout.wcs, x=float(x), y=float(y), matrix=(a, b, c, d))
    return replace(cutout, data=image, wcs=wcs)
