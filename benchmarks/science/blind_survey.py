"""Measure the catalogue of a blind survey: duplicates, fragments, lost neighbours; everything accounted for.

    OMP_NUM_THREADS=1 python -m benchmarks.science.blind_survey FOLDER --area 10 --jobs 2
    OMP_NUM_THREADS=1 python -m benchmarks.science.blind_survey CROWDED --area 0.1 --centre 180 -65
    OMP_NUM_THREADS=1 python -m benchmarks.science.blind_survey PAIRS --pairs 500
    OMP_NUM_THREADS=1 python -m benchmarks.science.blind_survey DOUBLES --doubles 50

The subjects of ``claran tile`` at scales 1, 2, 4 and 8 cover a disc of the simulated sky.  The catalogue is
built from 64, 7 and 1 shards in random order and compared with the truth, in the terms of
`claran_core.evaluation.catalogue_truth`.  South of declination -60 the sky has 3,000 point sources above 5
sigma per square degree.  With --pairs or --doubles the subjects surround that many pairs of neighbours, of
which 10 square degrees hold about thirty, or doubles of 2.6 arcmin.  FOLDER keeps the drawn images, which
other weights search again.
"""

import argparse
import multiprocessing
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from benchmarks.science.blind_sky import draw, join, read_owners
from benchmarks.science.blind_targets import (
    CENTRE,
    area_targets,
    around,
    double_places,
    in_shards,
    pair_places,
)
from claran_core.catalogue.associate.associate import associate
from claran_core.catalogue.associate.views import ShardFiles
from claran_core.catalogue.build import ShardTables, write_catalogue
from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.catalogue.shard_sources import write_shard
from claran_core.common.calibration import Calibration
from claran_core.common.files import read_table, write_json, write_table
from claran_core.common.frame import SCALES
from claran_core.common.log import configure_logging
from claran_core.common.paths import Results
from claran_core.common.sky import chord, unit_vectors
from claran_core.common.tables import TARGETS
from claran_core.evaluation.accounting import COMPONENT_COLUMNS, unaccounted
from claran_core.evaluation.by_size import is_whole
from claran_core.evaluation.calibration import catalogue_calibration
from claran_core.evaluation.catalogue_scores import catalogue_metrics
from claran_core.evaluation.catalogue_truth import compare_with_truth
from claran_core.evaluation.metrics import json_ready
from claran_core.evaluation.sky_truth import SKY_TRUTH, sky_truth_over
from claran_core.model.weights_choice import given_weights
from claran_core.model.weights_header import read_info
from claran_core.settings.config import Config, load_config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

BASE_SHARDS = 64
LAYOUTS = (64, 7, 1)

# A true source is a double that was looked for if its host is this near to the place.
SAME_ARCSEC = 1.0


def measure_shard(results: Results, config: Config, method: str, shard: str) -> None:
    """Measure the associated sources of a shard."""
    write_shard(
        associated_path=results.associated(shard),
        index_path=results.fused_index(method, shard),
        components_path=results.components(shard),
        noise_path=results.noise(shard),
        radio_path=results.cutouts(shard, "radio"),
        infrared_path=results.cutouts(shard, "infrared"),
        sources_path=results.shard_sources(shard),
        shard=shard,
        min_probability=config.catalogue.min_probability,
        frame=config.fusion.frame,
        survey=config.survey.radio.survey,
        infrared_survey=config.survey.infrared.survey,
    )


def build(
    base: Results, into: Results, config: Config, method: str, weights: Path, n_shards: int, run: Callable
) -> None:
    """Build the catalogue from the base shards, or from `n_shards` others that each hold some of them."""
    names = sorted(path.stem for path in (base.root / "candidates" / method).glob("*.parquet"))
    if into != base:
        parts, names = names, [f"{k:05d}" for k in range(n_shards)]
        for k, name in enumerate(names):
            join(into, base, method, name, parts[k::n_shards])
    names = np.random.default_rng(n_shards).permutation(names).tolist()
    files = [
        ShardFiles(into.shard_targets(name), into.components(name), into.candidates(method, name))
        for name in names
    ]
    associate(
        files,
        [into.associated(name) for name in names],
        into.atoms,
        frame=config.fusion.frame,
        beam_arcsec=config.survey.radio.survey.beam_arcsec,
        calibration=Calibration(read_info(weights).calibration),
    )
    run(partial(measure_shard, into, config, method), names)
    shards = [
        ShardTables(into.fused_index(method, name), into.associated(name), into.shard_sources(name))
        for name in names
    ]
    outputs = into.catalogue, into.outcomes, into.contours
    write_catalogue(*outputs, shards, into.atoms, method=method, provenance={})


def compared(
    results: Results,
    truth: pd.DataFrame,
    targets: pd.DataFrame,
    config: Config,
    owners: pd.DataFrame | None = None,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the metrics of a catalogue, and the outcome of each true source; `owners` of its components."""
    catalogue = read_table(results.catalogue, CATALOGUE.names)
    outcomes = read_table(results.outcomes, OUTCOMES.names)
    paths = sorted(results.components("*").parent.glob("*.parquet"))
    paths = [path for path in paths if not path.stem.endswith(".noise")]
    components = pd.concat([read_table(path, COMPONENT_COLUMNS) for path in paths], ignore_index=True)
    comparison = compare_with_truth(catalogue, truth, outcomes, owners)
    status, rng = comparison.rows["status"].to_numpy(object), np.random.default_rng(config.seed)
    metrics = {
        **catalogue_metrics(comparison, catalogue, truth, outcomes, targets, config.fusion.frame),
        "calibration": catalogue_calibration(catalogue, status, config.evaluation.bootstrap, rng),
        "unaccounted": unaccounted(components, outcomes),
    }
    return json_ready(metrics), comparison.sources


def report(metrics: dict[str, Any], same: dict[int, bool]) -> str:
    """Return the metrics as text."""
    counts, labelled, neighbours = metrics["counts"], metrics["labelled"], metrics["neighbours"]
    sure, missing = metrics["without_doubtful"], metrics["unaccounted"]
    components = metrics["components"]
    lines = [
        f"{counts['n_rows']} rows, {counts['n_doubtful']} of them doubtful; {counts['n_sources']} true "
        f"sources, of which {labelled['n_sources']} have 10 sigma or more ('labelled') and lie in the area",
        f"components in neither table: {missing['n_missing']} of {missing['n']}, "
        f"{missing['n_missing_labelled']} of them of 10 sigma or more; pieces at the border of a frame: "
        f"{missing['n_missing_at_edge']}",
        f"components of true sources called artefact or noise: "
        f"{components['true_components']['rejected']}, from 10 sigma on "
        f"{components['true_components_labelled']['rejected']}; of no true source and listed: "
        f"{components['other_components']['listed']} of {components['other_components']['n']}",
        f"duplicates: {counts['n_duplicates']} (rows with a component of another, or a cut-off part of it)",
        f"neighbours of 10 sigma within 60 arcsec: {neighbours['n_pairs']}, one lost: "
        f"{neighbours['n_lost']} (share, 95 %: {neighbours['lost']['interval_95']}), "
        f"one blended: {neighbours['n_blended']}",
        f"rows by status: {_numbers(counts['rows'])}",
        f"true sources by outcome: {_numbers(counts['sources'])}",
        f"  the missed ones: {_numbers(counts['missed'])}",
        f"labelled ones by outcome: {_numbers(labelled['sources'])}",
        f"  the missed ones: {_numbers(labelled['missed'])}",
        *[f"  {name} arcsec: {_numbers(one)}" for name, one in metrics["by_size"].items()],
        f"per 1,000 labelled sources: {_numbers(metrics['per_1000_sources'])}",
        f"completeness {labelled['completeness']['share']}, with class "
        f"{labelled['completeness_with_class']['share']}; reliability {metrics['reliability']['share']}; "
        f"without doubtful rows {sure['completeness']['share']} and {sure['reliability']['share']}",
        f"calibration error of source_probability: {metrics['calibration']['error']}",
        f"same rows from {', '.join(f'{n} shards: {equal}' for n, equal in same.items())}",
    ]
    return "\n".join(lines)


def _numbers(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items() if value) or "none"


def same_rows(first: Results, second: Results) -> bool:
    """Return whether two catalogues, and their tables of outcomes, have the same rows in the same order."""
    tables = [
        (read_table(results.catalogue, CATALOGUE.names), read_table(results.outcomes, OUTCOMES.names))
        for results in (first, second)
    ]
    return all(one.equals(other) for one, other in zip(*tables, strict=True))


def doubles_report(sources: pd.DataFrame, truth: pd.DataFrame, places: np.ndarray) -> str:
    """Return how many of the doubles at some places are in one row, as text.

    Parameters
    ----------
    sources, truth : DataFrame
        Outcomes and truth of all sources, in the same order.
    places : (n, 2) array
        Right ascension and declination (deg) of the hosts of the doubles.
    """
    tree = cKDTree(unit_vectors(truth["host_ra"].to_numpy(float), truth["host_dec"].to_numpy(float)))
    apart, nearest = tree.query(unit_vectors(*places.T), distance_upper_bound=chord(SAME_ARCSEC))
    own = sources.iloc[nearest[np.isfinite(apart)]]
    own = own[(own["state"] == "visible").to_numpy(bool)]
    return (
        f"doubles: {len(places)}, visible {len(own)}; as good as whole in one row {is_whole(own).sum()} "
        f"({is_whole(own).mean():.3f}); by outcome: {_numbers(own['outcome'].value_counts().to_dict())}"
    )


def runner(jobs: int) -> Callable[[Callable[[str], None], Sequence[str]], None]:
    """Return a function that runs a task for every shard, in `jobs` processes."""

    def run(work: Callable[[str], None], names: Sequence[str]) -> None:
        if jobs == 1:
            for name in names:
                work(name)
            return
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(work, names))

    return run


def options_of() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of all files")
    parser.add_argument("--area", type=float, default=10.0, help="square degrees (10)")
    parser.add_argument("--centre", type=float, nargs=2, default=CENTRE, help="of the area, RA and Dec, deg")
    parser.add_argument("--scales", type=int, nargs="+", default=list(SCALES), help="scales of the frames")
    parser.add_argument("--pairs", type=int, help="frames around this number of pairs instead")
    parser.add_argument("--doubles", type=int, help="frames around this number of doubles instead")
    parser.add_argument("--method", default="D4", help="fusion method (D4)")
    parser.add_argument("--weights", type=Path, help="weights; default those that ship")
    parser.add_argument("--shards", type=int, nargs="+", default=list(LAYOUTS), help="numbers of shards")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, help="seed of the sky; default that of the settings")
    return parser.parse_args()


def main() -> None:
    """Draw, search, catalogue, compare."""
    options = options_of()
    configure_logging()
    config, run = load_config(), runner(options.jobs)
    config = config if options.seed is None else config.changed(seed=options.seed)
    base = Results(options.folder / "survey")
    weights = options.weights or given_weights(config)[0][options.method].path
    start = time.perf_counter()
    targets = prepared(base, options, config)
    run(partial(draw, base, config, options.method, weights), targets["shard"].unique().tolist())
    print(f"{len(targets)} subjects drawn and searched: {time.perf_counter() - start:.0f} s")
    truth_path = options.folder / "truth.parquet"
    if not truth_path.exists():
        sky = SimulatedProvider(SURVEYS["FIRST"], seed=config.seed)
        write_table(truth_path, sky_truth_over(sky, targets, config.fusion.frame), SKY_TRUTH)
    truth = read_table(truth_path, SKY_TRUTH.names)
    built = {}
    for n in options.shards:
        start = time.perf_counter()
        built[n] = base if n == BASE_SHARDS else Results(base.root / f"{n}")
        build(base, built[n], config, options.method, weights, n, run)
        print(f"catalogue from {n} shards: {time.perf_counter() - start:.0f} s")
    first = built[options.shards[0]]
    metrics, sources = compared(first, truth, targets, config, read_owners(base))
    print(report(metrics, {n: same_rows(first, results) for n, results in built.items()}))
    if options.doubles:
        print(doubles_report(sources, truth, double_places(options.doubles, config.seed)))
    write_json(options.folder / "metrics.json", metrics)
    sources.to_parquet(options.folder / "sources.parquet")
    for n in set(built) - {BASE_SHARDS}:
        shutil.rmtree(built[n].root)


def chosen(options: argparse.Namespace, config: Config) -> pd.DataFrame:
    """Return the subjects of the survey that the options ask for."""
    frame, seed = config.fusion.frame, config.seed
    if options.pairs:
        return around(pair_places(options.pairs, seed), options.scales, frame)
    if options.doubles:
        return around(double_places(options.doubles, seed), options.scales, frame)
    return area_targets(options.area, options.scales, frame, tuple(options.centre))


def prepared(base: Results, options: argparse.Namespace, config: Config) -> pd.DataFrame:
    """Return the targets; choose them in the first run."""
    if not base.targets.exists():
        targets = chosen(options, config)
        targets = in_shards(targets, BASE_SHARDS)
        for shard, rows in targets.groupby("shard"):
            write_table(base.shard_targets(str(shard)), rows, TARGETS)
        write_table(base.targets, targets, TARGETS)
    return read_table(base.targets, TARGETS.names)


if __name__ == "__main__":
    main()
