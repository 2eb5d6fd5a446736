"""hips2fits of the CDS: an image of any size and projection, resampled from a HiPS.

astroquery (`astroquery.hips2fits`) makes the query.  `Client` sends it, because astroquery fixes the
server's URL at import and does not retry.  Pixels outside the survey are blank.
"""

from functools import lru_cache
from typing import Any

from astropy import units as u

from claran_core.survey.archive.http import Request
from claran_core.survey.archive.services import Service
from claran_core.survey.surveys import Survey

__all__ = ["hips2fits_request"]


def hips2fits_request(
    service: Service, survey: Survey, ra_deg: float, dec_deg: float, size_px: int
) -> Request:
    """Return the request for a north-up image of `size_px` native pixels around a position (deg, ICRS)."""
    params = _query_maker().query(
        hips=service.dataset,
        width=size_px,
        height=size_px,
        projection="TAN",
        ra=ra_deg * u.deg,
        dec=dec_deg * u.deg,
        fov=size_px * survey.pixel_scale_arcsec * u.arcsec,
        format="fits",
        get_query_payload=True,
    )
    return Request(service.url, {name: str(value) for name, value in params.items()})


@lru_cache(maxsize=1)
def _query_maker() -> Any:
    # Imported here: astroquery takes half a second to import, and most runs need no archive.
    from astroquery.hips2fits import hips2fitsClass

    return hips2fitsClass()
