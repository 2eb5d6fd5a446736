"""Sky positions in images with any celestial WCS."""

import numpy as np
import pytest
from astropy.wcs import WCS

from claran_core.survey.celestial import pixels_to_sky, sky_to_pixels


@pytest.mark.parametrize(
    ("ctype", "radesys"),
    [(("RA---SIN", "DEC--SIN"), "FK5"), (("GLON-CAR", "GLAT-CAR"), None), (("RA---TAN", "DEC--TAN"), "FK4")],
)
def test_pixels_and_sky_round_trip_in_other_systems(ctype: list[str], radesys: str) -> None:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = ctype, [30.0, 10.0], [-5e-4, 5e-4], [50, 50]
    if radesys:
        wcs.wcs.radesys, wcs.wcs.equinox = radesys, 1950.0 if radesys == "FK4" else 2000.0
    x, y = np.array([3.0, 70.0]), np.array([8.0, 90.0])
    sky = pixels_to_sky(wcs, x, y)
    np.testing.assert_allclose(sky_to_pixels(wcs, *sky), (x, y), atol=1e-5)
    if ctype[0].startswith("GLON"):
        assert abs(sky[0][0] - 30.0) > 10  # really another system, not the same numbers
