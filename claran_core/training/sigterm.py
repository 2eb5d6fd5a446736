"""SIGTERM, which a batch system sends before it kills a job.

At a time limit, a preemption or ``scancel`` a job receives SIGTERM, and seconds or minutes later SIGKILL.  A
training writes a checkpoint in between.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["SigtermFlag", "catch_sigterm"]


class SigtermFlag:
    """Whether this process received SIGTERM.

    Attributes
    ----------
    received : bool
        True once the signal is received.
    """

    def __init__(self) -> None:
        self.received = False

    def handle(self, number: int = signal.SIGTERM, frame: FrameType | None = None) -> None:
        """Set the flag; a signal handler."""
        self.received = True


@contextmanager
def catch_sigterm() -> Iterator[SigtermFlag]:
    """Set a flag on SIGTERM, within the context, instead of ending the process.

    Signals cannot be handled outside the main thread; there the flag is never set.
    """
    flag = SigtermFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = signal.signal(signal.SIGTERM, flag.handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGTERM, before)
