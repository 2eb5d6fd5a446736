"""Columns of the catalogue as the report shows them: groups, units and descriptions."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from claran_core.catalogue.product.schema import CATALOGUE, SHAPE_COLUMNS
from claran_core.common.flags import DESCRIPTIONS
from claran_core.common.tables import for_classes

__all__ = ["GROUP_ORDER", "column_table", "flag_table"]

# Title of each group and its columns, as names or, with a final ``_``, as prefixes.  A column belongs to the
# first group that matches.
GROUPS = (
    ("Host candidates", ("host_candidate_",)),
    ("Infrared host", ("host_",)),
    ("Radio components", ("component_",)),
    ("Class", ("morphology", "n_components", "n_peaks", "probability", "p_", "rule_")),
    ("Grouping", ("source_probability", "second_grouping", "second_probability")),
    (
        "Position",
        ("source_id", "ra", "dec", "ra_err", "dec_err", "fitted_", "centroid_", "tight_ra", "tight_dec"),
    ),
    (
        "Flux density",
        (
            "peak_flux",
            "peak_flux_err",
            "integrated_flux",
            "integrated_flux_err",
            "unresolved",
            "local_rms",
            "snr",
        ),
    ),
    ("Second radio survey", ("matched_", "second_radio_", "spectral_")),
    (
        "Size",
        (
            "angular_size",
            "largest_angular_size",
            "largest_angular_size_err",
            "position_angle",
            "position_angle_err",
            "tight_",
        ),
    ),
    ("Shape", tuple(SHAPE_COLUMNS)),
    ("Flags", ("flags",)),
    ("Provenance", ("subject_id", "scale", "method", "box_", "n_merged", "model_id", "pipeline_version")),
)
# Group of columns that match no other group.
OTHER = "Other"

# Order in which the report shows the groups.
GROUP_ORDER = (
    "Position",
    "Grouping",
    "Class",
    "Flux density",
    "Second radio survey",
    "Size",
    "Shape",
    "Radio components",
    "Infrared host",
    "Host candidates",
    "Flags",
    OTHER,
    "Provenance",
)


def column_table(classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return name, unit, description and group of each column, and whether it is a list."""
    return [_column(field) for field in for_classes(CATALOGUE, classes)]


def _column(field: pa.Field) -> dict[str, Any]:
    about = {key.decode(): value.decode() for key, value in field.metadata.items()}
    return {
        "name": field.name,
        "unit": about["unit"],
        "text": about["description"],
        "group": _group(field.name),
        "list": pa.types.is_list(field.type),
    }


def _group(name: str) -> str:
    for title, entries in GROUPS:
        if any(name.startswith(entry) if entry.endswith("_") else name == entry for entry in entries):
            return title
    return OTHER


def flag_table() -> list[dict[str, Any]]:
    """Return bit, name and description of every flag."""
    return [{"bit": flag.value, "name": str(flag.name), "text": text} for flag, text in DESCRIPTIONS.items()]
