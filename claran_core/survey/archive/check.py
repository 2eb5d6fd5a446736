"""Check of the real services at a few positions each.

The protocols follow the documentation of the services and are tested only against a mock server.  This check
shows a user with internet access, before a long run, whether the services answer as expected.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.noise import noise_sigma
from claran_core.common.reprojection import reproject
from claran_core.survey.archive.http import Client
from claran_core.survey.archive.limits import ServiceDown
from claran_core.survey.archive.outcomes import Fault, Refusal
from claran_core.survey.archive.provider import open_service
from claran_core.survey.archive.services import Service
from claran_core.survey.surveys import SURVEYS, Survey

__all__ = ["PLACES", "Finding", "check_service"]

# Least coverage of a subject: a position may lie near a hole or the edge of an image.
MIN_COVERAGE = 0.99


@dataclass(frozen=True)
class Place:
    """A position (deg, ICRS), and whether the survey covers it."""

    ra_deg: float
    dec_deg: float
    covered: bool


# FIRST covers the northern Galactic cap and a stripe on the southern equator; WISE the whole sky.
PLACES: Mapping[str, tuple[Place, ...]] = MappingProxyType(
    {
        "FIRST": (
            Place(162.53, 30.677, True),
            Place(180.0, 45.0, True),
            Place(10.0, 0.0, True),
            Place(83.6, -5.4, False),
        ),
        "WISE_W1": (
            Place(162.53, 30.677, True),
            Place(180.0, 45.0, True),
            Place(10.0, 0.0, True),
        ),
    }
)


@dataclass(frozen=True)
class Finding:
    """Result of a service at one position: whether it is right, and one line about it."""

    right: bool
    line: str


def check_service(service: Service, client: Client, frame: Frame) -> Iterator[Finding]:
    """Request an image from a service at each position of its survey, and check the answers.

    Parameters
    ----------
    service : Service
        Service to check.
    client : Client
        HTTP client.
    frame : Frame
        Geometry of the subjects.

    Yields
    ------
    Finding
        One for each position.
    """
    survey = SURVEYS[service.survey]
    opened = open_service(service, survey, client)
    for place in PLACES[service.survey]:
        begun = time.monotonic()
        try:
            answer = opened.image(place.ra_deg, place.dec_deg, frame.width_arcsec)
        except (Fault, Refusal, ServiceDown) as error:
            answer = NoImage("failed", str(error))
        right, what = _judged(answer, place, frame, survey)
        taken_s = time.monotonic() - begun
        yield Finding(right, f"{place.ra_deg:8.3f} {place.dec_deg:+8.3f}  {taken_s:5.1f} s  {what}")


def _judged(answer: Cutout | NoImage, place: Place, frame: Frame, survey: Survey) -> tuple[bool, str]:
    if isinstance(answer, Cutout):
        return _judged_image(answer, place, frame, survey)
    if answer.status == "failed" and not place.covered:
        return False, (
            f"outside the survey, but the answer was not understood: {answer.reason} (if it says that the "
            "position is outside, set survey.archive.services.NAME.outside to a pattern that matches it)"
        )
    if answer.status == "failed":
        return False, f"no image: {answer.reason}"
    if place.covered:
        return False, f"reported as outside the survey, which covers it: {answer.reason}"
    return True, f"outside the survey, as expected: {answer.reason}"


def _judged_image(cutout: Cutout, place: Place, frame: Frame, survey: Survey) -> tuple[bool, str]:
    coverage = float(np.isfinite(reproject(cutout, frame, place.ra_deg, place.dec_deg)).mean())
    what = (
        f"image of {cutout.data.shape[1]} x {cutout.data.shape[0]} px, {coverage:.0%} of the subject, "
        f"noise {noise_sigma(cutout.data):.3g} {survey.unit} (survey: {survey.rms:.3g})"
    )
    if not place.covered:
        return False, f"{what}, although the survey does not cover the position"
    if cutout.flags & Flag.SUSPECT_UNIT:
        return False, f"{what}: the pixels do not fit the unit"
    return coverage >= MIN_COVERAGE, what
