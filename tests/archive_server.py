"""A stand-in for the archives: loopback servers that speak their protocols and serve the simulated sky.

Each service has a port of its own, so that it is a host of its own.  Faults are injected on a seed: which
ones a request meets depends on what is asked and on how often it was asked before, not on threads or time.
Every request is recorded.
"""

import gzip
import hashlib
import io
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

import numpy as np
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.io.votable.tree import Info
from astropy.table import Table

from claran_core.config import ArchiveOptions, FetchOptions, SurveyOptions
from claran_core.frame import Frame, flip_rows, pixels_to_sky
from claran_core.fusion.reprojection import reproject
from claran_core.survey.archive.source import ArchiveSource
from claran_core.survey.base import SURVEYS
from claran_core.survey.open import open_source
from claran_core.survey.simulated import SimulatedSource
from claran_core.survey.simulated.geometry import Tile, Window, cells_near

__all__ = ["FAULTS", "SERVICES", "ArchiveServer", "Asked", "open_archive", "patient"]

# Each is something real servers do; "gzip" alone is harmless.
FAULTS = (
    *("busy", "error", "overloaded", "timeout", "reset", "drip", "truncated", "cut_short"),
    *("page", "gzip", "elsewhere", "shifted", "empty", "zeros"),
)
# Of these the rest of a list of tiles makes no sense.
LIST_FAULTS = ("busy", "error", "overloaded", "timeout", "reset", "drip", "truncated", "page", "empty")
SERVICES = ("first", "skyview", "irsa", "hips2fits")
# Half the width of a stand-in atlas tile, and half of what its two halves share: less than a subject.
TILE_HALF_PX, SEAM_HALF_PX = 1750, 20
PAGE = b"<html><head><title>Error</title></head><body>Internal error; try again later.</body></html>"


@dataclass(frozen=True)
class Asked:
    """A request as it came: when (Unix seconds), what for, and the fault it met, if any."""

    time: float
    service: str
    key: str
    fault: str
    user_agent: str


@dataclass
class _Reply:
    """An answer before faults: `place` makes the same for another position."""

    content: bytes
    status: int = 200
    kind: str = "image/fits"
    headers: dict[str, str] = field(default_factory=dict)


class ArchiveServer:
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
        self.seed, self.fraction, self.faults = seed, fraction, tuple(faults)
        self.covers, self.stuck_s, self.retry_after = covers, stuck_s, retry_after
        self.down: set[str] = set()
        self.asked: list[Asked] = []
        self.answering_s = 0.0
        self.stopped = threading.Event()
        self._sources = {survey.band: SimulatedSource(survey, seed=seed) for survey in SURVEYS.values()}
        self._times_asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._replies: dict[tuple[str, str], _Reply] = {}
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

    def reply(self, service: str, path: str, fields: dict[str, str]) -> _Reply:
        """What the service answers without a fault; made once."""
        key = service, f"{path} {sorted(fields.items())}"
        if key not in self._replies:
            self._replies[key] = getattr(self, f"_{service}")(path, fields)
        return self._replies[key]

    def forget(self) -> None:
        """Begin again: nothing has been asked."""
        with self._lock:
            self.asked, self.answering_s = [], 0.0
            self._times_asked.clear()

    def answered(self, seconds: float) -> None:
        """Count the time an answer took."""
        with self._lock:
            self.answering_s += seconds

    def _first(self, path: str, fields: dict[str, str]) -> _Reply:
        hours, dec = map(float, fields["RA"].split())
        size_px = min(int(fields["MaxImSize"]), round(float(fields["ImageSize"]) * 60 / 1.8))
        assert fields["ImageType"] == "FITS File" and fields["Equinox"] == "J2000" and size_px <= 1024
        if not self.covers("radio", hours * 15, dec):
            page = b"<html><body>Position is outside of the area of the FIRST survey</body></html>"
            return _Reply(page, kind="text/html")
        cutout = self._sources["radio"].cutout("", hours * 15, dec, size_px * 1.8)
        header = cutout.wcs.to_header()
        for axis, (name, value) in enumerate((("FREQ", 1.3649e9), ("STOKES", 1.0)), 3):
            header.update(
                {f"CTYPE{axis}": name, f"CRVAL{axis}": value, f"CDELT{axis}": 1.0, f"CRPIX{axis}": 1.0}
            )
        header.update(
            {"BUNIT": "JY/BEAM", "BMAJ": 1.5e-3, "BMIN": 1.5e-3, "BPA": 0.0, "DATE-OBS": "19930417"}
        )
        return _Reply(_fits(cutout.data, header))

    def _skyview(self, path: str, fields: dict[str, str]) -> _Reply:
        ra, dec = map(float, fields["Position"].split(","))
        assert fields["Return"] == "FITS" and fields["Survey"] == "VLA FIRST (1.4 GHz)"
        data, header = self._resampled("radio", ra, dec, int(fields["Pixels"]), float(fields["Size"]))
        return _Reply(_fits(np.nan_to_num(data), header))

    def _hips2fits(self, path: str, fields: dict[str, str]) -> _Reply:
        if fields["hips"] != "CDS/P/allWISE/W1":
            problem = {"title": "Bad hips", "description": "unknown"}
            return _Reply(json.dumps(problem).encode(), 400, "application/json")
        place = float(fields["ra"]), float(fields["dec"]), int(fields["width"]), float(fields["fov"])
        return _Reply(_fits(*self._resampled("infrared", *place)))

    def _resampled(
        self, band: str, ra: float, dec: float, size_px: int, width_deg: float
    ) -> tuple[np.ndarray, fits.Header]:
        frame = Frame(size_px=size_px, pixel_scale_arcsec=width_deg * 3600 / size_px)
        header = frame.fits_wcs(ra, dec).to_header()
        if not self.covers(band, ra, dec):
            return np.full((size_px, size_px), np.nan, np.float32), header
        cutout = self._sources[band].cutout("", ra, dec, width_deg * 3600)
        return flip_rows(reproject(cutout, frame, ra, dec)), header

    def _irsa(self, path: str, fields: dict[str, str]) -> _Reply:
        if path.startswith("/SIA"):
            return self._tile_list(fields)
        name = path.rsplit("/", 1)[1]
        tile, limits = self._tile(int(name[:6]), name[6])
        ra, dec = map(float, fields["center"].split(","))
        size_arcsec = float(fields["size"].removesuffix("arcsec"))
        window = tile.window(ra, dec, size_arcsec)
        inside, _ = window.overlap(limits)
        data = self._sources["infrared"].render(tile, window)[inside].astype(np.float32)
        if not data.size:
            return _Reply(b"the cutout does not overlap the image", 400, "text/plain")
        rows, columns = inside
        clipped = Window(window.x0 + columns.start, window.y0 + rows.start, data.shape[1], data.shape[0])
        content = _fits(data, tile.wcs(clipped).to_header() + fits.Header({"BUNIT": "DN", "BAND": 1}))
        packed = fields.get("gzip") != "false"
        return _Reply(gzip.compress(content, mtime=0) if packed else content)

    def _tile_list(self, fields: dict[str, str]) -> _Reply:
        shape, ra, dec, radius = fields["POS"].split()
        assert shape == "CIRCLE" and fields["COLLECTION"] == "wise_allwise" and fields["BAND"]
        rows = []
        for cell in cells_near(float(ra), float(dec), float(radius) * 3600 + 2000, 64):
            for half in "we":
                tile, limits = self._tile(cell, half)
                if self.covers("infrared", tile.ra_deg, tile.dec_deg):
                    rows += self._tile_rows(cell, half, tile, limits)
        names = ("access_url", "s_region", "energy_bandpassname", "dataproduct_subtype")
        table = Table(rows=rows or None, names=names, dtype=["U200", "U200", "U10", "U20"])
        return _Reply(_votable(table), kind="application/x-votable+xml")

    def _tile_rows(self, cell: int, half: str, tile: Tile, limits: Window) -> list[tuple[str, ...]]:
        x = np.array([0, limits.nx - 1, limits.nx - 1, 0])
        y = np.array([0, 0, limits.ny - 1, limits.ny - 1])
        corners = np.stack(pixels_to_sky(tile.wcs(limits), x, y), axis=1).ravel()
        region = "POLYGON ICRS " + " ".join(f"{value:.8f}" for value in corners)
        base = f"http://127.0.0.1:{self._servers['irsa'].server_port}/ibe/data/{cell:06d}{half}"
        return [
            (f"{base}-w1-unc-3.fits", region, "W1", "noise"),
            (f"{base}-w1-int-3.fits", region, "W1", "science"),
            (f"{base}-w2-int-3.fits", region, "W2", "science"),
        ]

    def _tile(self, cell: int, half: str) -> tuple[Tile, Window]:
        tile = self._sources["infrared"].grid.tile(cell)
        middle = tile.grid.size_px // 2
        x0 = middle - (TILE_HALF_PX if half == "e" else SEAM_HALF_PX)
        return tile, Window(x0, middle - TILE_HALF_PX, TILE_HALF_PX + SEAM_HALF_PX, 2 * TILE_HALF_PX)


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

    def _busy(self, reply: _Reply) -> None:
        self._send(429, b"slow down", "text/plain", Retry_After=self.server.archive.retry_after)

    def _error(self, reply: _Reply) -> None:
        self._send(500, PAGE, "text/html")

    def _overloaded(self, reply: _Reply) -> None:
        self._send(503, PAGE, "text/html")

    def _timeout(self, reply: _Reply) -> None:
        self.server.archive.stopped.wait(self.server.archive.stuck_s)
        self.close_connection = True

    def _reset(self, reply: _Reply) -> None:
        self._begin(reply, len(reply.content))
        self.wfile.write(reply.content[: len(reply.content) // 3])
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _drip(self, reply: _Reply) -> None:
        self._begin(reply, len(reply.content))
        until = time.monotonic() + self.server.archive.stuck_s
        for place in range(len(reply.content)):
            self.wfile.write(reply.content[place : place + 1])
            self.wfile.flush()
            if self.server.archive.stopped.wait(0.02) or time.monotonic() > until:
                return

    def _truncated(self, reply: _Reply) -> None:
        self._begin(reply, len(reply.content))
        self.wfile.write(reply.content[: len(reply.content) // 2])

    def _cut_short(self, reply: _Reply) -> None:
        """Without a length, so that HTTP does not tell."""
        self._begin(reply, None)
        self.wfile.write(reply.content[: len(reply.content) * 2 // 3])

    def _page(self, reply: _Reply) -> None:
        self._send(200, PAGE, "text/html")

    def _gzip(self, reply: _Reply) -> None:
        self._send(reply.status, gzip.compress(reply.content, mtime=0), "application/gzip")

    def _empty(self, reply: _Reply) -> None:
        self._send(200, b"", "image/fits")

    def _zeros(self, reply: _Reply) -> None:
        self._send(reply.status, _without_pixels(reply.content), reply.kind)

    def _begin(self, reply: _Reply, length: int | None) -> None:
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


def _fits(data: np.ndarray, header: fits.Header) -> bytes:
    buffer = io.BytesIO()
    fits.PrimaryHDU(data.astype(np.float32), header).writeto(buffer, output_verify="ignore")
    return buffer.getvalue()


@lru_cache(maxsize=8)
def _without_pixels(content: bytes) -> bytes:
    if not content.startswith(b"SIMPLE"):
        return content
    with fits.open(io.BytesIO(content)) as hdus:
        header = hdus[0].header
        return content[: hdus[0].fileinfo()["datLoc"]] + bytes(
            -(-abs(header["BITPIX"]) // 8 * header["NAXIS1"] * header["NAXIS2"] // 2880) * 2880
        )


def _votable(table: Table) -> bytes:
    votable = from_table(table)
    votable.resources[0].type = "results"
    votable.resources[0].infos.append(Info(name="QUERY_STATUS", value="OK"))
    buffer = io.BytesIO()
    writeto(votable, buffer)
    return buffer.getvalue()


def patient(folder: Path, **changes: object) -> FetchOptions:
    """Options of a test: short pauses and time-outs, no limit that would slow it down."""
    fast = {"requests_per_s": 1000.0, "connections": 2}
    options = {
        "limits_folder": str(folder / "limits"),
        "limits": dict.fromkeys(SERVICES, fast),
        "read_timeout_s": 0.3,
        "request_timeout_s": 0.5,
        "pause_s": 0.01,
        "max_pause_s": 0.05,
        "breaker_pause_s": 60.0,
    }
    return FetchOptions(**{**options, **changes})


def open_archive(
    server: ArchiveServer, name: str, fetch: FetchOptions, **order: Sequence[str]
) -> ArchiveSource:
    """The unmodified source of a survey, led to the stand-in; close it."""
    archive = ArchiveOptions(services=server.settings, order=order)
    return open_source(SurveyOptions(name, "archive"), seed=0, archive=archive, fetch=fetch)
