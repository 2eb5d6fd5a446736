"""Every flag of the pipeline: one bit mask (int32), one place, used by ledger, images and catalogue.

Bits are stable once published: new flags take new bits, old bits are never given a new meaning.
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


DESCRIPTIONS = {
    Flag.RADIO_MISSING: "no radio image: outside the survey, or the image could not be had",
    Flag.RADIO_PARTIAL: "part of the radio image has no data",
    Flag.INFRARED_MISSING: "no infrared image: fused from radio alone",
    Flag.INFRARED_PARTIAL: "part of the infrared image has no data",
    Flag.SUSPECT_UNIT: "pixel values do not fit the unit the file claims (noise far from the survey's)",
    Flag.COARSE_PIXELS: "native pixels are wider than the survey's beam: not an image this was made for",
    Flag.NO_CONTOUR: "nothing in the radio image reaches the base contour",
    Flag.RADIO_BLANK: "the radio image is constant or all zero: it carries no information",
    Flag.COUNTS_CLIPPED: "more components or peaks than the six classes have; nearest class reported",
    Flag.BELOW_MIN_PROBABILITY: "kept as the best of its subject although below catalogue.min_probability",
    Flag.EDGE: "box or emission touches the border of the subject: the source may continue outside",
    Flag.NO_COMPONENT: "no radio component fits the box: nothing could be measured",
    Flag.LOW_SNR: "brightest pixel below 10 sigma: fainter than any source the detector learned from",
    Flag.BLEND: "emission of another source is so near that flux densities may be shared",
    Flag.ARTEFACT: "may be a sidelobe: its subject has a far brighter source, or a hole as deep",
    Flag.COUNTS_DISAGREE: "the counts of the contour rule give another class than the detector",
    Flag.VIEWS_DISAGREE: "in another subject the same emission was grouped into other sources",
    Flag.COADDED: "an image of the subject is the mean of several images, because no single one covers it",
}


def describe(mask: int) -> list[str]:
    """Names of the flags set in `mask`, lowest bit first."""
    return [str(flag.name) for flag in Flag if mask & flag]
