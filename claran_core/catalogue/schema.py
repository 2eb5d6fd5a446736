"""Columns of the catalogue: type, unit, UCD and description of each, in one place.

Names are stable once published.  Units are VOUnits, UCDs are UCD1+; both travel in the Parquet file as
field metadata, so the table explains itself.
"""

import pyarrow as pa

from claran_core.flags import Flag
from claran_core.morphology import MORPHOLOGIES, probability_columns

__all__ = ["CATALOGUE"]


def _column(name: str, kind: pa.DataType, unit: str, ucd: str, description: str) -> pa.Field:
    metadata = {"unit": unit, "ucd": ucd, "description": description}
    return pa.field(name, kind, nullable=False, metadata=metadata)


def _flag_bits() -> str:
    return ", ".join(f"{flag.value} {str(flag.name).lower()}" for flag in Flag)


def _box_corner(name: str, axis: str, which: str, edge: str) -> pa.Field:
    description = f"{edge} edge of the source's box in the image of its subject (row 0 is north)"
    return _column(name, pa.float32(), "pixel", f"pos.cartesian.{axis};stat.{which}", description)


CATALOGUE = pa.schema(
    [
        _column(
            "source_id",
            pa.string(),
            "",
            "meta.id;meta.main",
            "IAU-style name JHHMMSS.s+DDMMSS of the position, truncated; a letter tells equal names apart",
        ),
        _column(
            "ra", pa.float64(), "deg", "pos.eq.ra;meta.main", "right ascension of the box's centre, ICRS"
        ),
        _column("dec", pa.float64(), "deg", "pos.eq.dec;meta.main", "declination of the box's centre, ICRS"),
        _column(
            "subject_id", pa.string(), "", "meta.id;obs.field", "subject whose image the source was found in"
        ),
        _column("method", pa.string(), "", "meta.code;obs.image", "how radio and infrared image were fused"),
        _column(
            "morphology",
            pa.string(),
            "",
            "src.morph.type",
            f"class iC_jP, i radio components and j peaks: one of {', '.join(MORPHOLOGIES)}",
        ),
        _column("n_components", pa.int32(), "", "meta.number", "radio components of the class, at most 3"),
        _column("n_peaks", pa.int32(), "", "meta.number", "radio peaks of the class, at most 3"),
        _column("probability", pa.float32(), "", "stat.probability", "probability of the class"),
        *[
            _column(name, pa.float32(), "", "stat.probability", f"probability of class {morphology}")
            for name, morphology in zip(probability_columns(), MORPHOLOGIES, strict=True)
        ],
        _box_corner("box_x1", "x", "min", "left (east)"),
        _box_corner("box_y1", "y", "min", "top (north)"),
        _box_corner("box_x2", "x", "max", "right (west)"),
        _box_corner("box_y2", "y", "max", "bottom (south)"),
        _column(
            "angular_size",
            pa.float32(),
            "arcsec",
            "phys.angSize",
            "side of the box (mean of width and height): the extent in the convention of RGZ DR1",
        ),
        _column("flags", pa.int32(), "", "meta.code.qual", f"bit mask: {_flag_bits()}"),
        _column("model_id", pa.string(), "", "meta.id;meta.modelled", "weights the source was found with"),
        _column(
            "pipeline_version", pa.string(), "", "meta.version", "version of this program that made the row"
        ),
    ]
)
