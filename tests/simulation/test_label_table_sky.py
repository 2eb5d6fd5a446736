"""The sky of a label table: its sources at their positions, among the field sources of the drawn sky."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES, morphology_of
from claran_core.common.subject import Subject
from claran_core.components.contour_rule import dr1_extent, find_components
from claran_core.labels.dr1_labels import label_simulated
from claran_core.labels.rgz_table import read_label_table
from claran_core.simulation import label_table_sky
from claran_core.simulation.geometry import TileWindow, sky_to_cell
from claran_core.simulation.label_table_sky import LabelTablePopulation, read_population, relative_noise
from claran_core.simulation.population import RADIO_NSIDE, RadioSource, radio_cell
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.recipes import SNR_UNIT_JY
from claran_core.survey.surveys import SURVEYS

SEED = 5
HEADER = "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training"
ORDINARY = {"1C_1P": 17.0, "1C_2P": 31.0, "1C_3P": 47.0, "2C_2P": 32.0, "2C_3P": 40.0, "3C_3P": 55.0}

# A label table and the population of its sources.
Ordinary = tuple[pd.DataFrame, LabelTablePopulation]


def name_of(ra_deg: float, dec_deg: float) -> str:
    """Name of a subject at a northern position."""
    ra, dec = SkyCoord(ra_deg, dec_deg, unit="deg").to_string("hmsdms", sep="", precision=1, pad=True).split()
    return f"FIRSTJ{ra}{dec[:-2]}"


def line(
    identity: str, places: list[tuple[float, float]], n_peaks: int, extent: float, extra: str = ""
) -> str:
    """A line of the table; the subject is centred on the first component."""
    ras, decs = (";".join(repr(float(value)) for value in axis) for axis in zip(*places, strict=True))
    return f"{identity},{name_of(*places[0])},{len(places)},{n_peaks},{ras},{decs},{extent},0.8,0{extra}"


def offset(ra: float, dec: float, east: float, north: float) -> tuple[float, float]:
    """Position at offsets in arcsec."""
    moved = SkyCoord(ra, dec, unit="deg").spherical_offsets_by(east * u.arcsec, north * u.arcsec)
    return float(moved.ra.deg), float(moved.dec.deg)


def table(tmp_path: Path, lines: list[str], header: str = HEADER) -> pd.DataFrame:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return read_label_table(path)


def ordinary_lines() -> list[str]:
    """Four sources of each class, far from each other."""
    lines = []
    for row, (name, extent) in enumerate(ORDINARY.items()):
        for column in range(4):
            ra, dec = 150.0 + 0.4 * row, 20.0 + 0.4 * column
            half = 0.45 * extent * (0.9 + 0.05 * column)
            angle = 0.7 * column
            arm = half * np.sin(angle), half * np.cos(angle)
            far = [offset(ra, dec, *arm), offset(ra, dec, -arm[0], -arm[1])]
            places = {1: [(ra, dec)], 2: far, 3: [far[0], (ra, dec), far[1]]}[int(name[0])]
            lines.append(line(f"{name}-{column}", places, int(name[3]), extent))
    return lines


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Ordinary:
    rows = table(tmp_path_factory.mktemp("ordinary"), ordinary_lines())
    return rows, LabelTablePopulation(SEED, rows)


def sky(population: LabelTablePopulation, name: str = "FIRST") -> SimulatedProvider:
    return SimulatedProvider(SURVEYS[name], seed=SEED, population=population)


def by_name(population: LabelTablePopulation) -> dict[str, RadioSource]:
    return {source.source_id: source for source in population.sources()}


def test_sources_have_the_class_extent_and_positions_of_their_labels(ordinary: Ordinary) -> None:
    rows, population = ordinary
    assert set(ORDINARY) == set(MORPHOLOGIES)
    right, extents, off = [], [], []
    for row in rows.itertuples():
        source = by_name(population)[row.catalog_id]
        cutout = sky(population).cutout("", source.ra_deg, source.dec_deg, 182.0)
        truth = sky(population).truth(source.ra_deg, source.dec_deg, 182.0)
        image = next(found.image for found in truth if found.source_id == row.catalog_id)
        sigma = SNR_UNIT_JY * relative_noise(SEED, source.ra_deg, source.dec_deg)
        found = find_components(image, sigma)
        counts = len(found), int(found.n_peaks.sum())
        right.append(counts == (row.num_cpnts, row.num_peaks))
        extents.append(dr1_extent(found.boxes) * 1.8 / row.ang_extent)
        x, y = cutout.wcs.sky_to_pixels(row.component_ra, row.component_dec)
        off += [np.hypot(*(found.brightest - place).T).min() for place in zip(x, y, strict=True)]
    assert np.mean(right) >= 0.95
    assert np.median(extents) == pytest.approx(1.0, abs=0.05)
    assert np.quantile(np.abs(np.log(extents)), 0.9) < 0.15
    assert np.median(off) < 1.0 and np.quantile(off, 0.9) < 2.0


def test_noisy_images_are_labelled_like_the_table(ordinary: Ordinary) -> None:
    rows, population = ordinary
    frame, same = Frame(), []
    for row in rows.itertuples():
        subject = Subject(row.first_id, row.ra, row.dec, "none", frame)
        window = row.ra, row.dec, frame.width_arcsec
        labels = label_simulated(subject, sky(population).cutout("", *window), sky(population).truth(*window))
        own = labels.loc[labels["label_id"] == row.catalog_id, "morphology"]
        same.append(list(own) == [morphology_of(row.num_cpnts, row.num_peaks)[0]])
    assert np.mean(same) > 0.8


def test_field_sources_stay_and_drawn_extended_sources_are_omitted(ordinary: Ordinary) -> None:
    rows, population = ordinary
    cells = {sky_to_cell(row.ra, row.dec, RADIO_NSIDE) for row in rows.itertuples()}
    middles = SkyCoord(rows["ra"], rows["dec"], unit="deg")
    left_out = 0
    for cell in cells:
        drawn, kept = radio_cell(SEED, cell), population.cell(cell)
        assert {source.source_id for source in kept if not source.is_compact} <= set(rows["catalog_id"])
        field = [source for source in drawn if source.is_compact]
        names = {source.source_id: source for source in kept if source.is_compact}
        for source in field:
            if source.source_id in names:
                assert names[source.source_id] is source
            else:
                left_out += 1
                near = SkyCoord(source.ra_deg, source.dec_deg, unit="deg").separation(middles)
                assert near.min() < 70 * u.arcsec
    assert left_out < 10
    assert sum(not source.is_compact for cell in cells for source in population.cell(cell)) == len(rows)


def field_source() -> RadioSource:
    return next(source for source in radio_cell(SEED, 70000) if source.is_compact)


def test_field_sources_within_a_labelled_source_are_omitted(tmp_path: Path) -> None:
    neighbour = field_source()
    place = offset(neighbour.ra_deg, neighbour.dec_deg, 12.0, 10.0)
    population = LabelTablePopulation(SEED, table(tmp_path, [line("a", [place], 1, 20.0)]))
    names = [source.source_id for source in population.cell(70000)]
    assert neighbour.source_id not in names and "a" in names
    assert len(names) > 10


def test_field_sources_in_the_table_appear_once(tmp_path: Path) -> None:
    twin = field_source()
    place = offset(twin.ra_deg, twin.dec_deg, 0.0, 300.0)
    population = LabelTablePopulation(SEED, table(tmp_path, [line(twin.source_id, [place], 1, 20.0)]))
    found = [
        source
        for cell in {70000, sky_to_cell(*place, RADIO_NSIDE)}
        for source in population.cell(cell)
        if source.source_id == twin.source_id
    ]
    assert [source.is_compact for source in found] == [False]


def test_source_in_several_subjects_appears_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ra, dec = 200.0, 30.0
    near, far = offset(ra, dec, 0.0, 2.5), offset(ra, dec, 40.0, 0.0)
    lines = [
        line("first", [(ra, dec)], 1, 17.0),
        line("same", [near], 1, 18.0),
        line("larger", [offset(ra, dec, 0.0, -2.5), far], 2, 40.0),
        line("neighbour", [offset(ra, dec, 0.0, 15.0)], 1, 12.0),
        # It shares a component only with a row that is left out itself.
        line("other", [far], 1, 12.0),
    ]
    with caplog.at_level(logging.INFO):
        population = LabelTablePopulation(SEED, table(tmp_path, lines), name="mine.csv")
    assert list(by_name(population)) == ["first", "neighbour", "other"]
    assert "mine.csv: 2 rows repeat a source of an earlier row" in caplog.text
    assert "3 sources of mine.csv" in repr(population)


@pytest.mark.parametrize(
    ("places", "extra", "east_north"),
    [
        # A double: the middle of its components; a triple: the core, not the middle.
        ([(30, 0), (-10, 20)], ",,,,", (10, 10)),
        ([(30, 0), (5, 5), (-10, 20)], ",,,,", (5, 5)),
        ([(0, 0)], ",,,,", (0, 0)),
    ],
)
def test_host_is_at_the_centre_without_a_position(
    tmp_path: Path, places: list[tuple[float, float]], extra: str, east_north: tuple[float, float]
) -> None:
    ra, dec = 0.0, 10.0  # components on both sides of RA 0
    header = f"{HEADER},source_ra,source_dec,host_ra,host_dec"
    lines = [line("a", [offset(ra, dec, *place) for place in places], len(places), 40.0, extra)]
    (source,) = LabelTablePopulation(SEED, table(tmp_path, lines, header)).sources()
    host = SkyCoord(source.ra_deg, source.dec_deg, unit="deg")
    assert host.separation(SkyCoord(*offset(ra, dec, *east_north), unit="deg")) < 0.01 * u.arcsec


def test_host_position_of_the_table_is_used(tmp_path: Path) -> None:
    header = f"{HEADER},source_ra,source_dec,host_ra,host_dec"
    place, middle, host = (150.0, 20.0), offset(150.0, 20.0, 8.0, 0.0), offset(150.0, 20.0, 5.0, 3.0)
    lines = [
        line("middle", [place], 2, 40.0, f",{middle[0]!r},{middle[1]!r},,"),
        line(
            "host", [offset(*place, 0, 900)], 2, 40.0, f",{middle[0]!r},{middle[1]!r},{host[0]!r},{host[1]!r}"
        ),
    ]
    sources = by_name(LabelTablePopulation(SEED, table(tmp_path, lines, header)))
    assert (sources["middle"].ra_deg, sources["middle"].dec_deg) == pytest.approx(middle, abs=1e-12)
    assert (sources["host"].ra_deg, sources["host"].dec_deg) == pytest.approx(host, abs=1e-12)


def test_added_rows_do_not_change_other_sources(ordinary: Ordinary, tmp_path: Path) -> None:
    rows, population = ordinary
    more = table(tmp_path, [line("new", [(149.0, 20.0)], 1, 17.0), *ordinary_lines()[::-1]])
    longer = by_name(LabelTablePopulation(SEED, more))
    assert "new" in longer
    for name in ("1C_2P-1", "2C_3P-0", "3C_3P-2"):
        before, after = by_name(population)[name], longer[name]
        np.testing.assert_array_equal(before.model.gaussians, after.model.gaussians)
        assert before == after
    other = by_name(LabelTablePopulation(SEED + 1, rows))["2C_3P-0"]
    assert other.model.gaussians.tolist() != longer["2C_3P-0"].model.gaussians.tolist()


@pytest.mark.parametrize("name", ["FIRST", "WISE_W1"])
def test_all_windows_have_the_same_bits(ordinary: Ordinary, name: str) -> None:
    rows, population = ordinary
    row = rows[rows["catalog_id"] == "3C_3P-1"].iloc[0]
    survey = sky(population, name)
    tile = survey.grid.tile_at(row.ra, row.dec)
    x, y = (int(value) for value in tile.sky_to_pixel(row.ra, row.dec))
    wide = survey.render(tile, TileWindow(x - 200, y - 150, 400, 300))
    again = sky(LabelTablePopulation(SEED, rows), name)
    small = again.render(tile, TileWindow(x - 20, y - 7, 33, 50))
    np.testing.assert_array_equal(wide[143:193, 180:213], small)


def test_hosts_appear_in_the_infrared(ordinary: Ordinary) -> None:
    _, population = ordinary
    bright = [source for source in population.sources() if source.host_magnitude < 14.5]
    assert len(bright) >= 3
    for source in bright:
        cutout = sky(population, "WISE_W1").cutout("", source.ra_deg, source.dec_deg, 60.0)
        x, y = (int(np.rint(v)) for v in cutout.wcs.sky_to_pixels(source.ra_deg, source.dec_deg))
        assert cutout.data[y, x] - np.median(cutout.data) > 5.0


def test_sources_with_more_than_three_components_or_peaks(tmp_path: Path) -> None:
    places = [offset(150.0, 20.0, 0.0, north) for north in (60, 22, -20, -58)]
    (source,) = LabelTablePopulation(SEED, table(tmp_path, [line("a", places, 5, 125.0)])).sources()
    assert (source.kind, source.n_components, source.n_peaks) == ("3C_3P", 4, 5)
    assert (source.model.n_components, source.model.n_peaks) == (4, 5)
    # A row that counts fewer peaks than components says nothing else than one for each.
    (source,) = LabelTablePopulation(SEED, table(tmp_path, [line("a", places[:2], 1, 45.0)])).sources()
    assert source.n_peaks == 2


def test_table_is_read_once_per_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path, ordinary_lines()[:2])
    calls = []
    monkeypatch.setattr(
        label_table_sky, "read_label_table", lambda path: calls.append(path) or read_label_table(path)
    )
    first = read_population(SEED, tmp_path / "labels.csv")
    assert read_population(SEED, tmp_path / "labels.csv") is first
    assert len(calls) == 1 and "labels.csv" in repr(first)


@pytest.mark.data
def test_sources_of_the_published_table(shared_data: Path) -> None:
    path = shared_data / "rgz" / "full_catalogue.csv"
    rows = read_label_table(path)
    sources = by_name(LabelTablePopulation(SEED, rows, name=path.name))
    # 305 test rows share a component with a training row, and others with rows of their own set.
    assert 11_000 < len(sources) < len(rows) - 305
    chosen = rows[rows["catalog_id"].isin(list(sources))].sample(50, random_state=3)
    right = [
        (sources[row.catalog_id].model.n_components, sources[row.catalog_id].model.n_peaks)
        == (row.num_cpnts, row.num_peaks)
        for row in chosen.itertuples()
    ]
    assert np.mean(right) > 0.95
