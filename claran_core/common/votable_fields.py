"""What a VOTable says about its columns, and whether it is a whole table that needs no other file."""

from collections.abc import Iterator
from typing import IO
from xml.etree import ElementTree

from claran_core.common.table_column import TableColumn

__all__ = ["check_self_contained", "read_fields"]

# Reference systems of a COOSYS whose positions are usable as ICRS, in lower case (VOTable 1.4, section 3.1).
USABLE_SYSTEMS = {"icrs", "eq_fk5", "fk5"}
J2000 = {"", "j2000", "j2000.0", "2000", "2000.0"}
# Starts of the answer of a service to the question how the query ended.
FAILED, CUT = "ERROR", "OVERFLOW"


def read_fields(document: IO[bytes]) -> list[TableColumn]:
    """Return the columns of the first table of a VOTable; its data are not read.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        If the document is not XML.
    """
    fields: list[TableColumn] = []
    frames: dict[str, str] = {}
    for tag, element in _started(document):
        if tag == "COOSYS":
            frames[element.get("ID", "")] = _frame(element)
        elif tag == "FIELD":
            fields.append(
                TableColumn(
                    name=element.get("name") or element.get("ID") or "",
                    unit=element.get("unit", ""),
                    ucd=element.get("ucd", ""),
                    frame=_frame_of(element, frames),
                )
            )
        elif tag == "DATA":
            break
    return fields


def check_self_contained(document: IO[bytes]) -> None:
    """Refuse a VOTable that refers to other files, or that a service has cut or refused to make.

    Readers fetch what ``<STREAM href>`` names, from this machine or any other.

    Raises
    ------
    ValueError
        In one line, without the name of the file.
    xml.etree.ElementTree.ParseError
        If the document is not XML.
    """
    for tag, element in _started(document):
        if "href" in element.attrib and tag in ("STREAM", "PARQUET"):
            raise ValueError(
                f"its data are in another file, {element.get('href')!r}, which is not read; give a table "
                "that contains them"
            )
        if tag == "INFO" and element.get("name") == "QUERY_STATUS":
            status = element.get("value", "").upper()
            if status.startswith(CUT):
                raise ValueError(
                    f"rows are missing, the service has cut it (QUERY_STATUS {CUT}); ask for more rows"
                )
            if status.startswith(FAILED):
                raise ValueError(f"the query failed (QUERY_STATUS {FAILED}); it holds no result")


def _started(document: IO[bytes]) -> Iterator[tuple[str, ElementTree.Element]]:
    """Yield the local name and the attributes of each element, in the order of the document."""
    for event, element in ElementTree.iterparse(document, events=("start", "end")):
        if event == "start":
            yield element.tag.rpartition("}")[2], element
        else:
            element.clear()


def _frame_of(field: ElementTree.Element, frames: dict[str, str]) -> str:
    """Return the frame of a column: the one it refers to, or the only one of the document."""
    if field.get("ref") in frames:
        return frames[field.get("ref", "")]
    return next(iter(frames.values())) if len(frames) == 1 else ""


def _frame(system: ElementTree.Element) -> str:
    """Return the name of the reference frame of a COOSYS if its positions are not usable as ICRS."""
    name, equinox = system.get("system", ""), system.get("equinox", "")
    if name.lower() in USABLE_SYSTEMS | {""} and equinox.strip().lower() in J2000:
        return ""
    return f"{name} {equinox}".strip()
