"""Components of subjects: positions, levels, prominences, secondary peaks, edges and identity."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from component_images import blob
from scipy import ndimage

from claran_core.common.cutout import Beam, BrightPixels, Cutout
from claran_core.common.frame import Frame
from claran_core.common.noise import noise_sigma
from claran_core.common.sky import offset_to_sky, unit_vectors
from claran_core.common.subject import Subject, visible_in_frame
from claran_core.common.tables import COMPONENTS, NOISE
from claran_core.components.component_table import (
    LEVELS,
    NO_COMPONENTS,
    NOMINAL_LEVEL,
    SubjectComponents,
    components_by_subject,
)
from claran_core.components.contour_rule import find_components
from claran_core.components.find import component_tables
from claran_core.components.units import NOT_PART
from claran_core.cutouts.coarse import coarse_cutout
from claran_core.simulation.mosaic import write_mosaic
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.surveys import SURVEYS

FRAME = Frame(size_px=132, pixel_scale_arcsec=1.375)
SUBJECT = Subject("S", 180.0, 40.0, "train", FRAME)


def made(
    *blobs: tuple[float, float, float, float], size: int = 101, scale: float = 1.8, seed: int = 0
) -> Cutout:
    """Return a cut-out with noise of 1 and blobs ``(x, y, peak, fwhm)``."""
    image = np.random.default_rng(seed).normal(0, 1, (size, size))
    for x, y, peak, fwhm in blobs:
        image += blob(image.shape, x, y, peak, fwhm)
    return Cutout(image.astype(np.float32), Frame(size, scale).wcs(180.0, 40.0), "made")


def found_in(cutout: Cutout, *levels: float, subject: Subject = SUBJECT) -> pd.DataFrame:
    """Return the rows of a subject."""
    return component_tables([(subject, cutout, levels)], FRAME).components


def measured(cutout: Cutout, level: float = NOMINAL_LEVEL) -> SubjectComponents:
    """Return the components of a cut-out by way of the table."""
    return components_by_subject(found_in(cutout, level)).get("S", {}).get(level, NO_COMPONENTS)


def test_component_has_its_position_and_size_in_the_frame() -> None:
    # 20 px of 1.8 arcsec to the east and 10 px to the north of the centre: x and y decrease.
    found = measured(made((50 - 20, 50 + 10, 300.0, 6.0)))
    zoom = 1.8 / 1.375
    middle = np.array([66 - 20 * zoom, 66 - 10 * zoom])
    assert len(found) == 1
    assert found.peaks[0] == pytest.approx(middle, abs=0.1)
    assert (found.boxes[0, :2] + found.boxes[0, 2:]) / 2 == pytest.approx(middle, abs=0.3)
    radius = 6.0 / 2 * np.sqrt(np.log2(300 / 5.3)) * zoom
    assert (found.boxes[0, 2:] - found.boxes[0, :2]) / 2 == pytest.approx([radius, radius], rel=0.1)
    assert found.snr[0] == pytest.approx(300, rel=0.1) and found.n_peaks.tolist() == [1]
    assert found.area[0] == pytest.approx(found.n_pixels[0] * zoom**2)
    assert found.flux[0] > found.area[0] * 5.3


def test_components_tell_the_beam_of_the_image_of_their_scale() -> None:
    plain = made((50, 50, 300.0, 6.0))
    assert found_in(plain, NOMINAL_LEVEL).beam_arcsec.tolist() == [0.0]
    stated = replace(plain, beam=Beam(16.0, 9.0, 20.0))
    assert found_in(stated, NOMINAL_LEVEL).beam_arcsec.tolist() == [12.0]
    wide = coarse_cutout(stated, 2, SURVEYS["FIRST"])
    view = Subject("S", 180.0, 40.0, "none", FRAME.at_scale(2), 2)
    rows = found_in(wide, NOMINAL_LEVEL, subject=view)
    assert set(zip(rows.scale, rows.beam_arcsec, strict=True)) == {(2, 24.0), (1, 12.0)}


def test_pixels_outside_the_frame_are_ignored() -> None:
    assert len(measured(made((3, 50, 300.0, 6.0), (50, 50, 100.0, 6.0), size=151))) == 1


def test_higher_level_gives_fewer_and_smaller_components() -> None:
    cutout = made((40, 50, 5.8, 8.0), (70, 50, 100.0, 6.0), seed=3)
    low, high = measured(cutout, 0.8), measured(cutout, 1.6)
    assert len(low) > len(high) == 1
    assert high.area[0] < low.area[np.argmax(low.snr)]


def test_prominence_of_a_secondary_peak_by_hand() -> None:
    image = np.zeros((101, 101), np.float32)
    image[::3], image[1::3] = 0.1, -0.1  # 1.4826 x MAD: 0.148
    image[50, 40:45] = [30, 15, 10, 15, 20]
    cutout = Cutout(image, Frame(101, 1.8).wcs(180.0, 40.0), "made")
    found = measured(cutout)
    assert len(found) == 1
    assert found.prominences[0] == pytest.approx([np.log(20 / 10) / np.log(3**0.5), 0, 0])


def test_saddles_below_the_level_separate_components() -> None:
    image = np.zeros((101, 101), np.float32)
    image[::3], image[1::3] = 0.1, -0.1
    image[50, 40:43] = [8, 0.9, 6]  # the levels are 0.71 and 1.18
    cutout = Cutout(image, Frame(101, 1.8).wcs(180.0, 40.0), "made")
    together, apart = measured(cutout, 0.9), measured(cutout, 1.5)
    assert len(together) == 1 and together.prominences[0, 0] > 3
    assert len(apart) == 2 and (apart.prominences == 0).all()


@pytest.mark.parametrize("data", [np.full((60, 60), np.nan), np.zeros((60, 60)), np.full((60, 60), 7.0)])
def test_images_without_noise_have_no_components(data: np.ndarray) -> None:
    cutout = Cutout(data.astype(np.float32), Frame(60, 1.8).wcs(180.0, 40.0), "made")
    components, noise = component_tables([(SUBJECT, cutout, LEVELS["train"])], FRAME)
    assert components.empty and components.columns.tolist() == COMPONENTS.names
    assert noise["n_components"].tolist() == [0] and not noise["sigma"][0] > 0


def test_noise_is_that_of_the_pixels_in_the_frame() -> None:
    cutout = made((50, 50, 100.0, 6.0), size=151)
    noisy = cutout.data.copy()
    noisy[:20] *= 100  # beyond the frame
    subjects = [(SUBJECT, replace(cutout, data=noisy), (0.9, 1.0)), (SUBJECT, None, (1.0,))]
    _, noise = component_tables(subjects, FRAME)
    visible = visible_in_frame(SUBJECT, cutout)
    assert noise.columns.tolist() == NOISE.names
    assert noise["sigma"][0] == noise_sigma(visible) and np.isnan(noise["sigma"][1])
    assert noise["n_components"].tolist() == [len(find_components(visible, noise["sigma"][0])), 0]


def test_secondary_peaks_lie_on_the_sky_where_the_pixels_do() -> None:
    image = np.zeros((101, 101), np.float32)
    image[::3], image[1::3] = 0.1, -0.1
    image[50, 40:47] = [30, 15, 20, 10, 17, 18, 25]
    cutout = Cutout(image, FRAME.wcs(180.0, 40.0), "made")
    (row,) = found_in(cutout, 1.0).itertuples()
    sigma = noise_sigma(image)
    assert (row.pixel_x, row.pixel_y) == (40, 50) and row.snr == pytest.approx(30 / sigma)
    assert (row.ra, row.dec) == cutout.wcs.pixels_to_sky(40, 50)
    ra, dec = cutout.wcs.pixels_to_sky(np.array([46, 42]), np.array([50, 50]))  # the most prominent first
    assert row.secondary_ra.tolist() == ra.tolist() and row.secondary_dec.tolist() == dec.tolist()
    assert row.secondary_snr == pytest.approx(np.array([25, 20]) / sigma)
    assert row.secondary_saddle == pytest.approx(np.array([10, 15]) / sigma)
    heights = np.log([25 / 10, 20 / 15]) / np.log(3**0.5)
    assert [row.prominence_1, row.prominence_2, row.prominence_3] == pytest.approx([*heights, 0])
    higher = found_in(cutout, 16.0)  # above the lower saddle
    assert higher.pixel_x.tolist() == [40, 46]
    assert [len(peaks) for peaks in higher.secondary_snr] == [1, 0]
    assert higher.secondary_snr[0] == pytest.approx([20 / sigma])


def test_components_at_the_edge_of_the_frame_or_of_missing_pixels_are_marked() -> None:
    blobs = [(40, 50, 80.0, 5.0), (60, 50, 80.0, 5.0), (75, 100.4, 80.0, 5.0)]
    cutout = made(*blobs, size=110)
    data = cutout.data.copy()
    data[49:52, 64:] = np.nan
    rows = found_in(replace(cutout, data=data), 1.0).sort_values("pixel_x")
    bright = rows[rows.snr > 20]
    assert bright.at_edge.tolist() == [False, True, True]


def coarse_view(*blobs: tuple[float, float, float, float], scale: int = 2) -> tuple[Subject, Cutout]:
    """Return a subject at a coarser scale, with blobs ``(x, y, peak, fwhm)`` in the survey's own pixels."""
    fine = made(*blobs, size=101 * scale + scale % 2)
    smooth = ndimage.gaussian_filter(fine.data, scale / 2)
    size = len(smooth) // scale
    binned = smooth[: size * scale, : size * scale].reshape(size, scale, size, scale).mean(axis=(1, 3))
    matrix = tuple(scale * value for value in fine.wcs.matrix)
    middle = (fine.wcs.x - (scale - 1) / 2) / scale
    wcs = replace(fine.wcs, x=middle, y=middle, matrix=matrix)
    sigma = noise_sigma(fine.data)
    index = np.flatnonzero(ndimage.binary_dilation(fine.data > 3 * sigma))
    bright = BrightPixels(scale, sigma, index, fine.data.ravel()[index])
    subject = replace(SUBJECT, frame=FRAME.at_scale(scale), scale=scale)
    return subject, Cutout(binned, wcs, "made", bright=bright)


# A double whose lobes merge at a coarser scale, and a sharp faint spot that is lost there.
VIEW = [(90.0, 100.0, 60.0, 5.0), (102.0, 100.0, 40.0, 5.0), (130.0, 70.0, 8.0, 0.9)]


@pytest.mark.parametrize("scale", [2, 4])
def test_a_coarser_view_has_components_of_two_scales(scale: int) -> None:
    subject, cutout = coarse_view(*VIEW, scale=scale)
    (sky_x, sky_y), zoom = (90.0, 100.0), 1.8 / 1.375 / scale
    components, noise = component_tables([(subject, cutout, (NOMINAL_LEVEL,))], FRAME)
    coarse, fine = components[components.scale == scale], components[components.scale == 1]
    assert (coarse.part_of == NOT_PART).all()
    native = cutout.native
    assert native is not None
    for row in coarse.itertuples():
        inside = fine[fine.part_of == row.component_id]
        x, y = cutout.wcs.vectors_to_pixels(unit_vectors(inside.ra, inside.dec))
        found = find_components(visible_in_frame(subject, cutout), noise.sigma[0])
        assert set(found.labels[np.rint(y).astype(int), np.rint(x).astype(int)]) <= {
            found.labels[row.pixel_y, row.pixel_x]
        }
    double = fine[fine.snr > 20]
    assert len(double) == 2 and double.part_of.nunique() == 1 and double.part_of.iloc[0] != NOT_PART
    faint = fine[(fine.pixel_x - 130).abs() < 3]
    assert faint.part_of.tolist() == [NOT_PART]
    # Positions are those of the coarse frame; flux and area those of the finest.
    size = native.data.shape[0]
    middle = 66 + np.array([(sky_x - (size - 1) / 2), -(sky_y - (size - 1) / 2)]) * zoom
    assert (double.peak_x.iloc[0], double.peak_y.iloc[0]) == pytest.approx(middle, abs=0.6)
    assert double.area.tolist() == pytest.approx((double.n_pixels * (1.8 / 1.375) ** 2).tolist())
    assert (coarse.area / coarse.n_pixels).to_numpy() == pytest.approx((1.8 / 1.375) ** 2)
    widths = double.box_x2 - double.box_x1
    assert widths.to_numpy() == pytest.approx(5.0 * np.sqrt(np.log2(double.snr / 5.3)) * zoom, rel=0.25)


def test_fine_components_of_a_coarser_view_are_those_of_the_finest(scale: int = 2) -> None:
    subject, cutout = coarse_view(*VIEW, scale=scale)
    whole = made(*VIEW, size=202)
    narrow = component_tables([(SUBJECT, whole, (0.9, 1.0))], FRAME)
    # The noise of the wide image differs from that of the frame: with the same noise, all is equal.
    sigma = narrow.noise.sigma[0]
    assert cutout.native_sigma == pytest.approx(sigma, rel=0.05)
    assert cutout.bright is not None
    same = replace(cutout, bright=replace(cutout.bright, sigma=sigma))
    wide = component_tables([(subject, same, (0.9, 1.0))], FRAME).components
    wide = wide[(wide.scale == 1) & wide.component_id.isin(narrow.components.component_id)]
    equal = ["component_id", "level", "ra", "dec", "n_peaks", "snr", "n_pixels", "pixel_x"]
    whole_ones = narrow.components[~narrow.components.at_edge]
    pd.testing.assert_frame_equal(
        wide[equal].reset_index(drop=True), whole_ones[equal].reset_index(drop=True), check_exact=True
    )
    # The area of a pixel is that in the middle of the cut-out, which differs.
    np.testing.assert_allclose(wide[["flux", "area"]], whole_ones[["flux", "area"]], rtol=1e-8)


def test_noise_of_a_coarser_view_is_that_of_both_images() -> None:
    subject, cutout = coarse_view(*VIEW)
    _, noise = component_tables([(subject, cutout, (1.0,)), (subject, None, (1.0,))], FRAME)
    assert noise.scale.tolist() == [2, 1, 2]
    visible = visible_in_frame(subject, cutout)
    assert noise.sigma[:2].tolist() == [noise_sigma(visible), cutout.native_sigma]
    assert noise.deepest[0] == pytest.approx(np.nanmin(visible) / noise.sigma[0])
    assert noise.deepest[1:].isna().all() and np.isnan(noise.sigma[2])
    assert noise.n_components[0] >= 1 and noise.n_components[1] >= 3 and noise.n_components[2] == 0


def test_deepest_pixel_is_that_inside_the_frame() -> None:
    cutout = made((50, 50, 100.0, 6.0), size=151)
    data = cutout.data.copy()
    data[0, 0], data[70, 70] = -1000.0, -30.0
    _, noise = component_tables([(SUBJECT, replace(cutout, data=data), (1.0,))], FRAME)
    assert noise.deepest[0] == pytest.approx(-30.0 / noise.sigma[0])


def tile_windows(tmp_path: Path) -> list[tuple[Subject, Cutout]]:
    """Return two subjects that overlap, in a tile of the simulated sky."""
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=4)
    return [(subject, sky.cutout("", *window(subject))) for subject in overlapping()]


def mosaic_windows(tmp_path: Path) -> list[tuple[Subject, Cutout]]:
    """Return the same subjects, cut from a mosaic on disk."""
    write_mosaic(tmp_path / "mosaic.fits", SimulatedProvider(SURVEYS["FIRST"], seed=4), *CROWDED, 400)
    disk = DirectoryProvider(SURVEYS["FIRST"], tmp_path)
    return [(subject, disk.cutout(subject.subject_id, *window(subject))) for subject in overlapping()]


CROWDED = (189.4, 30.0)  # two sources within the frame


def overlapping() -> list[Subject]:
    """Return five subjects around a position, 30 arcsec apart."""
    steps = [(0, 0), (30, 0), (-30, 0), (0, 30), (0, -30)]
    places = [offset_to_sky(*CROWDED, *step) for step in steps]
    return [Subject(str(k), float(ra), float(dec), "none", FRAME) for k, (ra, dec) in enumerate(places)]


def window(subject: Subject) -> tuple[float, float, float]:
    """Return position and width of a subject's cut-out."""
    return subject.ra_deg, subject.dec_deg, FRAME.width_arcsec


@pytest.mark.parametrize("windows", [tile_windows, mosaic_windows])
def test_component_has_the_same_identity_in_every_subject_that_shows_it(
    windows: Callable[[Path], list[tuple[Subject, Cutout]]], tmp_path: Path
) -> None:
    table = component_tables([(*one, (NOMINAL_LEVEL,)) for one in windows(tmp_path)], FRAME).components
    whole = table[~table.at_edge]
    seen = whole.groupby("component_id")
    assert (seen["subject_id"].nunique() == len(overlapping())).any()
    assert seen[["ra", "dec"]].nunique().to_numpy().max() == 1  # bit by bit
    places = whole[["ra", "dec"]].drop_duplicates().to_numpy()
    apart = unit_vectors(*places.T)[:, None] - unit_vectors(*places.T)[None]
    distance = np.linalg.norm(apart, axis=-1)[~np.eye(len(places), dtype=bool)]
    assert len(places) == whole.component_id.nunique() and (distance > np.deg2rad(1 / 3600)).all()
    # In the frame of another subject it is at another place.
    moved = seen["peak_x"].agg(np.ptp)
    assert moved.max() > 20
