"""The VOParquet block: the note's rules, and what astropy reads from it."""

import io
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import votable
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table
from catalogue_rows import random_catalogue

from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES, SOURCES
from claran_core.catalogue.product.voparquet import (
    CONTENT_KEY,
    VERSION_KEY,
    described_fields,
    mismatches,
    votable_metadata,
)
from claran_core.common.errors import InputError
from claran_core.common.files import write_table

NAMESPACE = "{http://www.ivoa.net/xml/VOTable/v1.3}"
DATATYPES = {
    **{"double": "double", "float": "float", "int32": "int", "int64": "long", "string": "char"},
    "bool": "boolean",
}


def described(schema: pa.Schema) -> pa.Schema:
    return schema.with_metadata(votable_metadata(schema))


@pytest.mark.parametrize("schema", [CATALOGUE, SOURCES, OUTCOMES], ids=["catalogue", "sources", "outcomes"])
def test_block_says_what_the_columns_say_in_their_order(schema: pa.Schema) -> None:
    entries = votable_metadata(schema)
    assert entries[VERSION_KEY] == b"1.0"
    table = votable.parse(io.BytesIO(entries[CONTENT_KEY]), verify="exception").get_first_table()
    assert [field.name for field in table.fields] == schema.names
    for field, column in zip(table.fields, schema, strict=True):
        kind = column.type.value_type if pa.types.is_list(column.type) else column.type
        assert field.datatype == DATATYPES[str(kind)]
        assert field.arraysize == ("*" if kind != column.type or kind == pa.string() else None)
        assert u.Unit(str(field.unit or "")) == u.Unit(column.metadata[b"unit"].decode())
        assert (field.ucd or "") == column.metadata[b"ucd"].decode()
        assert " ".join(field.description.split()) == column.metadata[b"description"].decode()


def test_document_keeps_the_rules_of_the_note() -> None:
    xml = votable_metadata(CATALOGUE, description="a < b & c", facts={"model_id": "m"})[CONTENT_KEY]
    assert b'encoding="utf-8"' in xml.splitlines()[0]
    root = ElementTree.fromstring(xml)
    tables = list(root.iter(f"{NAMESPACE}TABLE"))
    assert len(tables) == 1
    assert not list(root.iter(f"{NAMESPACE}DATA"))
    assert tables[0].find(f"{NAMESPACE}DESCRIPTION").text.strip() == "a < b & c"
    assert {info.get("name"): info.get("value") for info in root.iter(f"{NAMESPACE}INFO")} == {
        "model_id": "m"
    }
    ids = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(ids) == len(set(ids))


def test_sky_positions_refer_to_icrs() -> None:
    document = votable.parse(io.BytesIO(votable_metadata(CATALOGUE)[CONTENT_KEY]))
    (system,) = document.resources[0].coordinate_systems
    assert system.system == "ICRS"
    fields = document.get_first_table().fields
    sky = {field.name for field in fields if field.ref == system.ID}
    assert sky == {name for name in CATALOGUE.names if name.endswith(("ra", "dec"))}


@pytest.mark.parametrize("schema", [CATALOGUE, SOURCES, OUTCOMES], ids=["catalogue", "sources", "outcomes"])
def test_ucds_are_of_the_controlled_vocabulary(schema: pa.Schema) -> None:
    for column in schema:
        ucd = column.metadata[b"ucd"].decode()
        assert check_ucd(ucd, check_controlled_vocabulary=True), f"{column.name}: {ucd}"


def test_columns_without_metadata_and_of_types_votable_lacks() -> None:
    odd = pa.schema([("n", pa.uint64()), ("s", pa.struct([("x", pa.int8())])), ("b", pa.bool_())])
    fields = described_fields(votable_metadata(odd)[CONTENT_KEY])
    assert [(field["name"], field["datatype"], field["arraysize"]) for field in fields] == [
        ("n", "char", "*"),
        ("s", "char", "*"),
        ("b", "boolean", ""),
    ]


@pytest.mark.filterwarnings("ignore:No table.*len.*found in metadata")  # astropy counts letters itself then
def test_astropy_reads_rows_and_units_together(tmp_path: Path) -> None:
    rows = random_catalogue(25)
    lengths = {
        field.name: int(rows[field.name].str.len().max()) for field in CATALOGUE if field.type == pa.string()
    }
    path = tmp_path / "catalogue.parquet"
    schema = CATALOGUE.with_metadata(votable_metadata(CATALOGUE, string_lengths=lengths))
    write_table(path, rows, schema)
    read = Table.read(path, format="parquet.votable")
    assert read["peak_flux"].unit == u.mJy / u.beam
    assert read["component_ra"].unit == u.deg
    assert read["source_id"].tolist() == rows["source_id"].tolist()
    assert [list(entry) for entry in read["component_ra"]] == [list(entry) for entry in rows["component_ra"]]


def test_a_file_of_ours_has_no_mismatch(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.parquet"
    write_table(path, random_catalogue(3), described(CATALOGUE))
    assert mismatches(pq.read_schema(path)) == []


def test_missing_block_and_wrong_version() -> None:
    assert "no VOParquet block" in mismatches(CATALOGUE)[0]
    entries = votable_metadata(CATALOGUE) | {VERSION_KEY: b"2.0"}
    assert mismatches(CATALOGUE.with_metadata(entries)) == ["VOParquet version '2.0' is not 1.0"]


def test_block_of_other_columns() -> None:
    shorter = pa.schema(list(CATALOGUE)[:-1], metadata=votable_metadata(CATALOGUE))
    assert "lists other columns" in mismatches(shorter)[0]
    swapped = pa.schema([*list(CATALOGUE)[1:], CATALOGUE[0]], metadata=votable_metadata(CATALOGUE))
    assert "in another order" in mismatches(swapped)[0]


def test_block_of_another_type_and_unit() -> None:
    fields = list(CATALOGUE)
    place = CATALOGUE.names.index("peak_flux")
    about = fields[place].metadata | {b"unit": b"Jy/beam"}
    fields[place] = pa.field("peak_flux", pa.float64(), metadata=about)
    found = mismatches(pa.schema(fields, metadata=votable_metadata(CATALOGUE)))
    assert len(found) == 2
    assert "'peak_flux': datatype 'float' in the VOParquet block, 'double' in the file" in found[0]
    assert "unit" in found[1]


@pytest.mark.parametrize("content", [b"", b"not XML", b"<VOTABLE/>", b"\xff\xfe", b"<html><body/></html>"])
def test_block_that_is_no_votable_is_one_line(content: bytes) -> None:
    entries = {VERSION_KEY: b"1.0", CONTENT_KEY: content}
    (line,) = mismatches(CATALOGUE.with_metadata(entries))
    assert line.startswith("VOParquet block: not a VOTable (")
    assert "\n" not in line
    with pytest.raises(InputError):
        described_fields(content)


def test_block_with_data_is_refused() -> None:
    document = votable.from_table(Table({"a": [1, 2]}))
    written = io.BytesIO()
    document.to_xml(written)
    with pytest.raises(InputError, match="holds data"):
        described_fields(written.getvalue())
