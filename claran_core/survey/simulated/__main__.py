"""Write a target list of the simulated sky.

python -m claran_core.survey.simulated --train 900 --test 400 --output targets.csv
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from claran_core.errors import ClaranError
from claran_core.files import write_text
from claran_core.survey.simulated.subjects import select_subjects

__all__ = ["main"]

# The seed of config.yaml: targets chosen with another seed lie on empty sky in the demonstration.
DEFAULT_SEED = 20181031


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose subjects and write them as CSV; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m claran_core.survey.simulated", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="which sky: `seed` of the run's config"
    )
    parser.add_argument("--train", type=int, required=True, help="number of training subjects")
    parser.add_argument("--test", type=int, required=True, help="number of test subjects")
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    options = parser.parse_args(arguments)
    try:
        table = select_subjects(seed=options.seed, n_train=options.train, n_test=options.test).targets
    except ClaranError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write_text(options.output, table.to_csv(index=False))
    print(f"{options.output}: {len(table)} subjects of sky {options.seed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
