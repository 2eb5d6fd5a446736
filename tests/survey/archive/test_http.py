"""The client against a faulty mock server: which requests are repeated, and which are not."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from archive_server import HASTY, ArchiveServer, patient
from archive_sky import Reply
from raw_server import RawServer, raw_service

from claran_core import __version__
from claran_core.common.errors import ConfigError
from claran_core.survey.archive.http import (
    Answer,
    Client,
    Request,
    _retry_after_s,
)
from claran_core.survey.archive.limits import ServiceDown
from claran_core.survey.archive.outcomes import Doubtful, Fault, Refusal
from claran_core.survey.archive.services import described_services

Ask = Callable[..., Any]

# The answer to this form is small and constant.
FORM = {"RA": "10.0 20.0", "Equinox": "J2000", "ImageSize": "1.2", "ImageType": "FITS File"}
FORM["MaxImSize"] = "1024"
# Faults visible in HTTP, and their messages; the others need a look at the content.
TOLD = {
    "busy": "HTTP 429",
    "error": "HTTP 500",
    "overloaded": "HTTP 503",
    "timeout": "no answer in time",
    "reset": "connection lost|transfer failed",
    "drip": "too slow",
    "truncated": "truncated: |transfer failed",
    "chunks": "transfer failed",
}


def whole(answer: Answer) -> bytes:
    """Accept any answer."""
    return answer.content


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Return a function that sends a request to a mock server through the client."""

    def asked(
        server: ArchiveServer,
        read: Callable[[Answer], Any] = whole,
        *,
        url: str | None = None,
        **changes: Any,
    ) -> Any:
        options = patient(tmp_path, **changes)
        service = described_services(server.settings, options.limits)["first"]
        with Client(options) as client:
            return client.fetch(service, Request(url or service.url, form=FORM), read)

    return asked


@pytest.fixture
def truth(ask: Ask) -> bytes:
    with ArchiveServer() as server:
        return ask(server)


@pytest.mark.usefixtures("truth")  # the image is drawn before the short time limits hold
@pytest.mark.parametrize("fault", TOLD)
def test_http_faults_are_retried_then_reported(ask: Ask, fault: str) -> None:
    with ArchiveServer(fraction=1.0, faults=[fault], stuck_s=1.5) as server:
        with pytest.raises(Fault, match=TOLD[fault]):
            ask(server, tries=2, **HASTY)
        assert [asked.fault for asked in server.asked] == [fault] * 2


@pytest.mark.parametrize("fault", sorted(TOLD))
def test_a_retry_after_faults_returns_the_whole_answer(ask: Ask, truth: bytes, fault: str) -> None:
    with ArchiveServer(fraction=0.6, faults=[fault], stuck_s=1.0) as server:
        answers = {ask(server, tries=30, **HASTY)}
    assert answers == {truth} and len(truth) % 2880 == 0


def test_the_user_agent_names_the_program_and_the_contact(ask: Ask) -> None:
    with ArchiveServer() as server:
        ask(server, contact="someone@observatory.example")
    agent = server.asked[0].user_agent
    assert agent.startswith(f"claran-survey/{__version__} (+https://")
    assert "someone@observatory.example" in agent


def test_an_answer_has_provenance(ask: Ask) -> None:
    with ArchiveServer() as server:
        answer = ask(server, lambda answer: answer)
        assert answer.url.startswith(server.url("first") + "?RA=10.0+20.0&")
    assert len(answer.sha256) == 64
    assert abs(datetime.fromisoformat(answer.fetched_at) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_repeated_refusal_is_accepted(tmp_path: Path) -> None:
    with ArchiveServer() as server, Client(patient(tmp_path)) as client:
        service = described_services(server.settings)["hips2fits"]
        with pytest.raises(Refusal, match="HTTP 400: .*Bad hips"):
            client.fetch(service, Request(service.url, {"hips": "nonsense"}), whole)
        assert len(server.asked) == 3 and client.options.tries > 3


def test_a_single_refusal_is_a_fault(ask: Ask, truth: bytes) -> None:
    class Moody(ArchiveServer):
        def _first(self, path: str, fields: dict[str, str]) -> Reply:
            return Reply(b"what?", 404, "text/plain") if len(self.asked) < 3 else super()._first(path, fields)

        def reply(self, service: str, path: str, fields: dict[str, str]) -> Reply:
            self._replies.clear()
            return super().reply(service, path, fields)

    with Moody() as server:
        assert ask(server) == truth


def test_failures_in_a_row_open_the_breaker(ask: Ask) -> None:
    with ArchiveServer() as server:
        server.down.add("first")
        with pytest.raises(ServiceDown, match="5 requests failed in a row, the last: HTTP 500"):
            ask(server, tries=8, breaker_failures=5)
        with pytest.raises(ServiceDown):
            ask(server, breaker_failures=5)
        assert len(server.asked) == 5


def test_a_refused_connection_is_a_fault(ask: Ask) -> None:
    with ArchiveServer() as server:
        pass
    with pytest.raises(Fault, match="no connection"):
        ask(server, tries=2)


def test_a_repeated_doubtful_answer_is_accepted(ask: Ask) -> None:
    def doubt(answer: Answer) -> None:
        raise Doubtful("odd", "believed")

    with ArchiveServer() as server:
        assert ask(server, doubt) == "believed"
        assert len(server.asked) == 3


def test_a_valid_answer_replaces_a_doubtful_one(ask: Ask) -> None:
    answers = iter([Doubtful("odd", 0), Doubtful("odd", 0), None])

    def read(answer: Answer) -> str:
        if (doubt := next(answers)) is not None:
            raise doubt
        return "good"

    with ArchiveServer() as server:
        assert ask(server, read) == "good"


def test_retry_after_is_honoured(ask: Ask) -> None:
    with ArchiveServer(fraction=1.0, faults=["busy"], retry_after="1") as server:
        with pytest.raises(Fault):
            ask(server, tries=2, max_pause_s=2.0)
        first, second = (asked.time for asked in server.asked)
    assert second - first >= 0.95


def test_pauses_are_seconds_or_dates() -> None:
    assert _retry_after_s("7") == 7.0
    later = _retry_after_s(format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True))
    assert later is not None and 95 < later <= 100
    assert _retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert _retry_after_s("soon") is None and _retry_after_s(None) is None


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("a file")
    with pytest.raises(ConfigError, match=r"cutouts\.archive\.limits_folder"):
        Client(patient(tmp_path))


class Redirecting(RawServer):
    """A server that redirects every address but ``/there`` to a given one."""

    def __init__(self, target: str, status: int = 302) -> None:
        super().__init__(self.answer)
        self.target, self.status = target, status

    def answer(self, request: str) -> Iterator[bytes]:
        if request.split()[1].startswith("/there"):
            yield b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsky!"
            return
        location = self.target.format(host=self.host)
        yield f"HTTP/1.1 {self.status} Elsewhere\r\nLocation: {location}\r\n\r\n".encode("latin-1")
        yield from repeat(bytes(1 << 20))  # a body that never ends


def follow(server: RawServer, folder: Path, request: Request | None = None, **fields: Any) -> Answer:
    service = raw_service(f"http://{server.host}/here", **fields)
    with Client(patient(folder, tries=3)) as client:
        return client.fetch(service, request or Request(service.url), lambda answer: answer)


@pytest.mark.parametrize("target", ["http://{host}/there?x=1 2#part", "/there?x=1 2", "//{host}/there?x=1 2"])
def test_a_redirect_on_the_host_is_followed_and_its_address_recorded(tmp_path: Path, target: str) -> None:
    with Redirecting(target) as server:
        answer = follow(server, tmp_path)
        assert answer.content == b"sky!" and answer.url == f"http://{server.host}/there?x=1%202"
        # Of the bodies of redirects, no more than the buffers of the sockets hold was sent.
        assert server.sent < 16 << 20


def test_a_redirect_leads_to_another_host_only_if_the_service_names_it(tmp_path: Path) -> None:
    with Redirecting("/there") as other, Redirecting(f"http://{other.host}/there") as server:
        with pytest.raises(
            Refusal, match=rf"'http://{other.host}/there', which is not on a host of the serv"
        ):
            follow(server, tmp_path)
        assert not other.requests and len(server.requests) == 3
        answer = follow(server, tmp_path, hosts=(other.host,))
        assert answer.url == f"http://{other.host}/there"


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/hostname",
        "ftp://{host}/there",
        "http://[::1/there",
        "http://169.254.169.254/there",
        "\x1b[2J",
    ],
)
def test_redirects_elsewhere_are_refused_in_printable_words(tmp_path: Path, target: str) -> None:
    with Redirecting(target) as server:
        with pytest.raises((Refusal, Fault)) as refusal:
            follow(server, tmp_path)
        assert str(refusal.value).isprintable()


def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    with Redirecting("/again") as server:
        with pytest.raises(Refusal, match="more than 5 redirects"):
            follow(server, tmp_path)
        assert len(server.requests) == 3 * 6


@pytest.mark.parametrize(
    ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
def test_a_form_is_sent_again_where_the_redirect_asks_for_it(
    tmp_path: Path, status: int, method: str
) -> None:
    with Redirecting("/there", status) as server:
        request = Request(f"http://{server.host}/here", form={"RA": "1 2"})
        answer = follow(server, tmp_path, request)
        assert server.requests[1].startswith(f"{method} /there ")
    assert answer.url.endswith("/there?RA=1+2") == (method == "POST")


def test_redirects_share_the_time_of_the_request(tmp_path: Path) -> None:
    class Slow(Redirecting):
        def answer(self, request: str) -> Iterator[bytes]:
            time.sleep(0.3)
            yield from super().answer(request)

    with Slow("/again") as server:
        service = raw_service(f"http://{server.host}/here")
        with Client(patient(tmp_path, tries=1, request_timeout_s=0.7)) as client:
            with pytest.raises(Fault, match="too slow"):
                client.fetch(service, Request(service.url), whole)


def test_an_address_of_another_host_is_not_asked(tmp_path: Path) -> None:
    with Redirecting("/there") as other, Redirecting("/there") as server:
        with pytest.raises(Refusal, match="which is not on a host of the service"):
            follow(server, tmp_path, Request(f"http://{other.host}/there"))
        assert not other.requests and not server.requests


def test_cookies_are_not_kept(tmp_path: Path) -> None:
    def script(_: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nSet-Cookie: who=you\r\nContent-Length: 0\r\n\r\n"

    with RawServer(script) as server, Client(patient(tmp_path)) as client:
        service = raw_service(f"http://{server.host}/")
        for _ in range(2):
            client.fetch(service, Request(service.url), whole)
        assert "who=you" not in "".join(server.requests)


def test_the_state_of_a_host_does_not_name_the_password(tmp_path: Path) -> None:
    with Redirecting("/there") as server, Client(patient(tmp_path)) as client:
        address = f"http://me:secret@{server.host}/there"
        service = raw_service(address)
        client.fetch(service, Request(address), whole)
        named = {path.name for path in client.folder.iterdir()}
    assert f"{server.host.replace(':', '_')}.json" in named
    assert not any("secret" in name for name in named)


def test_an_address_for_provenance_has_the_form_and_no_password() -> None:
    request = Request("https://me:secret@sky.example:8443/cut?a=1", form={"RA": "1 2"})
    assert request.address == "https://sky.example:8443/cut?a=1&RA=1+2"
