"""HTTP client for archives, with limits, time-outs and retries.

A request has one of four outcomes: a value, which the caller's `read` makes from the answer; a `Fault`,
where a retry may help; a `Refusal`, where it does not; or `ServiceDown`.  astroquery's own HTTP is not used:
it does not retry, and its cache keeps error pages for a week.
"""

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import urlencode, urlsplit

import requests
import tenacity
import urllib3

from claran_core import __version__
from claran_core.common.errors import ConfigError
from claran_core.common.paths import resolve_path
from claran_core.survey.archive.limits import HostLimits, default_folder
from claran_core.survey.archive.options import FetchOptions
from claran_core.survey.archive.services import Service

__all__ = ["Answer", "Client", "Doubtful", "Fault", "Refusal", "Request"]

Value = TypeVar("Value")

# Tells an archive who sends the requests, and why.
HOMEPAGE = "https://doi.org/10.1093/mnras/sty2646"
# Status codes of temporary errors.
FAULT_STATUS = {408, 425, 429, 500, 502, 503, 504}
CHUNK_BYTES = 1 << 16
# Cut-outs and tables are far smaller.
MAX_BYTES = 64 << 20
# A doubtful answer, or a refusal, is accepted after the server has given it this many times.
ACCEPTED_AFTER = 3


class Fault(Exception):  # noqa: N818  (a finding about an answer, not a fault of the program)
    """A failed request that is worth a retry; with `blames_host`, the host's breaker counts it."""

    def __init__(self, reason: str, *, blames_host: bool = True, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.blames_host, self.pause_s = blames_host, pause_s


class Doubtful(Fault):
    """A suspicious answer: `value` is accepted if the same bytes come several times."""

    def __init__(self, reason: str, value: object) -> None:
        super().__init__(reason, blames_host=False)
        self.value = value


class Refusal(Exception):  # noqa: N818
    """A request that the server repeatedly refuses (HTTP `status`), or that it cannot be sent."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason if status is None else f"HTTP {status}: {reason}")
        self.status = status


@dataclass(frozen=True)
class Request:
    """A request: `params` become the query of the URL; with a `form`, it is a POST."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None

    @property
    def address(self) -> str:
        """The request as a single URL, for provenance; the fields of a form are appended to the query."""
        fields = urlencode({**self.params, **(self.form or {})})
        joint = "&" if "?" in self.url else "?"
        return f"{self.url}{joint}{fields}" if fields else self.url


@dataclass(frozen=True)
class Answer:
    """An answer that is complete according to HTTP.

    Attributes
    ----------
    content : bytes
        The body.
    url : str
        The request as a single URL.
    sha256 : str
        SHA-256 of the body as received, hexadecimal.
    fetched_at : str
        Time of receipt, ISO 8601, UTC.
    """

    content: bytes
    url: str
    sha256: str
    fetched_at: str


class _ThreadState(threading.local):
    """State of each thread: sessions are not thread-safe."""

    session: requests.Session | None = None


class Client:
    """HTTP client whose limits are shared by all processes with the same folder.  Close it, or use ``with``.

    Parameters
    ----------
    options : FetchOptions
        Time-outs, retries and limits (section ``cutouts.archive``).
    working_directory : Path, optional
        Directory that a relative folder of the limits refers to.

    Raises
    ------
    ConfigError
        If the folder of the limits cannot be created.
    """

    def __init__(self, options: FetchOptions, working_directory: Path | None = None) -> None:
        self.options = options
        self.folder = default_folder()
        if options.limits_folder is not None:
            self.folder = resolve_path(options.limits_folder, working_directory)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"config: cutouts.archive.limits_folder: {error}") from None
        self._limits: dict[tuple[str, str], HostLimits] = {}
        self._sessions: list[requests.Session] = []
        self._thread = _ThreadState()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def fetch(self, service: Service, request: Request, read: Callable[[Answer], Value]) -> Value:
        """Send a request until `read` accepts the answer, or the retries are used up.

        Parameters
        ----------
        service : Service
            Service whose limits apply.
        request : Request
            The request.
        read : callable
            Converts an `Answer` to a value; raises `Fault` if that is impossible, `Doubtful` if the answer is
            suspicious.

        Raises
        ------
        Fault
            If no attempt succeeded: the fault of the last one.
        Refusal
            If the server refused `ACCEPTED_AFTER` times.
        ServiceDown
            If the breaker of the host is open.
        """
        limits = self._limits_of(service, request.url)
        seen: Counter[str] = Counter()
        tries = tenacity.Retrying(
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self.options.tries), tenacity.stop_when_event_set(self._stopped)
            ),
            sleep=tenacity.sleep_using_event(self._stopped),
            wait=tenacity.wait_random_exponential(self.options.pause_s, max=self.options.max_pause_s),
            retry=tenacity.retry_if_exception_type(Fault),
            reraise=True,
        )
        return tries(self._try, limits, request, read, seen)

    def _try(
        self, limits: HostLimits, request: Request, read: Callable[[Answer], Value], seen: Counter[str]
    ) -> Value:
        try:
            with limits.turn():
                answer = self._send(request)
            value = self._read(answer, read, seen)
        except Fault as fault:
            if fault.pause_s is not None:
                limits.pause(fault.pause_s)
            if fault.blames_host:
                limits.failed(str(fault))
            else:
                limits.succeeded()
            raise
        except Refusal as refusal:
            limits.succeeded()
            if self._is_repeated(seen, str(refusal)):
                raise
            raise Fault(str(refusal), blames_host=False) from None
        limits.succeeded()
        return value

    def _is_repeated(self, seen: Counter[str], answer: str) -> bool:
        """Count an answer, and return whether it came often enough to be accepted."""
        seen[answer] += 1
        return seen[answer] >= min(ACCEPTED_AFTER, self.options.tries)

    def _read(self, answer: Answer, read: Callable[[Answer], Value], seen: Counter[str]) -> Value:
        try:
            return read(answer)
        except Doubtful as doubt:
            if self._is_repeated(seen, answer.sha256):
                return cast(Value, doubt.value)  # made by the same `read`
            raise

    def _send(self, request: Request) -> Answer:
        options = self.options
        deadline = time.monotonic() + options.request_timeout_s
        try:
            with self._session().request(
                "GET" if request.form is None else "POST",
                request.url,
                params=request.params,
                data=request.form,
                proxies=_proxies(urlsplit(request.url).scheme, urlsplit(request.url).netloc),
                timeout=(options.connect_timeout_s, options.read_timeout_s),
                stream=True,
            ) as response:
                content = _body(response, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Fault(_transport_reason(error)) from None
        _check_status(response, content)
        return Answer(
            content=content,
            url=request.address,
            sha256=hashlib.sha256(content).hexdigest(),
            fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _session(self) -> requests.Session:
        """Return the session of this thread, which keeps connections open between requests."""
        session = self._thread.session
        if session is None:
            session = self._thread.session = requests.Session()
            # Proxies and certificates are read from the environment once, not for each request.  Passwords in
            # ~/.netrc are never sent.
            session.trust_env = False
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
            contact = f"; {self.options.contact}" if self.options.contact else ""
            session.headers["User-Agent"] = f"claran-survey/{__version__} (+{HOMEPAGE}{contact})"
            with self._lock:
                self._sessions.append(session)
        return session

    def _limits_of(self, service: Service, url: str) -> HostLimits:
        host = urlsplit(url).netloc
        with self._lock:
            key = service.name, host
            if key not in self._limits:
                self._limits[key] = HostLimits(
                    self.folder,
                    host,
                    requests_per_s=service.requests_per_s,
                    connections=service.connections,
                    breaker_failures=self.options.breaker_failures,
                    breaker_pause_s=self.options.breaker_pause_s,
                    max_pause_s=self.options.max_pause_s,
                )
            return self._limits[key]

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop(self) -> None:
        """End retries: requests under way finish or fail, and are not repeated."""
        self._stopped.set()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()
            self._thread = _ThreadState()


@lru_cache(maxsize=64)
def _proxies(scheme: str, host: str) -> dict[str, str]:
    """Return the proxies that the environment sets for a host."""
    return requests.utils.get_environ_proxies(f"{scheme}://{host}/")


def _body(response: requests.Response, deadline: float) -> bytes:
    """Read a body piece by piece, so that a slow server cannot exceed the deadline.

    Raises
    ------
    Fault
        If it is late, too large, or shorter than its Content-Length.
    """
    parts, size = [], 0
    # read1 returns what has arrived; read would wait for a whole chunk.
    while part := response.raw.read1(CHUNK_BYTES, decode_content=True):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise Fault(f"too slow: {size} bytes received within the time limit")
        if size > MAX_BYTES:
            raise Fault(f"more than {MAX_BYTES >> 20} MiB received")
    announced = response.headers.get("Content-Length")
    encoded = "Content-Encoding" in response.headers
    if announced is not None and announced.isdigit() and not encoded and size < int(announced):
        raise Fault(f"truncated: {size} bytes received of {announced}")
    return b"".join(parts)


def _check_status(response: requests.Response, content: bytes) -> None:
    if response.status_code == 200:
        return
    reason = " ".join(content[:300].decode("utf-8", "replace").split()) or response.reason
    if response.status_code in FAULT_STATUS:
        pause_s = _retry_after_s(response.headers.get("Retry-After"))
        raise Fault(f"HTTP {response.status_code} {response.reason}", pause_s=pause_s)
    raise Refusal(reason, status=response.status_code)


def _retry_after_s(value: str | None) -> float | None:
    """Return the pause in seconds of a Retry-After header: a number or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _transport_reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError | ConnectionError):
        return "no connection, or connection lost"
    return f"the transfer failed ({type(error).__name__})"
