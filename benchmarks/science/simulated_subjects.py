"""Score networks on test subjects of the simulated sky: average precision, and what the infrared image adds.

    claran simulate targets --table-3 --output table3.csv
    OMP_NUM_THREADS=1 python -m benchmarks.science.simulated_subjects table3.csv FOLDER --limit 1000
    claran simulate targets --train 0 --test 500 --multi-source-fraction 1 --output several.csv
    OMP_NUM_THREADS=1 python -m benchmarks.science.simulated_subjects several.csv SEVERAL
    claran simulate targets --ambiguous 300 --output ambiguous.csv
    OMP_NUM_THREADS=1 python -m benchmarks.science.simulated_subjects ambiguous.csv AMBIGUOUS

For each method: mAP (paper eq. 14) and AP of each class; AP by number of components, in all subjects and in
those with several sources (paper Tables 6 and 7); expected calibration error.  Then the difference in mAP of
the last and the first method.  The subjects must not be those that the weights were trained on.  FOLDER keeps
the drawn images, which other weights search again.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.science.blind_sky import draw
from benchmarks.science.blind_survey import runner
from benchmarks.science.blind_targets import in_shards
from claran_core.common.errors import ClaranError, InputError
from claran_core.common.files import read_table, write_json, write_table
from claran_core.common.log import configure_logging
from claran_core.common.paths import Results
from claran_core.common.tables import DETECTIONS, LABELS, TARGETS
from claran_core.evaluation.metrics import Sample, evaluate, summary_line
from claran_core.settings.config import Config, load_config
from claran_core.targets.target_table import read_targets

SHARDS = 16


def prepared(results: Results, targets: Path, limit: int | None) -> pd.DataFrame:
    """Return the test subjects of a target table in shards; choose them in the first run.

    Raises
    ------
    InputError
        If the table has no test subjects.
    """
    if not results.targets.exists():
        table = read_targets(targets)
        table = table[table["split"] == "test"].head(limit).reset_index(drop=True)
        if table.empty:
            raise InputError(
                f"{targets}: no subjects of the split test; select some with claran simulate targets"
            )
        table = in_shards(table, SHARDS)
        for shard, rows in table.groupby("shard"):
            write_table(results.shard_targets(str(shard)), rows, TARGETS)
        write_table(results.targets, table, TARGETS)
    return read_table(results.targets, TARGETS.names)


def scored(results: Results, config: Config, method: str, targets: pd.DataFrame) -> dict[str, Any]:
    """Return the metrics of one method."""
    shards = sorted(targets["shard"].unique())
    detections = pd.concat([read_table(results.detections(method, one), DETECTIONS.names) for one in shards])
    labels = pd.concat([read_table(results.shard_labels(one), LABELS.names) for one in shards])
    return evaluate(
        detections,
        labels,
        Sample("test", np.unique(targets["subject_id"].to_numpy(str))),
        config.evaluation,
        min_probability=config.catalogue.min_probability,
        method=method,
        seed=config.seed,
    )


def described(metrics: dict[str, Any]) -> str:
    """Return the metrics of one method as text."""
    lines = [summary_line(metrics)]
    for name, title in (("by_components", "all subjects"), ("multi_source", "several sources")):
        part = metrics[name]
        if part["mean"] is None:
            continue
        classes = ", ".join(f"{key} {part[key]:.3f} ({n} sources)" for key, n in part["sources"].items() if n)
        low, high = part["interval_68"]["mean"]
        lines.append(
            f"  components only, {title} ({part['n_subjects']}): {part['mean']:.3f} ({low:.3f}-{high:.3f}); "
            + classes
        )
    lines.append(f"  expected calibration error {metrics['calibration']['error']:.4f}")
    return "\n".join(lines)


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", type=Path, help="target table of `claran simulate targets`")
    parser.add_argument("folder", type=Path, help="folder of all files")
    parser.add_argument("--methods", nargs="+", default=["D1", "D4"], help="fusion methods (D1 D4)")
    parser.add_argument(
        "--models", type=Path, default=Path("resources/models"), help="folder of METHOD.safetensors"
    )
    parser.add_argument("--limit", type=int, help="first so many test subjects only")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Draw, search, score; return the exit status."""
    options = options_of(arguments)
    configure_logging()
    config, results, run = load_config(), Results(options.folder), runner(options.jobs)
    try:
        targets = prepared(results, options.targets, options.limit)
        found = {}
        for method in options.methods:
            weights = options.models / f"{method}.safetensors"
            run(partial(draw, results, config, method, weights), targets["shard"].unique().tolist())
            found[method] = scored(results, config, method, targets)
            print(described(found[method]), flush=True)
    except ClaranError as error:
        print(f"claran: {error}", file=sys.stderr)
        return 1
    first, last = (found[method]["ap"]["mean"] for method in (options.methods[0], options.methods[-1]))
    print(f"mAP of {options.methods[-1]} minus {options.methods[0]}: {last - first:+.3f}")
    write_json(options.folder / "metrics.json", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
