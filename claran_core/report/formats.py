"""Number formats of the report: the filters of its templates."""

import base64
from collections.abc import Callable
from pathlib import Path

from claran_core.common.errors import InputError

__all__ = ["FILTERS", "embedded_png"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

MISSING = "–"


def _fixed(value: float | None, digits: int) -> str:
    """Format a number with `digits` decimals; None gives a dash."""
    return MISSING if value is None else f"{value:.{digits}f}"


def _significant(value: float | None, digits: int = 3) -> str:
    """Format a number with `digits` significant digits; None gives a dash."""
    return MISSING if value is None else f"{float(f'{value:.{digits}g}'):.12g}"


def _percent(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.0f} %"


def _thousands(value: int) -> str:
    """Group digits by narrow no-break spaces, which cannot be taken for a decimal sign."""
    return f"{value:,}".replace(",", "\u202f")


FILTERS: dict[str, Callable[..., str]] = {
    "fixed": _fixed,
    "significant": _significant,
    "percent": _percent,
    "thousands": _thousands,
}


def embedded_png(path: Path) -> str:
    """Return a PNG file as a ``data:`` URI.

    Raises
    ------
    InputError
        If the file cannot be read or is not a PNG.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); rerun the evaluation stage") from None
    if not content.startswith(PNG_SIGNATURE):
        raise InputError(f"{path}: not a PNG image; remove it and rerun the evaluation stage")
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
