"""One line for the user from pydantic's errors: where, what is wrong, and what to write."""

import difflib
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from claran_core.settings.schema import allowed, alternatives, locate, resolved, values_of

__all__ = ["first_problem"]

# Longer values are cut in messages.
MAX_SHOWN = 80
SHORT = reprlib.Repr()
SHORT.maxlevel = 3


def first_problem(error: ValidationError, schema: Mapping[str, Any], section: str = "") -> str:
    """Return the first problem that pydantic found, in one line.

    Parameters
    ----------
    error : ValidationError
        What pydantic raised.
    schema : mapping
        JSON schema of the model that refused the values.
    section : str
        Dotted name of the model's section; empty for the whole configuration.

    Returns
    -------
    str
        Unknown keys come first: a misspelt key is often the cause of the other problems.
    """
    details = sorted(error.errors(include_url=False), key=lambda entry: entry["type"] != "extra_forbidden")
    return " ".join(_problem(details[0], schema, section).split())


def _problem(entry: ErrorDetails, schema: Mapping[str, Any], section: str) -> str:
    location = list(entry["loc"])
    if entry["type"] == "extra_forbidden":
        return _unknown_key(location, schema, section)
    if location[-1:] == ["[key]"]:
        return _unknown_key(location[:-1], schema, section)
    too_short = entry["type"] == "missing" and isinstance(location[-1], int)  # a list of fixed length
    where, node = locate(schema, location[:-1] if too_short else location)
    name = ".".join([section, *where]).strip(".")
    if entry["type"] == "value_error":  # raised by a check of ours, of a section or of one value
        said = str(entry["ctx"]["error"])
        of_section = "properties" in node
        return f"{name}.{said}".strip(".") if of_section else f"{name} is {_shown(entry['input'])}, {said}"
    described = "description" in node and "enum" not in node and "properties" not in node
    hint = f" ({node['description']})" if described else ""
    if entry["type"] == "missing" and not too_short:
        return f"{name} is missing; write {allowed(node, schema)}{hint}"
    return f"{name} is {_shown(entry['input'])}; write {allowed(node, schema)}{hint}" + _suggestion(
        entry["input"], values_of(node)
    )


def _unknown_key(location: Sequence[int | str], schema: Mapping[str, Any], section: str) -> str:
    where, node = locate(schema, location[:-1])
    known: list[str] = []
    for option in alternatives(node, schema):
        known += option.get("properties", {})
        known += values_of(resolved(option.get("propertyNames", {}), schema))
    name, wrong = ".".join([section, *where]).strip("."), str(location[-1])
    close = difflib.get_close_matches(wrong, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return f"unknown key {wrong!r} in {name or 'the configuration'}; {hint}"


def _suggestion(value: Any, values: Sequence[Any]) -> str:
    close = difflib.get_close_matches(_shown(value).strip("'"), [str(known) for known in values], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _shown(value: Any) -> str:
    # Bounded: a few lines of YAML make a list that has 10^9 entries when it is written out.
    text = SHORT.repr(value) if isinstance(value, list | dict) else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
