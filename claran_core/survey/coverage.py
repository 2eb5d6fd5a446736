"""The part of a subject that a cut-out can fill."""

import numpy as np

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.reprojection import reproject
from claran_core.survey.footprint import frame_vectors

__all__ = ["coverage_of"]

# The border of a subject may curve outwards by less than this between the points at which it is computed.
MARGIN_PX = 0.5


def coverage_of(cutout: Cutout, frame: Frame, ra_deg: float, dec_deg: float) -> float:
    """Return the fraction of the pixels of a subject that `reproject` gives a value."""
    if np.isfinite(cutout.data).all() and _shows_all(cutout, frame, ra_deg, dec_deg):
        return 1.0
    return float(np.isfinite(reproject(cutout, frame, ra_deg, dec_deg)).mean())


def _shows_all(cutout: Cutout, frame: Frame, ra_deg: float, dec_deg: float) -> bool:
    """Return whether the whole subject lies well inside the cut-out."""
    x, y = cutout.wcs.vectors_to_pixels(frame_vectors(frame, ra_deg, dec_deg))
    ny, nx = cutout.data.shape
    low, high = MARGIN_PX - 0.5, -MARGIN_PX - 0.5
    # Points without a projection are NaN and compare false.
    return bool(x.min() >= low and x.max() <= nx + high and y.min() >= low and y.max() <= ny + high)
