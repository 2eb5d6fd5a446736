"""Text from outside (names of files, headers, messages of services), safe to print, to log and to store."""

import re

__all__ = ["error_line", "has_control", "printable"]

# Control characters, and the surrogates that stand for bytes of file names that are not UTF-8.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def has_control(text: str) -> bool:
    """Return whether a text has control characters, or bytes that are not UTF-8."""
    return CONTROL.search(text) is not None


def printable(text: str) -> str:
    r"""Return a text with escapes (``\x1b``) instead of all characters that do not print.

    A terminal obeys escape codes, and an editor shows text in another order where it has marks of direction.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def error_line(error: Exception) -> str:
    """Return the message of an error in one line; the name of its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
