"""Every image provider satisfies the declared protocol: members, signatures, and sensible values."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from sky_images import write_image

from claran_core.common.cutout import Cutout
from claran_core.settings.config import load_config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.archive.http import Client
from claran_core.survey.archive.provider import ArchiveProvider
from claran_core.survey.archive.services import SERVICES
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.provider import ImageProvider
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]


def open_simulated(folder: Path) -> ImageProvider:
    return SimulatedProvider(FIRST, seed=1)


def open_directory(folder: Path) -> ImageProvider:
    write_image(folder / "a.fits")
    return DirectoryProvider(FIRST, folder)


def open_archive(folder: Path) -> ImageProvider:
    client = Client(load_config().cutouts.archive.changed(limits_folder=str(folder)))
    return ArchiveProvider(FIRST, [SERVICES["first"], SERVICES["skyview"]], client)


PROVIDERS = {"simulated": open_simulated, "directory": open_directory, "archive": open_archive}


@pytest.mark.parametrize("kind", PROVIDERS)
def test_provider_satisfies_the_protocol(kind: str, tmp_path: Path) -> None:
    provider = PROVIDERS[kind](tmp_path)
    assert isinstance(provider, ImageProvider)
    assert provider.survey is FIRST and provider.workers >= 1
    declared = inspect.signature(ImageProvider.cutout)
    assert list(inspect.signature(type(provider).cutout).parameters) == list(declared.parameters)
    provider.stop()
    provider.stop()


@pytest.mark.parametrize("kind", ["simulated", "directory"])
def test_local_providers_answer_in_one_thread_without_a_journal(kind: str, tmp_path: Path) -> None:
    provider = PROVIDERS[kind](tmp_path)
    assert (provider.workers, provider.identity) == (1, None)
    answer = provider.cutout("subject", 30.0, 10.0, 72.0)
    assert isinstance(answer, Cutout) and np.isfinite(answer.data).all()


def test_archive_provider_uses_the_connections_of_its_first_service_and_is_journalled(tmp_path: Path) -> None:
    provider = open_archive(tmp_path)
    assert provider.workers == SERVICES["first"].connections > 1
    assert provider.identity is not None and "first" in provider.identity


@pytest.mark.parametrize("lacking", ["survey", "workers", "identity", "cutout", "stop"])
def test_a_class_without_one_of_the_members_does_not_satisfy_it(lacking: str) -> None:
    members = {name: None for name in ("survey", "workers", "identity", "cutout", "stop") if name != lacking}
    assert not isinstance(type("Incomplete", (), members)(), ImageProvider)
