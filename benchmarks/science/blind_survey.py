"""Measure merging on a blind survey: duplicates, fragments, lost neighbours; every source is accounted for.

    OMP_NUM_THREADS=1 python -m benchmarks.science.blind_survey FOLDER --area 10 --jobs 2
    OMP_NUM_THREADS=1 python -m benchmarks.science.blind_survey FOLDER --area 10 --detections truth
    OMP_NUM_THREADS=1 python -m benchmarks.science.blind_survey PAIRS --pairs 500

Frames of 3 arcmin every 2 arcmin cover the simulated sky, so most sources are in several.  Detections are
those of the detector.  To test merging alone, they are boxes made from the truth of each subject: jittered,
split into components and dropped at the rates of the detector in the same folder, or at given rates.  The
catalogue is built from 64, 7 and 1 shards in random order and compared with the truth, in the terms of
`claran_core.evaluation.catalogue_truth`.  With --pairs the frames surround that many pairs of neighbours, of
which 10 square degrees hold about thirty.  FOLDER keeps the drawn images.
"""

import argparse
import json
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

from benchmarks.science.blind_detections import Rates, described, imitate, measured_rates
from benchmarks.science.blind_sky import (
    detected_in,
    draw,
    grid_positions,
    join,
    pair_positions,
    survey_targets,
)
from claran_core.catalogue.build import ShardTables, write_catalogue
from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.catalogue.shard_sources import write_shard
from claran_core.common.files import read_table, write_json, write_table
from claran_core.common.log import configure_logging
from claran_core.common.paths import Results, resolve_path
from claran_core.common.tables import COMPONENTS, DETECTIONS, FUSED, LABELS, TARGETS
from claran_core.evaluation.catalogue_scores import catalogue_metrics
from claran_core.evaluation.catalogue_truth import compare_with_truth
from claran_core.evaluation.sky_truth import SKY_TRUTH, sky_truth_over
from claran_core.settings.config import Config, load_config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

BASE_SHARDS = 64
LAYOUTS = (64, 7, 1)

# Centre and side of a box are off by this part of its side.
JITTER = 0.03


def imitate_shard(results: Results, into: Results, method: str, rates: Rates, shard: str) -> None:
    """Write detections of a shard that were made from its truth, with links to all else that is needed."""
    table = imitate(
        read_table(results.shard_labels(shard), LABELS.names),
        read_table(results.fused_index(method, shard), FUSED.names),
        read_table(results.components(shard), COMPONENTS.names),
        rates,
        load_config().fusion.frame,
        np.random.default_rng([2, int(shard)]),
    )
    write_table(
        into.detections(method, shard),
        table,
        DETECTIONS,
        metadata={"method": method, "model_id": "truth"},
        made_from=detected_in(results, method, shard),
    )
    for path in (
        partial(Results.fused_index, method=method, shard=shard),
        partial(Results.components, shard=shard),
        partial(Results.noise, shard=shard),
        partial(Results.cutouts, shard=shard, band="radio"),
        partial(Results.cutouts, shard=shard, band="infrared"),
    ):
        path(into).parent.mkdir(parents=True, exist_ok=True)
        if not path(into).exists():
            path(into).symlink_to(path(results).resolve())


def measure_shard(results: Results, config: Config, method: str, shard: str) -> None:
    """Run the first half of the catalogue stage on a shard."""
    write_shard(
        detections_path=results.detections(method, shard),
        index_path=results.fused_index(method, shard),
        components_path=results.components(shard),
        noise_path=results.noise(shard),
        radio_path=results.cutouts(shard, "radio"),
        infrared_path=results.cutouts(shard, "infrared"),
        sources_path=results.shard_sources(shard),
        rejected_path=results.rejected(shard),
        shard=shard,
        options=config.catalogue,
        frame=config.fusion.frame,
        survey=SURVEYS["FIRST"],
        infrared_survey=SURVEYS["WISE_W1"],
    )


def build(base: Results, into: Results, config: Config, method: str, n_shards: int, run: Callable) -> None:
    """Build the catalogue from the base shards, or from `n_shards` others that each hold some of them."""
    names = sorted(path.stem for path in (base.root / "detections" / method).glob("*.parquet"))
    if into != base:
        parts, names = names, [f"{k:05d}" for k in range(n_shards)]
        for k, name in enumerate(names):
            join(into, base, method, name, parts[k::n_shards])
    run(partial(measure_shard, into, config, method), names)
    shards = [
        ShardTables(into.fused_index(method, name), into.shard_sources(name), into.rejected(name))
        for name in np.random.default_rng(n_shards).permutation(names).tolist()
    ]
    write_catalogue(
        into.catalogue,
        into.outcomes,
        shards,
        method=method,
        frame=config.fusion.frame,
        survey=SURVEYS["FIRST"],
        provenance={},
    )


def compared(
    results: Results, truth: pd.DataFrame, targets: pd.DataFrame, config: Config
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the metrics of a catalogue, and the outcome of each true source."""
    catalogue = read_table(results.catalogue, CATALOGUE.names)
    outcomes = read_table(results.outcomes, OUTCOMES.names)
    frame = config.fusion.frame
    least = config.catalogue.min_probability
    comparison = compare_with_truth(catalogue, truth, outcomes, frame=frame, min_probability=least)
    return catalogue_metrics(comparison, catalogue, truth, targets, frame), comparison.sources


def report(metrics: dict[str, Any], same: dict[int, bool]) -> str:
    """Return the metrics as text."""
    counts, labelled, neighbours = metrics["counts"], metrics["labelled"], metrics["neighbours"]
    lines = [
        f"{counts['n_rows']} rows; {counts['n_sources']} true sources, of which "
        f"{labelled['n_sources']} have 10 sigma or more ('labelled') and lie in the area",
        f"duplicates: {counts['n_duplicates']} (rows with a component of another, or a cut-off part of it)",
        f"neighbours within 60 arcsec, both detected: {neighbours['n_pairs']}, "
        f"one lost: {neighbours['n_lost']} (share, 95 %: {neighbours['lost']['interval_95']})",
        f"rows by status: {_numbers(counts['rows'])}",
        f"true sources by outcome: {_numbers(counts['sources'])}",
        f"  the missed ones: {_numbers(counts['missed'])}",
        f"labelled ones by outcome: {_numbers(labelled['sources'])}",
        f"  the missed ones: {_numbers(labelled['missed'])}",
        f"per 1,000 labelled sources: {_numbers(metrics['per_1000_sources'])}",
        f"completeness {labelled['completeness']['share']}, with class "
        f"{labelled['completeness_with_class']['share']}; reliability {metrics['reliability']['share']}",
        f"same rows from {', '.join(f'{n} shards: {equal}' for n, equal in same.items())}",
    ]
    return "\n".join(lines)


def _numbers(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items() if value) or "none"


def same_rows(first: Results, second: Results) -> bool:
    """Return whether two catalogues have the same rows in the same order."""
    tables = [read_table(results.catalogue, CATALOGUE.names) for results in (first, second)]
    return tables[0].equals(tables[1])


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
    parser.add_argument("--pairs", type=int, default=0, help="frames around this number of pairs instead")
    parser.add_argument("--detections", choices=["detector", "truth"], default="detector")
    parser.add_argument("--method", default="D4", help="fusion method (D4)")
    parser.add_argument("--weights", type=Path, help="weights; default those that ship")
    parser.add_argument("--shards", type=int, nargs="+", default=list(LAYOUTS), help="numbers of shards")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    for name in ("dropped", "split"):
        parser.add_argument(
            f"--{name}", type=float, help="instead of the detector's rate (FOLDER/rates.json)"
        )
    parser.add_argument(
        "--jitter", type=float, default=JITTER, help=f"of boxes, in units of the side ({JITTER})"
    )
    return parser.parse_args()


def chosen_rates(options: argparse.Namespace) -> Rates:
    """Return the given rates, or those of the detector."""
    path = options.folder / "rates.json"
    seen = json.loads(path.read_text())["rates"] if path.exists() else {}
    told = {name: getattr(options, name) for name in ("dropped", "split")}
    wanted = {name: seen.get(name) if value is None else value for name, value in told.items()}
    if None in wanted.values():
        raise SystemExit(
            f"{path}: no such file; run with --detections detector first, or give --dropped --split"
        )
    return Rates(jitter=options.jitter, **wanted)


def main() -> None:
    """Draw, search, catalogue, compare."""
    options = options_of()
    configure_logging()
    config, run = load_config(), runner(options.jobs)
    base = Results(options.folder / "survey")
    weights = options.weights or resolve_path(config.model.weights[options.method])
    start = time.perf_counter()
    targets = prepared(base, options, config)
    shards = targets["shard"].unique().tolist()
    run(partial(draw, base, config, options.method, weights), shards)
    truth_path = options.folder / "truth.parquet"
    if not truth_path.exists():
        sky = SimulatedProvider(SURVEYS["FIRST"], seed=config.seed)
        write_table(truth_path, sky_truth_over(sky, targets, config.fusion.frame), SKY_TRUTH)
    truth = read_table(truth_path, SKY_TRUTH.names)
    print(f"{len(targets)} subjects drawn and searched: {time.perf_counter() - start:.0f} s")
    inputs = base
    if options.detections == "truth":
        inputs, rates = Results(options.folder / "truth"), chosen_rates(options)
        print(f"detections made from the truth: {described(rates)}")
        run(partial(imitate_shard, base, inputs, options.method, rates), shards)
    built = {}
    for n in options.shards:
        start = time.perf_counter()
        built[n] = inputs if n == BASE_SHARDS else Results(inputs.root / f"{n}")
        build(inputs, built[n], config, options.method, n, run)
        print(f"catalogue from {n} shards: {time.perf_counter() - start:.0f} s")
    first = built[options.shards[0]]
    metrics, sources = compared(first, truth, targets, config)
    if options.detections == "detector" and BASE_SHARDS in built:
        remember_rates(options, base, shards, config)
    print(report(metrics, {n: same_rows(first, results) for n, results in built.items()}))
    write_json(options.folder / f"{options.detections}.json", metrics)
    sources.to_parquet(options.folder / f"{options.detections}-sources.parquet")
    for n in set(built) - {BASE_SHARDS}:
        shutil.rmtree(built[n].root)


def prepared(base: Results, options: argparse.Namespace, config: Config) -> pd.DataFrame:
    """Return the targets; choose them in the first run."""
    if not base.targets.exists():
        frame, pairs = config.fusion.frame, options.pairs
        positions = pair_positions(pairs, config.seed) if pairs else grid_positions(options.area, frame)
        targets = survey_targets(positions, BASE_SHARDS)
        for shard, rows in targets.groupby("shard"):
            write_table(base.shard_targets(str(shard)), rows, TARGETS)
        write_table(base.targets, targets, TARGETS)
    return read_table(base.targets, TARGETS.names)


def remember_rates(options: argparse.Namespace, base: Results, shards: Sequence[str], config: Config) -> None:
    """Measure how often the detector misses and splits the sources of a subject, and store the rates."""
    labels = pd.concat([read_table(base.shard_labels(name)) for name in shards], ignore_index=True)
    sources = pd.concat([read_table(base.shard_sources(name)) for name in shards], ignore_index=True)
    rates, counts = measured_rates(labels, sources, config.fusion.frame, options.jitter)
    print(f"per subject: {described(rates)}, of {_numbers(counts)}")
    values = {"dropped": rates.dropped, "split": rates.split}
    write_json(options.folder / "rates.json", {"rates": values, "counts": counts})


if __name__ == "__main__":
    main()
