"""Subjects of the simulated sky: selected by their labels, at the positions in their names, without leaks."""

import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from claran_core.cli.simulate import DEFAULT_SEED
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.common.tables import LABELS
from claran_core.labels.dr1_labels import label_simulated
from claran_core.labels.rgz_table import position_of_name
from claran_core.simulation import subjects
from claran_core.simulation.class_mixes import Quota
from claran_core.simulation.geometry import TileGrid, cells_near, sky_to_cell
from claran_core.simulation.population import DrawnPopulation, RadioCell, RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.regions import REGION_NSIDE, regions
from claran_core.simulation.subjects import Selection, blind_subjects, select_subjects, sources_near
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.target_table import read_targets

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = REPOSITORY / "resources" / "demo" / "targets.csv"
SEED = 3

# Frequent signatures.
FREQUENT = {"1C_1P": 4, "1C_2P": 3, "2C_2P": 2, "1C_1P+1C_1P": 2, "1C_1P+1C_2P": 1}
MIX = {"train": FREQUENT, "test": {"1C_1P": 2, "2C_2P": 2, "1C_1P+1C_1P": 2}}


@pytest.fixture(scope="module")
def selection() -> Selection:
    return select_subjects(seed=SEED, n_train=12, n_test=6, mix=MIX)


def test_selection_has_the_requested_numbers(selection: Selection) -> None:
    targets = selection.targets
    assert targets.columns.tolist() == ["subject_id", "ra", "dec", "split"]
    assert targets.split.tolist() == ["train"] * 12 + ["test"] * 6
    assert targets.subject_id.is_unique
    assert targets.subject_id.str.fullmatch(r"FIRSTJ\d{6}\.\d[+-]\d{6}").all()
    assert selection.labels.columns.tolist() == LABELS.names


def test_subjects_have_the_requested_signatures(selection: Selection) -> None:
    labels = selection.labels.groupby(["split", "subject_id"]).morphology.apply(
        lambda classes: "+".join(sorted(classes))
    )
    assert Counter(labels["train"]) == FREQUENT and Counter(labels["test"]) == MIX["test"]
    own = selection.own_labels
    assert own.subject_id.tolist() == selection.targets.subject_id.tolist()
    assert (own.n_components <= 3).all() and (own.n_peaks <= 3).all()


def test_labels_are_those_of_the_noisy_images_at_the_positions_in_the_names(selection: Selection) -> None:
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=SEED)
    bright = []
    for row in selection.targets.itertuples():
        assert (row.ra, row.dec) == position_of_name(row.subject_id)
        cutout = sky.cutout("", row.ra, row.dec, 181.5)
        subject = Subject(row.subject_id, row.ra, row.dec, row.split, Frame())
        labels = label_simulated(subject, cutout, sky.truth(row.ra, row.dec, 181.5))
        expected = selection.labels[selection.labels.subject_id == row.subject_id]
        pd.testing.assert_frame_equal(labels, expected.reset_index(drop=True), check_dtype=False)
        x, y = np.rint(cutout.wcs.sky_to_pixels(row.ra, row.dec)).astype(int)
        bright.append(cutout.data[y - 1 : y + 2, x - 1 : x + 2].max() > 5 * 1.56e-4)
    # Centred on a component: some peaks of sources of two are too faint to show.
    assert np.mean(bright) > 0.9


def test_selection_does_not_depend_on_caches(selection: Selection) -> None:
    simulation = [
        module for name, module in sys.modules.items() if name.startswith("claran_core.simulation.")
    ]
    caches = [
        value for module in simulation for value in vars(module).values() if hasattr(value, "cache_clear")
    ]
    assert caches
    for cache in caches:
        cache.cache_clear()
    again = select_subjects(seed=SEED, n_train=12, n_test=6, mix=MIX)
    pd.testing.assert_frame_equal(again.targets, selection.targets)
    pd.testing.assert_frame_equal(again.labels, selection.labels)
    pd.testing.assert_series_equal(again.centred_on, selection.centred_on)


def test_no_source_is_in_two_subjects_and_splits_keep_apart(selection: Selection) -> None:
    assert selection.labels.label_id.is_unique
    targets = selection.targets
    regions = {
        split: {sky_to_cell(row.ra, row.dec, REGION_NSIDE) for row in rows.itertuples()}
        for split, rows in targets.groupby("split")
    }
    assert regions["train"].isdisjoint(regions["test"])
    train, test = (
        SkyCoord(rows.ra, rows.dec, unit="deg") for _, rows in sorted(targets.groupby("split"), reverse=True)
    )
    assert train.match_to_catalog_sky(test)[1].arcsec.min() > 600


def test_target_table_keeps_all_digits(selection: Selection, tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    selection.targets.to_csv(path, index=False)
    kept = read_targets(path)[selection.targets.columns]
    pd.testing.assert_frame_equal(kept, selection.targets, check_dtype=False, check_exact=True)


def test_progress_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="claran_core.simulation.subjects"):
        select_subjects(seed=SEED, n_train=1, n_test=0, mix=MIX)
    assert "train subjects: 0 of 1 to go" in caplog.text
    assert "1 of 1 train subjects found" in caplog.text


def candidate(*, dec_deg: float = 10.0, compact: bool = False) -> RadioSource:
    return RadioSource(
        source_id="one",
        ra_deg=120.0,
        dec_deg=dec_deg,
        kind="field" if compact else "1C_1P",
        n_components=1,
        n_peaks=1,
        host_magnitude=15.0,
        reach_arcsec=100.0,
        peak_jy=0.01,
        uncleaned_jy=0.0,
        sidelobe_gain=0.0,
        compact=(0.0, 0.0, 0.0) if compact else None,
    )


def test_surroundings_of_a_candidate_are_tested_before_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    lone, friend = candidate(), candidate(dec_deg=10.02)
    crowd = {
        "lone": [lone],
        "pair": [lone, friend],
        "with field": [lone, candidate(dec_deg=10.02, compact=True)],
        "far": [lone, candidate(dec_deg=10.1)],
    }

    sky = SimulatedProvider(SURVEYS["FIRST"], seed=SEED)

    def promising(around: str, signature: str, middle: RadioSource = lone) -> bool:
        # The cell of the frame's middle holds them all; cells beside it are empty.
        home = sky_to_cell(120.0, 10.0, subjects.RADIO_NSIDE)
        subjects._positions.cache_clear()
        monkeypatch.setattr(
            DrawnPopulation, "cell", lambda _, cell: RadioCell.of(crowd[around] if cell == home else [])
        )
        return subjects._promising(sky, middle, Quota("train", Counter({signature: 1})))

    assert promising("lone", "1C_1P")
    assert not promising("lone", "1C_2P")
    assert not promising("lone", "1C_1P+1C_1P") and not promising("far", "1C_1P+1C_1P")
    assert promising("with field", "1C_1P+1C_1P")
    assert promising("pair", "1C_1P+2C_2P") and not promising("with field", "1C_1P+2C_2P+2C_2P")
    # A compact source alone or beside another is no subject.
    assert not promising("pair", "1C_1P+1C_1P", candidate(compact=True))
    subjects._positions.cache_clear()


def look_again(search: subjects._Search, region: int, cells: np.ndarray, n: int = 3) -> list[str]:
    """Names of subjects found in a second look at some cells."""
    before = len(search.found)
    search.region(region, cells, Quota("train", Counter({"1C_1P": n})))
    return [found.subject.subject_id for found in search.found[before:]]


def test_names_and_sources_are_used_once() -> None:
    region, cells = next(regions(SEED))
    search = subjects._Search(SimulatedProvider(SURVEYS["FIRST"], seed=SEED))
    first = look_again(search, region, cells[:20])
    assert len(first) == 3
    names = set(search.names)
    search.names.clear()
    assert set(first).isdisjoint(look_again(search, region, cells[:20]))
    search.names, search.sources = names, set()
    assert set(first).isdisjoint(look_again(search, region, cells[:20]))
    search.names.clear()
    search.sources.clear()
    assert look_again(search, region, cells[:20]) == first


def test_subjects_keep_away_from_the_border_of_their_region() -> None:
    region, cells = next(regions(SEED))
    middles = [
        TileGrid(nside=subjects.RADIO_NSIDE, pixel_scale_arcsec=1.0, size_px=1).tile(int(cell))
        for cell in cells
    ]
    edge = [
        cell
        for cell, middle in zip(cells, middles, strict=True)
        if len(cells_near(middle.ra_deg, middle.dec_deg, 1000.0, REGION_NSIDE)) > 1
    ]
    search = subjects._Search(SimulatedProvider(SURVEYS["FIRST"], seed=SEED))
    assert len(look_again(search, region, np.array(edge), n=25)) == 25
    for found in search.found:
        centre = SkyCoord(found.subject.ra_deg, found.subject.dec_deg, unit="deg")
        around = centre.directional_offset_by(np.arange(0, 360, 10) * u.deg, 390 * u.arcsec)
        assert {sky_to_cell(p.ra.deg, p.dec.deg, REGION_NSIDE) for p in around} == {region}


def test_subjects_with_more_than_three_components_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def clipped(*arguments: Any) -> pd.DataFrame:
        return label_simulated(*arguments).assign(flags=int(Flag.COUNTS_CLIPPED))

    monkeypatch.setattr(subjects, "label_simulated", clipped)
    region, cells = next(regions(SEED))
    search = subjects._Search(SimulatedProvider(SURVEYS["FIRST"], seed=SEED))
    assert look_again(search, region, cells[:3]) == []


def test_too_large_numbers_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    first = next(regions(SEED))
    monkeypatch.setattr(subjects, "regions", lambda seed: iter([(first[0], first[1][:2])]))
    with pytest.raises(InputError, match=r"40 of 40 train subjects not found .*3C_3P\+3C_3P 40") as caught:
        select_subjects(seed=SEED, n_train=40, n_test=0, mix=MIX | {"train": {"3C_3P+3C_3P": 1}})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "-1"),
        ({"n_train": -1}, "-1"),
        ({"multi_source_fraction": 2.0}, "2.0 is not a share"),
        ({"mix": {"train": {"1C_1P": 1}}}, "splits"),
        ({"mix": MIX | {"test": {"4C_4P": 1}}}, "4C_4P"),
        ({"mix": MIX | {"test": {"1C_1P": 0}}}, "all shares are zero"),
    ],
)
def test_invalid_requests_are_refused_in_one_line(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        select_subjects(**({"seed": 1, "n_train": 2, "n_test": 1} | change))
    assert "\n" not in str(caught.value)


def test_zero_subjects_give_empty_tables() -> None:
    none = select_subjects(seed=1, n_train=0, n_test=0)
    assert len(none.targets) == 0 and none.targets.columns.tolist() == ["subject_id", "ra", "dec", "split"]
    assert len(none.labels) == 0 and none.labels.columns.tolist() == LABELS.names
    assert len(none.own_labels) == 0


def test_blind_subjects_are_all_detected_sources() -> None:
    circle = {"ra_deg": 180.0, "dec_deg": 20.0, "radius_arcsec": 700.0}
    blind = blind_subjects(seed=SEED, **circle)
    sources = {source.source_id: source for source in sources_near(SEED, *circle.values())}
    assert set(blind.centred_on) <= set(sources)
    assert blind.targets.split.unique().tolist() == ["none"]
    assert blind.own_labels.subject_id.tolist() == blind.targets.subject_id.tolist()
    # Sources in the middle of the patch that show in a subject have a subject of their own.
    middle = [one.source_id for one in sources.values() if np.hypot(one.ra_deg - 180, one.dec_deg - 20) < 0.1]
    shown = set(blind.labels.label_id) & set(middle)
    assert shown and shown <= set(blind.centred_on)
    extended = blind_subjects(seed=SEED, **circle, compact=False)
    kinds = {sources[name].kind for name in extended.centred_on}
    assert "field" not in kinds and len(extended.targets) < len(blind.targets)


def test_subjects_of_another_survey_are_what_it_detects() -> None:
    survey = SURVEYS["EMU"]
    mix = {"1C_1P+1C_1P+1C_1P+1C_1P": 2}
    found = select_subjects(seed=SEED, n_train=2, n_test=0, mix={"train": mix, "test": mix}, survey=survey)
    width = Frame().width_arcsec * 15.0 / 5.4
    sky = SimulatedProvider(survey, seed=SEED)
    for row in found.targets.itertuples():
        assert row.subject_id.startswith("EMUJ")
        assert (row.ra, row.dec) == position_of_name(row.subject_id.replace("EMU", "FIRST"))
        own = found.labels[found.labels.subject_id == row.subject_id]
        truth = {source.source_id: source for source in sky.truth(row.ra, row.dec, width)}
        assert len(own) == 4 and set(own.label_id) <= set(truth)
        in_first = {source.source_id: source.peak_jy for source in sources_near(SEED, row.ra, row.dec, 800.0)}
        # FIRST does not detect all of them.
        assert min(in_first.get(name, 0.0) for name in own.label_id) < 3 * SURVEYS["FIRST"].rms


def test_demo_targets_belong_to_the_sky_of_the_default_configuration() -> None:
    demo = pd.read_csv(DEMO)
    assert demo.split.value_counts().to_dict() == {"train": 900, "test": 400}
    assert demo.subject_id.is_unique
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=DEFAULT_SEED)
    for row in demo.sample(20, random_state=0).itertuples():
        assert (row.ra, row.dec) == position_of_name(row.subject_id)
        cutout = sky.cutout(row.subject_id, row.ra, row.dec, 20.0)
        x, y = np.rint(cutout.wcs.sky_to_pixels(row.ra, row.dec)).astype(int)
        assert cutout.data[y - 1 : y + 2, x - 1 : x + 2].max() > 5 * 1.56e-4
