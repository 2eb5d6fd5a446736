"""AllWISE cut-outs from IRSA: choice of tiles, subjects at an edge, and invalid lists of tiles."""

from pathlib import Path
from typing import Any

import numpy as np
from archive_server import ArchiveServer, open_archive, patient
from archive_sky import SEAM_HALF_PX

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.frame import Frame
from claran_core.common.reprojection import reproject
from claran_core.simulation.provider import SimulatedProvider
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


def test_an_image_on_another_host_is_not_fetched(tmp_path: Path) -> None:
    with ArchiveServer(SEED) as other, ArchiveServer(SEED) as server:
        elsewhere = other.url("irsa").replace("/SIA", "/ibe/data")
        server._image_root = lambda: elsewhere
        found = cut(server, tmp_path, INSIDE)
        assert found.status == "failed" and not other.asked
        assert f"irsa: it leads to '{elsewhere}/" in found.reason and "services.irsa.hosts" in found.reason
