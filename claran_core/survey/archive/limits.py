"""Request limits and circuit breaker of a host, shared by all processes that use the same folder.

Each host has a small state file in the folder, changed under a lock: when the next request may start, and how
many requests have failed in a row.  Each request under way holds one of a few lock files.  The kernel
releases the locks of a killed process at once.  If all nodes of a cluster see the folder, the limits hold
for the cluster; times are wall-clock times for that reason.
"""

import json
import math
import os
import random
import re
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from claran_core.common.paths import resolve_path

__all__ = ["HostLimits", "ServiceDown", "forget_pauses", "limits_folder", "own_folder"]

# Interval at which a lock held by another process is tried; the state is held for less than a millisecond.
POLL_S = 0.002
# Mean interval at which a free connection is looked for.
SLOT_POLL_S = 0.01
# Requests start a little farther apart than the limit requires, because their travel times differ.
MARGIN = 1.05
# Longest pause honoured: the host is contacted again after a day.
LONGEST_PAUSE_S = 86400.0
# A state written this long after now tells that the clock was set back: its times mean nothing.  The clocks
# of the nodes of a cluster differ by less.
CLOCK_TOLERANCE_S = 60.0
# A state file is far smaller.
MAX_STATE_BYTES = 1 << 16
# Permission of others to write.
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class ServiceDown(Exception):  # noqa: N818  (a finding about a host, not a fault)
    """The circuit breaker of a host is open: too many failures in a row, or a request for a long pause."""


@dataclass
class _State:
    """State of a host; times are Unix seconds, `written` that of the last change."""

    next_start: float = 0.0
    failures: int = 0
    closed_until: float = 0.0
    reason: str = ""
    written: float = 0.0

    @classmethod
    def of(cls, content: bytes, now: float) -> "_State":
        """Return the state in a file; a new one for a damaged file, or after the clock was set back."""
        try:
            state = cls(**json.loads(content))
            times = state.next_start, state.closed_until, state.written
            sound = all(isinstance(time_s, int | float) and math.isfinite(time_s) for time_s in times)
            sound &= isinstance(state.failures, int) and isinstance(state.reason, str)
        except (ValueError, TypeError, RecursionError):
            return cls()
        return state if sound and state.written <= now + CLOCK_TOLERANCE_S else cls()


def limits_folder(named: str | None, working_directory: Path | None = None) -> Path:
    """Return the folder of the limits: the one that is named, else that of this user on this machine."""
    if named is not None:
        return resolve_path(named, working_directory)
    return Path(tempfile.gettempdir()) / f"claran-archive-{os.getuid()}"


def own_folder(folder: Path) -> None:
    """Create a folder that only its owner can enter; refuse one that another user can change.

    Raises
    ------
    OSError
        If the folder cannot be created, is a link, belongs to another user, or others can write to it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & OTHERS_WRITE:
            raise PermissionError(
                f"{folder} is not a folder that only you can write to; give another one"
            ) from None


def forget_pauses(folder: Path) -> int:
    """Let requests start at once again: remove the states of all hosts; return their number."""
    states = sorted(folder.glob("*.json"))
    for state in states:
        with FileLock(state.with_suffix(".lock"), poll_interval=POLL_S):
            state.unlink(missing_ok=True)
    return len(states)


class HostLimits:
    """Request limits and circuit breaker of one host.

    Parameters
    ----------
    folder : Path
        Folder of the state; processes with the same folder share the limits.
    host : str
        Name and port of the host.
    requests_per_s : float
        Maximum requests per second.
    connections : int
        Maximum requests at the same time.
    breaker_failures : int
        Failures in a row that open the breaker.
    breaker_pause_s : float
        How long it stays open; then a single request probes the host.
    max_pause_s : float
        Longest Retry-After that is waited for; a longer one opens the breaker.
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
        own_folder(folder)
        name = re.sub(r"[^\w.-]", "_", host)
        self._path = folder / f"{name}.json"
        self._lock = FileLock(folder / f"{name}.lock", poll_interval=POLL_S)
        self._slots = [FileLock(folder / f"{name}.{number}.slot") for number in range(connections)]
        self._own_slots = threading.BoundedSemaphore(connections)
        self._own_lock = threading.Lock()
        # Failures on record when this process last read the state: spares reading it after each success.
        self._seen_failures = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a request may start, and hold one of the host's connections during it.

        Raises
        ------
        ServiceDown
            If the breaker is open.
        """
        with self._own_slots, self._slot():
            while (wait_s := self._take_start()) > 0:
                time.sleep(wait_s)
            yield

    def pause(self, seconds: float) -> None:
        """Honour Retry-After; a pause above the limit opens the breaker."""
        with self._state() as state:
            until = time.time() + min(seconds, LONGEST_PAUSE_S)
            if seconds > self.max_pause_s:
                state.closed_until, state.reason = until, f"it asks for a pause of {seconds:.0f} s"
            else:
                state.next_start = max(state.next_start, until)

    def failed(self, reason: str) -> None:
        """Record a request that failed because of the host."""
        with self._state() as state:
            state.failures += 1
            if state.failures >= self.breaker_failures:
                state.closed_until = time.time() + self.breaker_pause_s
                state.reason = f"{state.failures} requests failed in a row, the last: {reason}"
            self._seen_failures = state.failures

    def succeeded(self) -> None:
        """Record a request that succeeded."""
        if self._seen_failures:
            with self._state() as state:
                if state.failures >= self.breaker_failures:  # a requested pause stays in force
                    state.closed_until, state.reason = 0.0, ""
                state.failures = 0
            self._seen_failures = 0

    def _take_start(self) -> float:
        """Start a request now if that is allowed; return 0, or the seconds until it may start.

        Starts are not scheduled ahead: a late request could then come too close to the next.
        """
        with self._state() as state:
            now = time.time()
            self._seen_failures = state.failures
            # Times farther ahead than any pause mean that the clock was set back.
            if now < state.closed_until <= now + LONGEST_PAUSE_S:
                left_s = state.closed_until - now
                raise ServiceDown(
                    f"{self.host} is not contacted for {left_s:.0f} s: {state.reason} "
                    "(`claran archive forget` ends pauses)"
                )
            if now < state.next_start <= now + self.max_pause_s + self.interval_s:
                return state.next_start - now
            state.next_start = now + self.interval_s
            if state.failures >= self.breaker_failures:
                # The pause is over: this request probes the host, others are refused until it is done.
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
        """Lock and read the state; write it back if it was changed and nothing was raised."""
        with self._own_lock, self._lock:
            with open(self._path, "r+b", buffering=0, opener=_open_own) as handle:  # noqa: PTH123  (opener)
                content = handle.read(MAX_STATE_BYTES)
                state = _State.of(content, time.time())
                before = dict(vars(state))
                yield state
                if vars(state) != before:
                    state.written = time.time()
                    handle.seek(0)
                    # Padding with blanks is faster than truncating the file.
                    handle.write(json.dumps(vars(state)).encode().ljust(len(content)))


def _open_own(path: str, flags: int) -> int:
    """Open a file, or create it for its owner alone; never follow a link."""
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
