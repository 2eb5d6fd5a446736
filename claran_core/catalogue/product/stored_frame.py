"""The geometry of the subjects, as the file of a catalogue states it."""

from collections.abc import Mapping
from typing import Any

from claran_core.common.frame import Frame

__all__ = ["stored_frame"]


def stored_frame(facts: Mapping[str, Any]) -> Frame | None:
    """Geometry of the subjects of a stored catalogue; None where its file does not say.

    Only these two settings are looked at: those of another version need not be valid in this one.
    """
    fusion = dict(facts.get("config", {})).get("fusion", {})
    if not {"size_px", "pixel_scale_arcsec"} <= set(fusion):
        return None
    return Frame(int(fusion["size_px"]), float(fusion["pixel_scale_arcsec"]))
