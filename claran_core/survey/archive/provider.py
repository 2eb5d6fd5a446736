"""Image provider for archives: the services of a survey in order, each with limits and retries."""

import logging
from collections.abc import Sequence
from typing import assert_never

from claran_core.common.cutout import Cutout, NoImage
from claran_core.survey.archive.first import first_request
from claran_core.survey.archive.hips2fits import hips2fits_request
from claran_core.survey.archive.http import Client
from claran_core.survey.archive.limits import ServiceDown
from claran_core.survey.archive.outcomes import Fault, Refusal
from claran_core.survey.archive.protocol import ImageService, OneRequest
from claran_core.survey.archive.services import Service
from claran_core.survey.archive.skyview import skyview_request
from claran_core.survey.surveys import Survey

__all__ = ["ArchiveProvider", "open_service"]

logger = logging.getLogger(__name__)


def open_service(service: Service, survey: Survey, client: Client) -> ImageService:
    """Return a service ready for requests, according to its protocol."""
    match service.protocol:
        case "first":
            return OneRequest(service, survey, client, first_request)
        case "skyview":
            return OneRequest(service, survey, client, skyview_request)
        case "hips2fits":
            return OneRequest(service, survey, client, hips2fits_request)
        case "irsa":
            # Imported here: pyvo is slow to import, and FIRST does not need it.
            from claran_core.survey.archive.irsa import IrsaImages

            return IrsaImages(service, survey, client)
        case unknown:
            assert_never(unknown)


class ArchiveProvider:
    """Images of a survey from the services of archives (an `ImageProvider`).

    Parameters
    ----------
    survey : Survey
        Survey whose pixels are expected.
    services : sequence of Service
        Services in order of preference; one is used only where those before it could not answer.
    client : Client
        HTTP client; providers may share one.
    """

    def __init__(self, survey: Survey, services: Sequence[Service], client: Client) -> None:
        self.survey = survey
        self.client = client
        self.services = [open_service(service, survey, client) for service in services]

    @property
    def workers(self) -> int:
        """Number of connections of the first service."""
        return self.services[0].service.connections

    @property
    def identity(self) -> str:
        """Survey and services, which determine the pixels."""
        parts = [self.survey.name]
        for opened in self.services:
            service = opened.service
            parts.append(f"{service.name} {service.protocol} {service.dataset} {service.band}".strip())
        return "; ".join(parts)

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Return a verified cut-out from the first service that answers.

        Parameters
        ----------
        subject_id : str
            Name of the subject, for log messages.
        ra_deg, dec_deg : float
            Centre of the subject, deg, ICRS.
        width_arcsec : float
            Width of the subject.

        Returns
        -------
        Cutout or NoImage
            ``no_coverage`` if a service says that the survey does not cover it; ``failed`` with each
            service's reason if none could answer.
        """
        reasons = []
        for opened in self.services:
            try:
                return opened.image(ra_deg, dec_deg, width_arcsec)
            except (Fault, Refusal, ServiceDown) as error:
                reasons.append(f"{opened.service.name}: {error}")
                logger.warning("%s: no %s image from %s", subject_id, self.survey.name, reasons[-1])
        return NoImage("failed", "; ".join(reasons))

    def stop(self) -> None:
        """End retries: requests under way finish or fail, and are not repeated."""
        self.client.stop()

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
