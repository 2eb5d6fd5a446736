"""All flags of the pipeline: one bit mask (int32) for ledger, images and catalogue.

Bits are stable once published: a new flag takes a new bit, and the meaning of a bit never changes.
"""

from enum import IntFlag

__all__ = ["DESCRIPTIONS", "Flag", "describe"]


class Flag(IntFlag):
    """Bits of the ``flags`` columns."""

    RADIO_MISSING = 1
    RADIO_PARTIAL = 2
    INFRARED_MISSING = 4
    INFRARED_PARTIAL = 8
    SUSPECT_UNIT = 16
    COARSE_PIXELS = 32
    NO_CONTOUR = 64
    RADIO_BLANK = 128
    COUNTS_CLIPPED = 256
    BELOW_MIN_PROBABILITY = 512
    EDGE = 1024
    NO_COMPONENT = 2048
    LOW_SNR = 4096
    BLEND = 8192
    ARTEFACT = 16384
    COUNTS_DISAGREE = 32768
    VIEWS_DISAGREE = 65536
    COADDED = 131072
    DOUBTFUL = 262144
    SMOOTHED = 524288
    BEAM_DIFFERS = 1048576
    PIXELS_MASKED = 2097152
    SECOND_RADIO_MISSING = 4194304
    SECOND_RADIO_PARTIAL = 8388608
    SECOND_RADIO_BLEND = 16777216
    NO_SHAPE = 33554432


DESCRIPTIONS = {
    Flag.RADIO_MISSING: "no radio image: outside the survey, or the image could not be obtained",
    Flag.RADIO_PARTIAL: "part of the radio image has no data",
    Flag.INFRARED_MISSING: "no infrared image: fused from the radio image alone",
    Flag.INFRARED_PARTIAL: "part of the infrared image has no data",
    Flag.SUSPECT_UNIT: "pixel values disagree with the unit in the header (noise far from the survey's)",
    Flag.COARSE_PIXELS: "native pixels are wider than the survey's beam: outside the intended use",
    Flag.NO_CONTOUR: "no pixel of the radio image reaches the base contour",
    Flag.RADIO_BLANK: "the radio image is constant, so it contains no information",
    Flag.COUNTS_CLIPPED: "more components or peaks than the six classes have; nearest class reported",
    Flag.BELOW_MIN_PROBABILITY: "no longer set; below the minimum probability, but the best of its subject",
    Flag.EDGE: "the image data end or have a hole at the source: no image shows it whole",
    Flag.NO_COMPONENT: "no longer set; no radio component matches the box",
    Flag.LOW_SNR: "brightest pixel below 10 sigma: fainter than all labelled sources",
    Flag.BLEND: "another source is so close that flux densities may include its emission",
    Flag.ARTEFACT: "possible sidelobe: the subject has a much brighter source or an equally deep negative",
    Flag.COUNTS_DISAGREE: "the component and peak counts of the contour rule imply another class iC_jP",
    Flag.VIEWS_DISAGREE: "of the subjects that show the source, some find it probable and others do not",
    Flag.COADDED: "an image of the subject is the mean of several images, because no single one covers it",
    Flag.DOUBTFUL: "less probable than catalogue.min_probability; second_grouping is the next best",
    Flag.SMOOTHED: "measured on an image smoothed to 2, 4 or 8 beams",
    Flag.BEAM_DIFFERS: "the beam of the image is far from the survey's, or differs between its parts",
    Flag.PIXELS_MASKED: "single pixels with impossible values are masked",
    Flag.SECOND_RADIO_MISSING: "no image of the second radio survey: outside it, or not obtained",
    Flag.SECOND_RADIO_PARTIAL: "part of the second radio image, or of the source in it, has no data",
    Flag.SECOND_RADIO_BLEND: "another source is closer than two matched beams, so it may be in matched_flux",
    Flag.NO_SHAPE: "resolved, but too short for the columns of the shape: below 5 beams",
}


def describe(mask: int) -> list[str]:
    """Return the names of the flags set in `mask`, lowest bit first."""
    return [str(flag.name) for flag in Flag if mask & flag]
