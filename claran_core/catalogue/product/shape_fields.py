"""The columns of the catalogue that describe the shape of a source, from contours, peaks and host."""

from claran_core.catalogue.product.columns import count, number, text

__all__ = ["SHAPE_CENTRES", "SHAPE_FIELDS"]

# Values of ``shape_centre``.
SHAPE_CENTRES = ("host", "core", "middle", "none")

SHAPE_FIELDS = [
    count(
        "n_prominent_peaks",
        "number of peaks at least 5 sigma above the saddle to a higher peak of their component; the highest"
        " of each component counts",
    ),
    text(
        "shape_centre",
        "meta.code",
        "what divides the source into two arms: host, a peak (core) near the middle, or the middle between"
        " the ends of largest_angular_size; none where fr_ratio is NaN",
    ),
    number(
        "fr_ratio",
        "",
        "src.morph.param;arith.ratio",
        "distance between the brightest places of both arms, without a compact core, over"
        " largest_angular_size (Fanaroff & Riley 1974): below 0.45 FR I, above 0.55 FR II; NaN if the source"
        " is unresolved or shorter than 5 beams",
    ),
    number(
        "bright_arm_length",
        "arcsec",
        "phys.angSize",
        "distance from host or core to the end of the arm of larger flux density; the ends are those of"
        " largest_angular_size; NaN without host and core",
    ),
    number(
        "faint_arm_length",
        "arcsec",
        "phys.angSize",
        "the same of the other arm",
    ),
    number(
        "arm_length_ratio",
        "",
        "src.morph.param;arith.ratio",
        "length of the shorter arm over that of the longer one",
    ),
    number(
        "arm_flux_ratio",
        "",
        "src.morph.param;arith.ratio",
        "flux density of the fainter arm over that of the brighter one, inside the contours and without a"
        " compact core; NaN where fr_ratio is",
    ),
    number(
        "bending_angle",
        "deg",
        "pos.posAng;arith.diff",
        "180 deg minus the angle at host or core between the ends of both arms: 0 if straight; NaN without"
        " host and core",
    ),
    number(
        "core_prominence",
        "",
        "phot.flux.density;em.radio;arith.ratio",
        "peak flux density of the core over integrated_flux; NaN without a core",
    ),
]
