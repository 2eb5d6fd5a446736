"""The command `claran archive check` against the mock server: verdicts and exit status."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from archive_server import SERVICES, ArchiveServer
from archive_sky import Reply
from astropy.io import fits
from click.testing import CliRunner

from claran_core.cli import commands as cli

Check = Callable[..., tuple[int, list[str]]]

FAST = {"pause_s": 0.01, "max_pause_s": 0.05, "read_timeout_s": 2}


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Return a function that runs the command on a mock server, for exit status and lines."""

    def run(server: ArchiveServer, *names: str) -> tuple[int, list[str]]:
        limits = {name: {"requests_per_s": 1000, "connections": 1} for name in SERVICES}
        fetch = {**FAST, "limits_folder": str(tmp_path / "limits"), "limits": limits}
        settings = {"survey": {"archive": {"services": server.settings}}, "cutouts": {"archive": fetch}}
        path = tmp_path / "settings.yaml"
        path.write_text(yaml.safe_dump(settings))
        options = [word for name in names for word in ("--service", name)]
        done = CliRunner().invoke(cli.claran, ["archive", "check", "--configfile", str(path), *options])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output.splitlines()

    return run


def covers(band: str, ra: float, dec: float) -> bool:
    return band == "infrared" or dec > -1


def test_all_services_work(check: Check) -> None:
    with ArchiveServer(covers=covers) as server:
        status, lines = check(server)
    assert status == 0
    assert [line for line in lines if line.endswith(": works")] == [f"{name}: works" for name in SERVICES]
    assert sum("outside the survey, as expected" in line for line in lines) == 2
    assert sum("100% of the subject" in line for line in lines) == 12


def test_a_service_that_is_down_is_told_and_the_others_work(check: Check) -> None:
    with ArchiveServer(covers=covers) as server:
        server.down.add("irsa")
        status, lines = check(server, "irsa", "hips2fits")
    assert status == 1
    assert lines[-1] == "hips2fits: works" and "irsa: DOES NOT WORK as expected" in lines
    assert any("no image: HTTP 500" in line for line in lines)


def test_a_page_that_is_not_understood_is_shown(check: Check) -> None:
    class Curt(ArchiveServer):
        def _first(self, path: str, fields: dict[str, str]) -> Reply:
            reply = super()._first(path, fields)
            if reply.kind == "text/html":
                reply.content = b"<html>Nothing to see here</html>"
            return reply

    with Curt(covers=covers) as server:
        status, lines = check(server, "first")
    assert status == 1
    (line,) = (line for line in lines if "WRONG" in line)
    assert "Nothing to see here" in line and "set survey.archive.services.NAME.outside" in line


def test_an_image_outside_the_survey_and_none_inside_are_wrong(check: Check) -> None:
    with ArchiveServer(covers=lambda band, ra, dec: dec < -1) as server:
        status, lines = check(server, "skyview")
    wrong = [line for line in lines if "WRONG" in line]
    assert status == 1 and len(wrong) == 4
    assert "reported as outside the survey, which covers it" in wrong[0]
    assert wrong[3].endswith("although the survey does not cover the position")


def test_pixels_in_another_unit_are_wrong(check: Check) -> None:
    class Loud(ArchiveServer):
        def _resampled(self, *arguments: Any) -> tuple[np.ndarray, fits.Header]:
            data, header = super()._resampled(*arguments)
            return data * 1e3, header

    with Loud(covers=covers) as server:
        status, lines = check(server, "skyview")
    assert status == 1 and any("do not fit the unit" in line for line in lines)


def test_an_unknown_service_is_refused(check: Check) -> None:
    with ArchiveServer() as server:
        status, lines = check(server, "frist")
    assert status == 2 and "no service 'frist'; known: first" in lines[-1]
