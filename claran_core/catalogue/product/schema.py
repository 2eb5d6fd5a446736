"""Columns of the catalogue: name, type, unit, UCD and description.

Published names are stable.  Units are VOUnits and UCDs are UCD1+; both are stored in the Parquet file as
field metadata, so the table describes itself.

`CATALOGUE` and `OUTCOMES` are published: one row per source, and one row per component of the sky with its
outcome.  `SOURCES` is an internal table: the measured sources of one shard, before they are named.  The
probability columns of `CATALOGUE` and `SOURCES` are those of the paper's classes;
`claran_core.common.tables.for_classes` gives those of others.
"""

import pyarrow as pa

from claran_core.catalogue.product.columns import (
    boolean,
    count,
    identity,
    integer,
    list_of,
    number,
    position,
    position_errors,
    text,
)
from claran_core.catalogue.product.contour_columns import CONTOUR_FIELDS, contour_schema
from claran_core.catalogue.product.shape_fields import SHAPE_FIELDS
from claran_core.common.flags import Flag
from claran_core.common.morphology import MORPHOLOGIES, probability_columns

__all__ = [
    "CATALOGUE",
    "CONTOURS",
    "CONTOUR_COLUMNS",
    "FITTED_COLUMNS",
    "KIND_KEY",
    "TARGETS_KIND",
    "OUTCOMES",
    "OUTCOME_DESCRIPTIONS",
    "HOST_COLUMNS",
    "MEASURED_COLUMNS",
    "SECOND_RADIO_COLUMNS",
    "SHAPE_COLUMNS",
    "SOURCES",
]

# Key of a file's metadata that says which table it holds, if it is not a catalogue; and its values.
KIND_KEY = "table"
TARGETS_KIND = "targets"


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
_SCALE = "arith.factor;instr.beam"
_SOURCE_ID = text(
    "source_id",
    "meta.id;meta.main",
    "IAU-style name JHHMMSS.s+DDMMSS from the truncated position; a letter follows where names repeat",
)

# The position, measured on the radio image.
_POSITION = [
    *position("", "meta.main", "the source: fitted_ra, fitted_dec if unresolved, else the centroid"),
    *position_errors("", "the position ra, dec"),
]
# What the position is chosen from; NaN where there is no fit.
_POSITIONS = [
    *position("fitted_", "stat.max", "the peak of a beam fitted to a source of one component and one peak"),
    *position_errors("fitted_", "the fitted peak"),
    *position("centroid_", "stat.mean", "the flux-weighted centroid"),
    *position_errors("centroid_", "the centroid"),
]

_FOUND = [
    *position("box_", "phys.angSize", "the centre of the source's box"),
    text("subject_id", "meta.id;obs.field", "subject that shows the source best"),
    integer("scale", _SCALE, "beam and pixel of that subject's image in units of the survey's: 1, 2, 4 or 8"),
    text("method", "meta.code;obs.image", "method that fused the radio and infrared images"),
    text(
        "morphology",
        "src.morph.type",
        "morphology class: the most probable of those of the probabilities p_; in the paper's classes iC_jP,"
        " i is the number of radio components and j that of peaks",
    ),
    count("n_components", "number of radio components: i of a class iC_jP, at most 3, else rule_components"),
    count("n_peaks", "number of radio peaks: j of a class iC_jP, at most 3, else rule_peaks"),
    number("probability", "", "stat.probability", "probability of the morphology class"),
    number(
        "source_probability",
        "",
        "stat.probability",
        "probability that the components are one source, combined over all subjects that show them",
    ),
    *[
        number(name, "", "stat.probability", f"probability of class {morphology}")
        for name, morphology in zip(probability_columns(), MORPHOLOGIES, strict=True)
    ],
    text(
        "second_grouping",
        "meta.code",
        "next best grouping of the components: their numbers by source, such as 0|1 2 (from 0, in the order"
        " of component_ra); components of no source are left out",
    ),
    number(
        "second_probability", "", "stat.probability", "mean probability of the components in that grouping"
    ),
    *_BOX,
    number(
        "angular_size",
        "arcsec",
        "phys.angSize",
        "side of the box (mean of width and height): the angular extent as RGZ DR1 defines it",
    ),
]

# Measured on the radio image, from the components of the source.
_MEASURED = [
    count("rule_components", "number of radio components by the contour rule"),
    count("rule_peaks", "number of radio peaks by the contour rule"),
    text("rule_morphology", "src.morph.type", "class iC_jP of the counts by the contour rule"),
    number(
        "peak_flux",
        "mJy/beam",
        "phot.flux.density;em.radio;stat.max",
        "peak brightness of the brightest component, interpolated between pixels; with flag SMOOTHED also on"
        " the image with the survey's beam, unless no component has a contour there",
    ),
    number(
        "peak_flux_err", "mJy/beam", "stat.error;phot.flux.density;em.radio", "standard error of peak_flux"
    ),
    number(
        "integrated_flux",
        "mJy",
        "phot.flux.density;em.radio",
        "best flux density: of a fit of the beam if unresolved, else summed over the components and one beam"
        " around them; with flag SMOOTHED on the smoothed image, with its beam",
    ),
    number(
        "integrated_flux_err",
        "mJy",
        "stat.error;phot.flux.density;em.radio",
        "standard error of integrated_flux from the correlated noise of the pixels",
    ),
    boolean(
        "unresolved",
        "meta.code;phys.angSize",
        "one component with one peak, whose flux density summed over its pixels agrees with that of a fit of"
        " the beam within 2.33 standard errors; with flag SMOOTHED by the beam of the smoothed image",
    ),
    number(
        "local_rms",
        "mJy/beam",
        "stat.stdev;instr.background;em.radio",
        "rms noise of the image of peak_flux away from all components (1.4826 x MAD)",
    ),
    number("snr", "", "stat.snr;em.radio", "peak_flux divided by local_rms"),
    *_POSITIONS,
    *position("tight_", "phys.angSize", "the centre of the tight box around the components"),
    number("tight_width", "arcsec", "phys.angSize", "east-west width of the tight box around the components"),
    number(
        "tight_height", "arcsec", "phys.angSize", "north-south height of the tight box around the components"
    ),
    number(
        "largest_angular_size",
        "arcsec",
        "phys.angSize;stat.max",
        "largest angular distance between two points of the components' contours at 5.3 sigma or of the faint"
        " emission around them, above 3 sigma of the image or of the image smoothed 2 and 4 times; with flag"
        " SMOOTHED, those of the smoothed image count where they lie farther out than smoothing explains",
    ),
    number(
        "largest_angular_size_err",
        "arcsec",
        "stat.error;phys.angSize",
        "standard error of largest_angular_size: how much noise moves the contours",
    ),
    number(
        "position_angle",
        "deg",
        "pos.posAng",
        "position angle of largest_angular_size, from north through east, in [0, 180)",
    ),
    number(
        "position_angle_err",
        "deg",
        "stat.error;pos.posAng",
        "standard error of position_angle from the noise; at most 52, that of a random angle, and 52 if"
        " unresolved",
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
        "flux density summed over the component and one beam around it; with flag SMOOTHED without pixels"
        " below 3 sigma",
    ),
]

# From the second radio survey; NaN without one, without its image, and where it has holes.
_APERTURE = (
    "at the beam to which both surveys are matched, in the same aperture: at the position if unresolved, else"
    " over the components and one matched beam around them"
)
_SECOND_RADIO = [
    number(
        "matched_flux",
        "mJy",
        "phot.flux.density;em.radio",
        f"flux density in the first radio survey {_APERTURE}; NaN also where its own image ends nearby",
    ),
    number(
        "matched_flux_err", "mJy", "stat.error;phot.flux.density;em.radio", "standard error of matched_flux"
    ),
    number(
        "second_radio_flux",
        "mJy",
        "phot.flux.density;em.radio",
        f"flux density in the second radio survey {_APERTURE}; below 0 where there is only noise",
    ),
    number(
        "second_radio_flux_err",
        "mJy",
        "stat.error;phot.flux.density;em.radio",
        "standard error of second_radio_flux",
    ),
    number(
        "spectral_index",
        "",
        "spect.index;em.radio",
        "alpha of S ~ nu^alpha from matched_flux and second_radio_flux; NaN if either is below 3 standard"
        " errors, or the frequencies differ by less than 5 %",
    ),
    number(
        "spectral_index_err",
        "",
        "stat.error;spect.index;em.radio",
        "standard error of spectral_index from the noise of both images, without that of the flux scales",
    ),
]

# Infrared host, from the W1 image; NaN, 0 or empty lists without a candidate or an image, and with flag
# SMOOTHED: sources of a smoothed infrared image are blends.
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
        "probability by likelihood ratio that the candidate is the host; 0 without candidates, and with flag"
        " SMOOTHED, where no host is searched",
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
_N_MERGED = count("n_merged", "number of subjects that show exactly the components of this source")
_FLAGS = integer("flags", "meta.code.qual", f"bit mask: {_flag_bits()}")

CATALOGUE = pa.schema(
    [
        _SOURCE_ID,
        *_POSITION,
        *_FOUND,
        *_MEASURED,
        *SHAPE_FIELDS,
        *_SECOND_RADIO,
        *_HOST,
        _N_MERGED,
        _FLAGS,
        text("model_id", "meta.id;meta.modelled", "identifier of the weights that detected the source"),
        text("pipeline_version", "meta.version", "version of the pipeline that wrote the row"),
    ]
)

# The sources of one shard: the columns of the catalogue that do not depend on other shards, and contours.
SOURCES = pa.schema(
    [
        *_POSITION,
        *_FOUND,
        *_MEASURED,
        *SHAPE_FIELDS,
        *_SECOND_RADIO,
        *_HOST,
        _N_MERGED,
        _FLAGS,
        *CONTOUR_FIELDS,
    ]
)
# The mask of each source, in the order of the catalogue.
CONTOURS = contour_schema(CATALOGUE)
CONTOUR_COLUMNS = [field.name for field in CONTOUR_FIELDS]
SECOND_RADIO_COLUMNS = [field.name for field in _SECOND_RADIO]
FITTED_COLUMNS = [field.name for field in _POSITIONS if field.name.startswith("fitted_")]
MEASURED_COLUMNS = [*(field.name for field in [*_POSITION, *_MEASURED]), *SECOND_RADIO_COLUMNS]
SHAPE_COLUMNS = [field.name for field in SHAPE_FIELDS]
HOST_COLUMNS = [field.name for field in _HOST]

# What a component of the sky is.
OUTCOME_DESCRIPTIONS = {
    "source": "part of this source_id",
    "artefact": "no source: a sidelobe or another fault of the image",
    "noise": "no source: below 7 sigma, and nothing within 3 arcmin is 50 times as bright",
    "below_limit": "a single pixel above the contour: not considered",
}

OUTCOMES = pa.schema(
    [
        identity(
            "component_id",
            "meta.id;meta.main",
            "HEALPix index (order 29, nested) of the component's brightest pixel",
        ),
        integer("scale", _SCALE, "finest scale that shows the component: 1, 2, 4 or 8 beams"),
        *position("", "meta.main", "the brightest pixel"),
        number(
            "snr", "", "stat.snr;em.radio", "brightest pixel over the noise, highest value of all subjects"
        ),
        count("n_views", "number of subjects that show the component"),
        text(
            "outcome",
            "meta.code",
            "; ".join(f"{name}: {text}" for name, text in OUTCOME_DESCRIPTIONS.items()),
        ),
        number("probability", "", "stat.probability", "probability of the outcome"),
        text(
            "source_id", "meta.id", "source of the catalogue that the component is part of; empty without one"
        ),
    ]
)
