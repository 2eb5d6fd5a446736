"""Describe the columns of a Parquet file for the Virtual Observatory: the VOParquet convention.

A key of the Parquet footer holds a VOTable without data.  Its FIELDs give name, type, unit, UCD and
description of each column, in the order of the file.  TOPCAT, STILTS and astropy read them.
Source: IVOA Note "Parquet in the VO", version 1.0, 2025-01-16, sections 2.2 and 2.3.
"""

import io
import re
from collections.abc import Mapping

import pyarrow as pa
from astropy.io import votable
from astropy.io.votable import tree

from claran_core.common.errors import InputError

__all__ = ["CONTENT_KEY", "VERSION_KEY", "described_fields", "mismatches", "votable_metadata"]

VERSION_KEY = b"IVOA.VOTable-Parquet.version"
CONTENT_KEY = b"IVOA.VOTable-Parquet.content"
CONVENTION_VERSION = b"1.0"

# The newest version that all current readers support; since 1.4, COOSYS is an element beside the table.
VOTABLE_VERSION = "1.4"
COOSYS_ID = "icrs"
# Prefixes of the UCDs of ICRS positions.
SKY_UCDS = ("pos.eq.ra", "pos.eq.dec")

DATATYPES = {
    pa.bool_(): "boolean",
    pa.uint8(): "unsignedByte",
    pa.int16(): "short",
    pa.int32(): "int",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
}
# Names that can be IDs of XML elements; columns of users have any.
XML_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
ATTRIBUTES = ("name", "datatype", "arraysize", "unit", "ucd", "description")


def votable_metadata(
    schema: pa.Schema,
    *,
    name: str = "catalogue",
    description: str = "",
    facts: Mapping[str, str] | None = None,
    string_lengths: Mapping[str, int] | None = None,
) -> dict[bytes, bytes]:
    """Return the VOParquet entries of the key-value metadata of a Parquet file with the columns of `schema`.

    The document is a VOTable (UTF-8) whose one TABLE has no DATA.

    Parameters
    ----------
    schema : pyarrow.Schema
        Fields with optional metadata ``unit`` (VOUnits), ``ucd`` (UCD1+) and ``description``.
    name, description : str
        Name and description of the table.
    facts : mapping of str to str, optional
        Further facts about the table; each becomes an INFO element.
    string_lengths : mapping of str to int, optional
        Greatest length of each string column, if known.  Only astropy's reader ``parquet.votable`` needs
        it, because it cannot read strings of unknown length.

    Returns
    -------
    dict of bytes to bytes
        For `pyarrow.Schema.with_metadata`, to be merged with other entries.
    """
    document = tree.VOTableFile(version=VOTABLE_VERSION)
    resource = tree.Resource(type="results")
    document.resources.append(resource)
    table = tree.TableElement(document, name=name)
    table.description = description or None
    columns = [
        _field(document, column, f"column_{number}", (string_lengths or {}).get(column.name))
        for number, column in enumerate(schema, start=1)
    ]
    if any(field.ref for field in columns):
        resource.coordinate_systems.append(tree.CooSys(ID=COOSYS_ID, system="ICRS"))
    for key, value in (facts or {}).items():
        resource.infos.append(tree.Info(ID=f"info_{key}", name=key, value=value))
    table.fields.extend(columns)
    resource.tables.append(table)
    written = io.BytesIO()
    document.to_xml(written)
    return {VERSION_KEY: CONVENTION_VERSION, CONTENT_KEY: written.getvalue()}


def described_fields(xml: bytes) -> list[dict[str, str]]:
    """Return the attributes of the FIELDs of a document's first TABLE, in order; missing ones are empty.

    Raises
    ------
    InputError
        If the document is not a VOTable, or its first TABLE holds data.
    """
    try:
        table = votable.parse(io.BytesIO(xml), verify="ignore").get_first_table()
    except (ValueError, IndexError, TypeError, AttributeError) as error:  # what astropy and expat raise
        raise InputError(f"not a VOTable ({str(error).splitlines()[0]})") from None
    if len(table.array):
        raise InputError("its first TABLE holds data")
    return [
        # Descriptions contain the line breaks of the XML, and strings their greatest length.
        {name: " ".join(str(getattr(field, name) or "").split()) for name in (*ATTRIBUTES, "ref")}
        | ({"arraysize": "*"} if field.datatype == "char" else {})
        for field in table.fields
    ]


def mismatches(schema: pa.Schema) -> list[str]:
    """Return the differences between the VOParquet block of a file and its columns, one line each.

    Parameters
    ----------
    schema : pyarrow.Schema
        Schema of the file, with its metadata.
    """
    metadata = schema.metadata or {}
    if CONTENT_KEY not in metadata:
        return ["no VOParquet block: TOPCAT and STILTS will show no units"]
    version = metadata.get(VERSION_KEY, b"")
    found = [] if version == CONVENTION_VERSION else [f"VOParquet version {version.decode()!r} is not 1.0"]
    try:
        given = described_fields(metadata[CONTENT_KEY])
    except InputError as error:
        return [*found, f"VOParquet block: {error}"]
    wanted = described_fields(votable_metadata(schema)[CONTENT_KEY])
    if [field["name"] for field in given] != [field["name"] for field in wanted]:
        return [*found, "VOParquet block lists other columns than the file, or in another order"]
    return found + [
        f"column {mine['name']!r}: {name} {theirs[name]!r} in the VOParquet block, {mine[name]!r} in the file"
        for mine, theirs in zip(wanted, given, strict=True)
        for name in ATTRIBUTES
        if mine[name] != theirs[name]
    ]


def _field(document: tree.VOTableFile, column: pa.Field, identity: str, longest: int | None) -> tree.Field:
    """Return the FIELD of a column; its ID is its name, or `identity` if that is no ID."""
    datatype, arraysize = _datatype(column.type)
    if longest and datatype == "char":
        arraysize = f"{longest}*"
    about = {key.decode(): value.decode() for key, value in (column.metadata or {}).items()}
    field = tree.Field(
        document,
        ID=column.name if XML_ID.fullmatch(column.name) else identity,
        name=column.name,
        datatype=datatype,
        arraysize=arraysize,
        unit=about.get("unit") or None,
        ucd=about.get("ucd") or None,
        ref=COOSYS_ID if about.get("ucd", "").startswith(SKY_UCDS) else None,
    )
    field.description = about.get("description") or None
    return field


def _datatype(kind: pa.DataType) -> tuple[str, str | None]:
    """Return VOTable ``datatype`` and ``arraysize``; types that VOTable lacks become strings."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = DATATYPES.get(kind.value_type)
        return (item, "*") if item else ("char", "*")
    return (DATATYPES[kind], None) if kind in DATATYPES else ("char", "*")
