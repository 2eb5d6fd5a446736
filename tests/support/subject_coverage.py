"""How well subjects cover positions on the sky."""

import numpy as np
import pandas as pd

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.frame import Frame
from claran_core.targets.areas import Circle
from claran_core.targets.subject_grid import SkyGrid

FRAME = Frame()
GRID = SkyGrid(FRAME)


def positions_in(circle: Circle, n: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Return ``ra, dec`` (deg) of positions spread evenly over a circle."""
    rng = np.random.default_rng(0)
    distance = circle.radius_deg * np.sqrt(rng.uniform(0, 1, n)) * ARCSEC_PER_DEG
    angle = rng.uniform(0, 2 * np.pi, n)
    plane = Frame(size_px=2, pixel_scale_arcsec=1.0)
    centre = np.array(circle.ra_deg), np.array(circle.dec_deg)
    return plane.frame_to_sky(*centre, 1 + distance * np.cos(angle), 1 + distance * np.sin(angle))


def distance_to_border(subjects: pd.DataFrame, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Return the distance (arcsec) from each position to the border of the subject that shows it best.

    A negative distance means that no subject contains the position.
    """
    best = np.full(len(ra_deg), -np.inf)
    for subject in subjects.itertuples():
        x, y = FRAME.sky_to_frame(subject.ra, subject.dec, ra_deg, dec_deg, subject.scale)
        distance_px = FRAME.size_px / 2 - np.maximum(np.abs(x - 66), np.abs(y - 66))
        best = np.fmax(best, distance_px * subject.scale * FRAME.pixel_scale_arcsec)
    return best
