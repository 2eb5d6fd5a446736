"""The cut-out server of FIRST (STScI).

astroquery (`astroquery.image_cutouts.first`) makes the form.  `Client` sends it, because astroquery fixes the
server's URL at import and does not retry.  Right ascension (hours) and declination (deg) share the field
``RA``. Answers are two-dimensional images with a WCS of four axes.
"""

from functools import lru_cache
from typing import Any

from astropy import units as u
from astropy.coordinates import SkyCoord

from claran_core.survey.archive.http import Request
from claran_core.survey.archive.services import Service
from claran_core.survey.surveys import Survey

__all__ = ["first_request"]

ARCSEC_PER_ARCMIN = 60.0


def first_request(service: Service, survey: Survey, ra_deg: float, dec_deg: float, size_px: int) -> Request:
    """Return the request for an image of `size_px` pixels around a position (deg, ICRS)."""
    form = _form_maker().get_images(
        SkyCoord(ra_deg, dec_deg, unit="deg", frame="icrs"),
        image_size=size_px * survey.pixel_scale_arcsec / ARCSEC_PER_ARCMIN * u.arcmin,
        get_query_payload=True,
    )
    return Request(service.url, form={name: str(value) for name, value in form.items()})


@lru_cache(maxsize=1)
def _form_maker() -> Any:
    # Imported here: astroquery takes half a second to import, and most runs need no archive.
    from astroquery.image_cutouts.first import FirstClass

    return FirstClass()
