"""SkyView of NASA's HEASARC: an image of any size and projection, resampled from a survey.

The batch interface takes one request per image.  astroquery (`astroquery.skyview`) is not used: it fills in
the web form, and has to fetch the form, a page of results and the image, even to make a query.  Pixels
outside the survey are zero or blank.
"""

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.survey.archive.http import Request
from claran_core.survey.archive.services import Service
from claran_core.survey.surveys import Survey

__all__ = ["skyview_request"]


def skyview_request(service: Service, survey: Survey, ra_deg: float, dec_deg: float, size_px: int) -> Request:
    """Return the request for a north-up image of `size_px` native pixels around a position (deg, ICRS)."""
    params = {
        "Position": f"{ra_deg:.8f},{dec_deg:.8f}",
        "Survey": service.dataset,
        "Coordinates": "ICRS",
        "Projection": "Tan",
        "Pixels": str(size_px),
        "Size": f"{size_px * survey.pixel_scale_arcsec / ARCSEC_PER_DEG:.8f}",
        "Return": "FITS",
    }
    return Request(service.url, params)
