"""Read annotations in the format of COCO (cocodataset.org, "object detection" and "keypoints"), as pixels.

Pixels are COCO's: x from the left edge of an image, y down from its top edge, so that pixel i covers
``[i, i + 1)``.  The first keypoint of an annotation is the host of the source.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from claran_core.common.errors import InputError

__all__ = ["CocoAnnotation", "CocoImage", "read_coco"]

# Fewest numbers of a polygon: the x and y of three corners.
POLYGON_NUMBERS = 6
# Values of a keypoint: x, y, and its visibility, which is 0 for one that is not annotated.
KEYPOINT_NUMBERS = 3


@dataclass(frozen=True)
class CocoImage:
    """An image of a file of annotations: its name in the file, and its width and height in pixels."""

    file_name: str
    width: int
    height: int


@dataclass(frozen=True)
class CocoAnnotation:
    """An annotation.

    Attributes
    ----------
    name : str
        Its number in the file.
    image : CocoImage
        The image that it belongs to.
    category : str
        Name of its category.
    box : (4,) float64 array
        Edges ``x1 y1 x2 y2``, px.
    polygons : tuple of (k, 2) float64 arrays
        Corners ``x y`` of the polygons of its mask, px; empty without one.
    host : (float, float)
        Its first keypoint, px; NaN without one.
    """

    name: str
    image: CocoImage
    category: str
    box: np.ndarray
    polygons: tuple[np.ndarray, ...]
    host: tuple[float, float]


class _Fault(Exception):  # noqa: N818  (a finding about a file)
    """What is wrong with an entry of the file."""


def read_coco(path: Path) -> list[CocoAnnotation]:
    """Read the annotations of a file.

    Raises
    ------
    InputError
        In one line, for a file that is not COCO's and for the first annotation with a fault: an unknown image
        or category, a repeated id, an empty or inverted box or one outside its image, a mask that is not made
        of polygons.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check labels.path") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({str(error).splitlines()[0]})") from None
    images, categories, annotations = (_by_id(path, content, kind) for kind in _LISTS)
    return [_annotation(path, name, entry, images, categories) for name, entry in annotations.items()]


# The lists of a file, by what their entries are.
_LISTS = {"image": "images", "category": "categories", "annotation": "annotations"}


def _by_id(path: Path, content: Any, kind: str) -> dict[int, Mapping[str, Any]]:
    """Return the entries of a list of the file by their ids."""
    entries = content.get(_LISTS[kind]) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: not annotations of COCO: it has no list {_LISTS[kind]!r}, or an empty one")
    found: dict[int, Mapping[str, Any]] = {}
    for place, entry in enumerate(entries):
        number = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(number, int):
            raise InputError(f"{path}: {kind} {place} of its list (from 0) has no whole number `id`")
        if number in found:
            raise InputError(f"{path}: {kind} id {number} occurs twice")
        found[number] = entry
    return found


def _annotation(
    path: Path,
    name: int,
    entry: Mapping[str, Any],
    images: Mapping[int, Mapping[str, Any]],
    categories: Mapping[int, Mapping[str, Any]],
) -> CocoAnnotation:
    try:
        image = _image(_known(images, entry.get("image_id"), "image"))
        category = _known(categories, entry.get("category_id"), "category").get("name")
        if not isinstance(category, str):
            raise _Fault(f"its category {entry['category_id']} has no name")
        return CocoAnnotation(str(name), image, category, _box(entry, image), _polygons(entry), _host(entry))
    except _Fault as fault:
        raise InputError(f"{path}: annotation {name}: {fault}") from None


def _known(entries: Mapping[int, Mapping[str, Any]], number: Any, kind: str) -> Mapping[str, Any]:
    if not isinstance(number, int) or number not in entries:
        raise _Fault(f"its {kind}_id {number!r} is not in the file")
    return entries[number]


def _image(entry: Mapping[str, Any]) -> CocoImage:
    name, width, height = (entry.get(key) for key in ("file_name", "width", "height"))
    if not isinstance(name, str) or not name:
        raise _Fault(f"its image {entry['id']} has no file_name")
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):
        raise _Fault(
            f"its image {name!r} has width {width!r} and height {height!r}; give whole numbers of px"
        )
    return CocoImage(name, int(str(width)), int(str(height)))


def _box(entry: Mapping[str, Any], image: CocoImage) -> np.ndarray:
    x, y, width, height = _numbers(entry.get("bbox"), "bbox", 4)
    shown = f"its bbox {[x, y, width, height]}"
    if width <= 0 or height <= 0:
        raise _Fault(f"{shown} is empty or inverted; COCO's boxes are x, y, width, height")
    if x >= image.width or y >= image.height or x + width <= 0 or y + height <= 0:
        raise _Fault(f"{shown} lies outside its image of {image.width} x {image.height} px")
    return np.array([x, y, x + width, y + height])


def _polygons(entry: Mapping[str, Any]) -> tuple[np.ndarray, ...]:
    given = entry.get("segmentation") or []
    if not isinstance(given, list):
        raise _Fault("its mask is run-length encoded; write polygons, or leave `segmentation` out")
    polygons = []
    for one in given:
        numbers = _numbers(one, "polygon", None)
        if len(numbers) < POLYGON_NUMBERS or len(numbers) % 2:
            raise _Fault(f"a polygon of its mask has {len(numbers)} numbers; three corners are 6")
        polygons.append(np.array(numbers).reshape(-1, 2))
    return tuple(polygons)


def _host(entry: Mapping[str, Any]) -> tuple[float, float]:
    given = entry.get("keypoints") or []
    if not given:
        return np.nan, np.nan
    numbers = _numbers(given, "keypoints", None)
    if len(numbers) % KEYPOINT_NUMBERS:
        raise _Fault(f"its keypoints are {len(numbers)} numbers; one is x, y and visibility")
    x, y, visible = numbers[:KEYPOINT_NUMBERS]
    return (x, y) if visible else (np.nan, np.nan)


def _numbers(given: Any, what: str, count: int | None) -> list[float]:
    """Return a list of finite numbers."""
    is_list = isinstance(given, list) and (count is None or len(given) == count)
    if not is_list or not all(
        isinstance(one, int | float) and not isinstance(one, bool) and np.isfinite(one) for one in given
    ):
        raise _Fault(f"its {what} {str(given)[:60]} is not a list of {count or 'finite'} numbers")
    return [float(one) for one in given]
