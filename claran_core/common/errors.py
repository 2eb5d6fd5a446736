"""Errors a user can act on.

Every message is one line: which file, which value, what to do.  The workflow prints the message
alone; a traceback is kept for errors that are ours, never for bad input.
"""

__all__ = ["ClaranError", "ConfigError", "TooManyFailures", "InputError", "Interrupted", "WeightsError"]


class ClaranError(Exception):
    """Base of all errors that end in one line for the user."""


class ConfigError(ClaranError):
    """A setting is unknown, of the wrong type or out of range."""


class InputError(ClaranError):
    """A file or table from outside, or an intermediate file, cannot be used."""


class WeightsError(ClaranError):
    """Model weights do not fit what they are asked to do, or cannot be read safely."""


class TooManyFailures(ClaranError):
    """Too much of the run failed to let a catalogue be built from it."""


class Interrupted(ClaranError):
    """The job was asked to stop before it was done, and has kept what another try needs."""
