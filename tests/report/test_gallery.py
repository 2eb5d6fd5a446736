"""The gallery's files: one index, parts of rows, sheets of pictures, and the page's scripts."""

import dataclasses
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_inputs import images_of, make_inputs, make_labels, outcomes_of, sources

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.errors import InputError
from claran_core.report import gallery
from claran_core.report.gallery import shown_rows, write_gallery
from claran_core.report.pictures import SubjectImages

EVIL = "</script><img src=x onerror=alert(1)>\u2028'\"&"


def taken(path: Path) -> tuple[str, Any]:
    """Return name and value of a data file."""
    call = re.fullmatch(r'claran\.take\(("[^"]*"),(.*)\);\n', path.read_text(), flags=re.DOTALL)
    assert call is not None
    name, value = call.groups()
    return json.loads(name), json.loads(value)


def test_index_rows_and_pictures_are_consistent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "ROWS_PER_FILE", 10)
    monkeypatch.setattr(gallery, "PICTURES_PER_FILE", 4)
    inputs = dataclasses.replace(make_inputs(24, gallery_size=12), labels=make_labels(22))
    write_gallery(tmp_path / "report", inputs, shown_rows(inputs))
    name, index = taken(tmp_path / "report" / "sources.js")
    assert name == "sources"
    assert index["id"] == inputs.catalogue["source_id"].tolist()
    rows = []
    for number in range(3):
        name, values = taken(tmp_path / "report" / "rows" / f"{number:05d}.js")
        assert name == f"rows/{number:05d}"
        rows += values
    column = CATALOGUE.names.index("source_id")
    assert [row[column] for row in rows] == index["id"]
    subjects = []
    for number in range(-(-index["n_pictures"] // 4)):
        name, values = taken(tmp_path / "report" / "pictures" / f"{number:05d}.js")
        assert name == f"pictures/{number:05d}"
        subjects += values
    assert len(subjects) == index["n_pictures"] == 12
    for row, place in enumerate(index["place"]):
        if place >= 0:
            assert subjects[place]["id"] == inputs.catalogue["subject_id"][row]
            assert [source["row"] for source in subjects[place]["sources"]] == [row]
            assert len(subjects[place]["truth"]) == 1
    assert sorted(turn for turn in index["turn"] if turn >= 0) == list(range(12 - len(index["blank"])))
    assert {subjects[place]["id"] for place in index["blank"]} <= {"S022", "S023"}


def test_the_number_of_files_grows_with_parts_instead_of_sources(tmp_path: Path) -> None:
    inputs = make_inputs(40, gallery_size="all")
    write_gallery(tmp_path / "report", inputs, shown_rows(inputs))
    pictures = list((tmp_path / "report" / "pictures").iterdir())
    assert len(pictures) == 3 * 4  # 40 subjects in sheets of 16: three panels and what is drawn over them
    assert len(list((tmp_path / "report" / "rows").iterdir())) == 1


def test_no_text_from_data_can_leave_its_string(tmp_path: Path) -> None:
    inputs = make_inputs(6, gallery_size="all")
    name = inputs.catalogue["subject_id"][0]
    renamed = {
        key: table.assign(subject_id=table["subject_id"].replace(name, EVIL))
        for key in ("catalogue", "fused", "targets")
        for table in [getattr(inputs, key)]
    }
    renamed["catalogue"] = renamed["catalogue"].assign(source_id=[EVIL, *inputs.catalogue["source_id"][1:]])
    inputs = dataclasses.replace(inputs, **renamed)
    write_gallery(tmp_path / "report", inputs, shown_rows(inputs))
    for path in [tmp_path / "report/sources.js", *(tmp_path / "report").glob("*/*.js")]:
        assert not re.search("[<>&\u2028]", path.read_text()), path
    assert EVIL in taken(tmp_path / "report/sources.js")[1]["id"]
    assert EVIL in [subject["id"] for subject in taken(tmp_path / "report/pictures/00000.js")[1]]


def test_a_large_catalogue_is_reduced_to_pictured_and_bright_sources() -> None:
    inputs = make_inputs(32, gallery_size=3)
    flux = np.arange(30.0)
    inputs = dataclasses.replace(inputs, catalogue=inputs.catalogue.assign(integrated_flux=flux))
    shown = shown_rows(inputs, max_rows=10)
    kept = set(shown.table["source_id"])
    assert len(shown.table) == 10
    assert set(shown.choice.sources) <= kept
    others = shown.table.loc[~shown.table["source_id"].isin(shown.choice.sources), "integrated_flux"]
    assert others.min() >= 30 - 10
    assert shown.table["integrated_flux"].is_monotonic_increasing  # the order of the catalogue


def test_source_not_in_the_gallery_is_drawn_without_a_row(tmp_path: Path) -> None:
    inputs = make_inputs(8, gallery_size=1)
    twice = sources(6).assign(subject_id="S000", integrated_flux=np.arange(6.0))
    inputs = dataclasses.replace(inputs, catalogue=twice, outcomes=outcomes_of(twice))
    write_gallery(tmp_path / "report", inputs, shown_rows(inputs, max_rows=2))
    (subject,) = taken(tmp_path / "report" / "pictures" / "00000.js")[1]
    assert sorted(source["row"] for source in subject["sources"]) == [-1, -1, -1, -1, 0, 1]


def test_the_gallery_of_an_earlier_run_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "99999.js").write_text("old")
    inputs = make_inputs(4, gallery_size=0)
    write_gallery(folder, inputs, shown_rows(inputs))
    assert not (folder / "pictures").exists()
    assert (folder / "sources.js").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_gallery_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    def broken(names: Collection[str]) -> Iterator[SubjectImages]:
        yield from list(images_of(names))[:1]
        raise InputError("radio.fits: damaged")

    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "sources.js").write_text("old")
    inputs = dataclasses.replace(make_inputs(4), images_of=broken)
    with pytest.raises(InputError, match="damaged"):
        write_gallery(folder, inputs, shown_rows(inputs))
    assert (folder / "sources.js").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_sources_without_a_measurement_are_null_and_not_zero(tmp_path: Path) -> None:
    inputs = make_inputs(4, gallery_size=0)
    lost = {"integrated_flux": np.nan, "largest_angular_size": np.nan, "host_reliability": np.nan}
    inputs = dataclasses.replace(inputs, catalogue=inputs.catalogue.assign(**lost))
    write_gallery(tmp_path / "report", inputs, shown_rows(inputs))
    index = taken(tmp_path / "report" / "sources.js")[1]
    assert (index["flux"], index["size"], index["host"]) == ([None, None], [None, None], [0.0, 0.0])
