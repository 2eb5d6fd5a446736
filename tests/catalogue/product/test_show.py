"""One source, and the columns, as text."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from catalogue_rows import random_catalogue, write_random_catalogue, write_random_run

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.catalogue.product.show import column_lines, find_source, image_lines, source_lines
from claran_core.common.errors import InputError
from claran_core.common.flags import DESCRIPTIONS, Flag
from claran_core.common.paths import Results


def test_source_is_found_by_its_name(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 30)
    for row in (0, 17, 29):
        values = find_source(tmp_path / "c.parquet", rows["source_id"][row])
        assert list(values) == CATALOGUE.names
        assert values["ra"] == rows["ra"][row]


def test_unknown_name_offers_those_that_begin_so(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 30)
    name = rows["source_id"][3]
    with pytest.raises(InputError, match=rf"1 names start with it: {name[:7]}") as caught:
        find_source(tmp_path / "c.parquet", name[:-1])
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"30 names start with it: (J\S+, ){5}\.\.$"):
        find_source(tmp_path / "c.parquet", "J")
    with pytest.raises(InputError, match="no source 'M31' among 30; names are like J"):
        find_source(tmp_path / "c.parquet", "M31")


def test_every_column_is_a_line_with_its_unit() -> None:
    values = random_catalogue(1).iloc[0].to_dict() | {"flags": 0, "component_ra": [1.5, 2.0]}
    values |= {"peak_flux": float(np.float32(1.27)), "second_grouping": "0|1"}
    lines = dict(line.split(maxsplit=1) for line in source_lines(values))
    assert list(lines) == CATALOGUE.names
    assert lines["peak_flux"] == "1.27 mJy/beam"
    assert lines["component_ra"] == "[1.5, 2] deg"
    assert lines["flags"] == "0"


def test_flags_are_spelled_out() -> None:
    lines = list(source_lines({"source_id": "J1", "flags": int(Flag.EDGE | Flag.BLEND)}))
    assert [line.strip() for line in lines[2:]] == [
        f"1024 EDGE: {DESCRIPTIONS[Flag.EDGE]}",
        f"8192 BLEND: {DESCRIPTIONS[Flag.BLEND]}",
    ]


def test_images_are_named_where_they_are(tmp_path: Path) -> None:
    subjects = write_random_run(tmp_path, 10)
    results = Results(tmp_path)
    row = find_source(results.catalogue, random_catalogue(10)["source_id"][0])
    number = subjects["subject_id"].tolist().index(row["subject_id"])
    shard = f"0000{number % 2}"
    assert list(image_lines(row, results)) == [
        f"fused      {results.fused('D4', shard)}, image {number // 2} (from 0)"
    ]
    cutouts = results.cutouts(shard, "radio")
    cutouts.parent.mkdir(parents=True)
    cutouts.touch()
    lines = list(image_lines(row, results))
    assert lines[1] == f"radio      {cutouts}"
    assert f"claran cutout {row['subject_id']} --band radio --results {tmp_path}" in lines[2]
    assert "no subject 'other'" in next(iter(image_lines(row | {"subject_id": "other"}, results)))


def test_columns_are_told_with_type_unit_and_description() -> None:
    text = "\n".join(column_lines(width=80))
    assert all(len(line) <= 80 for line in text.splitlines())
    for column in CATALOGUE:
        assert f"\n{column.name} " in f"\n{text}"
    words = " ".join(text.split())
    assert "component_ra list of double, deg right ascension" in words
    assert "peak_flux float, mJy/beam peak brightness of the brightest component" in words


def test_foreign_file_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    with pytest.raises(InputError, match="not a catalogue of sources"):
        find_source(tmp_path / "foreign.parquet", "J1")
    with pytest.raises(InputError, match="no such file"):
        find_source(tmp_path / "nowhere.parquet", "J1")
