"""Logging of the package, and the context in which every workflow job runs.

Library modules call ``logging.getLogger(__name__)`` and never configure logging.  A workflow script runs
inside `job`, which sends all messages to the rule's log file and to the terminal.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from claran_core.common.disk import DISK_ERRORS
from claran_core.common.errors import ClaranError
from claran_core.common.text import printable

__all__ = ["Progress", "configure_logging", "job"]

logger = logging.getLogger(__name__)

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Formatter(logging.Formatter):
    """Formats a message as one line; text from outside cannot forge lines or control the terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (name of the base class)
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def configure_logging(path: Path | None = None, *, level: int = logging.INFO) -> None:
    """Send the package's messages to the terminal and, with `path`, to a fresh log file."""
    root = logging.getLogger("claran_core")
    root.setLevel(level)
    root.propagate = False
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path, mode="w", encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(_Formatter(FORMAT))
        root.addHandler(handler)


@contextmanager
def job(log_file: str | Path) -> Iterator[None]:
    """Run one workflow job: log to `log_file`, and report bad input in one line instead of a traceback.

    Raises
    ------
    SystemExit
        With status 1 after any error.  A `ClaranError` and a disk error are logged in one line, all others
        with their traceback.
    """
    configure_logging(Path(log_file))
    try:
        yield
    except ClaranError as error:
        logger.error("%s", error)
        raise SystemExit(1) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            where = error.filename or Path(log_file).parent
            logger.error("%s: %s; correct this, then restart the workflow", where, error.strerror)
            raise SystemExit(1) from None
        logger.exception("This is a bug in the program, not in your input; please report it:")
        raise SystemExit(1) from None


class Progress:
    """Progress of a long loop, logged at most once every `interval_s` seconds.

    Parameters
    ----------
    what : str
        Text that precedes the counts in the message (``"shard 00003: subjects fused"``).
    total : int
        Total number of steps.
    """

    def __init__(self, what: str, total: int, *, interval_s: float = 10.0) -> None:
        self.what, self.total, self.interval_s = what, total, interval_s
        self.done = 0
        self.started = self.last = time.monotonic()

    def step(self, n: int = 1) -> None:
        """Count `n` more steps, and log a line if one is due."""
        self.done += n
        now = time.monotonic()
        if now - self.last >= self.interval_s or self.done >= self.total:
            self.last = now
            rate = self.done / max(now - self.started, 1e-9)
            logger.info("%s: %d of %d (%.1f per second)", self.what, self.done, self.total, rate)
