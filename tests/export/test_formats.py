"""Writing a catalogue in any format: what is there stays, what fails leaves nothing."""

import json
from pathlib import Path

import pytest
from catalogue_rows import random_catalogue, write_contours, write_random_catalogue, write_random_run

from claran_core.common.errors import InputError
from claran_core.common.files import read_metadata
from claran_core.common.paths import Results
from claran_core.export.formats import FORMATS, export_catalogue, run_folder
from claran_core.export.rocrate import CRATE_NAME

TABLES = [name for name in FORMATS if name not in ("moc", "hats", "contours", "rocrate")]


@pytest.mark.parametrize("to", TABLES)
def test_existing_output_is_kept_unless_told_otherwise(tmp_path: Path, to: str) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 4)
    out = tmp_path / "new" / "out"
    export_catalogue(tmp_path / "c.parquet", out, to=to)
    written = out.read_bytes()
    out.write_text("mine")
    with pytest.raises(InputError, match="exists; name another output, or replace it with --overwrite"):
        export_catalogue(tmp_path / "c.parquet", out, to=to)
    assert out.read_text() == "mine"
    export_catalogue(tmp_path / "c.parquet", out, to=to, overwrite=True)
    assert out.read_bytes() == written


@pytest.mark.parametrize("to", FORMATS)
def test_foreign_parquet_is_one_line_in_every_format(tmp_path: Path, to: str) -> None:
    write_random_run(tmp_path / "results", 4)
    rows = write_random_catalogue(tmp_path / "c.parquet", 4)
    rows[["ra", "dec"]].to_parquet(tmp_path / "foreign.parquet")
    with pytest.raises(InputError, match="not a catalogue of sources") as caught:
        export_catalogue(tmp_path / "foreign.parquet", tmp_path / "out", to=to, results=tmp_path / "results")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", FORMATS)
def test_no_format_names_the_folder_of_the_run(tmp_path: Path, to: str) -> None:
    write_random_run(tmp_path / "results", 4)
    write_contours(Results(tmp_path / "results"))
    out = tmp_path / "results" / CRATE_NAME if to == "rocrate" else tmp_path / "out"
    export_catalogue(Results(tmp_path / "results").catalogue, out, to=to, moc_order=8)
    written = [path for path in out.rglob("*") if path.is_file()] if out.is_dir() else [out]
    assert written
    for path in written:
        assert str(tmp_path).encode() not in path.read_bytes(), path


def test_a_folder_does_not_take_a_files_place(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 4)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="file: is a file"):
        export_catalogue(tmp_path / "c.parquet", tmp_path / "file", to="hats", overwrite=True)
    with pytest.raises(InputError, match="folder: is a folder"):
        export_catalogue(tmp_path / "c.parquet", tmp_path / "folder", to="fits", overwrite=True)


def test_catalogue_does_not_overwrite_itself(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 4)
    with pytest.raises(InputError, match="is the catalogue itself"):
        export_catalogue(tmp_path / "c.parquet", tmp_path / "c.parquet", to="csv", overwrite=True)
    assert read_metadata(tmp_path / "c.parquet")["n_sources"] == 4


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown format 'xls'; take one of fits"):
        export_catalogue(tmp_path / "c.parquet", tmp_path / "out", to="xls")


def test_run_is_found_by_where_its_catalogue_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_random_run(tmp_path / "results", 4)
    monkeypatch.chdir(tmp_path)
    relative = Path("results/catalogue/catalogue.parquet")
    assert run_folder(relative) == Results(tmp_path / "results")
    export_catalogue(relative, Path("area.fits"), to="moc", moc_order=8)
    assert Path("area.fits").read_bytes().startswith(b"SIMPLE")


def test_area_needs_the_run(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "alone" / "c.parquet", 4)
    assert run_folder(tmp_path / "alone" / "c.parquet") is None
    with pytest.raises(InputError, match="name that folder with --results"):
        export_catalogue(tmp_path / "alone" / "c.parquet", tmp_path / "area.fits", to="moc")
    with pytest.raises(InputError, match="no such file"):
        export_catalogue(
            tmp_path / "alone" / "c.parquet", tmp_path / "area.fits", to="moc", results=tmp_path / "nowhere"
        )


def test_boxes_of_a_run_without_fused_images_need_no_run(tmp_path: Path) -> None:
    write_random_run(tmp_path / "results", 4)
    results = Results(tmp_path / "results")
    for index in results.fused_index("D4", "x").parent.glob("*.parquet"):
        index.unlink()
    write_contours(results)
    export_catalogue(results.catalogue, tmp_path / "boxes.json", to="coco")
    written = (tmp_path / "boxes.json").read_text()
    assert '"fused_file"' not in written and written.count('"segmentation"') == 4


def test_named_run_without_fused_images_is_refused(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 4)
    with pytest.raises(InputError, match="no fused images of method 'D4'"):
        export_catalogue(tmp_path / "c.parquet", tmp_path / "b.json", to="coco", results=tmp_path)


def test_selection_saved_by_pandas_learns_of_its_run_from_the_results(tmp_path: Path) -> None:
    write_random_run(tmp_path / "results", 20)
    rows = random_catalogue(20).iloc[:3]
    rows.to_parquet(tmp_path / "few.parquet")
    with pytest.raises(InputError, match="lacks the settings of its run"):
        export_catalogue(tmp_path / "few.parquet", tmp_path / "b.json", to="coco")
    export_catalogue(tmp_path / "few.parquet", tmp_path / "b.json", to="coco", results=tmp_path / "results")
    coco = json.loads((tmp_path / "b.json").read_text())
    assert [box["source_id"] for box in coco["annotations"]] == rows["source_id"].tolist()
    assert (len(coco["images"]), coco["info"]["n_sources"]) == (20, "3")


def test_settings_of_another_version_do_not_matter(tmp_path: Path) -> None:
    facts = {"method": "D4", "config": {"fusion": {"size_px": 99, "pixel_scale_arcsec": 1.0}, "new": {}}}
    write_random_catalogue(tmp_path / "c.parquet", 4, metadata=facts)
    export_catalogue(tmp_path / "c.parquet", tmp_path / "boxes.json", to="coco")
    assert '"width": 99' in (tmp_path / "boxes.json").read_text()
