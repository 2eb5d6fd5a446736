"""Reading a JSON schema made by pydantic: the schema of one setting, and its allowed values in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

__all__ = [
    "PlainSchema",
    "allowed",
    "alternatives",
    "kind_of",
    "limits_of",
    "locate",
    "resolved",
    "values_of",
]

Schema = Mapping[str, Any]

# Names of JSON types in messages and in the reference.
KINDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "array": "list",
    "object": "mapping",
}


class PlainSchema(GenerateJsonSchema):
    """JSON schema without titles, which only repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False: no titles."""
        return False


def resolved(node: Schema, root: Schema) -> Schema:
    """Return the schema that a ``$ref`` points to; keywords beside the ``$ref`` win."""
    if "$ref" not in node:
        return node
    target = root["$defs"][node["$ref"].rpartition("/")[2]]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def alternatives(node: Schema, root: Schema) -> list[Schema]:
    """Return the schemas of which a value must match one."""
    node = resolved(node, root)
    return [resolved(option, root) for option in node["anyOf"]] if "anyOf" in node else [node]


def locate(root: Schema, location: Sequence[int | str]) -> tuple[list[str], Schema]:
    """Follow an error's location through a schema.

    Parameters
    ----------
    root : mapping
        JSON schema of the whole.
    location : sequence of str and int
        Keys and positions in lists; the branches of unions that pydantic adds at the end are left out.

    Returns
    -------
    where : list of str
        The part of `location` that names a setting.
    node : mapping
        The schema there.
    """
    where, node = [], root
    for part in location:
        below = next(_steps(node, part, root), None)
        if below is None:
            break
        where.append(str(part))
        node = {**{key: node[key] for key in ("description",) if key in node}, **below}
    return where, node


def _steps(node: Schema, part: int | str, root: Schema) -> Iterator[Schema]:
    for option in alternatives(node, root):
        if isinstance(part, int):
            items = option.get("prefixItems", [])
            below = items[part] if part < len(items) else option.get("items")
        else:
            below = option.get("properties", {}).get(part, option.get("additionalProperties"))
        if isinstance(below, Mapping):
            yield resolved(below, root)


def values_of(node: Schema) -> list[Any]:
    """Return the values that an enumeration or constant allows; empty for other schemas."""
    return list(node["enum"]) if "enum" in node else [node["const"]] if "const" in node else []


def allowed(node: Schema, root: Schema) -> str:
    """Say which values a setting may have: ``a whole number from 1 to 64``."""
    return " or ".join(_allowed(option, root) for option in alternatives(node, root))


def _allowed(node: Schema, root: Schema) -> str:
    if "enum" in node:
        return f"one of: {', '.join(map(str, node['enum']))}"
    if "const" in node:
        return repr(node["const"])
    if node.get("format") == "regex":
        return "a regular expression"
    kind = node.get("type", "")
    bounds = limits_of(node, root)
    article = "" if kind in ("boolean", "null", "string") else "a "
    return " ".join(f"{article}{KINDS.get(kind, 'value')} {bounds}".split())


def kind_of(node: Schema, root: Schema) -> str:
    """Name the type of a setting: ``whole number or null``."""
    kinds = [KINDS.get(option.get("type", ""), "value") for option in alternatives(node, root)]
    return " or ".join(dict.fromkeys(kinds))


def limits_of(node: Schema, root: Schema) -> str:
    """Say in words which bounds a schema without alternatives sets; empty without bounds."""
    kind = node.get("type")
    if kind in ("integer", "number"):
        return _bounds(node)
    if kind == "string":
        if "pattern" in node:
            return f"that matches {node['pattern']}"
        return "that is not empty" if node.get("minLength") else ""
    if kind == "array":
        return _list_limits(node, root)
    return ""


def _bounds(node: Schema) -> str:
    least, above, most, below = (
        f"{node[key]}" if key in node else ""
        for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    )
    if least and most:
        return f"from {least} to {most}"
    parts = [
        f"above {above}" if above else f"of at least {least}" if least else "",
        f"at most {most}" if most else f"below {below}" if below else "",
    ]
    return ", ".join(part for part in parts if part)


def _list_limits(node: Schema, root: Schema) -> str:
    count = ""
    if "maxItems" in node and node["maxItems"] == node.get("minItems"):
        count = f"of {node['maxItems']} values"
    elif node.get("minItems"):
        count = f"of at least {node['minItems']} value" + "s" * (node["minItems"] > 1)
    different = "all different" if node.get("uniqueItems") else ""
    return ", ".join(part for part in (count, different, _items(node, root)) if part)


def _items(node: Schema, root: Schema) -> str:
    """Say which values the items of a list may have: one after the other if they are of several kinds."""
    items = [node["items"]] if node.get("items") else node.get("prefixItems", [])
    kinds = [allowed(item, root) for item in items]
    return f"each {kinds[0]}" if len(set(kinds)) == 1 else ", then ".join(kinds)
