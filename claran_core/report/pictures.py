"""Pictures of subjects: radio, infrared and fused image, in sheets of several subjects.

The page draws the contours over the infrared image as lines, which stay sharp at any size.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np

from claran_core.common.files import atomic_path
from claran_core.fusion.colour import zscale
from claran_core.fusion.contours import contour_lines
from claran_core.fusion.render import Planes

__all__ = [
    "PAD_PX",
    "PANELS",
    "SubjectImages",
    "batches",
    "contour_paths",
    "infrared_picture",
    "radio_picture",
    "write_sheets",
]

# Kinds of pictures, in the order in which they are shown.
PANELS = ("radio", "infrared", "fused")

# The radio stretch is linear within this many sigma of zero and logarithmic far above: it shows emission of a
# few sigma beside a peak of a thousand.
SOFTENING_SIGMA = 1.5
LOWEST_SIGMA = -1.0

# Grey of pixels without data.
BLANK_RGB = (128, 128, 128)

# At this quality a picture takes a sixth of the space of a PNG without a visible difference.  The thin lines
# of a fused image would be blurred, so it is lossless; it is small anyway.
ENCODING: dict[str, dict[str, Any]] = {
    "radio": {"quality": 90},
    "infrared": {"quality": 90},
    "fused": {"lossless": True},
}

PAD_PX = 4


@dataclass(frozen=True)
class SubjectImages:
    """Images of a subject in its frame (row 0 north).

    Attributes
    ----------
    subject_id : str
        Name of the subject.
    planes : Planes
        Radio and infrared image with the noise of the radio image.
    fused : (ny, nx, 3) uint8 array
        The detector's input.
    """

    subject_id: str
    planes: Planes
    fused: np.ndarray


def radio_picture(radio: np.ndarray, sigma: float) -> np.ndarray:
    """Return the radio image in an asinh stretch from -1 sigma to the brightest pixel.

    Parameters
    ----------
    radio : (ny, nx) array
        Image, NaN where there is no data.
    sigma : float
        Noise; if it is NaN or 0, the standard deviation of the image is used.

    Returns
    -------
    (ny, nx, 3) uint8 array
    """
    finite = np.isfinite(radio)
    values = np.where(finite, radio, 0.0).astype(float)
    unit = sigma if np.isfinite(sigma) and sigma > 0 else float(values.std()) or 1.0
    stretched = np.arcsinh(np.maximum(values / unit - LOWEST_SIGMA, 0) / SOFTENING_SIGMA)
    return _painted(matplotlib.colormaps["inferno"](stretched / (stretched.max() or 1.0)), finite)


def infrared_picture(infrared: np.ndarray) -> np.ndarray:
    """Return an infrared image ``(ny, nx)`` in grey between its zscale limits, ``(ny, nx, 3)`` uint8."""
    finite = np.isfinite(infrared)
    return _painted(matplotlib.colormaps["gray"](np.nan_to_num(zscale(infrared))), finite)


def _painted(colours: np.ndarray, finite: np.ndarray) -> np.ndarray:
    picture = np.rint(colours[..., :3] * 255).astype(np.uint8)
    picture[~finite] = BLANK_RGB
    return picture


def contour_paths(radio: np.ndarray, base_level: float) -> list[str]:
    """Return the contours of the radio image as SVG paths in frame px, one per level, lowest first."""
    return ["".join(_path(line) for line in lines) for lines in contour_lines(radio, base_level)]


def _path(line: np.ndarray) -> str:
    # Pixel centres are at integers in the lines, at half-integers in the frame.
    points = np.round(line[:, ::-1] + 0.5, 1)
    closed = bool((points[0] == points[-1]).all())
    text = "L".join(f"{x:g} {y:g}" for x, y in points[: -1 if closed else None].tolist())
    return f"M{text}{'Z' if closed else ''}"


def write_sheets(folder: Path, name: str, subjects: Sequence[SubjectImages]) -> None:
    """Write the pictures of some subjects, one below the other, as ``{folder}/{name}.{panel}.webp``.

    Each picture is padded by `PAD_PX` rows above and below that repeat its border, so that an interpolating
    browser does not mix neighbouring pictures.
    """
    pictures = {
        "radio": [radio_picture(images.planes.radio, images.planes.sigma) for images in subjects],
        "infrared": [infrared_picture(images.planes.infrared) for images in subjects],
        "fused": [images.fused for images in subjects],
    }
    pad = ((PAD_PX, PAD_PX), (0, 0), (0, 0))
    for panel in PANELS:
        sheet = np.concatenate([np.pad(picture, pad, mode="edge") for picture in pictures[panel]])
        with atomic_path(folder / f"{name}.{panel}.webp") as temporary:
            matplotlib.image.imsave(temporary, sheet, format="webp", pil_kwargs=ENCODING[panel])


def batches(subjects: Iterable[SubjectImages], size: int) -> Iterator[list[SubjectImages]]:
    """Yield images in groups of `size`, so that at most one group is in memory."""
    group: list[SubjectImages] = []
    for images in subjects:
        group.append(images)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
