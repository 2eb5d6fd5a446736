"""Check that an answer shows the survey that was asked for: what its header says, its beam and its pixels.

A service, or a changed name at a service, may give another survey or band.
"""

import re

from astropy.io import fits

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.survey.archive.outcomes import Fault
from claran_core.survey.archive.services import Service
from claran_core.survey.header_values import has_value, number_of
from claran_core.survey.identity import (
    FOREIGN_BEAM_RATIO,
    Identity,
    contradiction,
    differs,
    pixel_contradiction,
)
from claran_core.survey.surveys import Survey

__all__ = ["check_header", "check_pixel_scale"]

# What hips2fits says about its source.
HIPS = re.compile(r"From HiPS (\S+)")


def check_header(header: fits.Header, survey: Survey, service: Service) -> None:
    """Check what a header says about its survey.

    Raises
    ------
    Fault
        If its beam, frequency, wavelength, band, zero point, survey or HiPS is another.
    ValueError
        If its beam is not a number.
    """
    for name, usual_arcsec in (("BMAJ", survey.beam.major_arcsec), ("BMIN", survey.beam.minor_arcsec)):
        beam_arcsec = (number_of(header, name) if has_value(header, name) else 0.0) * ARCSEC_PER_DEG
        if differs(beam_arcsec, usual_arcsec, FOREIGN_BEAM_RATIO):
            raise Fault(contradiction(f"a beam of {beam_arcsec:.1f} arcsec", survey, usual_arcsec))
    for reason in Identity.of(header).contradictions(survey):
        raise Fault(reason)
    if service.protocol == "hips2fits":
        shown = HIPS.search("\n".join(map(str, header.get("HISTORY", []))))
        if shown and shown[1].upper() != service.dataset.upper():
            raise Fault(f"an image from the HiPS {ascii(shown[1])}, not from {service.dataset}")


def check_pixel_scale(pixel_scale_arcsec: float, survey: Survey) -> None:
    """Check the width of a pixel.

    Raises
    ------
    Fault
        If it is not that of the survey.
    """
    reason = pixel_contradiction(pixel_scale_arcsec, survey)
    if reason:
        raise Fault(reason)
