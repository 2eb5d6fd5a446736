"""How the columns of the catalogue are put in order for a person: groups, units, descriptions."""

from typing import Any

import pyarrow as pa

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.flags import DESCRIPTIONS

__all__ = ["GROUP_ORDER", "column_table", "flag_table"]

# Title of a group, and its columns: a name, or with ``_`` at its end how names begin.  The first group that
# fits takes a column.
GROUPS = (
    ("Hosts that may be", ("host_candidate_",)),
    ("Infrared host", ("host_",)),
    ("Radio components", ("component_",)),
    ("Class", ("morphology", "n_components", "n_peaks", "probability", "source_probability", "p_", "rule_")),
    ("Position", ("source_id", "ra", "dec", "centroid_", "tight_ra", "tight_dec")),
    (
        "Flux density",
        ("peak_flux", "peak_flux_err", "integrated_flux", "integrated_flux_err", "local_rms", "snr"),
    ),
    ("Size", ("angular_size", "largest_angular_size", "position_angle", "tight_")),
    ("Flags", ("flags",)),
    ("Where it was found", ("subject_id", "method", "box_", "n_merged", "model_id", "pipeline_version")),
)
# A column of a later version that no group knows.
OTHER = "Other"

# In the order of a reader's questions.
GROUP_ORDER = (
    "Position",
    "Class",
    "Flux density",
    "Size",
    "Radio components",
    "Infrared host",
    "Hosts that may be",
    "Flags",
    OTHER,
    "Where it was found",
)


def column_table() -> list[dict[str, Any]]:
    """Columns of the catalogue in its order: name, unit, description, group, whether it is a list."""
    return [_column(field) for field in CATALOGUE]


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
    """Every flag: bit, name and description."""
    return [{"bit": flag.value, "name": str(flag.name), "text": text} for flag, text in DESCRIPTIONS.items()]
