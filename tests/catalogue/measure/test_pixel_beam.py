"""The beam in pixels, and flux densities of point sources in images of any beam and geometry."""

import numpy as np
import pytest

from claran_core.catalogue.measure.component_pixels import pixels_of
from claran_core.catalogue.measure.pixel_beam import ROUND, PixelBeam
from claran_core.catalogue.measure.radio import measure
from claran_core.catalogue.measure.radio_image import RadioImage, disc, sum_components
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.cutout import Beam, Cutout
from claran_core.common.linear_wcs import LinearWCS, Projection, local_axes
from claran_core.components.contour_rule import COMPONENT_SIGMA, find_components
from claran_core.survey.description import described_survey
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]
SIZE = 101
SIGMA = 1e-4
SCALE_DEG = 1.8 / ARCSEC_PER_DEG


def geometry(
    projection: Projection = "TAN",
    *,
    matrix: tuple[float, float, float, float] = (-SCALE_DEG, 0.0, 0.0, SCALE_DEG),
    away_deg: float = 0.0,
) -> LinearWCS:
    """Return the system of an image whose middle is `away_deg` north of its reference position."""
    wcs = LinearWCS(projection, 140.0, 20.0, 50.0, 50.0, matrix)
    x, y = wcs.sky_to_pixels(140.0, 20.0 + away_deg)
    return wcs.window(round(float(x)) - 50, round(float(y)) - 50)


def point_source(wcs: LinearWCS, beam: Beam, peak: float) -> np.ndarray:
    """Return the image of a point source near the middle, by its offsets on the sky."""
    rows, columns = np.indices((SIZE, SIZE))
    vectors = wcs.pixels_to_vectors(columns, rows)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    ra, dec = (float(place) for place in wcs.pixels_to_sky(50.3, 49.6))
    east, north = np.moveaxis(np.rad2deg(vectors @ local_axes(ra, dec)[:2].T) * ARCSEC_PER_DEG, -1, 0)
    angle = np.deg2rad(beam.angle_deg)
    along, across = east * np.sin(angle) + north * np.cos(angle), east * np.cos(angle) - north * np.sin(angle)
    return peak * 0.5 ** ((2 * along / beam.major_arcsec) ** 2 + (2 * across / beam.minor_arcsec) ** 2)


GEOMETRIES = {
    "plain": geometry(),
    "oblong": geometry(matrix=(-SCALE_DEG, 0.0, 0.0, 1.4 * SCALE_DEG)),
    "turned": geometry(matrix=(-0.8 * SCALE_DEG, 0.6 * SCALE_DEG, 0.6 * SCALE_DEG, 0.8 * SCALE_DEG)),
    "sin": geometry("SIN", away_deg=35.0),
    "tan": geometry("TAN", away_deg=20.0),
}
BEAMS = [
    Beam(5.4, 5.4, 0.0),
    Beam(6.4, 5.4, 0.0),
    Beam(9.0, 6.0, 40.0),
    Beam(15.0, 15.0, 0.0),
    Beam(4.6, 4.2, -70.0),
]


@pytest.mark.parametrize("beam", BEAMS, ids=str)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_point_source_has_its_flux_density_whatever_beam_and_pixels(name: str, beam: Beam) -> None:
    wcs = GEOMETRIES[name]
    pixels = point_source(wcs, beam, 60 * SIGMA)
    found = find_components(pixels, SIGMA)
    cutout = Cutout(pixels.astype(np.float32), wcs, "made up", beam=beam)
    beam_px = PixelBeam.of(cutout, FIRST)
    base = COMPONENT_SIGMA * SIGMA
    image = RadioImage.of(pixels, found.labels, base, cutout.pixel_scale_arcsec, beam_px, FIRST)
    image = RadioImage(**(vars(image) | {"rms": SIGMA}))
    source = measure(image, [0], found.brightest, n_peaks=1)
    assert source.is_unresolved
    assert source.integrated_flux == pytest.approx(60 * SIGMA * 1e3, rel=0.003)
    summed = sum_components(image, np.array([1]), pixels_of(found.labels, np.array([1])))
    assert summed.flux == pytest.approx(60 * SIGMA * 1e3, rel=0.03)


def test_the_beam_of_the_survey_is_the_default() -> None:
    cutout = Cutout(np.zeros((SIZE, SIZE), np.float32), geometry(), "made up")
    beam = PixelBeam.of(cutout, FIRST)
    assert beam.shape == ROUND and beam.fwhm_px == pytest.approx(3.0) and beam.major_px == pytest.approx(3.0)


def test_the_form_of_an_ellipse() -> None:
    cutout = Cutout(np.zeros((SIZE, SIZE), np.float32), geometry(), "made up", beam=Beam(12.0, 3.0, 90.0))
    beam = PixelBeam.of(cutout, FIRST)
    # Along east, and so along x: 12 arcsec are 6.667 px.
    assert beam.shape == (250, 0, 4000) and beam.fwhm_px == pytest.approx(6 / 1.8)
    assert beam.major_px == pytest.approx(12 / 1.8)
    inside = disc(beam.fwhm_px, beam.shape)
    assert (np.abs(inside[:, 0]).max(), np.abs(inside[:, 1]).max()) == (6, 1)


def test_an_image_without_a_beam_has_that_of_the_description() -> None:
    """A described beam and the same one in the header give the same pixels."""
    described = described_survey("FIRST", "radio", {"beam_arcsec": (8.1, 5.4, 40.0)})
    pixels = np.zeros((SIZE, SIZE), np.float32)
    silent = Cutout(pixels, GEOMETRIES["turned"], "a.fits")
    stated = Cutout(pixels, GEOMETRIES["turned"], "a.fits", beam=Beam(8.1, 5.4, 40.0))
    assert PixelBeam.of(silent, described) == PixelBeam.of(stated, FIRST)
    assert PixelBeam.of(silent, described) != PixelBeam.of(silent, FIRST)
    # The image's own beam wins.
    assert PixelBeam.of(stated, FIRST) == PixelBeam.of(stated, SURVEYS["VLASS"])
