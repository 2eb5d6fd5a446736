"""Compare the simulated radio sky with the real one, by the same code on both.

    OMP_NUM_THREADS=1 python -m benchmarks.sky.radio_sky ../shared/data --seed 1 --pool 2500

Labelled FIRST subjects of ``first_train`` are compared with simulated subjects of the same class, brightness
and extent, the whole label table with a blind sample of simulated sources, and counts in 1,255 FIRST fields
with random windows.  A star marks a difference of more than twice its statistical error.  ``--markdown``
writes the table into a page, between its marks; ``--figure`` and ``--gallery`` draw the figures of that page,
which show no pixel of a real image.  ``--beside`` draws real subjects beside simulated ones; that figure is
not for publication.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.sky import figures as sky_figures
from benchmarks.sky import samples as sky_samples
from benchmarks.sky.matching import like_real
from benchmarks.sky.samples import SubjectFacts
from benchmarks.sky.statistics import (
    BRIGHT_SNR,
    DIRECTIONS_DEG,
    LAGS_PX,
    REAL_ISLANDS,
    REAL_ISLANDS_ERROR,
    REAL_ISLANDS_SCATTER,
    RINGS_ARCSEC,
    ImageStatistics,
    Samples,
    Statistic,
    compared,
    image_statistics,
    of_blind,
    of_catalogue,
    of_main,
    of_subjects,
    sample,
    statistic,
)
from benchmarks.sky.table import Row, as_markdown, as_records, as_text, row, write_between_marks
from claran_core.common.errors import ClaranError
from claran_core.common.files import write_json
from claran_core.common.morphology import MORPHOLOGIES, morphology_of
from claran_core.labels.rgz_table import read_label_table

# Why a difference is expected, by the name of a row.
NOTES = {
    "1C_1P: extent, arcsec": "27 % of the table's are companions of another source, and these are small",
    "islands above 5 sigma in 3' x 3'": "real ones counted in 1,255 fields, by other code",
}

SPREAD = ("p5", "p50", "p95")
DOUBLES, TRIPLES = ("2C_2P", "2C_3P"), ("3C_3P",)


def collect(folder: Path, *, seed: int, n_pool: int, n_blind: int, n_windows: int) -> Samples:
    """Read the real subjects and draw the simulated ones."""
    real = sky_samples.real_subjects(folder / "first_train")
    kept, near = like_real(real, seed=seed, n_pool=n_pool)
    return Samples(
        real=kept,
        matched=near,
        n_left_out=len(real) - len(kept),
        blind=list(sky_samples.blind_sample(seed, n_blind)),
        windows=np.array([len(sky_samples.islands(w)) for w in sky_samples.random_windows(seed, n_windows)]),
        catalogue=catalogue_facts(read_label_table(folder / "rgz" / "full_catalogue.csv")),
    )


def catalogue_facts(rows: pd.DataFrame) -> pd.DataFrame:
    """Class, extent and largest distance of component positions (arcsec) of the rows of a label table."""
    counts = zip(rows["num_cpnts"], rows["num_peaks"], strict=True)
    places = zip(rows["component_ra"], rows["component_dec"], strict=True)
    return pd.DataFrame(
        {
            "morphology": [morphology_of(components, peaks)[0] for components, peaks in counts],
            "extent_arcsec": rows["ang_extent"].to_numpy(float),
            "peaks_apart_arcsec": [_widest_arcsec(np.array(ra), np.array(dec)) for ra, dec in places],
        }
    )


def _widest_arcsec(ra_deg: np.ndarray, dec_deg: np.ndarray) -> float:
    """Largest distance of two positions that are near one another; NaN for a single one."""
    if len(ra_deg) < 2:
        return float("nan")
    east = ((ra_deg - ra_deg[0] + 180) % 360 - 180) * np.cos(np.deg2rad(dec_deg.mean()))
    return 3600 * float(np.hypot(east[:, None] - east, dec_deg[:, None] - dec_deg).max())


def table(samples: Samples, real: ImageStatistics, simulated: ImageStatistics) -> list[Row]:
    """All rows, from what is measured on the pixels of the real and the matched simulated subjects."""
    rows = (
        *noise_rows(samples, real, simulated),
        *matched_rows(samples),
        *shape_rows(samples),
        *catalogue_rows(samples),
        *island_rows(samples),
    )
    return [replace(one, note=NOTES.get(one.name, "")) for one in rows]


def noise_rows(samples: Samples, real: ImageStatistics, simulated: ImageStatistics) -> Iterator[Row]:
    """Noise and background of the matched subjects."""
    group = "Noise and background"
    both = samples.real, samples.chosen
    sigma = [of_subjects([1e3 * subject.sigma for subject in subjects], subjects) for subjects in both]
    yield row(group, "noise of a subject, mJy/beam", SPREAD, *sigma)
    for k, name in enumerate(DIRECTIONS_DEG):
        curves = [one.autocorrelation[:, k] for one in (real, simulated)]
        lags = {f"{lag} px": lag for lag in LAGS_PX}
        yield _medians(group, f"autocorrelation along {name}", curves, both, lags)
    level = [
        of_subjects(one.background, subjects) for one, subjects in zip((real, simulated), both, strict=True)
    ]
    yield row(group, "background off sources, in units of the noise", SPREAD, *level)
    rings = {f"{RINGS_ARCSEC[k]:g} arcsec": k for k in range(len(RINGS_ARCSEC) - 1)}
    curves = [real.rings, simulated.rings]
    yield _medians(group, "the same in rings around the brightest pixel", curves, both, rings)
    for name, is_bright in (
        (f"stripes around peaks above {BRIGHT_SNR:g} sigma, in rings", True),
        ("stripes around fainter peaks, in rings", False),
    ):
        chosen = [[(np.nanmax(s.image) > BRIGHT_SNR) == is_bright for s in subjects] for subjects in both]
        curves = [one.stripes[which] for one, which in zip((real, simulated), chosen, strict=True)]
        those = [
            [s for s, is_one in zip(subjects, which, strict=True) if is_one]
            for subjects, which in zip(both, chosen, strict=True)
        ]
        yield _medians(group, name, curves, those, rings)


def _medians(
    group: str,
    name: str,
    curves: Sequence[np.ndarray],
    subjects: Sequence[Sequence[SubjectFacts]],
    columns: dict[str, int],
) -> Row:
    """Row of the medians of some columns of curves ``(n, columns)`` of real and simulated subjects."""
    numbers = []
    for label, k in columns.items():
        both = [of_subjects(curve[:, k], own) for curve, own in zip(curves, subjects, strict=True)]
        numbers.append(compared(label, "median", *both))
    return Row(group, name, tuple(numbers), len(curves[0]), len(curves[1]))


def matched_rows(samples: Samples) -> Iterator[Row]:
    """What the subjects were chosen by: how well they match."""
    group = "Matched subjects: what they were chosen by"
    for quantity, name in (("peak_snr", "peak, in units of the noise"), ("extent_arcsec", "extent, arcsec")):
        yield _per_class(group, name, samples, quantity)


def _per_class(group: str, name: str, samples: Samples, quantity: str) -> Row:
    """Row of the medians of the main sources of each class."""
    numbers = []
    for morphology in MORPHOLOGIES:
        both = [of_main(subjects, quantity, [morphology]) for subjects in (samples.real, samples.chosen)]
        numbers.append(compared(morphology, "median", *both))
    return Row(group, name, tuple(numbers), len(samples.real), len(samples.chosen))


def shape_rows(samples: Samples) -> Iterator[Row]:
    """How the matched sources look."""
    group = "Matched subjects: how their sources look"
    yield _per_class(group, "area in the contours, px", samples, "area_px")
    yield _per_class(group, "mean over brightest pixel", samples, "mean_over_peak")
    yield _per_class(group, "sharpness of the sharpest peak", samples, "sharpness")
    both = samples.real, samples.chosen
    for quantity, name, classes in (
        ("second_flux", "flux of second over first component, 2C", DOUBLES),
        ("second_flux", "flux of second over first component, 3C", TRIPLES),
        ("third_flux", "flux of third over first component, 3C", TRIPLES),
        ("centre_offset_arcsec", "subject's centre to source's, 2C, arcsec", DOUBLES),
        ("centre_offset_arcsec", "subject's centre to source's, 3C, arcsec", TRIPLES),
    ):
        yield row(group, name, SPREAD, *(of_main(subjects, quantity, classes) for subjects in both))
    for name, count in ISLANDS.items():
        counts = (of_subjects([count(subject) for subject in subjects], subjects) for subjects in both)
        yield row(group, name, ("mean",), *counts)


ISLANDS: dict[str, Callable[[SubjectFacts], int]] = {
    "islands in a subject": lambda subject: subject.n_islands,
    "islands of no labelled source": lambda subject: subject.n_unlabelled_islands,
}


def catalogue_rows(samples: Samples) -> Iterator[Row]:
    """Sizes of a blind sample against those of the whole label table."""
    group = "Blind sample against the label table"
    for quantity, name, classes in (
        ("extent_arcsec", "extent, arcsec", MORPHOLOGIES),
        ("peaks_apart_arcsec", "largest distance of brightest pixels, arcsec", (*DOUBLES, *TRIPLES)),
    ):
        for morphology in classes:
            real = of_catalogue(samples.catalogue, quantity, [morphology])
            ours = of_blind(samples.blind, quantity, [morphology])
            yield row(group, f"{morphology}: {name}", SPREAD, real, ours)


def island_rows(samples: Samples) -> Iterator[Row]:
    """Islands in random windows against published counts."""
    windows = sample(samples.windows)
    numbers = []
    for name, real, error in (
        ("mean", REAL_ISLANDS, REAL_ISLANDS_ERROR),
        ("var/mean", REAL_ISLANDS_SCATTER, 0.0),
    ):
        chance = compared(name, name, windows, windows).error / np.sqrt(2)
        numbers.append(Statistic(name, real, statistic(name)(windows), float(np.hypot(chance, error))))
    yield Row("Random sky", "islands above 5 sigma in 3' x 3'", tuple(numbers), 1255, len(samples.windows))


def match_quality(samples: Samples) -> str:
    """How many subjects were matched, and how near they are."""
    apart = [
        np.abs(np.log([a.main.peak_snr / b.main.peak_snr, a.main.extent_arcsec / b.main.extent_arcsec]))
        for a, group in zip(samples.real, samples.matched, strict=True)
        for b in group
    ]
    percentiles = np.percentile(apart, [50, 95], axis=0) if apart else np.full((2, 2), np.nan)
    middle, most = 100 * np.expm1(percentiles)
    classes = Counter(subject.main.morphology for subject in samples.real)
    listed = ", ".join(f"{classes[morphology]} {morphology}" for morphology in MORPHOLOGIES)
    return (
        f"{len(samples.real)} real subjects ({listed}) and {len(samples.chosen)} simulated ones like them, "
        f"apart by {middle[0]:.0f} % in brightness and {middle[1]:.0f} % in extent (median; 95 % are within "
        f"{most[0]:.0f} % and {most[1]:.0f} %); {samples.n_left_out} real subjects that no simulated one is "
        f"like are left out. {len(samples.blind)} sources in the blind sample, {len(samples.catalogue):,} in "
        f"the label table. {len(samples.windows):,} windows of the random sky."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; draw and write the requested files."""
    options = _options(arguments)
    try:
        samples = collect(
            options.folder,
            seed=options.seed,
            n_pool=options.pool,
            n_blind=options.blind,
            n_windows=options.windows,
        )
        measured = image_statistics(samples.real), image_statistics(samples.chosen)
        rows, quality = table(samples, *measured), match_quality(samples)
        print(f"{as_text(rows)}\n\n{quality}")
        if options.json:
            write_json(options.json, {"quality": quality, "rows": as_records(rows)})
        if options.markdown:
            write_between_marks(options.markdown, as_markdown(rows, quality))
        if options.figure:
            sky_figures.draw_statistics(options.figure, samples, *measured)
        if options.gallery:
            sky_figures.draw_gallery(options.gallery, samples.blind, options.seed)
        if options.beside:
            sky_figures.draw_beside(options.beside, samples)
    except (ClaranError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with first_train and rgz")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", type=int, default=2500, help="simulated subjects to choose from")
    parser.add_argument("--blind", type=int, default=900, help="sources of the blind sample")
    parser.add_argument("--windows", type=int, default=1500, help="windows of the random sky")
    parser.add_argument("--json", type=Path, metavar="FILE", help="numbers of the table with their errors")
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="page with marks to write the table to")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="distributions, real and simulated")
    parser.add_argument("--gallery", type=Path, metavar="PNG", help="simulated subjects")
    parser.add_argument("--beside", type=Path, metavar="PNG", help="real subjects beside simulated ones")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
