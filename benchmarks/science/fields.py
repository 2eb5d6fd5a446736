"""Compare wide fields searched in one piece with overlapping subjects: sources and run time (paper Fig. 15).

    OMP_NUM_THREADS=1 python -m benchmarks.science.fields FOLDER --area 1 --jobs 2

An area of the simulated sky is covered with subjects of 3 arcmin and the coarse ones of ``claran tile``, and
with fields five times as wide that pass the same stages.  Both catalogues are compared with the truth, by the
sources of 10 sigma and the rows with their centre in the area; times cover all stages after the cut-outs.
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.science.blind_sky import cut, read_owners, search
from benchmarks.science.blind_survey import build, runner
from benchmarks.science.blind_targets import area_targets, in_shards
from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.common.files import read_table, write_table
from claran_core.common.frame import SCALES
from claran_core.common.paths import Results
from claran_core.common.tables import TARGETS
from claran_core.evaluation.catalogue_truth import Comparison, compare_with_truth
from claran_core.evaluation.sky_truth import sky_truth_over
from claran_core.labels.dr1_labels import LABELLED_SNR
from claran_core.model.weights_choice import given_weights
from claran_core.settings.config import Config, load_config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.areas import CircleArea

CENTRE = (150.0, 25.0)
TIMES_WIDER = 5
# Fields of a larger scale would be wider than the tiles of the simulated sky.
FIELD_SCALES = (1, 2)
SHARDS = 8


def prepared(results: Results, config: Config, area_deg2: float, scales: Sequence[int]) -> list[str]:
    """Choose the subjects of a layout; return the names of their shards."""
    targets = in_shards(area_targets(area_deg2, scales, config.fusion.frame, CENTRE), SHARDS)
    for shard, rows in targets.groupby("shard"):
        write_table(results.shard_targets(str(shard)), rows, TARGETS)
    write_table(results.targets, targets, TARGETS)
    return targets["shard"].unique().tolist()


def compared(results: Results, truth: pd.DataFrame) -> tuple[Comparison, pd.DataFrame]:
    """Return the comparison of a catalogue with the truth, and the catalogue."""
    catalogue = read_table(results.catalogue, CATALOGUE.names)
    outcomes = read_table(results.outcomes, OUTCOMES.names)
    return compare_with_truth(catalogue, truth, outcomes, read_owners(results)), catalogue


def described(comparison: Comparison, catalogue: pd.DataFrame, area: CircleArea) -> tuple[str, pd.Series]:
    """Return completeness and reliability in an area as text, and whether each of its sources is found.

    Sources count from 10 sigma on.
    """
    sources = comparison.sources
    bright = (sources["state"] == "visible") & (sources["snr"] >= LABELLED_SNR)
    own = sources[bright.to_numpy(bool) & _inside(sources, area)].set_index("source_id")
    status = comparison.rows["status"].to_numpy(object)[_inside(catalogue, area)]
    found = own["outcome"] == "found"
    with_class = found & (own["listed_as"] == own["morphology"])
    counts = ", ".join(f"{name} {n}" for name, n in own["outcome"].value_counts().items())
    text = (
        f"  completeness {found.mean():.4f} of {len(own)} sources, with class {with_class.mean():.4f} "
        f"({counts}); reliability {(status == 'true').mean():.4f} of {len(status)} rows; duplicates "
        f"{comparison.n_duplicates}"
    )
    return text, found


def _inside(table: pd.DataFrame, area: CircleArea) -> np.ndarray:
    return np.asarray(area.holds(table["ra"].to_numpy(float), table["dec"].to_numpy(float), 0.0))


def options_of() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of all files")
    parser.add_argument("--area", type=float, default=1.0, help="square degrees (1)")
    parser.add_argument("--scales", type=int, nargs="+", default=list(SCALES), help="of the tiles")
    parser.add_argument(
        "--field-scales", type=int, nargs="+", default=list(FIELD_SCALES), help="of the fields"
    )
    parser.add_argument("--method", default="D4", help="fusion method (D4)")
    parser.add_argument("--weights", type=Path, help="weights; default those that ship")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    return parser.parse_args()


def main() -> None:
    """Search both ways and print the metrics."""
    options = options_of()
    run, area = runner(options.jobs), CircleArea(*CENTRE, float(np.sqrt(options.area / np.pi)))
    narrow = load_config()
    wide = load_config(
        {"fusion": {"size_px": TIMES_WIDER * narrow.fusion.size_px}, "inference": {"batch_size": 1}}
    )
    weights = options.weights or given_weights(narrow)[0][options.method].path
    layouts = {"tiles": (narrow, options.scales, 1), "fields": (wide, options.field_scales, TIMES_WIDER)}
    made, seen = {}, []
    for name, (config, scales, wider) in layouts.items():
        results = Results(options.folder / name)
        shards = prepared(results, config, options.area, scales)
        run(partial(cut, results, config), shards)
        start = time.perf_counter()
        run(partial(search, results, config, options.method, weights), shards)
        build(results, results, config, options.method, weights, SHARDS, run)
        own = read_table(results.targets, TARGETS.names)
        made[name] = results, f"{name}: {len(own)} subjects, {time.perf_counter() - start:.0f} s"
        seen.append(own.assign(scale=wider * own["scale"]))
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=narrow.seed)
    truth = sky_truth_over(sky, pd.concat(seen, ignore_index=True), narrow.fusion.frame)
    found = {}
    for name, (results, title) in made.items():
        text, found[name] = described(*compared(results, truth), area)
        print(title, text, sep="\n")
    tiles, fields = found.values()
    print(
        f"found in the tiles only: {(tiles & ~fields).sum()}, in the fields only: {(fields & ~tiles).sum()}"
    )


if __name__ == "__main__":
    main()
