"""The catalogue as a file: with provenance and the outcomes of all detections.

Faulty shards leave nothing.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table
from astropy.units import Unit
from source_rows import FRAME, METADATA, source_row, write_shard_files

from claran_core.catalogue.build import ShardTables, check_subjects_once, write_catalogue
from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES, REJECTED, SOURCES
from claran_core.catalogue.product.voparquet import mismatches
from claran_core.catalogue.provenance import catalogue_provenance
from claran_core.common.errors import InputError
from claran_core.common.files import read_arrow, read_metadata, read_table
from claran_core.common.flags import Flag
from claran_core.settings.config import load_config
from claran_core.survey.surveys import SURVEYS

SUBJECTS = pd.DataFrame({"subject_id": ["a", "b", "c"], "ra": [10.0, 10.0, 12.0], "dec": 5.0})
SHARED, ALONE, FAR = (10.0, 5.0), (10.0, 5.01), (12.0, 5.0)


def rejected(subject: str, detection: int, outcome: str, winner: int = -1) -> dict[str, Any]:
    nothing = {field.name: "" if pa.types.is_string(field.type) else 0 for field in REJECTED}
    return nothing | {"subject_id": subject, "detection": detection, "outcome": outcome, "winner": winner}


def shards(folder: Path) -> list[ShardTables]:
    """Two shards; a source both see, one that one sees, one far away, and three rejected detections."""
    first = [
        source_row("a", [SHARED], frame_quality=0.9, detection=2),
        source_row("a", [ALONE], frame_quality=0.5, detection=0),
    ]
    lost = [rejected("a", 1, "competing", winner=0), rejected("a", 3, "improbable")]
    second = [source_row("b", [SHARED], frame_quality=0.8, detection=0), source_row("c", [FAR], detection=1)]
    return [
        write_shard_files(folder, "00000", first, SUBJECTS[:1], lost),
        write_shard_files(folder, "00001", second, SUBJECTS[1:], [rejected("b", 2, "competing", winner=0)]),
    ]


def write(folder: Path, files: list[ShardTables], provenance: dict[str, Any] | None = None) -> pd.DataFrame:
    write_catalogue(
        folder / "catalogue.parquet",
        folder / "outcomes.parquet",
        files,
        method="D4",
        frame=FRAME,
        survey=SURVEYS["FIRST"],
        provenance=provenance or {},
    )
    return read_table(folder / "catalogue.parquet")


def test_rows_of_all_shards_and_what_became_of_each_detection(tmp_path: Path) -> None:
    catalogue = write(tmp_path, shards(tmp_path))
    assert sorted(catalogue["subject_id"]) == ["a", "a", "c"]
    assert sorted(catalogue["n_merged"]) == [1, 1, 2]
    names = {round(dec, 2) + ra: name for ra, dec, name in catalogue[["ra", "dec", "source_id"]].to_numpy()}
    shared, alone, far = names[15.0], names[15.01], names[17.0]
    outcomes = read_table(tmp_path / "outcomes.parquet")
    assert list(outcomes.columns) == OUTCOMES.names
    told = outcomes.set_index(["shard", "detection"])[["outcome", "source_id"]].apply(tuple, axis=1).to_dict()
    assert told == {
        ("00000", 0): ("catalogued", alone),
        ("00000", 1): ("competing", alone),
        ("00000", 2): ("catalogued", shared),
        ("00000", 3): ("improbable", ""),
        ("00001", 0): ("merged", shared),
        ("00001", 1): ("catalogued", far),
        ("00001", 2): ("competing", shared),
    }


def test_file_explains_itself(tmp_path: Path) -> None:
    ledger = pd.DataFrame({"subject_id": ["a", "b", "c"], "band": "radio", "status": "ok"})
    facts = catalogue_provenance(load_config(), ledger=ledger, weights={"sha256": "abc"})
    catalogue = write(tmp_path, shards(tmp_path), facts)
    schema = pq.read_schema(tmp_path / "catalogue.parquet")
    assert schema.names == CATALOGUE.names
    assert schema.field("angular_size").metadata[b"unit"] == b"arcsec"
    assert mismatches(schema) == []
    stored = read_metadata(tmp_path / "catalogue.parquet")
    json.dumps(stored, allow_nan=False)
    assert stored["config"]["catalogue"]["post_filter"] == "survey"
    assert stored["ledger"] == {"radio": {"ok": 3}}
    assert (stored["n_subjects"], stored["n_subjects_searched"]) == (3, 3)
    assert stored["n_sources"] == len(catalogue)
    assert (stored["model_id"], stored["weights"]["sha256"]) == ("association-1", "abc")
    assert stored["versions"]["astropy"]
    assert {facts["bit"] for facts in stored["flags"].values()} == {int(flag) for flag in Flag}


def test_astropy_reads_the_file_with_its_units(tmp_path: Path) -> None:
    catalogue = write(tmp_path, shards(tmp_path))
    table = Table.read(tmp_path / "catalogue.parquet", format="parquet.votable")
    assert table["source_id"].tolist() == catalogue["source_id"].tolist()
    assert table["integrated_flux"].unit == Unit("mJy") and table["ra"].unit == Unit("deg")


@pytest.mark.parametrize("schema", [CATALOGUE, SOURCES, OUTCOMES, REJECTED])
def test_every_column_has_a_unit_of_the_vo_a_ucd_and_a_description(schema: pa.Schema) -> None:
    for field in schema:
        told = {key.decode(): value.decode() for key, value in field.metadata.items()}
        assert told["description"] and not field.nullable
        assert check_ucd(told["ucd"], check_controlled_vocabulary=True), field.name
        assert not told["unit"] or Unit(told["unit"], format="vounit")


def test_no_sources_and_no_shards_at_all(tmp_path: Path) -> None:
    files = [write_shard_files(tmp_path, "00000", [], SUBJECTS)]
    assert len(write(tmp_path, files)) == 0
    assert len(read_table(tmp_path / "outcomes.parquet")) == 0
    assert len(write(tmp_path, [])) == 0


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def make_foreign(path: Path) -> None:
    pd.DataFrame({"x": [1.0]}).to_parquet(path)


@pytest.mark.parametrize("part", ["index", "sources", "rejected"])
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (truncate, "not a complete Parquet file"),
        (Path.unlink, "no such file"),
        (make_foreign, "is missing|does not hold sources of method"),
    ],
)
def test_faulty_files_get_one_line_and_leave_nothing(
    tmp_path: Path, part: str, spoil: Callable[[Path], object], told: str
) -> None:
    files = shards(tmp_path)
    path = getattr(files[1], part)
    spoil(path)
    with pytest.raises(InputError, match=told) as error:
        write(tmp_path, files)
    assert str(path) in str(error.value) and "run the" in str(error.value)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "rejected", "sources"]


def test_shards_of_different_weights_or_methods_are_refused(tmp_path: Path) -> None:
    one = write_shard_files(tmp_path, "00000", [], SUBJECTS[:1])
    newer = METADATA | {"model_id": "association-2"}
    other = write_shard_files(tmp_path, "00001", [], SUBJECTS[1:], metadata=newer)
    with pytest.raises(InputError, match="association-2.*association-1"):
        write(tmp_path, [one, other])
    other = write_shard_files(tmp_path, "00001", [], SUBJECTS[1:], metadata=METADATA | {"method": "D1"})
    with pytest.raises(InputError, match="does not hold sources of method 'D4'"):
        write(tmp_path, [one, other])


def test_a_subject_in_two_shards_is_refused(tmp_path: Path) -> None:
    files = [write_shard_files(tmp_path, name, [], SUBJECTS[:1]) for name in ("00000", "00001")]
    with pytest.raises(InputError, match="'a' is in this run twice"):
        write(tmp_path, files)


def test_a_subject_twice_is_refused_with_its_file(tmp_path: Path) -> None:
    names = [pd.DataFrame({"subject_id": part}) for part in (["a", "b"], ["c", "b"])]
    paths = [tmp_path / "x", tmp_path / "y"]
    for path, part in zip(paths, names, strict=True):
        part.to_parquet(path)
    tables = [read_arrow(path)["subject_id"] for path in paths]
    with pytest.raises(InputError, match=r"y: subject 'b' is in this run twice"):
        check_subjects_once(tables, paths)
    check_subjects_once(tables[:1], paths[:1])
