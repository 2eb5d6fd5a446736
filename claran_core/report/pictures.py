"""Pictures of subjects: the radio image, the infrared image and the fused one, in sheets of some subjects.

The contours that the page draws over the infrared image are lines, not pixels, so that they stay
sharp at any size.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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

# The radio stretch is linear within this many sigma of zero and logarithmic far above: emission of a few
# sigma is seen beside a peak of a thousand.
SOFTENING_SIGMA = 1.5
LOWEST_SIGMA = -1.0

# Grey of pixels without data.
BLANK_RGB = (128, 128, 128)

# At this quality a picture takes a sixth of what it does as a PNG, and no difference is seen.  The thin lines
# of a fused image would be blurred, but it is small as it is.
ENCODING = {"radio": {"quality": 90}, "infrared": {"quality": 90}, "fused": {"lossless": True}}

PAD_PX = 4


@dataclass(frozen=True)
class SubjectImages:
    """Images of a subject in its frame (row 0 north).

    Attributes
    ----------
    subject_id : str
        Name.
    planes : Planes
        Radio and infrared image with the noise of the radio image.
    fused : (ny, nx, 3) uint8 array
        What the detector has seen.
    """

    subject_id: str
    planes: Planes
    fused: np.ndarray


def radio_picture(radio: np.ndarray, sigma: float) -> np.ndarray:
    """Radio image in a stretch that shows faint emission: asinh, from -1 sigma to the brightest pixel.

    Parameters
    ----------
    radio : (ny, nx) array
        NaN where there is no data.
    sigma : float
        Its noise; an image without noise (NaN or 0) is stretched by its own standard deviation.

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
    """Infrared image in grey between its zscale limits, ``(ny, nx)`` to ``(ny, nx, 3)`` uint8."""
    finite = np.isfinite(infrared)
    return _painted(matplotlib.colormaps["gray"](np.nan_to_num(zscale(infrared))), finite)


def _painted(colours: np.ndarray, finite: np.ndarray) -> np.ndarray:
    picture = np.rint(colours[..., :3] * 255).astype(np.uint8)
    picture[~finite] = BLANK_RGB
    return picture


def contour_paths(radio: np.ndarray, base_level: float) -> list[str]:
    """Contours of the radio image as SVG path data in frame px, one path per level, lowest first."""
    return ["".join(_path(line) for line in lines) for lines in contour_lines(radio, base_level)]


def _path(line: np.ndarray) -> str:
    # Lines have pixel centres at whole numbers, the frame has them at halves.
    points = np.round(line[:, ::-1] + 0.5, 1)
    closed = bool((points[0] == points[-1]).all())
    text = "L".join(f"{x:g} {y:g}" for x, y in points[: -1 if closed else None].tolist())
    return f"M{text}{'Z' if closed else ''}"


def write_sheets(folder: Path, name: str, subjects: Sequence[SubjectImages]) -> None:
    """Write the pictures of some subjects, below each other, as ``{folder}/{name}.{panel}.webp``.

    Each picture has `PAD_PX` more rows above and below that repeat its border, so that a browser that
    interpolates does not mix neighbours.
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
    """Images in groups of `size`, so that no more than one group is in memory."""
    group: list[SubjectImages] = []
    for images in subjects:
        group.append(images)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
