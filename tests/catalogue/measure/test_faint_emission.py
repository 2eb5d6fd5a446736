"""Faint emission of made-up sources: plumes count, wings, noise and neighbours do not."""

from typing import Any

import numpy as np
import pytest
from radio_gaussians import gaussian
from smoothed_views import SIGMA, first_noise, sky_image, view_of

from claran_core.catalogue.measure import faint_emission
from claran_core.catalogue.measure.component_pixels import pixels_of
from claran_core.catalogue.measure.contour_trace import trace_rings
from claran_core.catalogue.measure.faint_emission import FaintEmission, find_faint_emission, wings_beams
from claran_core.catalogue.measure.measure_subject import SubjectImage, measured_columns
from claran_core.catalogue.measure.pixel_beam import PixelBeam
from claran_core.catalogue.measure.radio_image import JY_TO_MJY, RadioImage
from claran_core.catalogue.measure.stored_components import stored_components
from claran_core.common.cutout import Beam, Cutout
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.contour_rule import COMPONENT_SIGMA, find_components
from claran_core.components.find import component_tables
from claran_core.survey.surveys import SURVEYS

SURVEY = SURVEYS["FIRST"]
PIXEL = SURVEY.pixel_scale_arcsec
SIZE = 121

# A jet of 5 beams, and a plume of 12 beams north of it, as Gaussians of 2 beams: 2.4 sigma or so, below the
# contour everywhere.
JET = [(0.0, north, 25.0, 1.0) for north in np.arange(-18.0, 7.0, 4.0)]
PLUME = [(0.0, north, 1.4, 2.0) for north in np.arange(12.0, 70.0, 6.0)]


def image_of(pixels: np.ndarray) -> RadioImage:
    """Return an image with its components."""
    found = find_components(pixels, SIGMA)
    beam = PixelBeam(SURVEY.beam_arcsec / PIXEL)
    return RadioImage.of(pixels, found.labels, COMPONENT_SIGMA * SIGMA, PIXEL, beam, SURVEY)


def edge_of(found: FaintEmission, numbers: list[int]) -> np.ndarray:
    """Return the edge of the faint emission of a source, pixels ``x y``."""
    image, contours, peaks = found.image, [], []
    for number in numbers:
        own = pixels_of(image.labels, np.array([number]))
        contours.append(trace_rings(image.pixels, image.labels, own, image.base)[0])
        peaks.append(np.nanmax(image.pixels[image.labels == number]) * JY_TO_MJY)
    return found.edge(np.array(numbers), contours, np.array(peaks))


def number_at(image: RadioImage, east: float, north: float) -> int:
    """Return the label of the component at an offset (arcsec) from the middle."""
    return int(image.labels[round(SIZE // 2 + north / PIXEL), round(SIZE // 2 - east / PIXEL)])


@pytest.mark.parametrize("peak", [8, 30, 300, 3000])
def test_point_sources_have_no_faint_emission(peak: float) -> None:
    grown = 0
    for seed in range(20):
        found = find_faint_emission(image_of(sky_image(SIZE, [(0, 0, peak, 1)], seed=seed)[0].astype(float)))
        grown += len(edge_of(found, [number_at(found.image, 0, 0)])) > 0
    assert grown <= 1


@pytest.mark.parametrize("beam_arcsec", [3.2, 5.4, 9.0, 14.0, 21.0, 40.0])
def test_point_sources_have_the_extent_of_their_own_beam(beam_arcsec: float) -> None:
    frame, beam_px, ratios = Frame(), beam_arcsec / PIXEL, []
    subject = Subject("s", 150.0, 20.0, "none", frame)
    for seed in range(4):
        # The noise is smoother than a narrow beam, and less smooth than a wide one.
        pixels = first_noise(SIZE, seed) + gaussian((SIZE, SIZE), 52.0, 67.0, 180 * SIGMA, beam_px)
        wcs = Frame(size_px=SIZE, pixel_scale_arcsec=PIXEL).wcs(150.0, 20.0)
        cutout = Cutout(pixels.astype(np.float32), wcs, "made", beam=Beam(beam_arcsec, beam_arcsec, 0.0))
        components, noise = component_tables([(subject, cutout, (NOMINAL_LEVEL,))], frame)
        stored = {key[1]: own for key, own in stored_components(components).items()}
        sigma = float(noise["sigma"].iloc[0])
        image = SubjectImage.of(subject, cutout, stored, sigma, SURVEY)
        ids = components.component_id[[components.snr.idxmax()]].tolist()
        found = measured_columns(image, ids, ids)["largest_angular_size"]
        ratios.append(found / (beam_arcsec * np.sqrt(np.log2(180 * SIGMA / (COMPONENT_SIGMA * sigma)))))
    assert min(ratios) > 0.9 and max(ratios) < 1.3


def test_a_smoothed_image_with_few_beams_is_not_searched() -> None:
    rows, columns = np.indices((SIZE, SIZE))
    pixels = SIGMA * np.where((rows + columns) % 2, 1.0, -1.0)  # next to nothing when smoothed
    pixels += gaussian((SIZE, SIZE), 60.0, 60.0, 180 * SIGMA, 14.0 / PIXEL)
    pixels[60:110, 40:80] += 0.5 * SIGMA
    labels = find_components(pixels, SIGMA).labels
    owners = [
        find_faint_emission(
            RadioImage.of(pixels, labels, COMPONENT_SIGMA * SIGMA, PIXEL, PixelBeam(fwhm / PIXEL), SURVEY)
        ).owner
        for fwhm in (5.4, 17.0)  # the image has 359 and 36 beams of twice the width
    ]
    assert [bool(owner[95:].any()) for owner in owners] == [True, False]


def test_a_plume_below_the_contour_belongs_to_its_jet() -> None:
    reached = []
    for seed in range(10):
        image = image_of(sky_image(SIZE, [*JET, *PLUME], seed=seed)[0].astype(float))
        edge = edge_of(find_faint_emission(image), [number_at(image, 0, 0)])
        reached.append((edge[:, 1].max(initial=SIZE // 2) - SIZE // 2) * PIXEL)
        assert np.abs(edge[:, 0] - SIZE // 2).max(initial=0) * PIXEL < 25
    # Its brightness falls to a half 5 arcsec beyond 64 arcsec.  Noise makes holes: about half are found.
    assert max(reached) < 85 and np.mean(np.array(reached) > 50) >= 0.3


def test_neighbours_and_their_plumes_are_not_swallowed() -> None:
    moved = [(60.0, -north, peak, size) for _, north, peak, size in PLUME]
    moved_jet = [(60.0, -north, peak, size) for _, north, peak, size in JET]
    blobs = [*JET, *PLUME, *moved_jet, *moved]
    image = image_of(sky_image(SIZE, blobs, seed=2)[0].astype(float))
    found = find_faint_emission(image)
    one, other = number_at(image, 0, 0), number_at(image, 60, 0)
    east = -(edge_of(found, [one])[:, 0] - SIZE // 2) * PIXEL
    assert east.max() < 30
    assert (-(edge_of(found, [other])[:, 0] - SIZE // 2) * PIXEL).min() > 30
    # Each component keeps its own pixels.
    inside = image.labels > 0
    np.testing.assert_array_equal(found.owner[inside], image.labels[inside])


def test_a_bright_neighbour_does_not_extend_a_source() -> None:
    for apart in (25.0, 35.0, 50.0):
        image = image_of(sky_image(SIZE, [(0, 0, 20, 1), (apart, 0, 3000, 1)])[0].astype(float))
        edge = edge_of(find_faint_emission(image), [number_at(image, 0, 0)])
        assert len(edge) == 0


def test_detached_pieces_count_within_a_fraction_of_the_extent() -> None:
    # Two components 40 pixels apart, and a piece with a gap of 10.
    labels = np.zeros((60, 60), np.int32)
    labels[10:12, 10:12], labels[50:52, 10:12] = 1, 2
    owner, gap = labels.copy(), np.zeros(labels.shape)
    owner[10:16, 22:30], gap[10:16, 22:30] = 1, 10.0
    image = image_of(np.where(labels > 0, 10 * SIGMA, 0.0))
    found = FaintEmission(image, owner, gap)
    assert edge_of(found, [1, 2]).max() == 29
    assert len(edge_of(found, [1])) == 0  # 0.3 of its own extent is less than 10


def test_missing_pixels_and_images_without_components_are_no_emission() -> None:
    pixels = sky_image(SIZE, [*JET, *PLUME])[0].astype(float)
    pixels[SIZE // 2 + 12 :] = np.nan
    found = find_faint_emission(image_of(pixels))
    assert not found.owner[SIZE // 2 + 12 :].any()
    empty = find_faint_emission(image_of(sky_image(SIZE, [])[0].astype(float)))
    assert not empty.owner.any()


def test_wings_are_those_of_gaussians() -> None:
    snr = np.array([5.3, 20.0, 1000.0])
    radii = np.linspace(0, 3, 300_001)  # beams
    for one, wing in zip(snr, wings_beams(snr), strict=True):
        profile = one * np.exp(-4 * np.log(2) * radii**2)
        outer, inner = (radii[profile >= level].max() for level in (3.0, 5.3))
        assert wing == pytest.approx(outer - inner, abs=1e-4)


@pytest.mark.parametrize("scale", [1, 2])
def test_the_extent_shows_plumes_and_the_tight_box_contours(scale: int) -> None:
    wide = [
        [(0.0, scale * north, peak, scale * size) for _, north, peak, size in part] for part in (JET, PLUME)
    ]
    jet, plume = ([(east, north, peak / scale, size) for east, north, peak, size in part] for part in wide)
    alone, with_plume = (view_of(scale, [*jet, *more]) for more in ([], plume))
    narrow, wide = (measured_columns(view.image, *view.source_at(0, 0)) for view in (alone, with_plume))
    assert narrow["largest_angular_size"] < 45 * scale
    assert wide["largest_angular_size"] > 65 * scale
    assert wide["tight_height"] < 0.65 * wide["largest_angular_size"]
    assert min(wide["position_angle"], 180 - wide["position_angle"]) < 20


def test_compiled_and_written_functions_agree() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[3:5, 3:5], labels[15, 15] = 1, 2
    allowed = np.random.default_rng(3).random((20, 20)) < 0.7
    nearest: Any = faint_emission._nearest
    grown = nearest(labels, allowed)
    np.testing.assert_array_equal(grown, nearest.py_func(labels, allowed))
    assert set(np.unique(grown)) == {0, 1, 2}
    assert not grown[~allowed & (labels == 0)].any()
    edge: Any = faint_emission._edge
    arguments = grown, np.zeros((20, 20)), labels, np.array([2]), 1.0
    points = edge(*arguments)
    np.testing.assert_array_equal(points, edge.py_func(*arguments))
    assert len(points) > 3


def test_pixels_go_to_the_component_with_the_shortest_path() -> None:
    labels = np.zeros((5, 9), np.int32)
    labels[0, 0], labels[4, 0] = 1, 2
    allowed = np.ones((5, 9), bool)
    allowed[1:4, :8] = False  # two corridors that meet in the last column
    grown = faint_emission._nearest(labels, allowed)
    np.testing.assert_array_equal(grown[:, 8], [1, 1, 1, 2, 2])
