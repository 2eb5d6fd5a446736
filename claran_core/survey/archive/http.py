"""HTTP client for archives, with limits, time-outs and retries.

A request has one of four outcomes: a value, which the caller's `read` makes from the answer; a `Fault`,
where a retry may help; a `Refusal`, where it does not; or `ServiceDown`.  Whatever a server sends, a request
ends in time, takes a bounded number of bytes (`claran_core.survey.archive.transport`), and goes to hosts of
its service only.  astroquery's own HTTP is not used: it does not retry, and its cache keeps error pages for a
week.
"""

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

import requests
import tenacity
import urllib3

from claran_core import __version__
from claran_core.common.errors import ConfigError
from claran_core.common.text import printable
from claran_core.survey.archive.limits import HostLimits, limits_folder, own_folder
from claran_core.survey.archive.options import FetchOptions
from claran_core.survey.archive.outcomes import Doubtful, Fault, Refusal
from claran_core.survey.archive.services import Service, host_of
from claran_core.survey.archive.transport import Budget, MeteredSession, spend
from claran_core.survey.archive.unpack import gunzip

__all__ = ["Answer", "Client", "Request", "one_line"]

Value = TypeVar("Value")

# Tells an archive who sends the requests, and why.
HOMEPAGE = "https://doi.org/10.1093/mnras/sty2646"
# Status codes of temporary errors.
FAULT_STATUS = {408, 425, 429, 500, 502, 503, 504}
REDIRECT_STATUS = {301, 302, 303, 307, 308}
# After these redirects, the form of a POST is sent again.
REPEATING_STATUS = {307, 308}
MAX_REDIRECTS = 5
CHUNK_BYTES = 1 << 16
# A number in a header; longer ones mean nothing.
NUMBER = re.compile(r"[0-9]{1,15}")
# A doubtful answer, or a refusal, is accepted after the server has given it this many times.
ACCEPTED_AFTER = 3


@dataclass(frozen=True)
class Request:
    """A request: `params` become the query of the URL; with a `form`, it is a POST."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None

    @property
    def address(self) -> str:
        """The request as a single URL, for provenance: with the fields of a form, without a password."""
        fields = urlencode({**self.params, **(self.form or {})})
        parts = urlsplit(self.url)
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        joint = "&" if "?" in url else "?"
        return f"{url}{joint}{fields}" if fields else url


@dataclass(frozen=True)
class Answer:
    """An answer that is complete according to HTTP.

    Attributes
    ----------
    content : bytes
        The body.
    url : str
        The request that was answered as a single URL: the last one, if there were redirects.
    sha256 : str
        SHA-256 of the body, hexadecimal.
    fetched_at : str
        Time of receipt, ISO 8601, UTC.
    """

    content: bytes
    url: str
    sha256: str
    fetched_at: str


class _ThreadState(threading.local):
    """State of each thread: sessions are not thread-safe."""

    session: MeteredSession | None = None


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
        self.folder = limits_folder(options.limits_folder, working_directory)
        try:
            own_folder(self.folder)
        except OSError as error:
            raise ConfigError(f"config: cutouts.archive.limits_folder: {error}") from None
        self._limits: dict[tuple[str, str], HostLimits] = {}
        self._sessions: list[MeteredSession] = []
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
            If the server refused `ACCEPTED_AFTER` times, or the address is not on a host of the service.
        ServiceDown
            If the breaker of the host is open.
        """
        _check_address(service, request.url, source=service.url)
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
        return tries(self._try, limits, service, request, read, seen)

    def _try(
        self,
        limits: HostLimits,
        service: Service,
        request: Request,
        read: Callable[[Answer], Value],
        seen: Counter[str],
    ) -> Value:
        try:
            with limits.turn():
                answer = self._send(service, request)
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

    def _send(self, service: Service, request: Request) -> Answer:
        budget = Budget(self.options.request_timeout_s, self.options.read_timeout_s)
        try:
            with spend(budget):
                for _ in range(MAX_REDIRECTS + 1):
                    outcome = self._ask(request, budget)
                    if isinstance(outcome, Answer):
                        return outcome
                    _check_address(service, outcome.url, source=request.url)
                    request = outcome
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Fault(_transport_reason(error)) from None
        raise Refusal(f"more than {MAX_REDIRECTS} redirects")

    def _ask(self, request: Request, budget: Budget) -> Answer | Request:
        """Send one request, and return its answer, or the request that a redirect asks for."""
        connect_s = min(self.options.connect_timeout_s, budget.left_s())
        with self._session().request(
            "GET" if request.form is None else "POST",
            request.url,
            params=request.params,
            data=request.form,
            proxies=_proxies(urlsplit(request.url).scheme, urlsplit(request.url).netloc),
            timeout=(connect_s, min(budget.wait_s, budget.left_s())),
            stream=True,
        ) as response:
            # The body of a redirect is not read.
            if response.status_code in REDIRECT_STATUS and "Location" in response.headers:
                return _redirected(request, response)
            content = _body(response)
        _check_status(response, content)
        return Answer(
            content=content,
            url=request.address,
            sha256=hashlib.sha256(content).hexdigest(),
            fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _session(self) -> MeteredSession:
        """Return the session of this thread, which keeps connections open between requests."""
        session = self._thread.session
        if session is None:
            contact = f"; {self.options.contact}" if self.options.contact else ""
            session = MeteredSession(f"claran-survey/{__version__} (+{HOMEPAGE}{contact})")
            self._thread.session = session
            with self._lock:
                self._sessions.append(session)
        return session

    def _limits_of(self, service: Service, url: str) -> HostLimits:
        host = str(host_of(url))  # its address is that of an HTTP service
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


def _redirected(request: Request, response: requests.Response) -> Request:
    """Return the request that a redirect asks for."""
    try:
        url = urldefrag(urljoin(response.url, response.headers["Location"])).url
    except ValueError:
        raise Refusal("a redirect to an invalid address") from None
    form = request.form if response.status_code in REPEATING_STATUS else None
    return Request(requests.utils.requote_uri(url), form=form)


def _check_address(service: Service, url: str, *, source: str) -> None:
    if not service.leads_to(url, source=source):
        shown = ascii(url.partition("?")[0][:200])
        raise Refusal(
            f"it leads to {shown}, which is not on a host of the service (survey.archive.services."
            f"{service.name}.hosts)"
        )


def _body(response: requests.Response) -> bytes:
    """Read and unpack a body.

    Raises
    ------
    Fault
        If it is shorter than its Content-Length, or compressed in a way that is not known.
    """
    parts = []
    # read1 returns what has arrived; read would wait for a whole chunk.
    while part := response.raw.read1(CHUNK_BYTES, decode_content=False):
        parts.append(part)
    content = b"".join(parts)
    announced = response.headers.get("Content-Length", "")
    if NUMBER.fullmatch(announced) and len(content) < int(announced):
        raise Fault(f"truncated: {len(content)} bytes received of {announced}")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip") and content:
        return gunzip(content)
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Fault(f"compressed as {ascii(encoding[:40])}, although that was not asked for")
    return content


def _check_status(response: requests.Response, content: bytes) -> None:
    if response.status_code == 200:
        return
    if response.status_code in FAULT_STATUS:
        pause_s = _retry_after_s(response.headers.get("Retry-After"))
        raise Fault(f"HTTP {response.status_code} {one_line(response.reason or '')}", pause_s=pause_s)
    reason = one_line(content[:300].decode("utf-8", "replace")) or one_line(response.reason or "")
    raise Refusal(reason, status=response.status_code)


def one_line(text: str) -> str:
    """Return a text of a server in one line of printable characters."""
    return printable(" ".join(text.split()))


def _retry_after_s(value: str | None) -> float | None:
    """Return the pause in seconds of a Retry-After header: a number or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if NUMBER.fullmatch(value.strip()):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _transport_reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError | ConnectionError):
        return "no connection, or connection lost"
    return f"the transfer failed ({type(error).__name__})"
