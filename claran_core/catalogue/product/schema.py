"""Columns of the catalogue: name, type, unit, UCD and description.

Published names are stable.  Units are VOUnits and UCDs are UCD1+; both are stored in the Parquet file as
field metadata, so the table describes itself.

`CATALOGUE` and `OUTCOMES` are published: one row per source, and one row per detection with its outcome.
`SOURCES` and `REJECTED` are internal tables of one shard: the sources before duplicates from overlapping
subjects are merged, and the detections that the post-filter rejects.
"""

import pyarrow as pa

from claran_core.catalogue.product.columns import count, integer, list_of, number, position, text
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


def _flag_bits() -> str:
    return ", ".join(f"{flag.value} {str(flag.name).lower()}" for flag in Flag)


def _box_corner(name: str, axis: str, which: str, edge: str) -> pa.Field:
    description = f"{edge} edge of the source's box in the image of its subject (row 0 is north)"
    return number(name, "pixel", f"pos.cartesian.{axis};stat.{which}", description)


_BOX = [
    _box_corner("box_x1", "x", "min", "left (east)"),
    _box_corner("box_y1", "y", "min", "top (north)"),
    _box_corner("box_x2", "x", "max", "right (west)"),
    _box_corner("box_y2", "y", "max", "bottom (south)"),
]
_SUBJECT = text("subject_id", "meta.id;obs.field", "subject in whose image the source was detected")
_CENTRE = position("", "meta.main", "the centre of the box")
_MORPHOLOGY = text(
    "morphology",
    "src.morph.type",
    f"morphology class iC_jP (i radio components, j peaks), one of {', '.join(MORPHOLOGIES)}",
)
_PROBABILITY = number("probability", "", "stat.probability", "probability of the morphology class")
_SOURCE_ID = text(
    "source_id",
    "meta.id;meta.main",
    "IAU-style name JHHMMSS.s+DDMMSS from the truncated position; a letter follows where names repeat",
)

_FOUND = [
    *_CENTRE,
    _SUBJECT,
    text("method", "meta.code;obs.image", "method that fused the radio and infrared images"),
    _MORPHOLOGY,
    count("n_components", "number of radio components of the class, at most 3"),
    count("n_peaks", "number of radio peaks of the class, at most 3"),
    _PROBABILITY,
    number(
        "source_probability",
        "",
        "stat.probability",
        "probability of a source of any class: the sum over the classes",
    ),
    *[
        number(name, "", "stat.probability", f"probability of class {morphology}")
        for name, morphology in zip(probability_columns(), MORPHOLOGIES, strict=True)
    ],
    *_BOX,
    number(
        "angular_size",
        "arcsec",
        "phys.angSize",
        "side of the box (mean of width and height): the angular extent as RGZ DR1 defines it",
    ),
]

# Measured on the radio image, from the components of the source; NaN or 0 without a component.
_MEASURED = [
    count("rule_components", "number of radio components by the contour rule"),
    count("rule_peaks", "number of radio peaks by the contour rule"),
    text(
        "rule_morphology",
        "src.morph.type",
        "class of the counts by the contour rule; empty without a component",
    ),
    number(
        "peak_flux",
        "mJy/beam",
        "phot.flux.density;em.radio;stat.max",
        "peak brightness of the source, interpolated between pixels",
    ),
    number(
        "peak_flux_err", "mJy/beam", "stat.error;phot.flux.density;em.radio", "standard error of peak_flux"
    ),
    number(
        "integrated_flux",
        "mJy",
        "phot.flux.density;em.radio",
        "flux density summed over the components and one beam around them",
    ),
    number(
        "integrated_flux_err",
        "mJy",
        "stat.error;phot.flux.density;em.radio",
        "standard error of integrated_flux from the correlated noise of the pixels",
    ),
    number(
        "local_rms",
        "mJy/beam",
        "stat.stdev;instr.background;em.radio",
        "rms noise of the subject's radio image away from all components (1.4826 x MAD)",
    ),
    number("snr", "", "stat.snr;em.radio", "peak_flux divided by local_rms"),
    *position("centroid_", "stat.mean", "the flux-weighted centroid"),
    *position("tight_", "phys.angSize", "the centre of the tight box around the components"),
    number("tight_width", "arcsec", "phys.angSize", "east-west width of the tight box around the components"),
    number(
        "tight_height", "arcsec", "phys.angSize", "north-south height of the tight box around the components"
    ),
    number(
        "largest_angular_size",
        "arcsec",
        "phys.angSize;stat.max",
        "largest angular distance between two points of the components' contours",
    ),
    number(
        "position_angle",
        "deg",
        "pos.posAng",
        "position angle of largest_angular_size, from north through east, in [0, 180)",
    ),
    list_of("component_ra", pa.float64(), "deg", "pos.eq.ra", "right ascension of the brightest pixel, ICRS"),
    list_of("component_dec", pa.float64(), "deg", "pos.eq.dec", "declination of the brightest pixel, ICRS"),
    list_of(
        "component_peak_flux",
        pa.float32(),
        "mJy/beam",
        "phot.flux.density;em.radio;stat.max",
        "peak brightness of the component, interpolated between pixels",
    ),
    list_of(
        "component_flux",
        pa.float32(),
        "mJy",
        "phot.flux.density;em.radio",
        "flux density summed over the component and one beam around it",
    ),
]

# Infrared host, from the W1 image; NaN, 0 or empty lists without a candidate or an image.
_CANDIDATES = "one entry per candidate, most reliable first; empty without candidates"
_HOST = [
    *position("host_", "em.IR.3-4um", "the most reliable infrared host candidate"),
    number(
        "host_w1", "mag", "phot.mag;em.IR.3-4um", "W1 magnitude (Vega) of the host, fitted as a point source"
    ),
    number("host_w1_err", "mag", "stat.error;phot.mag;em.IR.3-4um", "standard error of host_w1"),
    number(
        "host_separation",
        "arcsec",
        "pos.angDistance",
        "angular distance from the flux-weighted radio centroid to the host",
    ),
    number(
        "host_reliability",
        "",
        "stat.probability",
        "probability by likelihood ratio that the candidate is the host; 0 without candidates",
    ),
    list_of(
        "host_candidate_ra",
        pa.float64(),
        "deg",
        "pos.eq.ra;em.IR.3-4um",
        "right ascension of the host candidate, ICRS",
        entries=_CANDIDATES,
    ),
    list_of(
        "host_candidate_dec",
        pa.float64(),
        "deg",
        "pos.eq.dec;em.IR.3-4um",
        "declination of the host candidate, ICRS",
        entries=_CANDIDATES,
    ),
    list_of(
        "host_candidate_w1",
        pa.float32(),
        "mag",
        "phot.mag;em.IR.3-4um",
        "W1 magnitude (Vega) of the host candidate",
        entries=_CANDIDATES,
    ),
    list_of(
        "host_candidate_reliability",
        pa.float32(),
        "",
        "stat.probability",
        "probability that the candidate is the host, at least 0.01",
        entries=_CANDIDATES,
    ),
]
_FLAGS = integer("flags", "meta.code.qual", f"bit mask: {_flag_bits()}")

CATALOGUE = pa.schema(
    [
        _SOURCE_ID,
        *_FOUND,
        *_MEASURED,
        *_HOST,
        count("n_merged", "number of detections of this source in overlapping subjects"),
        _FLAGS,
        text("model_id", "meta.id;meta.modelled", "identifier of the weights that detected the source"),
        text("pipeline_version", "meta.version", "version of the pipeline that wrote the row"),
    ]
)

# Positions by which duplicate detections of one source are recognised.
_PEAKS = [
    list_of(
        "peak_ra",
        pa.float64(),
        "deg",
        "pos.eq.ra",
        "right ascension of the peak, ICRS",
        entries="one entry per peak, those of component_ra first",
    ),
    list_of(
        "peak_dec",
        pa.float64(),
        "deg",
        "pos.eq.dec",
        "declination of the peak, ICRS",
        entries="one entry per peak, those of component_dec first",
    ),
]

# The sources of one shard: the columns of the catalogue, and those that merging needs.
SOURCES = pa.schema(
    [
        *_FOUND,
        *_MEASURED,
        *_HOST,
        _FLAGS,
        integer("detection", "meta.record", "row in the detections table of its shard, from 0"),
        number(
            "frame_quality",
            "",
            "stat.weight",
            "how well this subject shows the source; of duplicates the highest is catalogued",
        ),
        *_PEAKS,
    ]
)
MEASURED_COLUMNS = [field.name for field in (*_MEASURED, *_PEAKS)]
HOST_COLUMNS = [field.name for field in _HOST]

# What happens to a detection.
OUTCOME_DESCRIPTIONS = {
    "catalogued": "listed in the catalogue under this source_id",
    "merged": "duplicate of this source_id, from an overlapping subject; counted in its n_merged",
    "regrouped": "shares emission with this source_id of another subject, but has other components",
    "cut": "truncated by the border of its subject, and part of this source_id of another subject",
    "competing": "shares emission with this more probable source_id of the same subject",
    "improbable": "probability below catalogue.min_probability",
    "second": "not the most probable of its subject (catalogue.one_source_per_field)",
}

_DETECTION = [
    integer("detection", "meta.record", "row in the detections table of its shard, from 0"),
    *_CENTRE,
    *_BOX,
    _MORPHOLOGY,
    _PROBABILITY,
    text("outcome", "meta.code", "; ".join(f"{name}: {text}" for name, text in OUTCOME_DESCRIPTIONS.items())),
]

OUTCOMES = pa.schema(
    [
        _SUBJECT,
        text("shard", "meta.id", "shard of the subject"),
        *_DETECTION,
        text("source_id", "meta.id", "source of the catalogue that the outcome refers to; empty without one"),
    ]
)

REJECTED = pa.schema(
    [
        _SUBJECT,
        *_DETECTION,
        integer(
            "winner",
            "meta.record",
            "row of the more probable detection that it competes with; -1 without one",
        ),
    ]
)
