"""Labels of a user: COCO's pixels on the sky, missing images, classes of the run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from claran_core.common.errors import InputError
from claran_core.labels.own_labels import read_own_labels


def write_image(path: Path, width: int = 100, height: int = 80) -> WCS:
    """Write a FITS image of 2 arcsec pixels, turned by 30 degrees, and return its WCS."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [150.0, 30.0], [50.5, 40.5]
    turn, scale = np.deg2rad(30), 2 / 3600
    wcs.wcs.cd = scale * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    fits.PrimaryHDU(np.zeros((height, width), np.float32), wcs.to_header()).writeto(path)
    return wcs


def write_coco(folder: Path, name: str = "a.fits", size: tuple[int, int] = (100, 80)) -> Path:
    image = {"id": 1, "file_name": name, "width": size[0], "height": size[1]}
    annotation: dict[str, Any] = {"id": 5, "image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 10]}
    annotation |= {"segmentation": [[10, 20, 40, 20, 40, 30]], "keypoints": [12.5, 20.5, 2]}
    path = folder / "labels.json"
    content = {"images": [image], "categories": [{"id": 1, "name": "bent"}], "annotations": [annotation]}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("name", ["a.fits", "a.png"])
def test_pixels_of_coco_on_the_sky(tmp_path: Path, name: str) -> None:
    wcs = write_image(tmp_path / "a.fits")
    (label,) = read_own_labels(write_coco(tmp_path, name), classes=["FR-I", "bent"])
    assert (label.label_id, label.morphology) == ("5", "bent")
    # Row 20 from the top is FITS row 80 - 20 from the bottom; FITS counts pixel centres from 1.
    corners = np.array([[10, 60], [40, 60], [40, 50], [10, 50]]) + 0.5
    np.testing.assert_allclose(label.corners, wcs.all_pix2world(corners, 1), atol=1e-9)
    np.testing.assert_allclose(label.outlines[0], wcs.all_pix2world(corners[:3], 1), atol=1e-9)
    np.testing.assert_allclose(label.host, wcs.all_pix2world([[13, 60]], 1)[0], atol=1e-9)


def test_images_of_another_folder(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_image(tmp_path / "images" / "a.fits")
    path = write_coco(tmp_path)
    with pytest.raises(InputError, match=r"annotation 5: no FITS image .*a\.fits .*as labels\.images"):
        read_own_labels(path)
    assert len(read_own_labels(path, tmp_path / "images")) == 1


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits")
    with pytest.raises(InputError, match="has 100 x 80 px, but its annotations are for 200 x 160"):
        read_own_labels(write_coco(tmp_path, size=(200, 160)))


def test_an_image_without_a_wcs_is_refused(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((80, 100), np.float32)).writeto(tmp_path / "a.fits")
    with pytest.raises(InputError, match=r"annotation 5: .*a\.fits: ") as caught:
        read_own_labels(write_coco(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_class_of_another_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("ra,dec,width,height,class\n1,2,30,30,NAT\n")
    with pytest.raises(InputError, match="label 2: class 'NAT' is not one of model.classes, FR-I, FR-II$"):
        read_own_labels(tmp_path / "labels.csv", classes=["FR-I", "FR-II"])
