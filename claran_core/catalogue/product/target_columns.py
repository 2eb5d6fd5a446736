"""Columns of the table of targets with what was found near them.

The columns of `MATCHED` are followed by those of the user's own table.
"""

from collections.abc import Collection

import pyarrow as pa
from astropy import units as u

from claran_core.catalogue.product.columns import count, number, position, text

__all__ = ["FOUND_DESCRIPTIONS", "MATCHED", "own_columns"]

# What was found near a target.
FOUND_DESCRIPTIONS = {
    "source": "a source within the match radius",
    "in_image": "none so near, but at least one in the image of the target",
    "nothing": "none, and the radio image has data",
    "not_searched": "none, and there is no radio image",
}
_NEAR = "within the match radius or half the diagonal of the target's image, whichever is larger"
_DISTANCE = "pos.angDistance"

MATCHED = pa.schema(
    [
        text(
            "subject_id", "meta.id;obs.field", "subject of the target; of several scales, that of the first"
        ),
        *position("target_", "meta.main", "the target as the run read it"),
        count("target_row", "number of the target's row in the user's table; of a text file, of the line"),
        text("radio_status", "meta.code.status", "ok, partial, no_coverage or failed: its radio image"),
        text("radio_reason", "meta.note", "why radio_status is not ok; empty if it is"),
        text("infrared_status", "meta.code.status", "the same of its infrared image; empty without a survey"),
        text(
            "found",
            "meta.code",
            "; ".join(f"{name}: {means}" for name, means in FOUND_DESCRIPTIONS.items()),
        ),
        count(
            "n_sources_near",
            "number of sources of which the position or a component is within the match radius",
        ),
        count("n_sources_in_image", "number of sources whose position is in the target's image"),
        text("source_id", "meta.id", f"nearest source by its position, {_NEAR}; empty without one"),
        number("separation", "arcsec", _DISTANCE, "angular distance of the target and source_id"),
        text(
            "component_source_id",
            "meta.id",
            f"source with the nearest component, {_NEAR}: that of a lobe, if the target lies on one",
        ),
        number(
            "component_separation",
            "arcsec",
            _DISTANCE,
            "angular distance of the target and the brightest pixel of that component",
        ),
    ]
)


def own_columns(table: pa.Table, taken: Collection[str]) -> pa.Table:
    """Return the columns of a user's table under names that are unique in any case, with valid metadata.

    Parameters
    ----------
    table : pyarrow.Table
        As `claran_core.common.external_tables.read_whole_table` returns it.
    taken : collection of str
        Names that other columns have; a column of the user of this name gets ``own_`` in front.
    """
    used = {name.lower() for name in taken}
    fields = []
    for place, field in enumerate(table.schema, start=1):
        name = _free(field.name.strip() or f"column_{place}", used)
        used.add(name.lower())
        fields.append(pa.field(name, field.type, nullable=False, metadata=_described(field)))
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))


def _free(name: str, used: Collection[str]) -> str:
    """Return a name that is not in use."""
    tries = [name, f"own_{name}"]
    tries += [f"own_{name}_{k}" for k in range(2, len(used) + 3)]
    return next(one for one in tries if one.lower() not in used)


def _described(field: pa.Field) -> dict[str, str]:
    """Return metadata of a user's column; a unit that VOUnits do not have becomes part of the description."""
    about = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    description = about.get("description") or f"column {field.name!r} of the user's table of targets"
    stated = about.get("unit", "")
    unit = _vounit(stated)
    if stated and not unit:
        description += f" (unit: {stated})"
    return {"unit": unit, "ucd": about.get("ucd", ""), "description": description}


def _vounit(spelling: str) -> str:
    """Return a unit as VOUnits spell it; empty for one that they do not have."""
    parsed = u.Unit(spelling, parse_strict="silent")
    if isinstance(parsed, u.UnrecognizedUnit):
        return ""
    try:
        return str(parsed.to_string("vounit"))
    except ValueError:
        return ""
