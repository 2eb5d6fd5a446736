"""Being asked to stop: what a scheduler sends before it takes the machine away.

At a time limit, a preemption or ``scancel`` a job first gets the signal SIGTERM, and some seconds or minutes
later SIGKILL.  A training uses the time between to write a checkpoint.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["StopRequest", "stop_request"]


class StopRequest:
    """Whether this process was asked to stop.

    Attributes
    ----------
    received : bool
        True once the signal has come.
    """

    def __init__(self) -> None:
        self.received = False

    def note(self, number: int = signal.SIGTERM, frame: FrameType | None = None) -> None:
        """Remember that the signal has come; a signal handler."""
        self.received = True


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Take note of SIGTERM instead of dying of it, until the context is left.

    Outside the main thread, where signals cannot be handled, nothing is ever received.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = signal.signal(signal.SIGTERM, request.note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
