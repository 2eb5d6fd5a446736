"""Lists of atlas tiles: images of the band, regions, and lists that are invalid or made to do harm."""

import time
import tracemalloc

import numpy as np
import pytest

from claran_core.common.frame import Frame
from claran_core.survey.archive.atlas_tiles import AtlasTile, parse_tiles
from claran_core.survey.archive.outcomes import Fault

LIST = """<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results"><INFO name="QUERY_STATUS" value="{status}">because</INFO><TABLE>
<FIELD name="access_url" datatype="char" arraysize="*"/><FIELD name="s_region" datatype="char" arraysize="*"/>
<FIELD name="energy_bandpassname" datatype="char" arraysize="*"/>
<FIELD name="dataproduct_subtype" datatype="char" arraysize="*"/>
<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""
ROW = "<TR><TD>http://x/{0}</TD><TD>{1}</TD><TD>{2}</TD><TD>{3}</TD></TR>"
REGION = "POLYGON ICRS 10.5 20.5 9.5 20.5 9.5 19.5 10.5 19.5"


def test_images_of_the_band_are_taken_from_a_list() -> None:
    rows = [("a", REGION, "W1", "science"), ("b", REGION, "W2", "science"), ("c", REGION, "W1", "noise")]
    rows.append(("d", "CIRCLE ICRS 10 20 1", "W1", "science"))
    content = LIST.format(status="OK", rows="".join(ROW.format(*row) for row in rows)).encode()
    (tile,) = parse_tiles(content, "W1")
    assert tile == AtlasTile("http://x/a", ((10.5, 20.5), (9.5, 20.5), (9.5, 19.5), (10.5, 19.5)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LIST.format(status="ERROR", rows=""), "has an error: .*because"),
        (
            LIST.format(status="OVERFLOW", rows=ROW.format("a", REGION, "W1", "science")),
            "truncated|cannot be read",
        ),
        (LIST.format(status="OK", rows="").replace("s_region", "region"), "lacks s_region"),
        ("<html>Internal error</html>", "cannot be read|has an error"),
        (LIST.format(status="OK", rows="")[:300], "cannot be read"),
    ],
)
def test_invalid_lists_are_faults(content: str, message: str) -> None:
    with pytest.raises(Fault, match=message):
        parse_tiles(content.encode(), "W1")


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(
    ("dec", "depth", "whole"),
    [(20.3, 14.4, True), (20.38, 8.64, True), (20.45, 3.6, False), (20.6, -7.2, False)],
)
def test_depth_is_the_distance_to_the_nearest_side(turn: int, dec: float, depth: float, whole: bool) -> None:
    tile = AtlasTile("x", ((10.5, 20.5), (9.5, 20.5), (9.5, 19.5), (10.5, 19.5))[::turn])
    found, covers = tile.depth_px(Frame(size_px=10, pixel_scale_arcsec=50.0), 10.0, dec)
    # 72 px are a degree; the northern side is a great circle, which bulges beyond the parallel by 0.05 px.
    assert found == pytest.approx(depth, abs=0.1) and covers == whole


def test_a_tile_on_the_other_side_of_the_sky_is_far() -> None:
    tile = AtlasTile("x", ((10.5, 20.5), (9.5, 20.5), (9.5, 19.5), (10.5, 19.5)))
    assert tile.depth_px(Frame(), 190.0, -20.0) == (-np.inf, False)


SOUND = LIST.format(status="OK", rows=ROW.format("a", REGION, "W1", "science"))
FIELD = '<FIELD name="s_region" datatype="char" arraysize="*"/>'
ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))


def altered(old: str, new: str) -> str:
    assert old in SOUND
    return SOUND.replace(old, new)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (altered("<TABLE>", '<TABLE nrows="4000000000">'), "too large"),
        (altered("<TABLE>", f'<TABLE nrows="{"9" * 5000}">'), "too large"),
        (altered('arraysize="*"', 'arraysize="20000000"'), "too large"),
        (altered(FIELD, FIELD + '<FIELD name="x" datatype="double" arraysize="20000x20000"/>'), "too large"),
        (altered(FIELD, FIELD + '<FIELD name="x" datatype="int"/>' * 20_000), "too large"),
        (altered(FIELD, "<GROUP>" * 20_000 + FIELD), "too large"),
        (altered("<TR>", "<TR></TR>" * 20_000 + "<TR>"), "too large"),
        (
            altered("<VOTABLE", f'<!DOCTYPE v [<!ENTITY e0 "{"x" * 1000}">{ENTITIES}]><VOTABLE').replace(
                "because", "&e8;"
            ),
            "cannot be read",
        ),
    ],
)
def test_lists_that_would_fill_the_memory_are_faults(content: str, message: str) -> None:
    tracemalloc.start()
    begun = time.process_time()
    try:
        with pytest.raises(Fault, match=f"the list of tiles .*{message}"):
            parse_tiles(content.encode(), "W1")
        assert tracemalloc.get_traced_memory()[1] < 50e6 and time.process_time() - begun < 5
    finally:
        tracemalloc.stop()


def test_a_list_with_its_data_elsewhere_is_a_fault_and_nothing_is_fetched() -> None:
    start, end = SOUND.index("<TABLEDATA>"), SOUND.index("</DATA>")
    link = '<BINARY><STREAM href="http://127.0.0.1:9/secret"/></BINARY>'
    with pytest.raises(Fault, match="has its data at 'http://127.0.0.1:9/secret'"):
        parse_tiles((SOUND[:start] + link + SOUND[end:]).encode(), "W1")


def test_a_region_without_finite_positions_is_no_tile() -> None:
    assert not parse_tiles(altered("POLYGON ICRS 10.5", "POLYGON ICRS 1e999").encode(), "W1")


def test_texts_of_up_to_some_length_are_read() -> None:
    columns = "".join(f'<FIELD name="x{n}" datatype="char" arraysize="512*"/>' for n in range(40))
    wide = altered(FIELD, FIELD + columns).replace("</TR>", "<TD>text</TD>" * 40 + "</TR>")
    wide = wide.replace(FIELD + columns, FIELD).replace("<DATA>", columns + "<DATA>")
    assert len(parse_tiles(wide.encode(), "W1")) == 1
    assert len(parse_tiles(wide.replace("512*", "512").encode(), "W1")) == 1
