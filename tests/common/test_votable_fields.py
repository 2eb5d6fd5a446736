"""What a VOTable says about its columns, and where its data are."""

import io

import pytest

from claran_core.common.votable_fields import check_self_contained, read_fields

START = '<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">'
END = "</RESOURCE></VOTABLE>"
FIELDS = (
    '<TABLE><FIELD name="RA" unit="h" ucd="pos.eq.ra;meta.main" datatype="double" ref="c"/>'
    '<FIELD ID="Dec" datatype="double" ref="c"/>'
)
ROWS = "<DATA><TABLEDATA><TR><TD>1</TD><TD>2</TD></TR></TABLEDATA></DATA></TABLE>"


def document(*parts: str) -> io.BytesIO:
    return io.BytesIO("".join([START, *parts, END]).encode())


def test_columns_with_units_and_ucds() -> None:
    first, second = read_fields(document(FIELDS, ROWS))
    assert (first.name, first.unit, first.ucd) == ("RA", "h", "pos.eq.ra;meta.main")
    assert (second.name, second.unit, second.frame) == ("Dec", "", "")


@pytest.mark.parametrize(
    ("system", "frame"),
    [
        ('system="ICRS"', ""),
        ('system="eq_FK5" equinox="J2000"', ""),
        ('system="eq_FK4" equinox="B1950"', "eq_FK4 B1950"),
        ('system="eq_FK5" equinox="J1975"', "eq_FK5 J1975"),
        ('system="galactic"', "galactic"),
    ],
)
@pytest.mark.parametrize("identity", ["c", "another"])
def test_frame_of_the_columns(system: str, frame: str, identity: str) -> None:
    table = document(f'<COOSYS ID="{identity}" {system}/>', FIELDS, ROWS)
    assert [column.frame for column in read_fields(table)] == [frame, frame]


@pytest.mark.parametrize("address", ["file:///etc/hostname", "http://127.0.0.1:1/x"])
@pytest.mark.parametrize("kind", ["BINARY", "BINARY2", "FITS"])
def test_data_in_another_file_are_refused(address: str, kind: str) -> None:
    table = document(FIELDS, f'<DATA><{kind}><STREAM href="{address}"/></{kind}></DATA></TABLE>')
    with pytest.raises(ValueError, match=f"its data are in another file, '{address}', which is not read"):
        check_self_contained(table)


@pytest.mark.parametrize(("status", "says"), [("OVERFLOW", "rows are missing"), ("ERROR", "query failed")])
def test_queries_that_were_cut_or_failed_are_refused(status: str, says: str) -> None:
    info = f'<INFO name="QUERY_STATUS" value="{status}"/>'
    for parts in ([info, FIELDS, ROWS], [FIELDS, ROWS, info]):
        with pytest.raises(ValueError, match=says):
            check_self_contained(document(*parts))
    check_self_contained(document('<INFO name="QUERY_STATUS" value="OK"/>', FIELDS, ROWS))
