"""A mock archive server: loopback servers that imitate the archives and serve the simulated sky.

Each service has its own port and so counts as a host.  Faults are seeded: those of a request depend on its
content and on the number of earlier identical requests, not on threads or time.  Every request is recorded.
"""

import gzip
import hashlib
import io
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from archive_sky import ArchiveSky, Reply
from astropy.io import fits

from claran_core.cutouts.providers import open_provider
from claran_core.settings.config import load_config
from claran_core.survey.archive.options import FetchOptions
from claran_core.survey.archive.provider import ArchiveProvider

__all__ = ["FAULTS", "HASTY", "SERVICES", "ArchiveServer", "Asked", "open_archive", "patient"]

# Each is something real servers do; "gzip" alone is harmless.
FAULTS = (
    *("busy", "error", "overloaded", "timeout", "reset", "drip", "truncated", "cut_short", "chunks"),
    *("page", "gzip", "elsewhere", "shifted", "empty", "zeros"),
)
# Of these the rest of a list of tiles makes no sense.
LIST_FAULTS = ("busy", "error", "overloaded", "timeout", "reset", "drip", "truncated", "page", "empty")
SERVICES = ("first", "skyview", "irsa", "hips2fits")
# Time-outs of a client in tests where servers hang, for longer than this.
HASTY = {"read_timeout_s": 0.5, "request_timeout_s": 0.8}
PAGE = b"<html><head><title>Error</title></head><body>Internal error; try again later.</body></html>"


@dataclass(frozen=True)
class Asked:
    """A request as it came: when (Unix seconds), what for, and the fault it met, if any."""

    time: float
    service: str
    key: str
    fault: str
    user_agent: str


class ArchiveServer(ArchiveSky):
    """All services on loopback ports; use ``with``.

    Parameters
    ----------
    seed : int
        Of the sky and of the faults.
    fraction : float
        Share of requests that meet a fault.
    faults : sequence of str
        Which faults, of `FAULTS`.
    covers : callable
        Whether a survey covers a position: band, ra, dec (deg).
    stuck_s : float
        How long a server that hangs or drips goes on.
    retry_after : str
        What a busy server asks for.
    """

    def __init__(
        self,
        seed: int = 7,
        *,
        fraction: float = 0.0,
        faults: Sequence[str] = FAULTS,
        covers: Callable[[str, float, float], bool] = lambda band, ra, dec: True,
        stuck_s: float = 5.0,
        retry_after: str = "0",
    ) -> None:
        super().__init__(seed, covers, lambda: self.url("irsa").replace("/SIA", "/ibe/data"))
        self.seed, self.fraction, self.faults = seed, fraction, tuple(faults)
        self.stuck_s, self.retry_after = stuck_s, retry_after
        self.down: set[str] = set()
        self.asked: list[Asked] = []
        self.answering_s = 0.0
        self.stopped = threading.Event()
        self._times_asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._servers = {name: _Server(self, name) for name in SERVICES}

    def url(self, service: str) -> str:
        """Address of a service, for the configuration."""
        paths = {
            "first": "cgi-bin/firstcutout",
            "skyview": "runquery.pl",
            "irsa": "SIA",
            "hips2fits": "hips2fits",
        }
        return f"http://127.0.0.1:{self._servers[service].server_port}/{paths[service]}"

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        """Section ``survey.archive.services`` that leads here."""
        return {name: {"url": self.url(name)} for name in SERVICES}

    def images_asked(self, service: str) -> list[Asked]:
        """Requests for images, without those for lists of tiles."""
        return [asked for asked in self.asked if asked.service == service and "/SIA" not in asked.key]

    def __enter__(self) -> "ArchiveServer":
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def meet(self, service: str, key: str, user_agent: str) -> str:
        """Record a request; returns the fault it meets, or nothing."""
        with self._lock:
            number = self._times_asked[service, key]
            self._times_asked[service, key] += 1
            fault = "error" if service in self.down else self._fault(service, key, number)
            self.asked.append(Asked(time.time(), service, key, fault, user_agent))
        return fault

    def _fault(self, service: str, key: str, number: int) -> str:
        digest = hashlib.sha256(f"{self.seed} {service} {key} {number}".encode()).digest()
        draw, choice = struct.unpack(">QQ", digest[:16])
        faults = [fault for fault in self.faults if fault in LIST_FAULTS or "/SIA" not in key]
        return faults[choice % len(faults)] if draw / 2**64 < self.fraction else ""

    def forget(self) -> None:
        """Begin again: nothing has been asked."""
        with self._lock:
            self.asked, self.answering_s = [], 0.0
            self._times_asked.clear()

    def answered(self, seconds: float) -> None:
        """Count the time an answer took."""
        with self._lock:
            self.answering_s += seconds


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, archive: ArchiveServer, service: str) -> None:
        self.archive, self.service = archive, service
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave early are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:  # noqa: N802
        split = urlsplit(self.path)
        self._answer(split.path, dict(parse_qsl(split.query, keep_blank_values=True)))

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(urlsplit(self.path).path, dict(parse_qsl(body.decode(), keep_blank_values=True)))

    def log_message(self, *arguments: object) -> None:
        """Silent: requests are recorded."""

    def _answer(self, path: str, fields: dict[str, str]) -> None:
        archive, service = self.server.archive, self.server.service
        begun = time.perf_counter()
        fault = archive.meet(service, f"{path} {sorted(fields.items())}", self.headers["User-Agent"])
        if fault in ("elsewhere", "shifted"):
            reply = archive.reply(service, path, _moved(fields, 0.5 if fault == "elsewhere" else 0.03))
        else:
            reply = archive.reply(service, path, fields)
        if fault in ("", "elsewhere", "shifted"):
            self._send(reply.status, reply.content, reply.kind)
        else:
            getattr(self, f"_{fault}")(reply)
        archive.answered(time.perf_counter() - begun)

    def _send(self, status: int, content: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _busy(self, reply: Reply) -> None:
        self._send(429, b"slow down", "text/plain", Retry_After=self.server.archive.retry_after)

    def _error(self, reply: Reply) -> None:
        self._send(500, PAGE, "text/html")

    def _overloaded(self, reply: Reply) -> None:
        self._send(503, PAGE, "text/html")

    def _timeout(self, reply: Reply) -> None:
        self.server.archive.stopped.wait(self.server.archive.stuck_s)
        self.close_connection = True

    def _reset(self, reply: Reply) -> None:
        self._begin(reply, len(reply.content))
        self.wfile.write(reply.content[: len(reply.content) // 3])
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _drip(self, reply: Reply) -> None:
        self._begin(reply, len(reply.content))
        until = time.monotonic() + self.server.archive.stuck_s
        for place in range(len(reply.content)):
            self.wfile.write(reply.content[place : place + 1])
            self.wfile.flush()
            if self.server.archive.stopped.wait(0.02) or time.monotonic() > until:
                return

    def _truncated(self, reply: Reply) -> None:
        self._begin(reply, len(reply.content))
        self.wfile.write(reply.content[: len(reply.content) // 2])

    def _cut_short(self, reply: Reply) -> None:
        """Without a length, so that HTTP does not tell."""
        self._begin(reply, None)
        self.wfile.write(reply.content[: len(reply.content) * 2 // 3])

    def _chunks(self, reply: Reply) -> None:
        """In chunks, as scripts send, of which the last ones are lost."""
        self.close_connection = True
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(reply.content) // 2, 1000):
            chunk = reply.content[start : start + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

    def _page(self, reply: Reply) -> None:
        self._send(200, PAGE, "text/html")

    def _gzip(self, reply: Reply) -> None:
        self._send(reply.status, gzip.compress(reply.content, mtime=0), "application/gzip")

    def _empty(self, reply: Reply) -> None:
        self._send(200, b"", "image/fits")

    def _zeros(self, reply: Reply) -> None:
        self._send(reply.status, _without_pixels(reply.content), reply.kind)

    def _begin(self, reply: Reply, length: int | None) -> None:
        self.close_connection = True
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Connection", "close")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


def _moved(fields: dict[str, str], by_deg: float) -> dict[str, str]:
    """The same question about a place farther north."""
    moved = dict(fields)
    if "RA" in fields:
        hours, dec = fields["RA"].split()
        moved["RA"] = f"{hours} {float(dec) + by_deg}"
    for name in ("Position", "center"):
        if name in fields:
            ra, dec = fields[name].split(",")
            moved[name] = f"{ra},{float(dec) + by_deg}"
    if "dec" in fields:
        moved["dec"] = str(float(fields["dec"]) + by_deg)
    return moved


@lru_cache(maxsize=8)
def _without_pixels(content: bytes) -> bytes:
    if not content.startswith(b"SIMPLE"):
        return content
    with fits.open(io.BytesIO(content)) as hdus:
        header = hdus[0].header
        return content[: hdus[0].fileinfo()["datLoc"]] + bytes(
            -(-abs(header["BITPIX"]) // 8 * header["NAXIS1"] * header["NAXIS2"] // 2880) * 2880
        )


def patient(folder: Path, **changes: object) -> FetchOptions:
    """Options of a test: short pauses, no limit that would slow it down; `HASTY` where servers hang."""
    fast = {"requests_per_s": 1000.0, "connections": 2}
    options = {
        "limits_folder": str(folder / "limits"),
        "limits": dict.fromkeys(SERVICES, fast),
        "read_timeout_s": 20.0,
        "request_timeout_s": 30.0,
        "pause_s": 0.01,
        "max_pause_s": 0.05,
        "breaker_pause_s": 60.0,
    }
    return load_config().cutouts.archive.changed(**{**options, **changes})


def open_archive(
    server: ArchiveServer, name: str, fetch: FetchOptions, **order: Sequence[str]
) -> ArchiveProvider:
    """Open the unmodified image provider of a survey on the mock server; the caller closes it."""
    section = {
        "radio": {"source": "archive"},
        "infrared": {"source": "archive"},
        "archive": {"services": server.settings, "order": order},
    }
    survey = load_config({"survey": section}).survey
    options = survey.radio if survey.radio.name == name else survey.infrared
    return open_provider(options, seed=0, archive=survey.archive, fetch=fetch)
