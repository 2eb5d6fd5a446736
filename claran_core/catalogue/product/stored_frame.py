"""Read the geometry of the subjects from the metadata of a catalogue."""

from collections.abc import Mapping
from typing import Any

from claran_core.common.frame import Frame

__all__ = ["stored_frame"]


def stored_frame(facts: Mapping[str, Any]) -> Frame | None:
    """Return the geometry of the subjects of a stored catalogue; None if its metadata lack it.

    Only these two settings are read, because those of another version need not be valid in this one.
    """
    fusion = dict(facts.get("config", {})).get("fusion", {})
    if not {"size_px", "pixel_scale_arcsec"} <= set(fusion):
        return None
    return Frame(int(fusion["size_px"]), float(fusion["pixel_scale_arcsec"]))
