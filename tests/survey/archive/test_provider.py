"""The archive provider with the real client against mock servers with every fault."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_server import FAULTS, HASTY, ArchiveServer, open_archive, patient

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.frame import Frame
from claran_core.common.reprojection import reproject
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.archive.http import Client
from claran_core.survey.archive.provider import open_service
from claran_core.survey.archive.services import PROTOCOLS, SERVICES, ProtocolName
from claran_core.survey.surveys import SURVEYS

SEED = 7
FRAME = Frame()
WIDTH = FRAME.width_arcsec
PLACE = (150.2, 20.1)
SURVEY_OF = {"first": "FIRST", "skyview": "FIRST", "irsa": "WISE_W1", "hips2fits": "WISE_W1"}
# Half a native pixel of smoothing: these two resample the survey's pixels.
RESAMPLED = ("skyview", "hips2fits")


def cut(
    server: ArchiveServer,
    tmp_path: Path,
    name: str,
    *services: str,
    place: tuple[float, float] = PLACE,
    width: float = WIDTH,
    **changes: Any,
) -> Any:
    source = open_archive(
        server, name, patient(tmp_path, **changes), **({name: services} if services else {})
    )
    try:
        return source.cutout("x", *place, width)
    finally:
        source.close()


def truth(name: str, place: tuple[float, float] = PLACE) -> np.ndarray:
    return reproject(SimulatedProvider(SURVEYS[name], seed=SEED).cutout("x", *place, WIDTH), FRAME, *place)


@pytest.mark.parametrize("service", SURVEY_OF)
def test_every_service_gives_the_sky_it_has(tmp_path: Path, service: str) -> None:
    name = SURVEY_OF[service]
    with ArchiveServer(SEED) as server:
        cutout = cut(server, tmp_path, name, service)
    assert isinstance(cutout, Cutout) and not cutout.flags and cutout.origin == service
    image, expected = reproject(cutout, FRAME, *PLACE), truth(name)
    assert np.isfinite(image).all()
    if service in RESAMPLED:
        assert np.corrcoef(image.ravel(), expected.ravel())[0, 1] > 0.9
    else:
        np.testing.assert_allclose(image, expected, atol=1e-9)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["FIRST", "WISE_W1"])
def test_the_image_is_fetched_in_spite_of_every_fault(tmp_path: Path, name: str, fault: str) -> None:
    with ArchiveServer(SEED, fraction=0.5, faults=[fault, "error"], stuck_s=1.0) as server:
        cutout = cut(server, tmp_path, name, tries=40, **HASTY)
    np.testing.assert_allclose(reproject(cutout, FRAME, *PLACE), truth(name), atol=1e-9)
    assert len({asked.service for asked in server.asked}) == 1


@pytest.mark.parametrize("service", SURVEY_OF)
def test_outside_the_survey_is_no_failure(tmp_path: Path, service: str) -> None:
    with ArchiveServer(SEED, covers=lambda band, ra, dec: False) as server:
        found = cut(server, tmp_path, SURVEY_OF[service], service)
        assert len(server.asked) == 1
    assert isinstance(found, NoImage) and found.status == "no_coverage"


def test_the_second_service_is_used_when_the_first_is_down(tmp_path: Path) -> None:
    with ArchiveServer(SEED) as server:
        server.down.add("first")
        cutout = cut(server, tmp_path, "FIRST", tries=3)
        assert cutout.provenance.service == "skyview"
        assert [asked.service for asked in server.asked] == ["first"] * 3 + ["skyview"]


def test_a_failure_names_every_service_and_its_reason(tmp_path: Path) -> None:
    with ArchiveServer(SEED) as server:
        server.down |= {"first", "skyview"}
        found = cut(server, tmp_path, "FIRST", tries=2)
    assert found.status == "failed"
    assert found.reason == "first: HTTP 500 Internal Server Error; skyview: HTTP 500 Internal Server Error"


def test_a_subject_wider_than_the_service_delivers_fails(tmp_path: Path) -> None:
    with ArchiveServer(SEED) as server:
        found = cut(server, tmp_path, "FIRST", "first", width=1900.0)
        assert not server.asked
    assert found == NoImage("failed", "first: 1068 px are needed, it delivers at most 1024")


def test_identity_depends_on_the_services_not_on_retries(tmp_path: Path) -> None:
    with ArchiveServer(SEED) as server:
        sources = [
            open_archive(server, "FIRST", patient(tmp_path, tries=tries), FIRST=order)
            for tries, order in ((1, ["first"]), (2, ["first"]), (2, ["skyview"]))
        ]
    one, same, other = (source.identity for source in sources)
    assert one == same != other


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_opens_a_service(protocol: ProtocolName, tmp_path: Path) -> None:
    service = dataclasses.replace(SERVICES["first"], protocol=protocol)
    opened = open_service(service, SURVEYS["FIRST"], Client(patient(tmp_path), tmp_path))
    assert opened.service is service
