"""The catalogue as a file: with provenance and the outcomes of all components.

Faulty shards leave nothing.
"""

import json
import logging
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
from source_rows import METADATA, atom_row, source_row, write_atoms, write_shard_files

from claran_core.catalogue.build import ShardTables, check_subjects_once, write_catalogue
from claran_core.catalogue.product.schema import CATALOGUE, CONTOURS, OUTCOMES, SOURCES
from claran_core.catalogue.product.target_columns import MATCHED
from claran_core.catalogue.product.validate import validate_catalogue
from claran_core.catalogue.product.voparquet import mismatches
from claran_core.catalogue.provenance import catalogue_provenance
from claran_core.common.errors import InputError
from claran_core.common.files import read_arrow, read_metadata, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.settings.config import load_config

SUBJECTS = pd.DataFrame({"subject_id": ["a", "b", "c"], "ra": [10.0, 10.0, 12.0], "dec": 5.0})
ATOMS = [atom_row(7, 2, snr=33.0), atom_row(5, 0), atom_row(6), atom_row(3, 1), atom_row(4, 0, scale=2)]


def shards(folder: Path) -> list[ShardTables]:
    """Two shards; two sources in the first, one far away in the second."""
    first = [source_row("a", (10.0, 5.0)), source_row("a", (10.0, 5.01), second_grouping="0|1")]
    second = [source_row("c", (12.0, 5.0))]
    return [
        write_shard_files(folder, "00000", first, SUBJECTS[:1]),
        write_shard_files(folder, "00001", second, SUBJECTS[1:]),
    ]


def write(
    folder: Path,
    files: list[ShardTables],
    provenance: dict[str, Any] | None = None,
    atoms: list[dict[str, Any]] = ATOMS,
) -> pd.DataFrame:
    write_catalogue(
        folder / "catalogue.parquet",
        folder / "outcomes.parquet",
        folder / "contours.parquet",
        files,
        write_atoms(folder / "atoms" / "atoms.parquet", atoms),
        method="D4",
        provenance=provenance or {},
    )
    return read_table(folder / "catalogue.parquet")


def test_rows_of_all_shards_and_what_became_of_each_component(tmp_path: Path) -> None:
    catalogue = write(tmp_path, shards(tmp_path))
    assert sorted(catalogue["subject_id"]) == ["a", "a", "c"]
    names = {round(dec, 2) + ra: name for ra, dec, name in catalogue[["ra", "dec", "source_id"]].to_numpy()}
    outcomes = read_table(tmp_path / "outcomes.parquet")
    assert list(outcomes.columns) == OUTCOMES.names
    told = outcomes[["component_id", "scale", "outcome", "source_id"]].apply(tuple, axis=1).tolist()
    assert told == [
        (7, 1, "source", names[17.0]),
        (5, 1, "source", names[15.0]),
        (6, 1, "noise", ""),
        (3, 1, "source", names[15.01]),
        (4, 2, "source", names[15.0]),
    ]
    assert outcomes["snr"].tolist() == [33.0, 20.0, 20.0, 20.0, 20.0]


def test_contours_have_the_names_and_the_order_of_the_catalogue(tmp_path: Path) -> None:
    first = [source_row("b", (30.0, 5.0), ring_points=[2, 1], contour_x=[1.0, 2.0, 3.0])]
    second = [source_row("a", (10.0, 5.0), ring_points=[1], contour_x=[4.0])]
    subjects = pd.DataFrame({"subject_id": ["a", "b"], "ra": [10.0, 30.0], "dec": 5.0})
    files = [
        write_shard_files(tmp_path, "00000", first, subjects[1:]),
        write_shard_files(tmp_path, "00001", second, subjects[:1]),
    ]
    catalogue = write(tmp_path, files, atoms=[atom_row(1, 0), atom_row(2, 1)])
    contours = read_table(tmp_path / "contours.parquet")
    assert contours.columns.tolist() == CONTOURS.names
    assert contours["source_id"].tolist() == catalogue["source_id"].tolist()
    of_subject = contours.set_index("subject_id")
    assert of_subject.loc["b", "ring_points"].tolist() == [2, 1]
    assert of_subject.loc["b", "contour_x"].tolist() == [1, 2, 3]
    assert of_subject.loc["a", "contour_x"].tolist() == [4]


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
    assert stored["config"]["catalogue"]["method"] == "D4"
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


@pytest.mark.parametrize("schema", [CATALOGUE, SOURCES, OUTCOMES, CONTOURS, MATCHED])
def test_every_column_has_a_unit_of_the_vo_a_ucd_and_a_description(schema: pa.Schema) -> None:
    for field in schema:
        told = {key.decode(): value.decode() for key, value in field.metadata.items()}
        assert told["description"] and not field.nullable
        assert check_ucd(told["ucd"], check_controlled_vocabulary=True), field.name
        assert not told["unit"] or Unit(told["unit"], format="vounit")


def test_an_empty_catalogue_is_said_loudly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = [write_shard_files(tmp_path, "00000", [], SUBJECTS)]
    with caplog.at_level(logging.WARNING):
        assert len(write(tmp_path, files, atoms=[atom_row(1), atom_row(2)])) == 0
    assert read_table(tmp_path / "outcomes.parquet")["outcome"].tolist() == ["noise", "noise"]
    (record,) = caplog.records
    assert "THE CATALOGUE IS EMPTY: none of the 2 components in 3 subjects" in record.getMessage()
    assert len(write(tmp_path, [], atoms=[])) == 0
    caplog.clear()
    write(tmp_path, shards(tmp_path))
    assert not caplog.records


def test_components_of_other_sources_are_refused(tmp_path: Path) -> None:
    for atoms, told in (
        ([*ATOMS, atom_row(9, 3)], "names source 3, but there are 3"),
        (ATOMS[1:], "source 2 has no component"),
    ):
        with pytest.raises(InputError, match=told):
            write(tmp_path, shards(tmp_path), atoms=atoms)
        assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_sources_of_another_association_are_refused(tmp_path: Path) -> None:
    files = shards(tmp_path)
    changed = read_table(files[1].associated).assign(probability=0.5)
    write_table(files[1].associated, changed, pq.read_schema(files[1].associated), metadata=METADATA)
    with pytest.raises(InputError, match="sources/00001.parquet: made from other associated than those"):
        write(tmp_path, files)


def test_what_is_written_is_valid(tmp_path: Path) -> None:
    facts = {"config": load_config().as_dict()}
    write(tmp_path, shards(tmp_path), facts)
    found = validate_catalogue(tmp_path / "catalogue.parquet")
    # The rows of this test are not measured; the file itself and its outcomes are sound.
    assert not [line for line in found if not line.startswith("row ")]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def make_foreign(path: Path) -> None:
    pd.DataFrame({"x": [1.0]}).to_parquet(path)


@pytest.mark.parametrize("part", ["index", "associated", "sources"])
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (truncate, "not a complete Parquet file"),
        (Path.unlink, "no such file"),
        (make_foreign, "is missing|does not hold sources of method|does not say what it contains"),
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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["associated", "atoms", "index", "sources"]


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
