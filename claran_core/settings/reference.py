"""The reference of all settings, generated from the models and from `config.yaml`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from claran_core.settings.config import DEFAULTS, Config, read_yaml
from claran_core.settings.model import ARCHITECTURE_OPTIONS
from claran_core.settings.schema import PlainSchema, alternatives, kind_of, limits_of, resolved, values_of

__all__ = ["json_schema", "markdown"]

INTRODUCTION = """# Settings

Reference of all settings of a run. `config.yaml` at the root of the repository contains the defaults and the
reasons for them; your own file, given with `--configfile`, contains only what differs. An unknown key or a
value that is not allowed ends the run before it starts, in one line that says what to write instead.

This page is generated from the models in `claran_core/settings/`, by `claran settings --markdown`.
`claran settings --json-schema` prints the same as a JSON schema, for editors that complete and check YAML.
"""

HEADER = "| key | type | allowed | default | description |\n|---|---|---|---|---|"


def json_schema() -> str:
    """Return the JSON schema (draft 2020-12) of a user's file as text; every key may be left out."""
    return json.dumps(_without_required(Config.model_json_schema(schema_generator=PlainSchema)), indent=2)


def markdown() -> str:
    """Return the reference page: a table per section, and one per architecture."""
    schema = Config.model_json_schema(schema_generator=PlainSchema)
    defaults = read_yaml(DEFAULTS)
    sections = {name: resolved(node, schema) for name, node in schema["properties"].items()}
    general = {name: node for name, node in sections.items() if "properties" not in node}
    parts = [INTRODUCTION, _table("General", {"properties": general}, schema, defaults)]
    for name, node in sections.items():
        if name not in general:
            parts.append(_table(f"`{name}`", node, schema, defaults[name], name))
    for name, kind in ARCHITECTURE_OPTIONS.items():
        options = kind.model_json_schema(schema_generator=PlainSchema)
        usual = kind().as_dict()
        parts.append(
            _table(f"`model.options` of architecture `{name}`", options, options, usual, "model.options")
        )
    return "\n".join(parts)


def _without_required(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_required(entry) for entry in node]
    if isinstance(node, dict):
        return {key: _without_required(value) for key, value in node.items() if key != "required"}
    return node


def _table(
    title: str, node: Mapping[str, Any], schema: Mapping[str, Any], defaults: Any, section: str = ""
) -> str:
    return "\n".join([f"## {title}\n", HEADER, *_rows(node, schema, defaults, section)]) + "\n"


def _rows(node: Mapping[str, Any], schema: Mapping[str, Any], defaults: Any, path: str) -> Iterator[str]:
    """Yield the rows of a section: one per key, those of nested sections and mappings below it."""
    for name, property_schema in node["properties"].items():
        entry = resolved(property_schema, schema)
        key = f"{path}.{name}".strip(".")
        default = defaults[name] if isinstance(defaults, Mapping) and name in defaults else ...
        if "properties" not in entry or default == {}:
            yield _row(key, entry, schema, default)
        yield from _nested(entry, schema, default, key)


def _nested(entry: Mapping[str, Any], schema: Mapping[str, Any], default: Any, key: str) -> Iterator[str]:
    if "properties" in entry:
        yield from _rows(entry, schema, default, key)
    elif isinstance(entry.get("additionalProperties"), Mapping):
        value = resolved(entry["additionalProperties"], schema)
        if "properties" in value:
            yield from _rows(value, schema, ..., f"{key}.<name>")


def _row(key: str, entry: Mapping[str, Any], schema: Mapping[str, Any], default: Any) -> str:
    cells = (
        f"`{key}`",
        kind_of(entry, schema),
        _allowed(entry, schema),
        "" if default is ... else f"`{_inline(default)}`",
        entry.get("description", ""),
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _allowed(entry: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    words = []
    for option in alternatives(entry, schema):
        values = values_of(option)
        words.append(", ".join(f"`{value}`" for value in values) if values else _limits(option, schema))
    return "; ".join(word for word in words if word)


def _limits(option: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    value = option.get("additionalProperties")
    keys = values_of(resolved(option.get("propertyNames", {}), schema))
    if keys and isinstance(value, Mapping):
        return f"keys {', '.join(keys)}"
    return limits_of(option, schema).removeprefix("that is ").removeprefix("of ")


def _inline(value: Any) -> str:
    """Return a value as one line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
