"""Columns of the tables that pass between stages.

The catalogue, which is the product, has its own module (`claran_core.catalogue.product.schema`).  Tables with
a probability of each class are given for the classes of the paper; `for_classes` gives them for others.
Sky positions are ICRS degrees; boxes are frame pixels (see `claran_core.common.frame`).
"""

from collections.abc import Sequence

import pyarrow as pa

from claran_core.common.morphology import MORPHOLOGIES, probability_columns

__all__ = [
    "ASSOCIATED",
    "ATOMS",
    "CANDIDATES",
    "COMPONENTS",
    "DETECTIONS",
    "FUSED",
    "LABELS",
    "LEDGER",
    "LOSSES",
    "NATIVE_SCALE",
    "NOISE",
    "OWNERS",
    "SPLITS",
    "TARGETS",
    "for_classes",
]

SPLITS = ("train", "test", "none")

# Column `scale`: the pixel of a view in units of the finest view's (`claran_core.common.frame.SCALES`).
NATIVE_SCALE = 1


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


_POSITION = [
    _column("ra", pa.float64(), "right ascension, deg, ICRS"),
    _column("dec", pa.float64(), "declination, deg, ICRS"),
]
_PROBABILITIES = [
    _column(column, pa.float32(), f"probability of class {name}")
    for name, column in zip(MORPHOLOGIES, probability_columns(), strict=True)
]
_LIST = pa.list_(pa.float64())
_SCALE = "size of a frame pixel in units of the frame's smallest"
_BOX = [
    _column("box_x1", pa.float32(), "left edge, frame px"),
    _column("box_y1", pa.float32(), "top edge, frame px"),
    _column("box_x2", pa.float32(), "right edge, frame px"),
    _column("box_y2", pa.float32(), "bottom edge, frame px"),
]

TARGETS = pa.schema(
    [
        _column("subject_id", pa.string(), "unique name of the subject, safe as a file name"),
        *_POSITION,
        _column("scale", pa.int32(), _SCALE),
        _column("split", pa.string(), "train, test or none"),
        _column("shard", pa.string(), "shard of the subject"),
    ]
)

LEDGER = pa.schema(
    [
        _column("subject_id", pa.string(), "subject"),
        _column("shard", pa.string(), "shard"),
        _column("band", pa.string(), "radio, second_radio or infrared"),
        _column("survey", pa.string(), "name of the survey"),
        _column("status", pa.string(), "ok, partial, no_coverage or failed"),
        _column("reason", pa.string(), "why the status is not ok; empty if it is"),
        _column("coverage", pa.float32(), "fraction of the frame's pixels that have data"),
        _column("flags", pa.int32(), "bit mask, see claran_core.common.flags"),
        _column("origin", pa.string(), "file or service of the pixels"),
        _column("service", pa.string(), "archive service that responded", nullable=True),
        _column("url", pa.string(), "address that answered; several are joined by blanks", nullable=True),
        _column("sha256", pa.string(), "SHA-256 of the bytes received, hexadecimal", nullable=True),
        _column("fetched_at", pa.string(), "time of the response, ISO 8601, UTC", nullable=True),
    ]
)

IMAGES = pa.schema(
    [
        _column("file", pa.string(), "file below the folder of the survey"),
        _column("size", pa.int64(), "size of the file, bytes"),
        _column("mtime_ns", pa.int64(), "modification time of the file, ns since 1970"),
        _column("name", pa.string(), "name in messages: the file, and [n] for extension n"),
        _column("x", pa.float64(), "unit vector to the image's centre, ICRS; NaN if unknown"),
        _column("y", pa.float64(), "unit vector to the image's centre, ICRS; NaN if unknown"),
        _column("z", pa.float64(), "unit vector to the image's centre, ICRS; NaN if unknown"),
        _column("radius_deg", pa.float64(), "radius of a circle that contains the image, deg"),
        _column("unit", pa.string(), "BUNIT as the header spells it; empty if it is absent"),
        _column("content", pa.string(), "what the header says the image is, if it is no image of the sky"),
        _column(
            "differs", pa.string(), "what its header says that is not as in the survey; empty if nothing"
        ),
        _column("reason", pa.string(), "why the image cannot be read; empty if it can"),
        _column("refused", pa.string(), "why the image contradicts the settings or another; empty if not"),
        _column("passed_over", pa.string(), "why this is no image of the sky; empty if it is one"),
    ]
)

COMPONENTS = pa.schema(
    [
        _column(
            "component_id",
            pa.int64(),
            "HEALPix index (order 29, nested) of the brightest pixel; the same in each subject that shows it",
        ),
        _column("subject_id", pa.string(), "subject"),
        _column("scale", pa.int32(), _SCALE),
        _column("level", pa.float64(), "base contour in units of the rule's 5.3 sigma; 1 is the rule"),
        _column(
            "part_of",
            pa.int64(),
            "for a component of scale 1 in a coarser view: the component_id of the view's component of this "
            "level in whose contour its brightest pixel lies; -1 outside all of them, and for all other rows",
        ),
        _column("ra", pa.float64(), "right ascension of the brightest pixel, deg, ICRS"),
        _column("dec", pa.float64(), "declination of the brightest pixel, deg, ICRS"),
        _column("pixel_x", pa.int32(), "column of the brightest pixel in the image of this scale, from 0"),
        _column("pixel_y", pa.int32(), "row of the brightest pixel in the image of this scale, from 0"),
        *_BOX,
        _column("peak_x", pa.float32(), "brightest pixel, frame px"),
        _column("peak_y", pa.float32(), "brightest pixel, frame px"),
        _column("n_peaks", pa.int32(), "peaks by the contour rule"),
        _column("snr", pa.float32(), "brightest pixel over the noise of the row's scale"),
        _column(
            "flux",
            pa.float32(),
            "sum of the pixels over the noise, times a pixel's area in frame px of the row's scale",
        ),
        _column("area", pa.float32(), "area in frame px of the row's scale"),
        _column("n_pixels", pa.int32(), "pixels of the image of this scale"),
        *[
            _column(f"prominence_{k}", pa.float32(), "ln(peak / saddle) / ln(sqrt(3)) of a secondary peak")
            for k in (1, 2, 3)
        ],
        _column("at_edge", pa.bool_(), "touches the border of the frame or missing pixels"),
        _column(
            "beam_arcsec",
            pa.float32(),
            "FWHM of the beam of the image of this scale, as the image states it, arcsec (geometric mean of "
            "both axes); 0 if it states none",
        ),
        _column("secondary_ra", _LIST, "right ascension of the secondary peaks, most prominent first, deg"),
        _column("secondary_dec", _LIST, "declination of the secondary peaks, deg"),
        _column("secondary_snr", _LIST, "secondary peaks over the noise"),
        _column("secondary_saddle", _LIST, "highest saddles to higher peaks over the noise"),
    ]
)

NOISE = pa.schema(
    [
        _column("subject_id", pa.string(), "subject"),
        _column("scale", pa.int32(), _SCALE),
        _column(
            "sigma",
            pa.float64(),
            "1.4826 x MAD of the radio pixels of this scale in the frame, survey's unit; NaN without image",
        ),
        _column(
            "deepest",
            pa.float64(),
            "lowest radio pixel in the frame over sigma; NaN without noise, and at a scale finer than the "
            "view's, where only bright pixels are stored",
        ),
        _column("n_components", pa.int32(), "components of this scale at level 1"),
    ]
)

FUSED = pa.schema(
    [
        _column("subject_id", pa.string(), "subject"),
        _column("ra", pa.float64(), "right ascension of the frame's centre, deg, ICRS"),
        _column("dec", pa.float64(), "declination of the frame's centre, deg, ICRS"),
        _column("scale", pa.int32(), _SCALE),
        _column(
            "sigma",
            pa.float32(),
            "radio noise, 1.4826 x MAD, survey's unit; NaN without image",
        ),
        _column("radio_coverage", pa.float32(), "fraction of the frame with radio data"),
        _column("infrared_coverage", pa.float32(), "fraction of the frame with infrared data"),
        _column("n_contours", pa.int32(), "number of base contours"),
        _column("flags", pa.int32(), "bit mask, see claran_core.common.flags"),
        _column("crc32", pa.int64(), "CRC-32 (zlib) of the bytes of the image"),
    ]
)

LABELS = pa.schema(
    [
        _column("subject_id", pa.string(), "subject"),
        _column("label_id", pa.string(), "name of the true source (RGZ catalog_id or simulated id)"),
        _column("split", pa.string(), "train, test or none"),
        *_POSITION,
        *_BOX,
        _column("morphology", pa.string(), "class"),
        _column("n_components", pa.int32(), "components, not clipped"),
        _column("n_peaks", pa.int32(), "peaks, not clipped"),
        _column("angular_size", pa.float32(), "DR1 extent, arcsec"),
        _column("consensus", pa.float32(), "consensus level, if known", nullable=True),
        _column("host_ra", pa.float64(), "right ascension of the host, deg, if known", nullable=True),
        _column("host_dec", pa.float64(), "declination of the host, deg, if known", nullable=True),
        _column("flags", pa.int32(), "bit mask, see claran_core.common.flags"),
        _column("component_ra", _LIST, "brightest pixel of each component, deg"),
        _column("component_dec", _LIST, "brightest pixel of each component, deg"),
    ]
)

OWNERS = pa.schema(
    [
        _column("subject_id", pa.string(), "subject"),
        _column("scale", pa.int32(), "size of a frame pixel in units of the frame's smallest"),
        _column("level", pa.float64(), "base contour in units of the rule's 5.3 sigma; 1 is the rule"),
        _column("component_id", pa.int64(), "component of the subject at this scale and level"),
        _column(
            "source_id",
            pa.string(),
            "true source with most of its flux (simulated id or RGZ catalog_id); empty without",
        ),
        _column("kind", pa.string(), "source, artefact (or noise), or unknown (the truth does not say)"),
        _column(
            "morphology",
            pa.string(),
            "class of the source in this subject by the rule at level 1; empty without",
        ),
    ]
)

LOSSES = pa.schema(
    [
        _column("iteration", pa.int64(), "number of batches seen, from 1"),
        _column("learning_rate", pa.float64(), "step size of this iteration"),
        _column(
            "anchor_class",
            pa.float32(),
            "L_ac, paper eq. 4; null for a network without this loss",
            nullable=True,
        ),
        _column(
            "anchor_box",
            pa.float32(),
            "L_ar, paper eq. 6; null for a network without this loss",
            nullable=True,
        ),
        _column(
            "roi_class",
            pa.float32(),
            "L_rc, paper eq. 9; null for a network without this loss",
            nullable=True,
        ),
        _column(
            "roi_box",
            pa.float32(),
            "L_rr, paper eq. 10; null for a network without this loss",
            nullable=True,
        ),
        _column(
            "grouping",
            pa.float32(),
            "candidates of one unit compared with each other; null for a network without this loss",
            nullable=True,
        ),
        _column(
            "validation",
            pa.float32(),
            "sum of the losses on the validation subjects at the end of an epoch; null elsewhere",
            nullable=True,
        ),
    ]
)

DETECTIONS = pa.schema(
    [
        _column("subject_id", pa.string(), "subject"),
        _column("scale", pa.int32(), _SCALE),
        *_POSITION,
        *_BOX,
        _column("morphology", pa.string(), "class of this detection"),
        _column("probability", pa.float32(), "probability of that class"),
        *_PROBABILITIES,
        _column(
            "component_ids",
            pa.list_(pa.int64()),
            "component_id of the components that it consists of; may be empty",
        ),
    ]
)

CANDIDATES = pa.schema(
    [
        _column("subject_id", pa.string(), "subject"),
        _column("scale", pa.int32(), "size of a frame pixel in units of the frame's smallest"),
        *_POSITION,
        *_BOX,
        *_PROBABILITIES,
        _column("p_artefact", pa.float32(), "probability of an artefact; 0 for several units"),
        _column("unit_ids", pa.list_(pa.int64()), "component_id of the units that it consists of"),
        _column("at_edge", pa.bool_(), "one of the units touches the border of the frame or missing pixels"),
        _column("room", pa.float32(), "least distance of the units from the border of the frame, arcsec"),
    ]
)

ASSOCIATED = pa.schema(
    [
        _column("subject_id", pa.string(), "subject that shows the source best"),
        _column("scale", pa.int32(), "size of its frame's pixel in units of the frame's smallest"),
        *_POSITION,
        *_BOX,
        _column("unit_ids", pa.list_(pa.int64()), "component_id of the units of the source in this subject"),
        _column(
            "component_ids",
            pa.list_(pa.int64()),
            "component_id of its components here: those of scale 1, and coarser ones that contain none",
        ),
        _column("atoms", pa.list_(pa.int64()), "sky components of the source: rows of `ATOMS`, ascending"),
        _column("morphology", pa.string(), "most probable class"),
        _column("probability", pa.float32(), "probability of that class"),
        *_PROBABILITIES,
        _column("source_probability", pa.float32(), "probability that the components are one source"),
        _column(
            "second_grouping",
            pa.list_(pa.int32()),
            "source that each of component_ids belongs to in the next best grouping, from 0; -1: none",
        ),
        _column("second_probability", pa.float32(), "mean probability of the components in that grouping"),
        _column("n_merged", pa.int32(), "subjects that show exactly these sky components"),
        _column("views_disagree", pa.bool_(), "one of them finds a source probable and another one does not"),
        _column("at_edge", pa.bool_(), "no subject shows the source whole: the image data end there"),
    ]
)

ATOMS = pa.schema(
    [
        _column("component_id", pa.int64(), "HEALPix index (order 29, nested) of the brightest pixel"),
        _column("scale", pa.int32(), "finest scale that shows the component"),
        *_POSITION,
        _column("snr", pa.float32(), "brightest pixel over the noise, highest value of all subjects"),
        _column("n_views", pa.int32(), "subjects that show it"),
        _column("shard", pa.string(), "shard of the first subject, by scale and name, that shows it"),
        _column("source", pa.int64(), "row of its source in `ASSOCIATED` of all shards in order; -1: none"),
        _column("outcome", pa.string(), "source, artefact, noise or below_limit"),
        _column("probability", pa.float32(), "probability of the outcome"),
    ]
)


def for_classes(schema: pa.Schema, classes: Sequence[str]) -> pa.Schema:
    """Return a schema with the probability columns of other classes in the place of the paper's.

    Parameters
    ----------
    schema : pyarrow.Schema
        One of this module or of `claran_core.catalogue.product.schema`.
    classes : sequence of str
        Names of the classes, in their order.
    """
    replaced = probability_columns()
    first = schema.get_field_index(replaced[0])
    like = schema.field(first)
    ours = [
        pa.field(column, like.type, nullable=like.nullable).with_metadata(
            {**like.metadata, b"description": f"probability of class {name}".encode()}
        )
        for name, column in zip(classes, probability_columns(classes), strict=True)
    ]
    others = [field for field in schema if field.name not in replaced]
    return pa.schema([*others[:first], *ours, *others[first:]], metadata=schema.metadata)
