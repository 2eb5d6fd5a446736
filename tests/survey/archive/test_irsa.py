"""AllWISE cut-outs from IRSA: choice of tiles, subjects at an edge, and invalid lists of tiles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_server import ArchiveServer, open_archive, patient
from archive_sky import SEAM_HALF_PX

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.frame import Frame
from claran_core.common.reprojection import reproject
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.archive.irsa import AtlasTile, parse_tiles
from claran_core.survey.archive.outcomes import Fault
from claran_core.survey.surveys import SURVEYS

WISE = SURVEYS["WISE_W1"]
FRAME = Frame()
WIDTH = FRAME.width_arcsec
SEED = 7
SKY = SimulatedProvider(WISE, seed=SEED)
# The middle of a simulated tile, where the two halves of the mock server's tile meet, and a place well
# inside one half.
TILE = SKY.grid.tile_at(150.0, 20.0)
SEAM = TILE.ra_deg, TILE.dec_deg
INSIDE = TILE.ra_deg - 0.2, TILE.dec_deg


def this_tile(band: str, ra: float, dec: float) -> bool:
    """Return whether a tile is that one, without its overlapping neighbours."""
    return (ra, dec) == (TILE.ra_deg, TILE.dec_deg)


def cut(server: ArchiveServer, tmp_path: Path, place: tuple[float, float], **changes: Any) -> Any:
    source = open_archive(server, "WISE_W1", patient(tmp_path, **changes), WISE_W1=["irsa"])
    try:
        return source.cutout("x", *place, WIDTH)
    finally:
        source.close()


def test_a_subject_inside_a_tile_is_cut_from_it_alone(tmp_path: Path) -> None:
    with ArchiveServer(SEED) as server:
        cutout = cut(server, tmp_path, INSIDE)
        assert len(server.images_asked("irsa")) == 1
    truth = reproject(SKY.cutout("x", *INSIDE, WIDTH), FRAME, *INSIDE)
    np.testing.assert_allclose(reproject(cutout, FRAME, *INSIDE), truth, atol=1e-5)
    assert "-w1-int-3.fits" in cutout.provenance.url and "gzip=false" in cutout.provenance.url


def test_a_subject_at_an_edge_is_combined_from_both_tiles(tmp_path: Path) -> None:
    assert 2 * SEAM_HALF_PX * WISE.pixel_scale_arcsec < WIDTH
    with ArchiveServer(SEED, covers=this_tile) as server:
        cutout = cut(server, tmp_path, SEAM)
        assert len(server.images_asked("irsa")) == 2
    truth = reproject(SKY.cutout("x", *SEAM, WIDTH), FRAME, *SEAM)
    # The halves are the same plane, so that nothing is lost; to the rounding of 1e-6 px.
    np.testing.assert_allclose(reproject(cutout, FRAME, *SEAM), truth, atol=1e-3)
    assert len(cutout.provenance.url.split()) == len(cutout.provenance.sha256.split()) == 2


def test_faults_at_an_edge_change_nothing(tmp_path: Path) -> None:
    with ArchiveServer(SEED) as server:
        clean = cut(server, tmp_path, SEAM)
    with ArchiveServer(
        SEED, fraction=0.5, faults=["truncated", "page", "zeros", "shifted", "error"]
    ) as server:
        cutout = cut(server, tmp_path, SEAM, tries=40)
        assert any(asked.fault for asked in server.asked)
    np.testing.assert_array_equal(cutout.data, clean.data)


def test_tiles_are_listed_once_for_a_patch_of_sky(tmp_path: Path) -> None:
    with ArchiveServer(SEED) as server:
        source = open_archive(server, "WISE_W1", patient(tmp_path))
        for offset in np.linspace(-0.05, 0.05, 5):
            assert isinstance(source.cutout("x", INSIDE[0] + offset, INSIDE[1] + offset, WIDTH), Cutout)
        source.close()
        assert sum(asked.key.startswith("/SIA") for asked in server.asked) == 1
        assert len(server.asked) == 6


def test_a_position_without_a_tile_is_not_covered(tmp_path: Path) -> None:
    with ArchiveServer(SEED, covers=lambda band, ra, dec: False) as server:
        found = cut(server, tmp_path, INSIDE)
    assert found == NoImage("no_coverage", "no WISE_W1 tile covers it")


def test_an_invalid_list_is_requested_again(tmp_path: Path) -> None:
    with ArchiveServer(SEED, fraction=0.6, faults=["page", "truncated", "empty"]) as server:
        assert isinstance(cut(server, tmp_path, INSIDE, tries=40), Cutout)


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
    assert tile.depth_px(FRAME, 190.0, -20.0) == (-np.inf, False)
