"""Masks in COCO JSON: what pycocotools draws is what the contours enclose."""

import json
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from catalogue_rows import FRAME, write_contours, write_random_run

from claran_core.common.errors import InputError
from claran_core.common.paths import Results
from claran_core.export.coco_mask import mask_entry, run_lengths
from claran_core.export.formats import export_catalogue
from claran_core.export.stored_contours import Ring

SQUARE = np.array([[2.0, 3.0], [8.0, 3.0], [8.0, 7.0], [2.0, 7.0]])


def test_polygons_and_run_lengths() -> None:
    plain = mask_entry([Ring(SQUARE, 1.0, False), Ring(SQUARE + 10, 1.0, False)], 20)
    assert plain["segmentation"][0] == [2, 3, 8, 3, 8, 7, 2, 7] and len(plain["segmentation"]) == 2
    assert plain["area"] == 48
    hole = Ring(np.array([[4.0, 4.0], [4.0, 6.0], [6.0, 6.0], [6.0, 4.0]]), 1.0, True)
    holed = mask_entry([Ring(SQUARE, 1.0, False), hole], 10)
    assert holed["area"] == 20
    # Columns 2 and 3 have rows 3 to 6; columns 4 and 5 rows 3 and 6 alone; then two full columns.
    assert holed["segmentation"] == {
        "counts": [23, 4, 6, 4, 6, 1, 2, 1, 6, 1, 2, 1, 6, 4, 6, 4, 23],
        "size": [10, 10],
    }
    overlapping = mask_entry([Ring(SQUARE, 1.0, False), Ring(SQUARE + 1, 2.0, False)], 10)
    assert overlapping["area"] == 24 + 24 - 15


def test_runs_start_outside() -> None:
    assert run_lengths(np.ones((2, 2), bool)) == [0, 4]
    assert run_lengths(np.zeros((2, 2), bool)) == [4]
    assert run_lengths(np.array([[True, False], [False, True]])) == [0, 1, 2, 1]


@pytest.fixture
def run(tmp_path: Path) -> tuple[Results, dict[str, np.ndarray]]:
    write_random_run(tmp_path, 30)
    return Results(tmp_path), write_contours(Results(tmp_path))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_pycocotools_draws_the_masks(
    run: tuple[Results, dict[str, np.ndarray]], capsys: pytest.CaptureFixture[str]
) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    results, points = run
    export_catalogue(results.catalogue, results.root / "c.json", to="coco")
    read = coco.COCO(str(results.root / "c.json"))
    capsys.readouterr()
    kinds = []
    entry: Any
    for entry in read.loadAnns(read.getAnnIds()):
        mask = read.annToMask(entry).astype(bool)
        assert mask.shape == (FRAME.size_px, FRAME.size_px)
        rows, columns = np.nonzero(mask)
        ring = points[entry["source_id"]]
        more = 1 if len(kinds) == 1 else 0  # the second ring of the second source
        np.testing.assert_allclose([columns.min(), rows.min()], ring.min(axis=0), atol=1)
        np.testing.assert_allclose([columns.max() + 1, rows.max() + 1], ring.max(axis=0) + more, atol=1)
        assert mask.sum() == pytest.approx(entry["area"], rel=0.15)
        kinds.append(type(entry["segmentation"]))
    assert kinds == [dict, dict] + [list] * 28


def test_images_are_the_fused_ones(run: tuple[Results, dict[str, np.ndarray]], tmp_path: Path) -> None:
    results, _ = run
    rng = np.random.default_rng(1)
    for index in sorted(results.fused_index("D4", "0").parent.glob("*.parquet")):
        n = len(np.load(index.with_suffix(".npy")))
        np.save(index.with_suffix(".npy"), rng.integers(0, 255, (n, 5, 7, 3), dtype=np.uint8))
    folder = tmp_path / "png"
    export_catalogue(results.catalogue, tmp_path / "c.json", to="coco", images=folder)
    listed = json.loads((tmp_path / "c.json").read_text())["images"]
    assert {path.name for path in folder.iterdir()} == {image["file_name"] for image in listed}
    one = listed[3]
    drawn = matplotlib.image.imread(folder / one["file_name"])[:, :, :3] * 255
    np.testing.assert_array_equal(np.rint(drawn), np.load(results.root / one["fused_file"])[one["row"]])
    with pytest.raises(InputError, match="exists"):
        export_catalogue(results.catalogue, tmp_path / "d.json", to="coco", images=folder)
    with pytest.raises(InputError, match="images are written with coco alone"):
        export_catalogue(results.catalogue, tmp_path / "c.csv", to="csv", images=tmp_path / "other")


def test_contours_of_another_run_are_refused(
    run: tuple[Results, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    results, _ = run
    other = Results(tmp_path / "other")
    write_random_run(other.root, 30, seed=2)
    with pytest.raises(InputError, match="no contours of source"):
        export_catalogue(other.catalogue, tmp_path / "c.reg", to="contours", results=results.root)
