"""Write parts of the simulated sky: target lists with what their subjects show, and images of any size.

python -m claran_core.simulation targets --train 900 --test 400 --output targets.csv --labels labels.csv
python -m claran_core.simulation image --ra 150 --dec 20 --size-px 3000 --output mosaic.fits
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from claran_core.common.errors import ClaranError, InputError
from claran_core.common.files import write_table, write_text
from claran_core.common.frame import Frame
from claran_core.common.log import configure_logging
from claran_core.common.tables import LABELS
from claran_core.labels.rgz_table import write_label_table
from claran_core.labels.shard import sky_truth
from claran_core.simulation.class_mixes import published_signatures
from claran_core.simulation.mosaic import mosaic_window, sources_in, write_mosaic
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.subjects import select_subjects
from claran_core.survey.surveys import SIMULATED, SURVEYS

__all__ = ["main"]

# The seed of config.yaml: targets chosen with another seed lie on empty sky in the demonstration.
DEFAULT_SEED = 20181031


class _Parser(argparse.ArgumentParser):
    """A parser whose refusals are one line, as everywhere in the project."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what is asked for; return the exit status."""
    try:
        options = _options(arguments)
        if options.verbose:
            configure_logging()
        print(options.write(options))
    except (ClaranError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _write_targets(options: argparse.Namespace) -> str:
    """Choose subjects and write them as CSV, and their labels where asked for."""
    chosen = select_subjects(
        seed=options.seed,
        n_train=options.train,
        n_test=options.test,
        multi_source_fraction=options.multi_source_fraction,
    )
    if options.labels is not None:
        write_label_table(options.labels, chosen.labels)
    write_text(options.output, chosen.targets.to_csv(index=False))
    subjects, sources = len(chosen.targets), len(chosen.labels)
    return f"{options.output}: {subjects} subjects of sky {options.seed}, with {sources} labelled sources"


def _write_image(options: argparse.Namespace) -> str:
    """Write a whole tile or a mosaic, and the truth of what is on it where asked for."""
    sky = SimulatedProvider(SURVEYS[options.survey], seed=options.seed)
    place = options.ra, options.dec, options.size_px
    tile, window = mosaic_window(sky, *place)
    write_mosaic(options.output, sky, *place)
    told = f"{options.output}: {window.nx} x {window.ny} px of {options.survey}, sky {options.seed}"
    if options.truth is None:
        return told
    radio = SimulatedProvider(SURVEYS["FIRST"], seed=options.seed)
    truth = sky_truth(radio, sources_in(radio, tile, window), Frame())
    write_table(options.truth, truth, LABELS)
    return f"{told}\n{options.truth}: {len(truth)} sources that the contour rule sees"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m claran_core.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="kind", required=True, parser_class=_Parser)
    targets = kinds.add_parser("targets", help="a target list, chosen as Radio Galaxy Zoo chose its subjects")
    _add_targets_options(targets)
    image = kinds.add_parser("image", help="a whole tile of a survey, or a mosaic, as a FITS file")
    _add_image_options(image)
    for one, write in ((targets, _write_targets), (image, _write_image)):
        one.add_argument(
            "--seed", type=int, default=DEFAULT_SEED, help="which sky: `seed` of the run's config"
        )
        one.add_argument("--verbose", action="store_true", help="say how it goes")
        one.set_defaults(write=write)
    options = parser.parse_args(arguments)
    if options.kind == "targets":
        _fill_numbers(targets, options)
    return options


def _add_targets_options(parser: argparse.ArgumentParser) -> None:
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


def _add_image_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--survey", choices=SIMULATED, default="FIRST", help="which survey")
    parser.add_argument("--ra", type=float, required=True, help="middle, deg (ICRS)")
    parser.add_argument("--dec", type=float, required=True, help="middle, deg (ICRS)")
    parser.add_argument("--size-px", type=int, help="width of a mosaic; the whole tile without it")
    parser.add_argument("--output", type=Path, required=True, help="FITS file to write")
    parser.add_argument("--truth", type=Path, help="Parquet file of the radio sources on it, to write too")


def _fill_numbers(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
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
