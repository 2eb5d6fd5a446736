"""How often a host is asked, agreed on by all processes that share a folder.

Each host has a small state file there, changed under a lock: when the next request may start, and how
many have failed in a row.  Requests under way hold one of a few lock files.  Locks are the kernel's, so
that those of a killed process are free at once.  On a folder that all nodes of a cluster see, the limits
are the cluster's; times are the wall clock's for that reason.
"""

import getpass
import json
import random
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["HostLimits", "ServiceDown", "default_folder"]

# How often a lock that another process holds is tried; the state is held for less than a millisecond.
POLL_S = 0.002
# How often one looks for a free connection.
SLOT_POLL_S = 0.01
# Requests start a little farther apart than the limit asks: their ways to the host take different times.
MARGIN = 1.05
# A host that asks for more is asked again after a day.
LONGEST_PAUSE_S = 86400.0


class ServiceDown(Exception):  # noqa: N818  (a finding about a host, not a fault)
    """A host is not asked for a while, because it failed too often in a row or asked for a long pause."""


@dataclass
class _State:
    """What is known about a host: times are Unix seconds."""

    next_start: float = 0.0
    failures: int = 0
    closed_until: float = 0.0
    reason: str = ""


def default_folder() -> Path:
    """Folder of the limits of this user on this machine."""
    return Path(tempfile.gettempdir()) / f"claran-archive-{getpass.getuser()}"


class HostLimits:
    """Limits of one host, and the circuit breaker in front of it.

    Parameters
    ----------
    folder : Path
        Where the state is; processes with the same folder share the limits.
    host : str
        Name and port of the host.
    requests_per_s : float
        Most requests per second.
    connections : int
        Most requests at a time.
    breaker_failures : int
        Failures in a row after which the host is left alone.
    breaker_pause_s : float
        For how long; then a single request tries again.
    max_pause_s : float
        Longest pause a host may ask for; a longer one counts as being down.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        *,
        requests_per_s: float,
        connections: int,
        breaker_failures: int,
        breaker_pause_s: float,
        max_pause_s: float,
    ) -> None:
        self.host = host
        self.interval_s = MARGIN / requests_per_s
        self.connections = connections
        self.breaker_failures, self.breaker_pause_s = breaker_failures, breaker_pause_s
        self.max_pause_s = max_pause_s
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w.-]", "_", host)
        self._path = folder / f"{name}.json"
        self._lock = FileLock(folder / f"{name}.lock", poll_interval=POLL_S)
        self._slots = [FileLock(folder / f"{name}.{number}.slot") for number in range(connections)]
        self._own_slots = threading.BoundedSemaphore(connections)
        self._own_lock = threading.Lock()
        # Failures that were on record when this process last looked: spares a look after each success.
        self._seen_failures = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until the host may be asked, and hold one of its connections meanwhile.

        Raises
        ------
        ServiceDown
            If the host is to be left alone for now.
        """
        with self._own_slots, self._slot():
            while (wait_s := self._take_start()) > 0:
                time.sleep(wait_s)
            yield

    def pause(self, seconds: float) -> None:
        """Nobody asks the host for a while, as it asked for; a very long while closes it."""
        with self._state() as state:
            until = time.time() + min(seconds, LONGEST_PAUSE_S)
            if seconds > self.max_pause_s:
                state.closed_until, state.reason = until, f"it asks for a pause of {seconds:.0f} s"
            else:
                state.next_start = max(state.next_start, until)

    def failed(self, reason: str) -> None:
        """Note that a request failed through the host's fault."""
        with self._state() as state:
            state.failures += 1
            if state.failures >= self.breaker_failures:
                state.closed_until = time.time() + self.breaker_pause_s
                state.reason = f"{state.failures} requests failed in a row, the last: {reason}"
            self._seen_failures = state.failures

    def succeeded(self) -> None:
        """Note that the host works."""
        if self._seen_failures:
            with self._state() as state:
                if state.failures >= self.breaker_failures:  # not closed because it asked for a pause
                    state.closed_until, state.reason = 0.0, ""
                state.failures = 0
            self._seen_failures = 0

    def _take_start(self) -> float:
        """Start now if that is allowed; returns 0, or the seconds until it may be.

        Starts are not handed out ahead: one that is then late would come close to the next.
        """
        with self._state() as state:
            now = time.time()
            self._seen_failures = state.failures
            # Times farther ahead than anyone sets them come from a clock that was set back.
            if now < state.closed_until <= now + LONGEST_PAUSE_S:
                left_s = state.closed_until - now
                raise ServiceDown(f"{self.host} is left alone for {left_s:.0f} s: {state.reason}")
            if now < state.next_start <= now + self.max_pause_s + self.interval_s:
                return state.next_start - now
            state.next_start = now + self.interval_s
            if state.failures >= self.breaker_failures:
                # The pause is over: this request tries, the others are refused until it has found out.
                state.closed_until = now + self.breaker_pause_s
        return 0.0

    @contextmanager
    def _slot(self) -> Iterator[None]:
        while True:
            for lock in self._slots:
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue
                try:
                    yield
                    return
                finally:
                    lock.release()
            time.sleep(SLOT_POLL_S * random.uniform(0.5, 1.5))  # noqa: NPY002  (spreads processes, no result)

    @contextmanager
    def _state(self) -> Iterator[_State]:
        """State of the host, locked; written back if it was changed and nothing was raised."""
        with self._own_lock, self._lock:
            self._path.touch()
            with self._path.open("r+b", buffering=0) as handle:
                content = handle.read()
                try:
                    state = _State(**json.loads(content))
                except (ValueError, TypeError):
                    state = _State()  # the first time, or a file that a killed process left half written
                before = dict(vars(state))
                yield state
                if vars(state) != before:
                    handle.seek(0)
                    # Blanks over what was longer: quicker than to cut it off.
                    handle.write(json.dumps(vars(state)).encode().ljust(len(content)))
