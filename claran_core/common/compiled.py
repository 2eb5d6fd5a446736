"""Compile numerical functions to machine code with numba, and keep the result on disk.

A compiled function works on arrays and numbers only.  It is compiled at its first call for the types of its
arguments, and stored beside the package or, if that folder is read-only, in the user's cache; later
processes load it.  Tests run the function as written too (``function.py_func``) and compare the results.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from numba import njit

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function compiled to machine code, which runs without the interpreter's lock."""
    decorate: Any = njit(cache=True, nogil=True, error_model="numpy")
    fast: Callable[P, R] = decorate(function)
    return fast
