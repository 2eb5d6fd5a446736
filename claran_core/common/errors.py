"""Errors that a user can correct.

Every message is one line: which file, which value, what to do.  For these errors the workflow prints only
the message.  A traceback means a fault of the program, never bad input.
"""

from claran_core.common.text import printable

__all__ = [
    "ClaranError",
    "ConfigError",
    "TooManyFailures",
    "InputError",
    "TrainingInterrupted",
    "WeightsError",
]


class ClaranError(Exception):
    """Base class of all errors that are reported in one line.

    The text may contain what files and services say: it is one line, without control characters.
    """

    def __str__(self) -> str:
        """Return the message."""
        return printable(super().__str__())


class ConfigError(ClaranError):
    """A setting is unknown, of the wrong type or out of range."""


class InputError(ClaranError):
    """An input file, a table or an intermediate file is missing or invalid."""


class WeightsError(ClaranError):
    """Model weights do not match the run, or cannot be read safely."""


class TooManyFailures(ClaranError):
    """Too many cut-outs failed for a catalogue to be built."""


class TrainingInterrupted(ClaranError):
    """The training ended early, and saved the checkpoint from which it resumes."""
