"""Models of large sources: size, brightest pixel, islands, and what smoothing shows."""

import numpy as np
import pytest
from scipy import ndimage

from claran_core.components.contour_rule import COMPONENT_SIGMA
from claran_core.simulation.large_sources import LARGE_TYPES, LARGEST_BLOB_ARCSEC, build_large
from claran_core.simulation.source_models import SourceModel
from claran_core.simulation.source_shapes import POINT_ARCSEC

PIXEL_ARCSEC = 1.8


def built(name: str, seed: int, *, snr: float = 30.0, extent: float = 400.0) -> SourceModel:
    return build_large(np.random.default_rng(seed), name, peak_snr=snr, extent_arcsec=extent)


def image_of(model: SourceModel, half_px: int = 320) -> np.ndarray:
    """Return the noise-free image, Gaussian by Gaussian, in units of the noise; east is left."""
    north, east = PIXEL_ARCSEC * np.mgrid[-half_px : half_px + 1, half_px : -half_px - 1 : -1]
    image = np.zeros(north.shape)
    for x, y, peak, major, minor, angle in model.gaussians:
        dx, dy, turn = east - x, north - y, np.deg2rad(angle)
        along, across = dx * np.sin(turn) + dy * np.cos(turn), dx * np.cos(turn) - dy * np.sin(turn)
        image += peak * np.exp(-4 * np.log(2) * ((along / major) ** 2 + (across / minor) ** 2))
    return image


@pytest.mark.parametrize("name", LARGE_TYPES)
def test_models_have_the_size_and_brightness_asked_for(name: str) -> None:
    for seed in range(6):
        model = built(name, seed)
        east, north, peak, major, minor, _ = model.gaussians.T
        apart = np.hypot(east[:, None] - east, north[:, None] - north)
        assert 0.7 * 400 < apart.max() < 1.35 * 400
        assert peak.max() >= 30.0 - 1e-9
        assert (minor >= POINT_ARCSEC - 1e-9).all() and (peak > 0).all()
        assert major.max() <= np.hypot(POINT_ARCSEC, LARGEST_BLOB_ARCSEC) + 1e-9
        assert np.isfinite(model.gaussians).all() and len(model.peaks) > 2
    np.testing.assert_array_equal(built(name, 3).gaussians, built(name, 3).gaussians)


def test_one_sided_sources_lie_on_one_side_and_doubles_on_both() -> None:
    one = built("one_sided", 1).gaussians
    assert np.hypot(*one[:, :2].mean(axis=0)) > 80
    assert np.hypot(*one[:, :2].T).max() == pytest.approx(400, rel=0.3)
    double = built("double_double", 1).gaussians
    assert np.hypot(*double[:, :2].T).max() < 300


def test_relics_break_into_islands_and_merge_when_smoothed() -> None:
    islands, smooth_islands, hidden = [], [], []
    for seed in range(12):
        image = image_of(built("relic", seed, snr=9.0))
        islands.append(ndimage.label(image > COMPONENT_SIGMA)[1])
        # Four beams: the emission adds up, and the noise is about a third of the native one.
        smooth = ndimage.gaussian_filter(image, np.sqrt(15) * 5.4 / PIXEL_ARCSEC / 2.3548)
        smooth_islands.append(ndimage.label(smooth > COMPONENT_SIGMA / 3)[1])
        hidden.append(image[(image > 0.5) & (image < COMPONENT_SIGMA)].sum() / image.sum())
    assert np.median(islands) >= 3
    assert np.median(smooth_islands) < np.median(islands)
    # Much of the flux is below the threshold of the native image.
    assert np.median(hidden) > 0.3
