"""The columns of a catalogue with the radio bands of its surveys in their UCDs.

The schema says ``em.radio``; a file says ``em.radio.750-1500MHz`` where the frequency of its survey is known.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.morphology import classes_of
from claran_core.common.tables import for_classes

__all__ = ["BANDS_KEY", "catalogue_schema", "radio_band"]

# Key of the facts of a run: the band of each radio survey, by its role.
BANDS_KEY = "em_bands"
ANY_BAND = "em.radio"
# Upper ends of the bands (Hz) and their words in the list of UCD1+ words, version 1.5.  The first starts at
# 20 MHz.
LOWEST_HZ = 20e6
BANDS = {
    100e6: "em.radio.20-100MHz",
    200e6: "em.radio.100-200MHz",
    400e6: "em.radio.200-400MHz",
    750e6: "em.radio.400-750MHz",
    1500e6: "em.radio.750-1500MHz",
    3000e6: "em.radio.1500-3000MHz",
    6e9: "em.radio.3-6GHz",
    12e9: "em.radio.6-12GHz",
    30e9: "em.radio.12-30GHz",
}
# Columns of the second radio survey begin so; those of both surveys keep the general word.
SECOND, BOTH = "second_radio_", "spectral_index"


def radio_band(frequency_hz: float | None) -> str:
    """Return the word of UCDs for a frequency; the general one for an unknown one or one beyond the bands."""
    if frequency_hz is None or frequency_hz < LOWEST_HZ:
        return ANY_BAND
    return next((word for end, word in BANDS.items() if frequency_hz < end), ANY_BAND)


def catalogue_schema(facts: Mapping[str, Any]) -> pa.Schema:
    """Return the columns of a catalogue with the classes and bands that its facts state."""
    columns, bands = for_classes(CATALOGUE, classes_of(facts)), facts.get(BANDS_KEY, {})
    return pa.schema([_in_band(column, bands) for column in columns])


def _in_band(column: pa.Field, bands: Mapping[str, str]) -> pa.Field:
    about = dict(column.metadata)
    words = about[b"ucd"].decode().split(";")
    if ANY_BAND not in words or column.name.startswith(BOTH):
        return column
    role = "second_radio" if column.name.startswith(SECOND) else "radio"
    named = [bands.get(role, ANY_BAND) if word == ANY_BAND else word for word in words]
    return column.with_metadata(about | {b"ucd": ";".join(named).encode()})
