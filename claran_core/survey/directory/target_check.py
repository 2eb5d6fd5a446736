"""Whether any target lies in an image of a folder, before anything long starts."""

from pathlib import Path

import numpy as np

from claran_core.common.constants import DEG_PER_HOUR, HOURS_PER_CIRCLE
from claran_core.common.errors import ConfigError
from claran_core.common.linear_wcs import sky_of_vectors
from claran_core.common.sky import unit_vectors
from claran_core.survey.directory.image_index import ImageIndex, least_cosine, reach_deg
from claran_core.survey.surveys import Survey

__all__ = ["check_targets"]

# Targets compared with all images at a time: bounds the memory.
CHUNK = 4096


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
    centres = rows[["x", "y", "z"]].to_numpy(float)
    least = least_cosine(rows["radius_deg"].to_numpy(float) + reach_deg(width_arcsec))
    if _any_inside(ra_deg, dec_deg, centres, least):
        return
    hours = ra_deg.max() <= HOURS_PER_CIRCLE and _any_inside(ra_deg * DEG_PER_HOUR, dec_deg, centres, least)
    remedy = "in hours, they lie in images: multiply ra by 15" if hours else "is ra in deg, not in hours?"
    raise ConfigError(
        f"config: survey.{survey.role}.path: none of the {len(ra_deg)} targets lies in an image of {folder}; "
        f"targets: {_range(ra_deg, dec_deg)}; images: {_range(*sky_of_vectors(centres))}; {remedy}"
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
