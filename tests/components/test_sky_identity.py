"""Indices of positions on the sky, beside those of astropy-healpix."""

import numpy as np
import pytest
from astropy.coordinates import Latitude, Longitude
from astropy_healpix import healpix_to_lonlat, lonlat_to_healpix

from claran_core.common.sky import unit_vectors
from claran_core.components.sky_identity import NSIDE, healpix_index


def positions() -> tuple[np.ndarray, np.ndarray]:
    """Return random positions over the sky, and more around the poles and the caps' borders."""
    rng = np.random.default_rng(5)
    dec = np.rad2deg(np.arcsin(rng.uniform(-1, 1, 20_000)))
    pole = 90 - 10 ** rng.uniform(-7, 1, 4000)
    cap = np.rad2deg(np.arcsin(2 / 3)) + rng.normal(0, 1e-4, 4000)
    dec = np.concatenate([dec, pole, -pole, cap, -cap, [0.0, 0.0, 45.0, -45.0]])
    return np.concatenate([rng.uniform(0, 360, len(dec) - 4), [0.0, 180.0, 90.0, 270.0]]), dec


def test_indices_are_those_of_astropy_healpix() -> None:
    ra, dec = positions()
    ours = healpix_index(ra, dec)
    theirs = lonlat_to_healpix(Longitude(ra, "deg"), Latitude(dec, "deg"), NSIDE, order="nested")
    assert ours.dtype == np.int64 and (ours == theirs).mean() > 0.999
    # Rounding decides on the border of a pixel (0.4 mas): each pixel contains its position within 1 mas.
    middle = healpix_to_lonlat(ours, NSIDE, order="nested")
    apart = unit_vectors(middle[0].to_value("deg"), middle[1].to_value("deg")) - unit_vectors(ra, dec)
    assert np.rad2deg(np.linalg.norm(apart, axis=1)).max() * 3.6e6 < 1.0


@pytest.mark.parametrize("dec", [90.0, -90.0])
def test_poles_are_corners_of_four_base_pixels(dec: float) -> None:
    ra = np.array([10.0, 100.0, 190.0, 280.0])
    ours = healpix_index(ra, np.full(4, dec))
    assert (ours // NSIDE**2).tolist() == ([0, 1, 2, 3] if dec > 0 else [8, 9, 10, 11])
    theirs = lonlat_to_healpix(Longitude(ra, "deg"), Latitude(np.full(4, dec), "deg"), NSIDE, order="nested")
    assert ours.tolist() == theirs.tolist()


def test_right_ascension_is_periodic() -> None:
    dec = np.array([-80.0, 0.0, 50.0])
    assert healpix_index(np.full(3, 360.0), dec).tolist() == healpix_index(np.zeros(3), dec).tolist()
    assert healpix_index(np.full(3, -1e-20), dec).tolist() == healpix_index(np.zeros(3), dec).tolist()
