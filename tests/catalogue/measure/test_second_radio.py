"""Sources in two radio surveys, on made images whose flux densities and spectral indices are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from claran_core.catalogue.measure.component_pixels import pixels_of
from claran_core.catalogue.measure.contours import Rings
from claran_core.catalogue.measure.extent import Edge
from claran_core.catalogue.measure.layer import Layer
from claran_core.catalogue.measure.pixel_beam import PixelBeam
from claran_core.catalogue.measure.radio import measure
from claran_core.catalogue.measure.radio_image import RadioImage
from claran_core.catalogue.measure.second_radio import (
    SecondImage,
    SecondMeasurement,
    _spectral_index,
    measure_second,
)
from claran_core.catalogue.measure.sky_measurement import MeasuredComponents, SkyMeasurement
from claran_core.catalogue.measure.stored_components import NOTHING_STORED
from claran_core.common.cutout import Beam, Cutout
from claran_core.common.flags import Flag
from claran_core.common.linear_wcs import LinearWCS
from claran_core.components.contour_rule import find_components
from claran_core.survey.surveys import SURVEYS, Survey

FIRST, LOTSS, NVSS, VLASS = (SURVEYS[name] for name in ("FIRST", "LOTSS", "NVSS", "VLASS"))
# As FIRST, with noise as smooth as the beam, as `observed` draws it.
FIRST_LIKE = replace(FIRST, noise_correlation=())
Blob = tuple[float, float, float, float]  # flux density (mJy), east and north (arcsec), FWHM (arcsec)


def observed(
    survey: Survey,
    blobs: list[Blob],
    *,
    seed: int | None = None,
    width_arcsec: float = 240.0,
    beam: Beam | None = None,
    turn_deg: float = 0.0,
    hole: tuple[slice, slice] | None = None,
) -> Cutout:
    """Return an image of round Gaussians around RA 150, Dec 20, with noise as smooth as the beam."""
    beam = beam or survey.beam
    scale, n = survey.pixel_scale_arcsec, int(width_arcsec / survey.pixel_scale_arcsec)
    sin, cos = math.sin(math.radians(turn_deg)), math.cos(math.radians(turn_deg))
    matrix = np.array([[-cos, -sin], [-sin, cos]]) * scale / 3600
    a, b, c, d = matrix.ravel().tolist()
    wcs = LinearWCS("SIN", 150.0, 20.0, (n - 1) / 2 + 0.3, (n - 1) / 2 - 0.2, (a, b, c, d))
    rows, columns = np.indices((n, n))
    east, north = np.tensordot(matrix * 3600, np.stack([columns - wcs.x, rows - wcs.y]), 1)
    angle = math.radians(beam.angle_deg)
    along = np.array([[math.sin(angle), math.cos(angle)], [math.cos(angle), -math.sin(angle)]])
    image = np.zeros((n, n))
    for flux, x, y, fwhm in blobs:
        widths = np.hypot([beam.major_arcsec, beam.minor_arcsec], fwhm)
        p, q = np.tensordot(along, np.stack([east - x, north - y]), 1)
        peak = 1e-3 * flux * beam.major_arcsec * beam.minor_arcsec / widths.prod()
        image += peak * np.exp(-4 * math.log(2) * ((p / widths[0]) ** 2 + (q / widths[1]) ** 2))
    if seed is not None:
        sigma_px = beam.fwhm_arcsec / scale / 2.3548
        noise = ndimage.gaussian_filter(
            np.random.default_rng(seed).standard_normal((n, n)), sigma_px, mode="wrap", truncate=6
        )
        image += survey.rms * noise / noise.std()
    if hole:
        image[hole] = np.nan
    return Cutout(image.astype(np.float32), wcs, "test", unit="Jy/beam", beam=beam)


def first_layer(cutout: Cutout, survey: Survey, sigma: float) -> Layer:
    found = find_components(cutout.data, sigma)
    image = RadioImage.of(
        np.asarray(cutout.data, np.float64),
        found.labels,
        found.base,
        cutout.pixel_scale_arcsec,
        PixelBeam.of(cutout, survey),
        survey,
    )
    return Layer(NOTHING_STORED, replace(image, rms=sigma), cutout.wcs)


def source_at(layer: Layer, east: float, north: float) -> SkyMeasurement:
    """Return the source whose component contains a place."""
    wcs = layer.wcs
    x, y = (int(np.rint(float(value))) for value in wcs.vectors_to_pixels(vector(wcs, east, north)))
    label = int(layer.image.labels[y, x])
    assert label
    own = pixels_of(layer.image.labels, np.array([label]))
    brightest = own[[np.argmax(layer.image.pixels[own[:, 1], own[:, 0]])]]
    radio = measure(layer.image, [label - 1], brightest, n_peaks=1)
    nothing = np.empty(0)
    return SkyMeasurement(
        components=MeasuredComponents(nothing, nothing, nothing, nothing, nothing, nothing, 1, nothing),
        integrated_flux=radio.integrated_flux,
        integrated_flux_err=radio.integrated_flux_err,
        is_unresolved=radio.is_unresolved,
        centroid=layer.sky_place(radio.centroid),
        fitted=None if radio.fitted is None else layer.sky_place(radio.fitted),
        outline=Edge(np.empty((0, 3)), nothing),
        rings=Rings.of(layer, np.empty(0, int)),
        faint=Edge(np.empty((0, 3)), nothing),
        is_blended=radio.is_blended,
        is_suspect=radio.is_suspect,
        layer=layer,
        labels=np.array([label]),
        members=((layer, np.array([label - 1])),),
    )


def vector(wcs: LinearWCS, east: float, north: float) -> np.ndarray:
    offset = np.deg2rad(np.array([east, north]) / 3600)
    found: np.ndarray = offset[0] * wcs.axes[0] + offset[1] * wcs.axes[1] + wcs.axes[2]
    return found


def compared(
    first: Cutout,
    second: Cutout | None,
    surveys: tuple[Survey, Survey],
    at: tuple[float, float] = (0, 0),
    *,
    sigma: float | None = None,
) -> tuple[SecondMeasurement, SkyMeasurement]:
    layer = first_layer(first, surveys[0], sigma or surveys[0].rms)
    found = source_at(layer, *at)
    return measure_second(SecondImage.of(second, 1, *surveys), found), found


@pytest.mark.parametrize("surveys", [(FIRST_LIKE, LOTSS), (VLASS, FIRST_LIKE), (FIRST_LIKE, NVSS)])
@pytest.mark.parametrize("fwhm", [0.0, 9.0])
def test_flux_densities_and_index_of_one_gaussian(surveys: tuple[Survey, Survey], fwhm: float) -> None:
    one, other = surveys
    first, second = observed(one, [(50, 0, 0, fwhm)]), observed(other, [(90, 0, 0, fwhm)])
    row, _ = compared(first, second, surveys, sigma=one.rms)
    assert row.first_flux == pytest.approx(50, rel=0.07) and row.flux == pytest.approx(90, rel=0.07)
    assert row.flux / row.first_flux == pytest.approx(1.8, rel=0.005)
    ratio = other.frequency_hz / one.frequency_hz  # type: ignore[operator]
    if max(ratio, 1 / ratio) < 1.05:
        assert math.isnan(row.index) and math.isnan(row.index_error)
    else:
        assert row.index == pytest.approx(math.log(1.8) / math.log(ratio), abs=0.01)


def test_point_sources_keep_their_flux_density() -> None:
    first, second = observed(FIRST_LIKE, [(20, 6, -9, 0)]), observed(LOTSS, [(-1, 6, -9, 0)], turn_deg=50)
    row, found = compared(first, second, (FIRST_LIKE, LOTSS), (6, -9))
    assert found.is_unresolved
    assert row.first_flux == pytest.approx(20, rel=0.003) and row.flux == pytest.approx(-1, rel=0.003)
    assert math.isnan(row.index)


def test_each_survey_has_its_own_flux_scale() -> None:
    images = observed(FIRST_LIKE, [(20, 0, 0, 0)]), observed(LOTSS, [(90, 0, 0, 0)])
    plain, _ = compared(*images, (FIRST_LIKE, LOTSS))
    row, _ = compared(*images, (replace(FIRST_LIKE, flux_scale=2.0), replace(LOTSS, flux_scale=0.5)))
    assert (row.first_flux, row.first_error) == pytest.approx((2 * plain.first_flux, 2 * plain.first_error))
    assert (row.flux, row.error) == pytest.approx((plain.flux / 2, plain.error / 2))
    lever = math.log(LOTSS.frequency_hz / FIRST_LIKE.frequency_hz)  # type: ignore[operator]
    assert row.index == pytest.approx(plain.index + math.log(0.25) / lever)


def test_beams_may_be_elliptical_and_crossed() -> None:
    one, other = Beam(8, 5, 30), Beam(9, 4.5, 110)
    blobs = [(40.0, 0.0, 0.0, 7.0), (25.0, 9.0, 5.0, 4.0)]
    first = observed(FIRST_LIKE, blobs, beam=one, turn_deg=20)
    second = observed(LOTSS, [(2 * flux, *rest) for flux, *rest in blobs], beam=other)  # type: ignore[misc]
    row, found = compared(first, second, (FIRST_LIKE, LOTSS))
    assert not found.is_unresolved
    assert row.flux / row.first_flux == pytest.approx(2, rel=0.005)
    assert row.first_flux == pytest.approx(65, rel=0.06)


def test_errors_are_those_of_the_noise_and_forced_flux_densities_have_no_bias() -> None:
    pulls, indices = [], []
    places = [(-60.0, -60.0), (60.0, -60.0), (-60.0, 60.0), (60.0, 60.0)]
    for seed in range(40):
        first = observed(FIRST_LIKE, [(3.2, *at, 0.0) for at in places], seed=seed)
        second = observed(LOTSS, [(6.4, *at, 0.0) for at in places], seed=1000 + seed)
        for at in places:
            row, _ = compared(first, second, (FIRST_LIKE, LOTSS), at)
            pulls.append([(row.first_flux - 3.2) / row.first_error, (row.flux - 6.4) / row.error])
            indices.append((row.index - math.log(2) / math.log(0.144 / 1.4)) / row.index_error)
    for values in (*np.array(pulls).T, np.array(indices)):
        assert np.std(values) == pytest.approx(1, abs=0.15)
        assert abs(np.mean(values)) < 0.35


def test_an_image_without_data_at_the_source_gives_none() -> None:
    first = observed(FIRST_LIKE, [(20, 0, 0, 0)])
    hole = (slice(77, 82), slice(76, 80))
    row, _ = compared(first, observed(LOTSS, [(20, 0, 0, 0)], hole=hole), (FIRST_LIKE, LOTSS))
    assert math.isnan(row.flux) and math.isnan(row.error) and math.isnan(row.index)
    assert row.first_flux == pytest.approx(20, rel=0.003)
    assert row.flags == Flag.SECOND_RADIO_PARTIAL
    aside = (slice(110, 115), slice(70, 76))
    row, _ = compared(first, observed(LOTSS, [(20, 0, 0, 0)], hole=aside), (FIRST_LIKE, LOTSS))
    assert row.flux == pytest.approx(20, rel=0.003) and row.flags == Flag(0)
    row, _ = compared(first, None, (FIRST_LIKE, LOTSS))
    assert math.isnan(row.first_flux) and row.flags == Flag.SECOND_RADIO_MISSING


def test_neighbours_within_two_matched_beams_are_flagged() -> None:
    blobs = [(20.0, 0.0, 0.0, 0.0), (20.0, 40.0, 0.0, 0.0)]
    for survey, flag in ((LOTSS, Flag(0)), (NVSS, Flag.SECOND_RADIO_BLEND)):
        row, _ = compared(observed(FIRST_LIKE, blobs), observed(survey, blobs), (FIRST_LIKE, survey))
        assert row.flags == flag


def test_spectral_indices_need_significance_and_a_lever() -> None:
    index, error = _spectral_index(0.1, 10.0, 1.0, 40.0, 2.0)
    assert index == pytest.approx(-0.60206, abs=1e-5)
    assert error == pytest.approx(math.hypot(0.1, 0.05) / 2.302585, rel=1e-5)
    for arguments in ((0.1, 10.0, 4.0, 40.0, 2.0), (0.1, 10.0, 1.0, 5.0, 2.0), (1.04, 10.0, 1.0, 40.0, 2.0)):
        assert np.isnan(_spectral_index(*arguments)).all()
