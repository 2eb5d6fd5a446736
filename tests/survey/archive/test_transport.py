"""Limits of a request against servers that drip, flood, or never end."""

import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_server import RawServer, Script, dripping, endless, raw_service

from claran_core.settings.config import load_config
from claran_core.survey.archive import transport
from claran_core.survey.archive.http import Answer, Client, Request
from claran_core.survey.archive.outcomes import Fault

# Time for a whole answer, and without a byte: the servers send faster than the second allows.
TOTAL_S, WAIT_S = 0.6, 0.4
# Time in which a busy machine ends a request; without limits none of them would end.
MARGIN_S = 10.0
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = OK + b"Content-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n"

DRIPS = {
    "status line": dripping(b"HTTP/1.1 200 ", b"O"),
    "headers": dripping(OK, b"X-Again: 1\r\n"),
    "one header": dripping(OK + b"X-Long: ", b"1"),
    "100 Continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": dripping(OK + b"Content-Length: 100000\r\n\r\n", b"x"),
    "body without length": dripping(OK + b"\r\n", b"x"),
    "chunks": dripping(CHUNKED, b"1\r\nx\r\n"),
    "chunk size": dripping(CHUNKED, b"0"),
    "chunk extension": dripping(CHUNKED + b"5;name=", b"v"),
    "trailers": dripping(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-Trailer: 1\r\n"),
    "gzip": dripping(GZIP, b"\x1f"),
    "error page": dripping(b"HTTP/1.1 500 Oh\r\nContent-Length: 99999\r\n\r\n", b"x"),
}
MEBIBYTE = bytes(1 << 20)
FLOODS = {
    "body": endless(OK + b"\r\n", MEBIBYTE),
    "chunks": endless(CHUNKED, b"100000\r\n" + MEBIBYTE + b"\r\n"),
    "100 Continue": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 5000),
    "trailers": endless(CHUNKED + b"0\r\n", b"X-Trailer: 1\r\n" * 5000),
    "error page": endless(b"HTTP/1.1 404 No\r\n\r\n", MEBIBYTE),
    "unmodified": endless(b"HTTP/1.1 302 Found\r\n\r\n", MEBIBYTE),
}


def fetch(
    server: RawServer, folder: Path, total_s: float = 30.0, wait_s: float = 20.0, **changes: object
) -> Answer:
    options = {
        **{"request_timeout_s": total_s, "read_timeout_s": wait_s, "tries": 1, "limits_folder": str(folder)},
        **{"pause_s": 0.01, "max_pause_s": 0.05},
        **changes,
    }
    service = raw_service(f"http://{server.host}/image")
    with Client(load_config().cutouts.archive.changed(**options)) as client:
        return client.fetch(service, Request(service.url), lambda answer: answer)


@pytest.mark.parametrize("part", DRIPS)
def test_whatever_drips_the_request_ends_in_time(tmp_path: Path, part: str) -> None:
    with RawServer(DRIPS[part]) as server:
        begun = time.monotonic()
        with pytest.raises(Fault, match="too slow: [0-9]+ bytes received in 0.6 s"):
            fetch(server, tmp_path, TOTAL_S, WAIT_S)
        assert 0.9 * TOTAL_S < time.monotonic() - begun < MARGIN_S


def test_a_handshake_that_drips_ends_in_time(tmp_path: Path) -> None:
    # The start of a TLS record of 4,096 bytes, and a byte of it now and then.
    script = dripping(b"\x16\x03\x03\x10\x00", b"\x02")

    with RawServer(script, request_end=b"") as server:
        service = raw_service(f"https://{server.host}/image")
        options = {"connect_timeout_s": 0.5, "tries": 1, "limits_folder": str(tmp_path)}
        begun = time.monotonic()
        with Client(load_config().cutouts.archive.changed(**options)) as client:
            with pytest.raises(Fault, match="no answer in time"):
                client.fetch(service, Request(service.url), lambda answer: answer)
        assert time.monotonic() - begun < MARGIN_S


@pytest.mark.parametrize("part", FLOODS)
def test_whatever_floods_the_request_takes_a_limited_number_of_bytes(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_BYTES", 2 << 20)
    with RawServer(FLOODS[part]) as server:
        with pytest.raises(Fault, match="more than 2 MiB received"):
            fetch(server, tmp_path)
        # What the buffers of the sockets hold was sent, but not received.
        assert server.sent < 16 << 20


def test_a_silent_server_is_told_from_a_slow_one(tmp_path: Path) -> None:
    with RawServer(dripping(OK, b"X: 1\r\n", pause_s=5.0)) as server:
        with pytest.raises(Fault, match="no answer in time"):
            fetch(server, tmp_path, total_s=20.0, wait_s=0.3)


def once(answer: bytes) -> Script:
    def script(_: str) -> Iterator[bytes]:
        yield answer

    return script


def packed(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=31)
    return stream.compress(content) + stream.flush()


def test_a_body_that_comes_compressed_is_unpacked(tmp_path: Path) -> None:
    body = packed(b"words " * 1000)
    head = OK + b"Content-Encoding: x-gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with RawServer(once(head + body)) as server:
        assert fetch(server, tmp_path).content == b"words " * 1000
        assert "Accept-Encoding: identity" in server.requests[0]


def test_a_body_that_unpacks_to_too_much_is_a_fault(tmp_path: Path) -> None:
    body = packed(bytes(65 << 20))
    assert len(body) < 70_000
    with RawServer(
        once(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    ) as server:
        with pytest.raises(Fault, match="a gzip file with more than 67108864 bytes"):
            fetch(server, tmp_path)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate"])
def test_a_compression_that_was_not_asked_for_is_a_fault(tmp_path: Path, encoding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 3\r\n\r\nabc".encode()
    with RawServer(once(head)) as server:
        with pytest.raises(Fault, match="compressed as .*although that was not asked for"):
            fetch(server, tmp_path)


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: " + "9" * 5000 + "\r\n\r\n",
        "HTTP/1.1 503 No\r\nRetry-After: \xb2\r\n\r\n",
        "HTTP/1.1 503 No\r\nRetry-After: " + "9" * 5000 + "\r\n\r\n",
        "HTTP/1.1 503 No\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 +99999999999999\r\n\r\n",
        "HTTP/1.1 999999999 What\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        "HTTP/1.1 200 OK\r\n" + "X: 1\r\n" * 200 + "\r\n",
        "HTTP/1.1 200 OK\r\nX: " + "1" * 70000 + "\r\n\r\n",
    ],
)
def test_malformed_answers_are_faults_or_empty(tmp_path: Path, head: str) -> None:
    with RawServer(once(head.encode("latin-1"))) as server:
        try:
            answer = fetch(server, tmp_path)
        except Fault:
            return
        assert answer.content in (b"", b"abc")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_drips_ends_in_time(
    tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with RawServer(DRIPS["headers"]) as server:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://{server.host}")
        service = raw_service(f"{scheme}://{tmp_path.name}.example/")
        options = {"request_timeout_s": TOTAL_S, "read_timeout_s": WAIT_S, "tries": 1}
        begun = time.monotonic()
        with Client(load_config().cutouts.archive.changed(**options, limits_folder=str(tmp_path))) as client:
            with pytest.raises(Fault, match="too slow"):
                client.fetch(service, Request(service.url), lambda answer: answer)
        assert time.monotonic() - begun < MARGIN_S
        assert server.requests[0].startswith("CONNECT" if scheme == "https" else "GET http://")
