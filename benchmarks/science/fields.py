"""Compare wide fields searched directly with overlapping subjects: sources and run time (paper Fig. 15).

    OMP_NUM_THREADS=1 python -m benchmarks.science.fields FOLDER --area 1 --jobs 2

An area of the simulated sky is covered with subjects of 3 arcmin (`claran_core.targets.subject_grid`; each
source up to 90 arcsec is whole in one of them), and with fields five times as wide that pass the same stages.
Both catalogues are compared with the truth; times cover all stages after the cut-outs.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.science.blind_sky import cut, search
from benchmarks.science.blind_survey import build, compared, runner
from claran_core.common.files import read_table, write_table
from claran_core.common.paths import Results, resolve_path
from claran_core.common.tables import TARGETS
from claran_core.evaluation.sky_truth import sky_truth_over
from claran_core.settings.config import Config, load_config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.areas import CircleArea
from claran_core.targets.shards import assign_shards
from claran_core.targets.subject_grid import SkyGrid, tile

CENTRE = (150.0, 25.0)
TIMES_WIDER = 5
SHARDS = 8


def prepared(results: Results, config: Config, area: CircleArea) -> list[str]:
    """Choose the subjects of a layout; return the names of their shards."""
    targets = tile(area, SkyGrid(config.fusion.frame)).assign(split="none")
    targets = assign_shards(targets, None, -(-len(targets) // SHARDS))
    for shard, rows in targets.groupby("shard"):
        write_table(results.shard_targets(str(shard)), rows, TARGETS)
    write_table(results.targets, targets, TARGETS)
    return targets["shard"].unique().tolist()


def main() -> None:
    """Search both ways and print the metrics."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of all files")
    parser.add_argument("--area", type=float, default=1.0, help="square degrees (1)")
    parser.add_argument("--method", default="D4", help="fusion method (D4)")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    area, run = CircleArea(*CENTRE, float(np.sqrt(options.area / np.pi))), runner(options.jobs)
    narrow = load_config()
    wide = load_config(
        {
            "fusion": {"size_px": TIMES_WIDER * narrow.fusion.size_px},
            "inference": {"batch_size": 1},
        }
    )
    weights = resolve_path(narrow.model.weights[options.method])
    made = {}
    for name, config in (("tiled", narrow), ("direct", wide)):
        results = Results(options.folder / name)
        shards = prepared(results, config, area)
        run(partial(cut, results, config), shards)
        start = time.perf_counter()
        run(partial(search, results, config, options.method, weights), shards)
        build(results, results, config, options.method, weights, SHARDS, run)
        made[name] = results, config, time.perf_counter() - start
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=narrow.seed)
    for name, (results, config, seconds) in made.items():
        own = read_table(results.targets, TARGETS.names)
        truth = sky_truth_over(sky, own, config.fusion.frame)  # wide fields reach further beyond the area
        print(f"{name}: {len(own)} subjects of {config.fusion.frame.width_arcsec:g} arcsec, {seconds:.0f} s")
        print(described(*compared(results, truth, own, config)))


def described(metrics: dict, sources: pd.DataFrame) -> str:
    """Return the metrics of a layout as text."""
    counts, labelled = metrics["counts"], metrics["labelled"]
    per_1000 = ", ".join(f"{key} {value:g}" for key, value in metrics["per_1000_sources"].items())
    return (
        f"  {counts['n_rows']} rows, {len(sources)} true sources, {labelled['n_sources']} labelled; "
        f"duplicates {counts['n_duplicates']}; completeness {labelled['completeness']['share']}, with class "
        f"{labelled['completeness_with_class']['share']}; reliability {metrics['reliability']['share']}; "
        f"per 1,000: {per_1000}"
    )


if __name__ == "__main__":
    main()
