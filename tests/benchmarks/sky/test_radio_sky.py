"""The comparison with the real sky: its statistics by hand, its choice of subjects, and a few of its rows."""

from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from matplotlib.image import imread

from benchmarks.sky.figures import draw_beside, draw_gallery, draw_statistics
from benchmarks.sky.matching import matched, near_ones
from benchmarks.sky.radio_sky import NOTES, catalogue_facts, main, match_quality, table
from benchmarks.sky.samples import (
    SourceFacts,
    SubjectFacts,
    blind_sample,
    islands,
    random_windows,
    real_subjects,
    simulated_pool,
)
from benchmarks.sky.statistics import (
    MAX_LAG_PX,
    Samples,
    Statistic,
    Values,
    autocorrelation_curves,
    background,
    background_rings,
    compared,
    image_statistics,
    of_blind,
    of_main,
    quantile,
    sample,
    statistic,
    stripes,
)
from benchmarks.sky.table import BEGIN, END, Row, as_markdown, as_records, as_text, write_between_marks
from claran_core.common.errors import InputError
from claran_core.common.morphology import MORPHOLOGIES


def source(
    morphology: str = "1C_1P",
    *,
    snr: float = 50.0,
    extent: float = 20.0,
    area: float = 10.0,
    name: str = "",
    peaks: int | None = None,
) -> SourceFacts:
    """Return a source with these values and arbitrary others."""
    n_components, n_peaks = int(morphology[0]), int(morphology[3])
    several = 0.5 if n_components > 1 else np.nan
    return SourceFacts(
        morphology=morphology,
        peak_snr=snr,
        extent_arcsec=extent,
        centre_offset_arcsec=5.0,
        second_flux=several,
        third_flux=0.1 if n_components > 2 else np.nan,
        area_px=area,
        mean_over_peak=0.3,
        peaks_apart_arcsec=extent if n_components > 1 else np.nan,
        sharpness=0.5,
        name=name,
        n_components=n_components,
        n_peaks=peaks or n_peaks,
    )


def subject(
    *sources: SourceFacts, image: np.ndarray | None = None, n_islands: int = 1, weight: float = 1.0
) -> SubjectFacts:
    image = np.zeros((96, 96), np.float32) if image is None else image
    return SubjectFacts(sources[0].name, image, 1.6e-4, n_islands, sources, weight=weight)


def noise(seed: int = 0) -> np.ndarray:
    """White noise with one bright pixel, which is where sources are."""
    image = np.random.default_rng(seed).standard_normal((96, 96)).astype(np.float32)
    image[48, 48] = 200.0
    return image


def test_quantiles_give_each_value_half_of_its_own_weight() -> None:
    even = Values(np.array([3.0, 1.0, 2.0]), np.ones(3))
    # At 1/6, 1/2 and 5/6 of the weight; linear between, level beyond.
    assert [quantile(even, part) for part in (0.1, 0.5, 2 / 3)] == pytest.approx([1.0, 2.0, 2.5])
    heavy = Values(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 2.0]))
    # At 1/8, 3/8 and 3/4.
    assert quantile(heavy, 0.5) == pytest.approx(2 + (0.5 - 0.375) / 0.375)


def test_statistics_by_hand() -> None:
    of = sample([1.0, 2.0, np.nan, 6.0])
    assert statistic("mean")(of) == 3.0
    assert statistic("var/mean")(of) == pytest.approx((4 + 1 + 9) / 3 / 3)
    assert statistic("median")(of) == statistic("p50")(of) == 2.0
    weighted = sample([1.0, 4.0], [3.0, 1.0])
    assert statistic("mean")(weighted) == 1.75


def test_a_difference_and_whether_chance_explains_it() -> None:
    rng = np.random.default_rng(1)
    real, same, other = (sample(rng.normal(mean, 1, 400)) for mean in (10, 10, 12))
    assert not compared("mean", "mean", real, same).is_significant
    number = compared("mean", "mean", real, other)
    assert number.is_significant and number.difference_percent == pytest.approx(20, abs=2)
    # Two means of 400 values of unit scatter.
    assert number.error == pytest.approx(np.sqrt(2 / 400), rel=0.2)
    empty = compared("mean", "mean", real, sample([]))
    assert np.isnan(empty.simulated) and not empty.is_significant
    # A negative value that is nearer to zero lies above.
    assert Statistic("mean", -0.2, -0.1, 0.0).difference_percent == 50.0


def test_main_and_blind_sources() -> None:
    two = subject(source(extent=20), source("2C_2P", extent=60.0, area=99.0), weight=0.5)
    one = subject(source(extent=30, area=7.0))
    assert of_main([two, one], "area_px", ["1C_1P", "2C_2P"]).values.tolist() == [99.0, 7.0]
    assert of_main([two, one], "area_px", ["2C_2P"]).weights.tolist() == [0.5]
    beyond = subject(source("1C_3P", peaks=5))
    blind = of_blind([two, one, beyond], "extent_arcsec", ["1C_1P", "1C_3P"])
    assert blind.values.tolist() == [20.0, 30.0] and blind.weights.tolist() == [0.5, 1.0]
    assert len(of_blind([], "extent_arcsec", ["1C_1P"]).values) == 0
    assert two.n_unlabelled_islands == 1 - 3


def test_noise_of_known_autocorrelation() -> None:
    white = noise()
    # The mean of two neighbours in a row is like its own neighbour by a half, along x only.
    pairs = (white + np.roll(white, 1, axis=1)).astype(np.float32)
    x, y, *slanted = autocorrelation_curves(pairs)
    assert x.shape == (MAX_LAG_PX + 1,) and x[0] == pytest.approx(1.0)
    assert x[1] == pytest.approx(0.5, abs=0.04)
    assert np.abs([x[2], y[1], y[5], *(curve[4] for curve in slanted)]).max() < 0.05


def test_background_and_stripes() -> None:
    row, column = np.indices((96, 96))
    image = (0.01 * noise() - 0.3).astype(np.float32)
    image[48, 48] = 2.0
    assert background(image) == pytest.approx(-0.3, abs=0.001)
    distance = 1.8 * np.hypot(row - 48, column - 48)
    ringed = image + 0.02 * ((distance >= 30) & (distance < 40))
    assert background_rings(ringed) == pytest.approx([-0.3, -0.28, -0.3, -0.3, -0.3, -0.3], abs=0.002)
    assert np.abs(stripes(ringed)).max() < 0.003
    striped = image + 0.02 * (np.abs(row - 48) <= 2)
    # One stripe of three: a third of the pixels on stripes.
    assert stripes(striped)[2:] == pytest.approx(0.02 / 3, abs=0.003)


def test_matched_subjects_are_of_one_class_and_used_once() -> None:
    rng = np.random.default_rng(3)

    def some(n: int) -> list[SubjectFacts]:
        numbers = enumerate(rng.uniform(10, 99, (n, 2)))
        return [subject(source(MORPHOLOGIES[k % 2], snr=a, extent=b, name=str(k))) for k, (a, b) in numbers]

    real, pool = some(12), some(60)
    groups = matched(real, pool, 4)
    used = [one.name for group in groups for one in group]
    assert len(used) == len(set(used)) == 48
    for one, group in zip(real, groups, strict=True):
        assert {other.main.morphology for other in group} == {one.main.morphology}
    # The first of the first gets the nearest of all: by the logarithm of brightness and twice that of extent.
    apart = [
        np.abs(np.log(one.main.peak_snr / real[0].main.peak_snr))
        + 2 * np.abs(np.log(one.main.extent_arcsec / real[0].main.extent_arcsec))
        if one.main.morphology == real[0].main.morphology
        else np.inf
        for one in pool
    ]
    assert groups[0][0].name == pool[int(np.argmin(apart))].name
    assert sum(map(len, matched(real, pool[:3], 4))) == 3


def test_subjects_of_several_sources_are_matched_by_such() -> None:
    alone, beside = subject(source(name="a")), subject(source(name="b"), source(snr=12.0))
    groups = matched([beside, alone], [alone, beside, beside], 4)
    assert [[other.name for other in group] for group in groups] == [["b", "b"], ["a"]]


def test_what_is_not_alike_is_left_out() -> None:
    real = [subject(source(extent=20.0)), subject(source("2C_2P"))]
    # 2 ln(1.25) = 0.45 and 2 ln(1.3) = 0.52.
    near, far = subject(source(extent=25.0)), subject(source(extent=26.0))
    kept, groups = near_ones(real, [[near, near, far], []], unlikeness=0.5)
    assert kept == real[:1]
    assert [one.weight for one in groups[0]] == [0.5, 0.5]


def test_label_table_rows() -> None:
    rows = pd.DataFrame(
        {
            "num_cpnts": [1, 3],
            "num_peaks": [5, 3],
            "ang_extent": [12.0, 34.0],
            "component_ra": [[10.0], [359.999, 0.001, 0.0]],
            "component_dec": [[0.0], [60.0, 60.0, 60.0]],
        }
    )
    facts = catalogue_facts(rows)
    assert facts["morphology"].tolist() == ["1C_3P", "3C_3P"]
    # 0.002 deg of right ascension at declination 60.
    assert np.isnan(facts["peaks_apart_arcsec"][0]) and facts["peaks_apart_arcsec"][1] == pytest.approx(3.6)


def made_samples() -> Samples:
    real = [subject(source(kind, name=str(k)), image=noise(k)) for k, kind in enumerate(MORPHOLOGIES)]
    ours = [[subject(source(kind, snr=55, area=15.0, name="x"), image=noise(9))] for kind in MORPHOLOGIES]
    catalogue = pd.DataFrame(
        {"morphology": MORPHOLOGIES, "extent_arcsec": 25.0, "peaks_apart_arcsec": [np.nan] * 3 + [20.0] * 3}
    )
    blind = [one for group in ours for one in group]
    return Samples(real, ours, blind, np.array([0, 0, 1, 0] * 9), catalogue)


def test_the_table_of_made_up_samples(tmp_path: Path) -> None:
    samples = made_samples()
    measured = image_statistics(samples.real), image_statistics(samples.chosen)
    rows = table(samples, *measured)
    assert set(NOTES) <= {row.name for row in rows}
    records = {(r["quantity"], r["statistic"]): r for r in as_records(rows)}
    area = records["area in the contours, px", "2C_3P"]
    assert (area["real"], area["simulated"], area["difference_percent"]) == (10.0, 15.0, 50.0)
    extent = records["3C_3P: extent, arcsec", "p50"]
    assert (extent["real"], extent["simulated"], extent["n_simulated"]) == (25.0, 20.0, 1)
    assert records["islands above 5 sigma in 3' x 3'", "mean"]["simulated"] == 0.25
    assert "apart by 10 % in brightness and 0 % in extent" in match_quality(samples)
    assert "area in the contours, px (by class)" in as_text(rows)
    assert "autocorrelation along y (Dec) (1 / 2 / 3 / 6 / 12 / 20 px)" in as_text(rows)
    draw_statistics(tmp_path / "figure.png", samples, *measured)
    assert imread(tmp_path / "figure.png").shape[1] == 1800
    draw_beside(tmp_path / "beside.png", samples)
    assert imread(tmp_path / "beside.png").std() > 0.1


def test_the_table_in_a_page(tmp_path: Path) -> None:
    numbers = (
        Statistic("p5", 2.0, 3.0, 0.1),
        Statistic("p50", 0.1, 0.2, 1.0),
        Statistic("p95", 10.0, 10.3, 0.1),
    )
    text = as_markdown([Row("Group", "what", numbers, 5, 9, "why")], "quality")
    assert text.splitlines()[-1] == (
        r"| what (p5 / p50 / p95) | 2 / 0.1 / 10 | 3 / 0.2 / 10.3 | **+50\*** / (+0.1) / +3\* | why |"
    )
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write_between_marks(page, text)
        assert page.read_text() == f"before\n{BEGIN}\n\n{text}\n\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(InputError, match="needs the lines"):
        write_between_marks(page, text)


def test_islands_of_a_window() -> None:
    image = 0.01 * noise()
    rows, columns = np.indices(image.shape)
    image[48, 48] = 0
    for x, peak in ((20, 1.0), (70, 0.5)):
        image += peak * np.exp(-((rows - 30) ** 2 + (columns - x) ** 2) / 8)
    # 0.05 is passed at 4.9 and 4.3 px from the middle: boxes of twice that, 1.8 arcsec per pixel.
    assert islands(image) == pytest.approx([2 * 4.9 * np.sqrt(2) * 1.8, 2 * 4.3 * np.sqrt(2) * 1.8], rel=0.05)


def test_nothing_to_compare_with_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.data
def test_the_simulated_sky_is_like_the_real_one(shared_data: Path) -> None:
    """A few rows on small samples, with room for chance and for tuning."""
    real = real_subjects(shared_data / "first_train")[::4]
    assert len(real) == 38
    drawn = list(simulated_pool(1, 60))
    ours, theirs = image_statistics(drawn), image_statistics(real)
    level = [1e3 * np.median([one.sigma for one in subjects]) for subjects in (real, drawn)]
    assert level == pytest.approx([0.17, 0.17], abs=0.02)
    lags = [np.median(one.autocorrelation[:, :2, 1:4], axis=0) for one in (theirs, ours)]
    np.testing.assert_allclose(*lags, atol=0.12)
    assert np.median(ours.background) == pytest.approx(np.median(theirs.background), abs=0.12)
    widths = [np.median([one.main.mean_over_peak for one in subjects]) for subjects in (real, drawn)]
    assert widths[1] == pytest.approx(widths[0], rel=0.35)
    counts = [len(islands(window)) for window in random_windows(1, 150)]
    assert np.mean(counts) == pytest.approx(0.262, abs=0.15)
    image = fits.getdata(shared_data / "first_train" / "radio" / f"{real[0].name}.fits")
    assert real[0].sigma == pytest.approx(
        1.4826 * np.nanmedian(np.abs(image - np.nanmedian(image))), rel=0.15
    )


def test_a_blind_sample_is_reproducible_and_weighted(tmp_path: Path) -> None:
    one, same = (list(islice(blind_sample(4, 10), 3)) for _ in range(2))
    assert [subject.name for subject in one] == [subject.name for subject in same]
    for subject_ in one:
        assert subject_.weight >= 1 and subject_.own in subject_.sources
    np.testing.assert_array_equal(one[2].image, same[2].image)
    draw_gallery(tmp_path / "gallery.png", one, 4)
    # Six lines of eight panels of 132 px, most of them empty here.
    shown = imread(tmp_path / "gallery.png")[..., :3].min(axis=2) < 0.5
    assert shown.shape == (6 * 150 + 4, 8 * 136 + 4) and 0.03 < shown.mean() < 0.5
