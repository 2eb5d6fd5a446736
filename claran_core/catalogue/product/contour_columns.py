"""Columns of the table of contours: the mask of each source as polygons."""

import pyarrow as pa

from claran_core.catalogue.product.columns import list_of

__all__ = ["CONTOUR_FIELDS", "contour_schema"]

_RING = "one entry per ring"
_POINT = "one entry per point, ring by ring"

CONTOUR_FIELDS = [
    list_of(
        "ring_points",
        pa.int32(),
        "",
        "meta.number",
        "number of points of a ring: a closed contour of a component at 5.3 sigma, whose first point is not"
        " repeated; of a source with flag SMOOTHED those of its native components, then those of the smoothed"
        " image",
        entries=_RING,
    ),
    list_of(
        "ring_level",
        pa.float32(),
        "mJy/beam",
        "phot.flux.density;em.radio",
        "brightness at the ring, in the image that it is drawn on",
        entries=_RING,
    ),
    list_of(
        "ring_is_hole",
        pa.bool_(),
        "",
        "meta.code",
        "whether the ring bounds a hole; it then runs the other way round",
        entries=_RING,
    ),
    list_of(
        "contour_x",
        pa.float32(),
        "pixel",
        "pos.cartesian.x",
        "column in the image of the subject, in which pixel i covers [i, i + 1)",
        entries=_POINT,
    ),
    list_of(
        "contour_y",
        pa.float32(),
        "pixel",
        "pos.cartesian.y",
        "row in the image of the subject (row 0 is north)",
        entries=_POINT,
    ),
    list_of("contour_ra", pa.float64(), "deg", "pos.eq.ra", "right ascension, ICRS", entries=_POINT),
    list_of("contour_dec", pa.float64(), "deg", "pos.eq.dec", "declination, ICRS", entries=_POINT),
]


def contour_schema(catalogue: pa.Schema) -> pa.Schema:
    """Return the columns of the table of contours, given those of the catalogue, whose order it has."""
    return pa.schema(
        [catalogue.field(name) for name in ("source_id", "subject_id", "scale")] + CONTOUR_FIELDS
    )
