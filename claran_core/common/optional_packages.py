"""Import packages that only some commands need, with a one-line error if they are missing."""

from importlib import import_module
from types import ModuleType

from claran_core.common.errors import InputError

__all__ = ["import_optional"]


def import_optional(name: str, *, extra: str = "export") -> ModuleType:
    """Import a module of an optional dependency, by default of `export`.

    Raises
    ------
    InputError
        If its package is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed, and this needs it: pip install 'claran-survey[{extra}]'"
        ) from None
