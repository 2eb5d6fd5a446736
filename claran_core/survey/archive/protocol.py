"""Interface of a service, and the common kind: one request, one image."""

from collections.abc import Callable
from typing import Protocol

from claran_core.common.cutout import Cutout, NoImage
from claran_core.survey.archive.http import Client, Request
from claran_core.survey.archive.outcomes import Refusal
from claran_core.survey.archive.services import Service
from claran_core.survey.archive.verify import ImageReader
from claran_core.survey.surveys import Survey

__all__ = ["ImageService", "OneRequest", "size_px_of"]

# Pixels requested beyond the subject on either side, for interpolation and for the angle between the columns
# of the image and north (up to a degree on a FIRST field).
MARGIN_PX = 6

RequestMaker = Callable[[Service, Survey, float, float, int], Request]


class ImageService(Protocol):
    """A service, ready for requests."""

    service: Service

    def image(self, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Return a verified cut-out around a position (deg, ICRS), or ``no_coverage``.

        Raises
        ------
        Fault, Refusal, ServiceDown
            If the service could not answer.
        """
        ...


class OneRequest:
    """A service that answers one request with one image.

    Parameters
    ----------
    service : Service
        The service.
    survey : Survey
        Survey whose pixels are expected.
    client : Client
        HTTP client.
    make_request : callable
        Makes the request from service, survey, ra, dec (deg, ICRS) and size in native pixels.
    """

    def __init__(self, service: Service, survey: Survey, client: Client, make_request: RequestMaker) -> None:
        self.service, self.survey, self.client = service, survey, client
        self.make_request = make_request

    def image(self, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Return a verified cut-out around a position, as `ImageService.image`."""
        size_px = size_px_of(width_arcsec, self.survey)
        if size_px > self.service.max_size_px:
            raise Refusal(f"{size_px} px are needed, it delivers at most {self.service.max_size_px}")
        request = self.make_request(self.service, self.survey, ra_deg, dec_deg, size_px)
        reader = ImageReader(self.service, self.survey, ra_deg, dec_deg, width_arcsec)
        return self.client.fetch(self.service, request, reader)


def size_px_of(width_arcsec: float, survey: Survey) -> int:
    """Return the number of native pixels to request, so that a subject can be interpolated up to its rim."""
    return int(-(-width_arcsec // survey.pixel_scale_arcsec)) + 2 * MARGIN_PX
