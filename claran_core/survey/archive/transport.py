"""HTTP connections on which every byte of a server counts against a time and a size limit.

Time-outs of sockets apply to one wait for data, and the limits of HTTP libraries to the body.  A server can
therefore send headers, ``100 Continue``, chunk sizes or trailers for ever, a byte at a time.  Here all that
arrives passes through one reader, `_MeteredSocket`, which knows what is left of the request's `Budget`.
"""

import http.client
import io
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

from claran_core.survey.archive.outcomes import Fault

__all__ = ["MAX_BYTES", "Budget", "MeteredSession", "spend"]

# Cut-outs and tables are far smaller.  The limit applies to what is received for a request, with headers and
# redirects, and again to what is unpacked from it.
MAX_BYTES = 64 << 20


class Budget:
    """Time and bytes that a request may take, its redirects included.

    Parameters
    ----------
    total_s : float
        Time from now to the last byte, s.
    wait_s : float
        Longest wait without a byte, s.
    """

    def __init__(self, total_s: float, wait_s: float) -> None:
        self.total_s, self.wait_s = total_s, wait_s
        self.received = 0
        self._deadline = time.monotonic() + total_s

    def left_s(self) -> float:
        """Return the time that is left, s.

        Raises
        ------
        Fault
            If no time is left.
        """
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            slow = f"too slow: {self.received} bytes received in {self.total_s:g} s"
            raise Fault(slow if self.received else "no answer in time")
        return left_s

    def count(self, received: int) -> None:
        """Count received bytes.

        Raises
        ------
        Fault
            If they are more than `MAX_BYTES`.
        """
        self.received += received
        if self.received > MAX_BYTES:
            raise Fault(f"more than {MAX_BYTES >> 20} MiB received")


# The budget of the request that this thread is making.
_BUDGET: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def spend(budget: Budget) -> Iterator[None]:
    """Count what is received inside the ``with`` block against a budget."""
    token = _BUDGET.set(budget)
    try:
        yield
    finally:
        _BUDGET.reset(token)


class MeteredSession(requests.Session):
    """A session that reads within the `Budget` of `spend`, follows no redirect and keeps no cookie.

    The environment is read once, for certificates only; passwords in ~/.netrc are never sent.

    Parameters
    ----------
    user_agent : str
        Header User-Agent of all requests.
    """

    def __init__(self, user_agent: str) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        # `Client` unpacks what comes compressed in spite of this, with a limit.
        self.headers.update({"User-Agent": user_agent, "Accept-Encoding": "identity"})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _MeteredAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, so that requests does not read the body of a redirect that it does not follow."""


class _MeteredSocket(io.RawIOBase):
    """The receiving side of a socket; each read waits no longer than the budget allows, and is counted."""

    def __init__(self, stream: io.RawIOBase, connection: socket.socket) -> None:
        super().__init__()
        self._stream, self._connection = stream, connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        budget = _BUDGET.get()
        self._connection.settimeout(min(budget.wait_s, budget.left_s()))
        try:
            received = self._stream.readinto(buffer)
        except TimeoutError:
            budget.left_s()  # tells a server that is slow from one that is silent
            raise
        budget.count(received or 0)
        return cast(int, received)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _MeteredResponse(http.client.HTTPResponse):
    """A response that reads through a `_MeteredSocket` from its status line on."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_MeteredSocket(self.fp.detach(), sock))


class _MeteredAdapter(HTTPAdapter):
    """An adapter whose connections, also those through proxies, give metered responses."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _meter(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:
        return _meter(super().proxy_manager_for(*args, **kwargs))


def _meter(manager: PoolManager) -> PoolManager:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _metered(pool) for scheme, pool in pools.items()}
    return manager


@lru_cache(maxsize=16)
def _metered(pool: Any) -> Any:
    """Return a class of connection pools as `pool`, whose connections give metered responses."""
    if pool.ConnectionCls.response_class is _MeteredResponse:
        return pool
    connection = type("Metered", (pool.ConnectionCls,), {"response_class": _MeteredResponse})
    return type("MeteredPool", (pool,), {"ConnectionCls": connection})
