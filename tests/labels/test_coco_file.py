"""Annotations of COCO: boxes, polygons, hosts; one line for each fault."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from claran_core.common.errors import InputError
from claran_core.labels.coco_file import read_coco

IMAGE = {"id": 7, "file_name": "a.png", "width": 100, "height": 80}
CATEGORY = {"id": 2, "name": "FR-II"}
ANNOTATION = {"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20, 30, 5.5]}


def write(folder: Path, **changes: Any) -> Path:
    """Write a file with one annotation, and changes of its entries."""
    path = folder / "labels.json"
    path.write_text(
        json.dumps(
            {"images": [IMAGE], "categories": [CATEGORY], "annotations": [ANNOTATION | changes]},
            allow_nan=True,
        )
    )
    return path


def test_box_mask_and_host(tmp_path: Path) -> None:
    polygons = [[10, 20, 40, 20, 25, 25.5], [1, 2, 3, 4, 5, 6, 7, 8]]
    (found,) = read_coco(write(tmp_path, segmentation=polygons, keypoints=[25, 22, 2], iscrowd=0))
    assert (found.name, found.category, found.image.file_name) == ("1", "FR-II", "a.png")
    assert found.box.tolist() == [10, 20, 40, 25.5]
    assert [one.tolist() for one in found.polygons] == [
        [[10, 20], [40, 20], [25, 25.5]],
        [[1, 2], [3, 4], [5, 6], [7, 8]],
    ]
    assert found.host == (25, 22)


def test_mask_and_host_may_be_absent(tmp_path: Path) -> None:
    (found,) = read_coco(write(tmp_path, segmentation=[], keypoints=[0, 0, 0]))
    assert found.polygons == () and np.isnan(found.host).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bbox": [10, 20, 0, 5]}, r"its bbox \[10.0, 20.0, 0.0, 5.0\] is empty or inverted"),
        ({"bbox": [40, 20, -30, 5]}, "is empty or inverted"),
        ({"bbox": [100, 20, 3, 5]}, "lies outside its image of 100 x 80 px"),
        ({"bbox": [1, 2, 3]}, "is not a list of 4 numbers"),
        ({"bbox": [1, 2, float("nan"), 4]}, "is not a list of 4 numbers"),
        ({"image_id": 8}, "its image_id 8 is not in the file"),
        ({"category_id": None}, "its category_id None is not in the file"),
        ({"segmentation": {"counts": "abc", "size": [80, 100]}}, "is run-length encoded; write polygons"),
        ({"segmentation": [[1, 2, 3, 4]]}, "has 4 numbers; three corners are 6"),
        ({"keypoints": [1, 2]}, "its keypoints are 2 numbers"),
    ],
)
def test_faults_of_an_annotation_are_one_line(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"annotation 1: .*{says}") as caught:
        read_coco(write(tmp_path, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "it has no list 'images'"),
        ('{"images": [], "categories": [], "annotations": []}', "it has no list 'images', or an empty one"),
        (
            '{"images": [{}], "categories": [{}], "annotations": [{}]}',
            "image 0 of its list .* no whole number",
        ),
    ],
)
def test_files_of_another_kind_are_one_line(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match=says):
        read_coco(tmp_path / "x.json")


def test_a_missing_file_and_a_repeated_id_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read .*; check labels\.path"):
        read_coco(tmp_path / "none.json")
    path = write(tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"annotations": 2 * content["annotations"]}))
    with pytest.raises(InputError, match="annotation id 1 occurs twice"):
        read_coco(path)


@pytest.mark.data
def test_the_annotations_of_radiogalaxynet(shared_data: Path) -> None:
    found = read_coco(shared_data / "radiogalaxynet" / "val.json")
    assert len(found) == 631
    assert {one.category for one in found} == {"FR-I", "FR-II", "FR-X", "R"}
    assert all(one.polygons and np.isfinite(one.host).all() for one in found)
