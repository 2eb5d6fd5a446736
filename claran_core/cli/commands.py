"""The command ``claran``: its entry point and the group that holds all commands.

The commands are in the other modules of this folder, one module per group of commands.  A command imports
what takes long to import inside its function, so that ``claran --help`` stays fast.
"""
# ruff: noqa: D301 - a backspace in a docstring tells click to keep the lines that follow

import os
import sys

import click

from claran_core import __version__
from claran_core.cli.archive import archive
from claran_core.cli.catalogue import columns, export, show, validate
from claran_core.cli.convert_vgg16 import convert_vgg16
from claran_core.cli.cutout import cutout
from claran_core.cli.settings import settings
from claran_core.cli.simulate import simulate
from claran_core.cli.tile import tile
from claran_core.common.errors import ClaranError

__all__ = ["claran", "main"]

INTERRUPTED = 130  # exit status after Ctrl-C, by the convention of shells


def main() -> None:
    """Run the command; report what a user can correct in one line, without a traceback."""
    try:
        sys.exit(claran.main(prog_name="claran", standalone_mode=False))
    except click.Abort:
        sys.exit(INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        sys.exit(0)
    except click.UsageError as error:
        help_of = error.ctx.command_path if error.ctx else "claran"
        message = " ".join(error.format_message().split())
        print(f"error: {message} (see {help_of} --help)", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of the pipe has stopped: `claran columns | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (ClaranError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="claran")
def claran() -> None:
    """Cover an area with subjects; inspect, check and convert a catalogue of radio sources.

    The catalogue is the Parquet file that a run of the workflow writes, by default
    results/catalogue/catalogue.parquet.

    \b
    Examples:
      claran tile --circle 180 30 1 targets.csv           subjects that cover a field
      claran columns                                      the columns, their units and meanings
      claran show J104556.7+243312                        all columns of one source
      claran validate catalogue.parquet                   check the file
      claran export catalogue.parquet --to fits out.fits  the same rows as a FITS table

    Each command has its own help: claran export --help.
    """


for command in (tile, show, cutout, export, validate, columns, archive, simulate, convert_vgg16, settings):
    claran.add_command(command)


if __name__ == "__main__":
    main()
