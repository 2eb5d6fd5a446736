"""Truth of an area of the simulated sky: every source once, with placement, state and flux density."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.sky import offset_to_sky
from claran_core.evaluation.sky_truth import (
    PLACEMENTS,
    SKY_TRUTH,
    STATES,
    model_flux_mjy,
    sky_truth_over,
    whole_scale,
)
from claran_core.labels.shard import sky_truth
from claran_core.simulation.geometry import sky_to_cell
from claran_core.simulation.population import RADIO_NSIDE, RadioCell, RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.source_models import SourceModel
from claran_core.simulation.source_shapes import POINT_ARCSEC
from claran_core.simulation.subjects import sources_near
from claran_core.survey.surveys import SURVEYS

SEED = 20181031
FRAME = Frame()
CENTRE = (180.0, 30.0)


@pytest.fixture(scope="module")
def sky() -> SimulatedProvider:
    """Return the simulated radio sky."""
    return SimulatedProvider(SURVEYS["FIRST"], seed=SEED)


def grid(n: int, step_arcsec: float = 120.0) -> pd.DataFrame:
    """Return the centres of n x n frames around `CENTRE`."""
    along = (np.arange(n) - (n - 1) / 2) * step_arcsec
    east, north = (axis.ravel() for axis in np.meshgrid(along, along))
    ra, dec = offset_to_sky(*CENTRE, east, north)
    return pd.DataFrame({"ra": ra, "dec": dec, "scale": 1})


@pytest.fixture(scope="module")
def truth(sky: SimulatedProvider) -> pd.DataFrame:
    """Return the truth over 7 x 7 subjects."""
    return sky_truth_over(sky, grid(7), FRAME)


def test_every_source_of_the_area_occurs_once(truth: pd.DataFrame) -> None:
    assert list(truth) == SKY_TRUTH.names
    assert truth["source_id"].is_unique and truth["source_id"].is_monotonic_increasing
    # Hosts within 7 arcmin of the middle lie in the 7 x 7 frames, whatever of them is seen.
    hosts = {source.source_id for source in sources_near(SEED, *CENTRE, 420.0)}
    assert hosts <= set(truth["source_id"])
    assert set(truth["state"]) <= set(STATES) and set(truth["placement"]) <= set(PLACEMENTS)


def test_visible_sources_agree_with_the_labels(sky: SimulatedProvider, truth: pd.DataFrame) -> None:
    sources = [one for one in sources_near(SEED, *CENTRE, 1200.0) if one.source_id in set(truth["source_id"])]
    assert len(sources) == len(truth)
    # Labels are those of the narrowest frame, which shows most sources whole.
    narrow = set(truth.loc[truth["scale"] == 1, "source_id"])
    sources = [one for one in sources if one.source_id in narrow]
    labels = sky_truth(sky, sources, FRAME).sort_values("label_id", ignore_index=True)
    seen = truth[(truth["state"] == "visible") & (truth["scale"] == 1)].reset_index(drop=True)
    assert len(seen) and seen["source_id"].tolist() == labels["label_id"].tolist()
    same = ["ra", "dec", "morphology", "n_components", "angular_size", "component_ra", "box_x2"]
    pd.testing.assert_frame_equal(seen[same], labels[same], check_dtype=False)
    # A component reaches 5.3 sigma, or it would be none; the brightest is the source's.
    assert seen["component_snr"].map(min).min() > 5.3
    assert (seen["snr"] == seen["component_snr"].map(max)).all()


def test_contours_lie_around_the_brightest_pixels(truth: pd.DataFrame) -> None:
    seen = truth[truth["state"] == "visible"]
    ra, dec, width, height, peak_ra, peak_dec = (
        np.concatenate(seen[name].tolist())
        for name in ("contour_ra", "contour_dec", "contour_width", "contour_height")
        + ("component_ra", "component_dec")
    )
    assert (np.abs(ra - peak_ra) * np.cos(np.deg2rad(dec)) * 3600 <= width / 2).all()
    assert (np.abs(dec - peak_dec) * 3600 <= height / 2).all()
    # One component: its extent by the DR1 rule is the diagonal of its box.
    single = seen[seen["n_components"] == 1]
    sizes = np.hypot(single["contour_width"].str[0], single["contour_height"].str[0])
    # The extent is in pixels of the image where the source is, whose width differs from that of the frame's
    # by up to 3e-5 within half a degree of the reference position of a tile.
    np.testing.assert_allclose(sizes.to_numpy(float), single["angular_size"].to_numpy(float), rtol=5e-5)


def test_a_source_whose_emission_reaches_into_a_subject_belongs_to_the_area(
    sky: SimulatedProvider, truth: pd.DataFrame
) -> None:
    one = truth[(truth["n_components"] == 1) & (truth["snr"] > 30)].iloc[0]
    reach = one.contour_height[0] / 2 - 2.0
    middles = (
        offset_to_sky(one.contour_ra[0], one.contour_dec[0], 0.0, FRAME.width_arcsec / 2 + apart)
        for apart in (reach, reach + 5.0)
    )
    near, far = (
        sky_truth_over(sky, pd.DataFrame([m], columns=["ra", "dec"]).assign(scale=1), FRAME) for m in middles
    )
    assert near.set_index("source_id").loc[one.source_id, "placement"] == "outside"
    assert one.source_id not in set(far["source_id"])


def test_faint_and_confused_sources_are_distinguished(truth: pd.DataFrame) -> None:
    faint = truth[truth["state"] == "faint"]
    assert len(faint) and (faint["snr"] < 5.5).all() and (faint["n_components"] == 0).all()
    assert (faint["ra"] == faint["host_ra"]).all() and faint["morphology"].isna().all()
    assert faint["component_ra"].map(len).eq(0).all()
    assert (truth.loc[truth["state"] == "visible", "flux"] > 0.5).all()


def test_placements_among_the_subjects(sky: SimulatedProvider, truth: pd.DataFrame) -> None:
    # The frame at the middle of the grid is one of those of the grid; one more is far away.
    one = truth[(truth["placement"] == "whole") & (truth["state"] == "visible")].iloc[0]
    half = FRAME.width_arcsec / 2
    middle = {"ra": one.ra, "dec": one.dec}
    edge = dict(zip(("ra", "dec"), offset_to_sky(one.ra, one.dec, half - 1.0, 0.0), strict=True))
    outside = dict(zip(("ra", "dec"), offset_to_sky(one.ra, one.dec, half + 200.0, 0.0), strict=True))
    for places, expected in (([middle, middle], ("whole", 2)), ([edge], ("edge", 0)), ([outside], None)):
        found = sky_truth_over(sky, pd.DataFrame(places).assign(scale=1), FRAME).set_index("source_id")
        if expected is None:
            assert one.source_id not in found.index
        else:
            assert tuple(found.loc[one.source_id, ["placement", "n_views"]]) == expected


def test_order_and_repetition_of_subjects_do_not_matter(sky: SimulatedProvider) -> None:
    subjects = grid(2)
    once = sky_truth_over(sky, subjects, FRAME)
    twice = sky_truth_over(sky, pd.concat([subjects[::-1], subjects]), FRAME)
    pd.testing.assert_frame_equal(once.drop(columns="n_views"), twice.drop(columns="n_views"))
    assert (twice["n_views"] == 2 * once["n_views"]).all()


def test_no_subjects_give_an_empty_truth(sky: SimulatedProvider, tmp_path: Path) -> None:
    empty = sky_truth_over(sky, grid(0), FRAME)
    write_table(tmp_path / "truth.parquet", empty, SKY_TRUTH)
    assert read_table(tmp_path / "truth.parquet", SKY_TRUTH.names).empty


@dataclass(frozen=True)
class Pair:
    """A sky of two compact sources."""

    sources: tuple[RadioSource, ...]
    seed: int = SEED

    def cell(self, index: int) -> RadioCell:
        return RadioCell.of(
            [one for one in self.sources if sky_to_cell(one.ra_deg, one.dec_deg, RADIO_NSIDE) == index]
        )

    def has_large(self, index: int) -> bool:
        return False


def compact(name: str, peak_jy: float, *, dec_deg: float = CENTRE[1], size: float = 0.0) -> RadioSource:
    shape = {"kind": "field", "n_components": 1, "n_peaks": 1, "host_magnitude": 16.0, "reach_arcsec": 60.0}
    clean = {"uncleaned_jy": 0.0, "sidelobe_gain": 0.0, "compact": (size, size, 0.0)}
    return RadioSource(source_id=name, ra_deg=CENTRE[0], dec_deg=dec_deg, peak_jy=peak_jy, **shape, **clean)


def test_flux_is_that_of_the_model() -> None:
    # What is a point has the FWHM of POINT_ARCSEC on the image; 3 arcsec more, added in quadrature.
    beams = (POINT_ARCSEC**2 + 3.0**2) / 5.4**2
    assert model_flux_mjy(compact("a", 0.010, size=3.0), 5.4) == pytest.approx(10.0 * beams)


def test_a_source_hidden_in_the_contour_of_another_is_confused() -> None:
    # 3 mJy/beam four arcsec from 50 mJy/beam: one contour, and less than a third of its flux.
    pair = Pair((compact("bright", 0.050), compact("hidden", 0.003, dec_deg=CENTRE[1] + 4 / 3600)))
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=SEED, population=pair)
    truth = sky_truth_over(sky, grid(1), FRAME).set_index("source_id")
    assert truth["state"].to_dict() == {"bright": "visible", "hidden": "confused"}
    assert truth.loc["bright", "snr"] == pytest.approx(0.050 / 1.6e-4, rel=0.3)
    assert truth.loc["hidden", "flux"] == pytest.approx(3.0 * POINT_ARCSEC**2 / 5.4**2)


def test_a_source_larger_than_the_frame_is_compared_whole() -> None:
    # Two lobes of 3 arcmin: the narrowest frame, 181.5 arcsec wide around the host, would cut both.
    lobes = [(0.0, 90.0), (0.0, -90.0)]
    peaks = np.array([[east, north, 30.0] for east, north in lobes])
    gaussians = np.array([[east, north, 30.0, 8.0, 8.0, 0.0] for east, north in lobes])
    shape = {"kind": "double", "n_components": 2, "n_peaks": 2, "host_magnitude": 16.0}
    clean = {"uncleaned_jy": 0.0, "sidelobe_gain": 0.0, "peak_jy": 0.005, "reach_arcsec": 150.0}
    model = SourceModel("double", gaussians, peaks[:, :2], n_components=2, n_peaks=2)
    double = RadioSource(
        source_id="double", ra_deg=CENTRE[0], dec_deg=CENTRE[1], build=lambda: model, **shape, **clean
    )
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=SEED, population=Pair((double,)))
    truth = sky_truth_over(sky, grid(1).assign(scale=2), FRAME).iloc[0]
    assert (truth["scale"], truth["n_components"], truth["placement"]) == (2, 2, "whole")
    assert truth["largest_angular_size"] == pytest.approx(180 + 18, abs=8)
    # A subject of the narrowest scale contains its centre, but not its contours.
    assert sky_truth_over(sky, grid(1), FRAME).iloc[0]["placement"] == "edge"


@pytest.mark.parametrize(("reach", "scale"), [(0.0, 1), (90.7, 1), (90.8, 2), (700.0, 8), (9000.0, 8)])
def test_the_image_is_wide_enough_for_the_reach(reach: float, scale: int) -> None:
    assert whole_scale(reach, FRAME) == scale
