"""Write a target list of the simulated sky, and what its subjects show.

python -m claran_core.survey.simulated --train 900 --test 400 --output targets.csv --labels labels.csv
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from claran_core.errors import ClaranError, InputError
from claran_core.files import write_text
from claran_core.log import configure_logging
from claran_core.rgz import write_label_table
from claran_core.survey.simulated.signatures import published_signatures
from claran_core.survey.simulated.subjects import select_subjects

__all__ = ["main"]

# The seed of config.yaml: targets chosen with another seed lie on empty sky in the demonstration.
DEFAULT_SEED = 20181031


class _Parser(argparse.ArgumentParser):
    """A parser whose refusals are one line, as everywhere in the project."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose subjects and write them as CSV; return the exit status."""
    try:
        options = _options(arguments)
        if options.verbose:
            configure_logging()
        chosen = select_subjects(
            seed=options.seed,
            n_train=options.train,
            n_test=options.test,
            multi_source_fraction=options.multi_source_fraction,
        )
        if options.labels is not None:
            write_label_table(options.labels, chosen.labels)
        write_text(options.output, chosen.targets.to_csv(index=False))
    except (ClaranError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    subjects, sources = len(chosen.targets), len(chosen.labels)
    print(f"{options.output}: {subjects} subjects of sky {options.seed}, with {sources} labelled sources")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m claran_core.survey.simulated", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help="which sky: `seed` of the run's config"
    )
    parser.add_argument("--train", type=int, help="number of training subjects")
    parser.add_argument("--test", type=int, help="number of test subjects")
    parser.add_argument(
        "--table-3", action="store_true", help="as many subjects as the paper, and its Table 3 to the source"
    )
    parser.add_argument(
        "--multi-source-fraction",
        type=float,
        help="share of subjects with several sources, 0 to 1 (default: the paper's)",
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV file of targets to write")
    parser.add_argument("--labels", type=Path, help="RGZ label table (CSV) to write too")
    parser.add_argument("--verbose", action="store_true", help="say how the search goes")
    options = parser.parse_args(arguments)
    _fill_numbers(parser, options)
    return options


def _fill_numbers(parser: _Parser, options: argparse.Namespace) -> None:
    given = [options.train, options.test]
    if options.table_3:
        if any(number is not None for number in given) or options.multi_source_fraction is not None:
            parser.error("--table-3 sets --train, --test and --multi-source-fraction; leave them out")
        numbers = {split: sum(mix.values()) for split, mix in published_signatures().items()}
        options.train, options.test = numbers["train"], numbers["test"]
    elif None in given:
        parser.error("give --train and --test, or --table-3")


if __name__ == "__main__":
    raise SystemExit(main())
