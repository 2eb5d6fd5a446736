"""Whether any target lies in an image of a folder, before anything long starts."""

from pathlib import Path

import numpy as np

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.errors import ConfigError
from claran_core.common.sky import unit_vectors
from claran_core.survey.directory.image_index import ImageIndex
from claran_core.survey.surveys import Survey

__all__ = ["check_targets"]

# Targets compared with all images at a time: bounds the memory.
CHUNK = 4096
DEG_PER_HOUR = 15.0
HOURS = 24.0


def check_targets(
    index: ImageIndex,
    survey: Survey,
    folder: Path,
    ra_deg: np.ndarray,
    dec_deg: np.ndarray,
    *,
    width_arcsec: float,
) -> None:
    """Refuse targets none of which meets the circle around an image.

    Files whose position is unknown may show any target, so nothing is refused beside them.

    Parameters
    ----------
    index : ImageIndex
        The images.
    survey : Survey
        Survey of the images.
    folder : Path
        Folder of the images.
    ra_deg, dec_deg : (n,) float64 array
        Positions of the targets, deg, ICRS.
    width_arcsec : float
        Width of the widest subject.

    Raises
    ------
    ConfigError
        In one line that says where targets and images are.
    """
    rows = index.rows[index.rows["passed_over"] == ""]
    if len(ra_deg) == 0 or rows["radius_deg"].isna().any():
        return
    centres, reach_deg = rows[["x", "y", "z"]].to_numpy(float), width_arcsec / ARCSEC_PER_DEG / np.sqrt(2)
    least = np.cos(np.deg2rad(np.minimum(rows["radius_deg"].to_numpy(float) + reach_deg, 180.0)))
    if _any_inside(ra_deg, dec_deg, centres, least):
        return
    hours = ra_deg.max() <= HOURS and _any_inside(ra_deg * DEG_PER_HOUR, dec_deg, centres, least)
    remedy = "in hours, they lie in images: multiply ra by 15" if hours else "is ra in deg, not in hours?"
    image_ra = np.rad2deg(np.arctan2(centres[:, 1], centres[:, 0])) % 360
    image_dec = np.rad2deg(np.arcsin(np.clip(centres[:, 2], -1, 1)))
    raise ConfigError(
        f"config: survey.{survey.band}.path: none of the {len(ra_deg)} targets lies in an image of {folder}; "
        f"targets: {_range(ra_deg, dec_deg)}; images: {_range(image_ra, image_dec)}; {remedy}"
    )


def _any_inside(ra_deg: np.ndarray, dec_deg: np.ndarray, centres: np.ndarray, least: np.ndarray) -> bool:
    for start in range(0, len(ra_deg), CHUNK):
        part = slice(start, start + CHUNK)
        if (unit_vectors(ra_deg[part], dec_deg[part]) @ centres.T >= least).any():
            return True
    return False


def _range(ra_deg: np.ndarray, dec_deg: np.ndarray) -> str:
    return (
        f"RA {ra_deg.min():.3f} to {ra_deg.max():.3f}, Dec {dec_deg.min():+.3f} to {dec_deg.max():+.3f} deg"
    )
