"""Asking an archive over HTTP: limits, time-outs, tries, and nothing kept that was not looked at.

Everything a request may meet is one of four things: a value, made of the answer by the caller's `read`;
a `Fault`, after which another try may help; a `Refusal`, which no try will change; or `ServiceDown`.
astroquery's own HTTP is not used: it has no tries, and its cache keeps error pages for a week.
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
from typing import TypeVar
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

# Tells an archive whose requests these are, and what they are for.
HOMEPAGE = "https://doi.org/10.1093/mnras/sty2646"
# Answers that say the server is in trouble or asks for patience.
FAULT_STATUS = {408, 425, 429, 500, 502, 503, 504}
CHUNK_BYTES = 1 << 16
# Cut-outs and tables are far smaller; whatever is larger is not one.
MAX_BYTES = 64 << 20
# An answer that may be right or wrong, and a refusal, is believed when the server insists: this many times.
BELIEVED_AFTER = 3


class Fault(Exception):  # noqa: N818  (a finding about an answer, not a fault of the program)
    """An answer that is none; another try may bring one.  `blames_host` counts towards its breaker."""

    def __init__(self, reason: str, *, blames_host: bool = True, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.blames_host, self.pause_s = blames_host, pause_s


class Doubtful(Fault):
    """An answer that is odd but possible: `value` is believed when the same bytes come several times."""

    def __init__(self, reason: str, value: object) -> None:
        super().__init__(reason, blames_host=False)
        self.value = value


class Refusal(Exception):  # noqa: N818
    """The server insists on no, with a `status` of HTTP, or could not be asked: no try will change that."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason if status is None else f"HTTP {status}: {reason}")
        self.status = status


@dataclass(frozen=True)
class Request:
    """What to ask: `params` go into the address, `form` makes it a POST."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None

    @property
    def address(self) -> str:
        """The whole question as an address, for the record; a form's fields are appended to it."""
        fields = urlencode({**self.params, **(self.form or {})})
        joint = "&" if "?" in self.url else "?"
        return f"{self.url}{joint}{fields}" if fields else self.url


@dataclass(frozen=True)
class Answer:
    """What came, complete as far as HTTP tells.

    Attributes
    ----------
    content : bytes
        The body.
    url : str
        What was asked.
    sha256 : str
        Of the body as it came, hexadecimal.
    fetched_at : str
        When it had come, ISO 8601, UTC.
    """

    content: bytes
    url: str
    sha256: str
    fetched_at: str


class _ThreadState(threading.local):
    """State of each thread: sessions are not thread-safe."""

    session: requests.Session | None = None


class Client:
    """Asks services; its limits are those of all processes with the same folder.  Close it, or use ``with``.

    Parameters
    ----------
    options : FetchOptions
        Time-outs, tries and limits (section ``cutouts.archive``).
    working_directory : Path, optional
        Where a relative folder of the limits starts.

    Raises
    ------
    ConfigError
        If the folder of the limits cannot be made.
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
        self._own = _ThreadState()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def fetch(self, service: Service, request: Request, read: Callable[[Answer], Value]) -> Value:
        """Ask until `read` makes a value of an answer, or the tries are used up.

        Parameters
        ----------
        service : Service
            Whose limits hold.
        request : Request
            What to ask.
        read : callable
            Makes a value of an `Answer`; raises `Fault` if it is none, `Doubtful` if it may be one.

        Raises
        ------
        Fault
            If no try brought a value: the last one's.
        Refusal
            If the server says no, as often as it takes to be believed.
        ServiceDown
            If the host is left alone for now.
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
                answer = self._ask(request)
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
            if self._insists(seen, str(refusal)):
                raise
            raise Fault(str(refusal), blames_host=False) from None
        limits.succeeded()
        return value

    def _insists(self, seen: Counter[str], answer: str) -> bool:
        """Whether a server has now given the same answer often enough to be believed."""
        seen[answer] += 1
        return seen[answer] >= min(BELIEVED_AFTER, self.options.tries)

    def _read(self, answer: Answer, read: Callable[[Answer], Value], seen: Counter[str]) -> Value:
        try:
            return read(answer)
        except Doubtful as doubt:
            if self._insists(seen, answer.sha256):
                return doubt.value
            raise

    def _ask(self, request: Request) -> Answer:
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
        """Session of this thread: connections are kept open between requests."""
        session = self._own.session
        if session is None:
            session = self._own.session = requests.Session()
            # The environment is looked at once, not with each request: proxies, certificates.  Passwords in
            # ~/.netrc are none of the archives' business.
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
            self._own = _ThreadState()


@lru_cache(maxsize=64)
def _proxies(scheme: str, host: str) -> Mapping[str, str]:
    """Proxies that the environment names for a host."""
    return requests.utils.get_environ_proxies(f"{scheme}://{host}/")


def _body(response: requests.Response, deadline: float) -> bytes:
    """Read a body piece by piece, so that a server that drips cannot hold us beyond the deadline.

    Raises
    ------
    Fault
        If it is late, too large, or shorter than announced.
    """
    parts, size = [], 0
    # read1 returns with what has come; read would wait for the whole piece.
    while part := response.raw.read1(CHUNK_BYTES, decode_content=True):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise Fault(f"too slow: {size} bytes had come when time was up")
        if size > MAX_BYTES:
            raise Fault(f"more than {MAX_BYTES >> 20} MiB came")
    announced = response.headers.get("Content-Length")
    encoded = "Content-Encoding" in response.headers
    if announced is not None and announced.isdigit() and not encoded and size < int(announced):
        raise Fault(f"cut off: {size} bytes came of {announced}")
    return b"".join(parts)


def _check_status(response: requests.Response, content: bytes) -> None:
    if response.status_code == 200:
        return
    reason = " ".join(content[:300].decode("utf-8", "replace").split()) or response.reason
    if response.status_code in FAULT_STATUS:
        pause_s = _pause_asked(response.headers.get("Retry-After"))
        raise Fault(f"HTTP {response.status_code} {response.reason}", pause_s=pause_s)
    raise Refusal(reason, status=response.status_code)


def _pause_asked(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which gives them or a date (RFC 9110, section 10.2.3)."""
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
        return "no connection, or it was broken off"
    return f"the transfer failed ({type(error).__name__})"
