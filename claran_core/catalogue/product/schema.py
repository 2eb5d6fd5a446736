"""Columns of the catalogue: type, unit, UCD and description of each, in one place.

Names are stable once published.  Units are VOUnits, UCDs are UCD1+; both travel in the Parquet file as
field metadata, so the table explains itself.

`CATALOGUE` is the product, one row per source, and `OUTCOMES` says of every detection what became of it.
`SOURCES` and `REJECTED` are the same for one shard, before views of one source are merged; they stay in the
run.
"""

import pyarrow as pa

from claran_core.common.flags import Flag
from claran_core.common.morphology import MORPHOLOGIES, probability_columns

__all__ = [
    "CATALOGUE",
    "OUTCOMES",
    "OUTCOME_DESCRIPTIONS",
    "HOST_COLUMNS",
    "MEASURED_COLUMNS",
    "REJECTED",
    "SOURCES",
]


def _column(name: str, kind: pa.DataType, unit: str, ucd: str, description: str) -> pa.Field:
    metadata = {"unit": unit, "ucd": ucd, "description": description}
    return pa.field(name, kind, nullable=False, metadata=metadata)


def _number(name: str, unit: str, ucd: str, description: str) -> pa.Field:
    return _column(name, pa.float32(), unit, ucd, description)


def _position(name: str, ucd: str, description: str) -> list[pa.Field]:
    """Right ascension and declination under the names ``{name}ra`` and ``{name}dec``."""
    return [
        _column(
            f"{name}ra", pa.float64(), "deg", f"pos.eq.ra;{ucd}", f"right ascension of {description}, ICRS"
        ),
        _column(
            f"{name}dec", pa.float64(), "deg", f"pos.eq.dec;{ucd}", f"declination of {description}, ICRS"
        ),
    ]


def _list(
    name: str,
    kind: pa.DataType,
    unit: str,
    ucd: str,
    description: str,
    *,
    entries: str = "one entry per component, brightest first",
) -> pa.Field:
    item = pa.field("item", kind, nullable=False)
    return _column(name, pa.list_(item), unit, ucd, f"{description}; {entries}")


def _flag_bits() -> str:
    return ", ".join(f"{flag.value} {str(flag.name).lower()}" for flag in Flag)


def _box_corner(name: str, axis: str, which: str, edge: str) -> pa.Field:
    description = f"{edge} edge of the source's box in the image of its subject (row 0 is north)"
    return _number(name, "pixel", f"pos.cartesian.{axis};stat.{which}", description)


_BOX = [
    _box_corner("box_x1", "x", "min", "left (east)"),
    _box_corner("box_y1", "y", "min", "top (north)"),
    _box_corner("box_x2", "x", "max", "right (west)"),
    _box_corner("box_y2", "y", "max", "bottom (south)"),
]
_SUBJECT = _column(
    "subject_id", pa.string(), "", "meta.id;obs.field", "subject whose image the source was found in"
)
_CENTRE = _position("", "meta.main", "the box's centre")
_MORPHOLOGY = _column(
    "morphology",
    pa.string(),
    "",
    "src.morph.type",
    f"class iC_jP, i radio components and j peaks: one of {', '.join(MORPHOLOGIES)}",
)
_PROBABILITY = _number("probability", "", "stat.probability", "probability of the class")
_SOURCE_ID = _column(
    "source_id",
    pa.string(),
    "",
    "meta.id;meta.main",
    "IAU-style name JHHMMSS.s+DDMMSS of the position, truncated; a letter tells equal names apart",
)

_FOUND = [
    *_CENTRE,
    _SUBJECT,
    _column("method", pa.string(), "", "meta.code;obs.image", "how radio and infrared image were fused"),
    _MORPHOLOGY,
    _column("n_components", pa.int32(), "", "meta.number", "radio components of the class, at most 3"),
    _column("n_peaks", pa.int32(), "", "meta.number", "radio peaks of the class, at most 3"),
    _PROBABILITY,
    _number("source_probability", "", "stat.probability", "probability of a source of any class"),
    *[
        _number(name, "", "stat.probability", f"probability of class {morphology}")
        for name, morphology in zip(probability_columns(), MORPHOLOGIES, strict=True)
    ],
    *_BOX,
    _number(
        "angular_size",
        "arcsec",
        "phys.angSize",
        "side of the box (mean of width and height): the extent in the convention of RGZ DR1",
    ),
]

# Measured on the radio image, from the components the box is made of; NaN and 0 without a component.
_MEASURED = [
    _column(
        "rule_components", pa.int32(), "", "meta.number", "radio components in the source, counted by contour"
    ),
    _column("rule_peaks", pa.int32(), "", "meta.number", "radio peaks in the source, counted by contour"),
    _column(
        "rule_morphology",
        pa.string(),
        "",
        "src.morph.type",
        "class these counts give; empty without a component",
    ),
    _number(
        "peak_flux",
        "mJy/beam",
        "phot.flux.density;em.radio;stat.max",
        "brightest pixel of the source, interpolated between pixels",
    ),
    _number(
        "peak_flux_err", "mJy/beam", "stat.error;phot.flux.density;em.radio", "standard error of peak_flux"
    ),
    _number(
        "integrated_flux",
        "mJy",
        "phot.flux.density;em.radio",
        "flux density in the components and one beam around them",
    ),
    _number(
        "integrated_flux_err",
        "mJy",
        "stat.error;phot.flux.density;em.radio",
        "standard error of integrated_flux from noise, whose correlation is accounted for",
    ),
    _number(
        "local_rms",
        "mJy/beam",
        "stat.stdev;instr.background;em.radio",
        "noise of the subject's radio image away from all components, 1.4826 x MAD",
    ),
    _number("snr", "", "stat.snr;em.radio", "peak_flux over local_rms"),
    *_position("centroid_", "stat.mean", "the flux-weighted centroid"),
    *_position("tight_", "phys.angSize", "the middle of the tight box around the components"),
    _number(
        "tight_width", "arcsec", "phys.angSize", "east-west width of the tight box around the components"
    ),
    _number("tight_height", "arcsec", "phys.angSize", "north-south height of the tight box"),
    _number(
        "largest_angular_size",
        "arcsec",
        "phys.angSize;stat.max",
        "largest distance between two points of the components' contours",
    ),
    _number(
        "position_angle",
        "deg",
        "pos.posAng",
        "direction of that distance, from north through east, in [0, 180)",
    ),
    _list("component_ra", pa.float64(), "deg", "pos.eq.ra", "right ascension of the brightest pixel, ICRS"),
    _list("component_dec", pa.float64(), "deg", "pos.eq.dec", "declination of the brightest pixel, ICRS"),
    _list(
        "component_peak_flux",
        pa.float32(),
        "mJy/beam",
        "phot.flux.density;em.radio;stat.max",
        "brightest pixel, interpolated between pixels",
    ),
    _list(
        "component_flux",
        pa.float32(),
        "mJy",
        "phot.flux.density;em.radio",
        "flux density in the component and one beam around it",
    ),
]
# Infrared counterpart, from the W1 image; NaN, 0 and empty lists where none is seen or there is no image.
_CANDIDATES = "one entry per candidate, most reliable first; empty where none is seen"
_HOST = [
    *_position("host_", "em.IR.3-4um", "the most reliable infrared counterpart"),
    _number("host_w1", "mag", "phot.mag;em.IR.3-4um", "W1 magnitude (Vega) of that counterpart as a point"),
    _number("host_w1_err", "mag", "stat.error;phot.mag;em.IR.3-4um", "standard error of host_w1"),
    _number("host_separation", "arcsec", "pos.angDistance", "from the flux-weighted centroid to the host"),
    _number(
        "host_reliability",
        "",
        "stat.probability",
        "probability, by likelihood ratio, that it is the host; 0 where none is seen",
    ),
    _list(
        "host_candidate_ra",
        pa.float64(),
        "deg",
        "pos.eq.ra;em.IR.3-4um",
        "right ascension of a possible host, ICRS",
        entries=_CANDIDATES,
    ),
    _list(
        "host_candidate_dec",
        pa.float64(),
        "deg",
        "pos.eq.dec;em.IR.3-4um",
        "declination of a possible host, ICRS",
        entries=_CANDIDATES,
    ),
    _list(
        "host_candidate_w1",
        pa.float32(),
        "mag",
        "phot.mag;em.IR.3-4um",
        "W1 magnitude (Vega) of a possible host",
        entries=_CANDIDATES,
    ),
    _list(
        "host_candidate_reliability",
        pa.float32(),
        "",
        "stat.probability",
        "probability of being the host, above 0.01",
        entries=_CANDIDATES,
    ),
]
_FLAGS = _column("flags", pa.int32(), "", "meta.code.qual", f"bit mask: {_flag_bits()}")

CATALOGUE = pa.schema(
    [
        _SOURCE_ID,
        *_FOUND,
        *_MEASURED,
        *_HOST,
        _column(
            "n_merged", pa.int32(), "", "meta.number", "detections of this source, in overlapping subjects"
        ),
        _FLAGS,
        _column("model_id", pa.string(), "", "meta.id;meta.modelled", "weights the source was found with"),
        _column(
            "pipeline_version", pa.string(), "", "meta.version", "version of this program that made the row"
        ),
    ]
)

# Places by which views of one source are known to be of one source.
_PEAKS = [
    _list(
        "peak_ra",
        pa.float64(),
        "deg",
        "pos.eq.ra",
        "right ascension of the peaks, ICRS",
        entries="those of component_ra, then others",
    ),
    _list(
        "peak_dec",
        pa.float64(),
        "deg",
        "pos.eq.dec",
        "declination of the peaks, ICRS",
        entries="those of component_dec, then others",
    ),
]

# One shard's view of its sources: what a row of the catalogue needs, and what merging goes by.
SOURCES = pa.schema(
    [
        *_FOUND,
        *_MEASURED,
        *_HOST,
        _FLAGS,
        _column(
            "detection", pa.int32(), "", "meta.record", "row of the source in its shard's table of detections"
        ),
        _number(
            "view", "", "stat.weight", "how well this subject shows the source; the best view is catalogued"
        ),
        *_PEAKS,
    ]
)
MEASURED_COLUMNS = [field.name for field in (*_MEASURED, *_PEAKS)]
HOST_COLUMNS = [field.name for field in _HOST]

# What becomes of a detection.
OUTCOME_DESCRIPTIONS = {
    "catalogued": "the row of the catalogue under this source_id",
    "merged": "the same source seen in another subject: counted in n_merged of this source_id",
    "regrouped": "shares emission with this source_id, which another subject shows better",
    "cut": "cut by the border of its subject; this source_id of another subject holds the piece",
    "competing": "shares emission with this source_id of the same subject, which is more probable",
    "improbable": "below catalogue.min_probability",
    "second": "not the best of its field (catalogue.one_source_per_field)",
}

_DETECTION = [
    _SUBJECT,
    _column("shard", pa.string(), "", "meta.id", "shard of the subject"),
    _column("detection", pa.int32(), "", "meta.record", "row in its shard's table of detections"),
    *_CENTRE,
    *_BOX,
    _MORPHOLOGY,
    _PROBABILITY,
    _column(
        "outcome",
        pa.string(),
        "",
        "meta.code",
        "; ".join(f"{name}: {text}" for name, text in OUTCOME_DESCRIPTIONS.items()),
    ),
]

OUTCOMES = pa.schema(
    [
        *_DETECTION,
        _column(
            "source_id",
            pa.string(),
            "",
            "meta.id",
            "source of the catalogue it belongs to; empty without one",
        ),
    ]
)

REJECTED = pa.schema(
    [
        *_DETECTION,
        _column(
            "winner", pa.int32(), "", "meta.record", "row of the detection it lost against; -1 without one"
        ),
    ]
)
