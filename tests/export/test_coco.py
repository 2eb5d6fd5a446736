"""COCO JSON: images, categories and boxes as COCO's own reader wants them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catalogue_rows import FRAME, random_catalogue, write_random_catalogue, write_random_run

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.errors import InputError
from claran_core.common.files import write_table
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.paths import Results
from claran_core.export.coco import write_coco
from claran_core.export.source import open_catalogue


def written(catalogue: Path, results: Results | None = None) -> dict[str, Any]:
    path = catalogue.with_suffix(".json")
    write_coco(open_catalogue(catalogue), path, results=results)
    return json.loads(path.read_text())


def check_boxes(coco: dict[str, Any], rows: pd.DataFrame) -> None:
    names = {image["id"]: image["subject_id"] for image in coco["images"]}
    classes = {category["id"]: category["name"] for category in coco["categories"]}
    assert len(coco["annotations"]) == len(rows)
    row: Any
    for number, (box, row) in enumerate(zip(coco["annotations"], rows.itertuples(), strict=True), start=1):
        assert box["id"] == number
        assert names[box["image_id"]] == row.subject_id
        assert classes[box["category_id"]] == row.morphology
        wanted = [row.box_x1, row.box_y1, row.box_x2 - row.box_x1, row.box_y2 - row.box_y1]
        np.testing.assert_allclose(box["bbox"], wanted, atol=1e-3)
        assert box["area"] == pytest.approx(box["bbox"][2] * box["bbox"][3], rel=1e-3)
        assert box["score"] == pytest.approx(row.probability, abs=1e-6)
        assert (box["source_id"], box["iscrowd"]) == (row.source_id, 0)


def test_without_a_run_images_are_the_subjects_of_sources(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 40)
    coco = written(tmp_path / "c.parquet")
    assert [category["name"] for category in coco["categories"]] == list(MORPHOLOGIES)
    assert [category["id"] for category in coco["categories"]] == [1, 2, 3, 4, 5, 6]
    assert [image["subject_id"] for image in coco["images"]] == rows["subject_id"].drop_duplicates().tolist()
    assert {image["width"] for image in coco["images"]} == {FRAME.size_px}
    check_boxes(coco, rows)


def test_with_a_run_images_are_all_its_subjects_and_say_where_they_lie(tmp_path: Path) -> None:
    subjects = write_random_run(tmp_path, 40)
    results = Results(tmp_path)
    coco = written(results.catalogue, results)
    check_boxes(coco, random_catalogue(40))
    shards = [part for _, part in subjects.groupby("shard")]
    assert [image["subject_id"] for image in coco["images"]] == pd.concat(shards)["subject_id"].tolist()
    assert [image["id"] for image in coco["images"]] == list(range(1, 41))
    assert coco["images"][0]["fused_file"] == "fused/D4/00000.npy"
    assert [image["file_name"] for image in coco["images"]] == [
        f"{image['subject_id']}.png" for image in coco["images"]
    ]
    assert [image["row"] for image in coco["images"][18:22]] == [18, 19, 0, 1]
    assert coco["images"][20]["fused_file"] == "fused/D4/00001.npy"


def test_no_sources_is_still_valid(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 0)
    coco = written(tmp_path / "c.parquet")
    assert coco["images"] == coco["annotations"] == []


def test_the_reader_of_coco_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    rows = write_random_catalogue(tmp_path / "c.parquet", 20)
    written(tmp_path / "c.parquet")
    read = coco.COCO(str(tmp_path / "c.json"))
    capsys.readouterr()
    doubles = read.getAnnIds(catIds=read.getCatIds(catNms=["2C_2P"]))
    assert len(doubles) == (rows["morphology"] == "2C_2P").sum() > 0


def test_a_catalogue_of_another_run_is_refused(tmp_path: Path) -> None:
    write_random_run(tmp_path, 8)
    other = random_catalogue(8).assign(subject_id="unknown")
    facts = open_catalogue(Results(tmp_path).catalogue).facts
    write_table(tmp_path / "other.parquet", other, CATALOGUE, metadata=facts)
    with pytest.raises(InputError, match="no image of subject 'unknown' in this run"):
        written(tmp_path / "other.parquet", Results(tmp_path))
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("morphology", "4C_4P", "unknown morphology '4C_4P'"), ("box_x1", np.nan, "is not a number")],
)
def test_impossible_values_are_one_line(tmp_path: Path, column: str, value: object, said: str) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 5)
    facts = open_catalogue(tmp_path / "c.parquet").facts
    write_table(tmp_path / "c.parquet", rows.assign(**{column: value}), CATALOGUE, metadata=facts)
    with pytest.raises(InputError, match=said) as caught:
        written(tmp_path / "c.parquet")
    assert rows["source_id"].iloc[0] in str(caught.value)
