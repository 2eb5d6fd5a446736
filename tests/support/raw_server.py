"""A loopback server that answers each request with whatever bytes a test wants, in whatever time."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import repeat
from types import TracebackType
from typing import Any

from claran_core.survey.archive.services import Service

__all__ = ["RawServer", "Script", "dripping", "endless", "raw_service"]

# What is sent after the request, given as its first line and headers.
Script = Callable[[str], Iterator[bytes]]


def raw_service(address: str, **fields: Any) -> Service:
    """Return a service at an address of a `RawServer`, without a limit of requests worth mentioning."""
    return Service("raw", "FIRST", "first", address, requests_per_s=1000, **fields)


class RawServer:
    """A server on a loopback port; use ``with``.

    Parameters
    ----------
    script : callable
        Gives the pieces to send for a request; each is sent as soon as the script yields it.
    request_end : bytes
        End of a request, for which the server waits; empty: it sends at once.
    """

    def __init__(self, script: Script, request_end: bytes = b"\r\n\r\n") -> None:
        self.script, self.request_end = script, request_end
        self.requests: list[str] = []
        self.sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._stopped = threading.Event()

    def __enter__(self) -> "RawServer":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = b""
            while self.request_end not in request:
                if not (piece := connection.recv(65536)):
                    return
                request += piece
            self.requests.append(request.decode("latin-1"))
            for piece in self.script(self.requests[-1]):
                if self._stopped.is_set():
                    return
                connection.sendall(piece)
                self.sent += len(piece)


def dripping(start: bytes, piece: bytes, pause_s: float = 0.05) -> Script:
    """Return a script that sends `start`, then `piece` again and again with a pause before each."""

    def script(_: str) -> Iterator[bytes]:
        yield start
        for again in repeat(piece):
            time.sleep(pause_s)
            yield again

    return script


def endless(start: bytes, piece: bytes) -> Script:
    """Return a script that sends `start`, then `piece` again and again as fast as the client reads."""

    def script(_: str) -> Iterator[bytes]:
        yield start
        yield from repeat(piece)

    return script
