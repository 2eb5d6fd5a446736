"""The command ``claran``: subjects for an area; look at a catalogue, check it, write it in other formats.

Modules that take long to import are imported by the command that needs them, so that help comes at once.
"""
# ruff: noqa: D301 - a backspace in a docstring tells click to keep the lines that follow

import dataclasses
import os
import sys
from pathlib import Path

import click

from claran_core import __version__
from claran_core.common.errors import ClaranError
from claran_core.common.paths import Results

__all__ = ["claran", "main"]

# As in `claran_core.export`, which takes long to import; a test compares them.
FORMATS = ("fits", "votable", "ds9", "moc", "coco", "hats", "csv")
MOC_ORDER = 15
LARGEST_ARCSEC = 90.0  # as in `claran_core.targets.tiling`
CATALOGUE = Results().catalogue
INTERRUPTED = 130  # as shells have it


def main() -> None:
    """Run the command; what a user can act on is one line, without a traceback."""
    try:
        sys.exit(claran.main(prog_name="claran", standalone_mode=False))
    except click.Abort:
        sys.exit(INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        sys.exit(0)
    except click.UsageError as error:
        help_of = error.ctx.command_path if error.ctx else "claran"
        print(f"error: {error.format_message()} (see {help_of} --help)", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `claran columns | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (ClaranError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="claran")
def claran() -> None:
    """Lay subjects over an area; look at a catalogue of radio sources, check it, write it in other formats.

    The catalogue is the Parquet file a run of the workflow leaves behind, by default
    results/catalogue/catalogue.parquet.

    \b
    Examples:
      claran tile --circle 180 30 1 targets.csv           subjects that cover a field
      claran columns                                      what the columns mean, and their units
      claran show J104556.7+243312                        all that is known about one source
      claran validate catalogue.parquet                   is the file sound?
      claran export catalogue.parquet --to fits out.fits  the same rows as a FITS table

    Each command has its own help: claran export --help.
    """


@claran.command(short_help="List overlapping subjects that cover an area: the targets of a run.")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--circle", nargs=3, type=float, metavar="RA DEC RADIUS", help="Within a radius of a position.")
@click.option(
    "--box",
    nargs=4,
    type=float,
    metavar="WEST EAST SOUTH NORTH",
    help="From WEST eastwards to EAST (RA; across 0 if WEST is larger), SOUTH to NORTH (Dec).",
)
@click.option("--moc", type=click.Path(path_type=Path), help="A coverage map: FITS, .json or .txt.")
@click.option("--images", type=click.Path(path_type=Path), help="A FITS mosaic, or a folder of them.")
@click.option(
    "--pattern", default="**/*.fits*", show_default=True, help="Which files of the folder are images."
)
@click.option(
    "--largest",
    type=float,
    default=LARGEST_ARCSEC,
    show_default=True,
    metavar="ARCSEC",
    help="Sources up to this extent lie whole in a subject: how much subjects overlap.",
)
@click.option(
    "--configfile",
    type=click.Path(path_type=Path),
    help="Settings of your run, for the width of its subjects.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
def tile(
    output: Path,
    circle: tuple[float, float, float] | None,
    box: tuple[float, float, float, float] | None,
    moc: Path | None,
    images: Path | None,
    pattern: str,
    largest: float,
    configfile: Path | None,
    overwrite: bool,
) -> None:
    """List subjects that cover an area, for `targets.path` of a run, in OUT (.csv or .parquet).

    Give one area: --circle, --box, --moc or --images (angles in deg, ICRS). Subjects lie on a grid that
    is the same for all areas, so that an area can be enlarged later and keeps the subjects it had.

    A source larger than --largest may be cut by the border of every subject that shows it: its catalogue
    row then has the flag EDGE. Subjects of 181.5 arcsec, the default width, are 1,610 per square degree
    for sources up to 90 arcsec, 910 for 60 and 520 for 20.

    \b
    Examples:
      claran tile --circle 180 30 1.5 targets.csv
      claran tile --box 350 10 -5 5 --largest 60 targets.parquet
      claran tile --moc coverage.fits targets.parquet
      claran tile --images mosaics/ --configfile emu.yaml targets.parquet
    """
    from claran_core.settings.config import load_config
    from claran_core.targets.tiling import (
        BoxArea,
        CircleArea,
        MocArea,
        SkyGrid,
        image_area,
        tile,
        write_tiles,
    )

    given = [
        name
        for name, value in (("--circle", circle), ("--box", box), ("--moc", moc), ("--images", images))
        if value
    ]
    if len(given) != 1:
        raise click.UsageError(
            f"give one of --circle, --box, --moc and --images, not {' and '.join(given) or 'none'}"
        )
    if circle:
        area = CircleArea(*circle)
    elif box:
        area = BoxArea(*box)
    elif moc:
        area = MocArea(moc)
    else:
        area = image_area(images, pattern)
    subjects = tile(area, SkyGrid(load_config(configfile).fusion.frame, largest))
    write_tiles(output, subjects, overwrite=overwrite)
    click.echo(f"{output}: {len(subjects)} subjects")


@claran.command(short_help="Show one source: all columns, flags in words, where its images are.")
@click.argument("source_id", metavar="ID")
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path),
    default=CATALOGUE,
    show_default=True,
    help="The catalogue to look in.",
)
def show(source_id: str, catalogue: Path) -> None:
    """Show one source: all columns with units, its flags in words, and where its images are.

    ID is the name in column source_id. The beginning of a name lists the names that begin so.

    \b
    Examples:
      claran show J104556.7+243312
      claran show J1045 --catalogue first/results/catalogue/catalogue.parquet
    """
    from claran_core.catalogue.product.show import find_source, image_lines, source_lines
    from claran_core.export.formats import run_folder

    values = find_source(catalogue, source_id)
    for line in source_lines(values):
        click.echo(line)
    folder = run_folder(catalogue)
    if folder is not None:
        click.echo()
        for line in image_lines(values, folder):
            click.echo(line)


@claran.command(short_help="Write a catalogue as FITS, VOTable, DS9, MOC, COCO, HATS or CSV.")
@click.argument("catalogue", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Choice(FORMATS), help="Format to write.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Results folder of the run, for moc and coco.  [default: the folder FILE lies in]",
)
@click.option(
    "--moc-order",
    type=click.IntRange(5, 20),
    default=MOC_ORDER,
    show_default=True,
    help="HEALPix order of the smallest cells of a MOC; 15 is 6.4 arcsec.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
def export(
    catalogue: Path, output: Path, to: str, results: Path | None, moc_order: int, overwrite: bool
) -> None:
    """Write the catalogue FILE in another format to OUT.

    FILE may also be a selection of rows or columns of a catalogue, saved as Parquet.

    \b
    Formats:
      fits     binary table; units, UCDs and descriptions in its header
      votable  VOTable (BINARY2), for TOPCAT, Aladin and other VO programs
      ds9      regions: a square per source, a cross per component, coloured by class
      moc      the area the run has searched, as a coverage map (needs mocpy)
      coco     COCO JSON of the boxes: images are subjects, six categories, score
      hats     a folder of Parquet files by HEALPix pixel, for lsdb (needs hats)
      csv      plain text; lists in brackets

    \b
    mocpy and hats come with: pip install 'claran-survey[export]'

    \b
    Examples:
      claran export results/catalogue/catalogue.parquet --to fits sources.fits
      claran export results/catalogue/catalogue.parquet --to moc area.fits
      claran export selection.parquet --to ds9 --overwrite sources.reg
      claran export selection.parquet --to coco boxes.json --results results
    """
    from claran_core.export.formats import export_catalogue

    export_catalogue(catalogue, output, to=to, results=results, moc_order=moc_order, overwrite=overwrite)
    click.echo(f"{output}: written from {catalogue}")


@claran.command(short_help="Check that a file is a sound catalogue.")
@click.argument("catalogue", metavar="[FILE]", type=click.Path(path_type=Path), default=CATALOGUE)
def validate(catalogue: Path) -> None:
    """Check that FILE is a sound catalogue: "valid", or one line for each thing that is wrong.

    FILE is results/catalogue/catalogue.parquet where none is named.

    Checked are columns, types, units, UCDs and descriptions; ranges, finite boxes, known flags, lists of
    equal length; names that fit their positions, each once; the order of the rows; and the VOTable
    description inside (VOParquet). The exit status is 0 for a valid file and 1 for any other, so that
    scripts can rely on it. Rows are counted from 0.

    \b
    Examples:
      claran validate
      claran validate my_copy.parquet && scp my_copy.parquet archive:
    """
    from claran_core.catalogue.product.validate import validate_catalogue

    findings = validate_catalogue(catalogue)
    for line in findings or ["valid"]:
        click.echo(f"{catalogue}: {line}")
    if findings:
        raise click.exceptions.Exit(1)


@claran.command()
def columns() -> None:
    """Print the columns of a catalogue: type, unit and what they mean.

    \b
    Example:
      claran columns | grep -A1 flux
    """
    from claran_core.catalogue.product.show import column_lines

    for line in column_lines():
        click.echo(line)


@claran.group(short_help="The archives of the surveys: do their services answer?")
def archive() -> None:
    """Images from the archives of the surveys.

    \b
    Example:
      claran archive check
    """


@archive.command()
@click.option(
    "--service", "names", multiple=True, metavar="NAME", help="Ask this one alone; may be repeated."
)
@click.option(
    "--configfile",
    type=click.Path(path_type=Path),
    help="Settings of your run, where they change or add services.",
)
def check(names: tuple[str, ...], configfile: Path | None) -> None:
    """Ask each service for a handful of positions, and say whether it works. Needs internet.

    The services are written against by their documentation, and were only tried against a stand-in: run
    this before a long run. It takes about ten requests. The exit status is 0 if all services work.

    \b
    Examples:
      claran archive check
      claran archive check --service first --service irsa
      claran archive check --configfile my.yaml
    """
    from claran_core.settings.config import load_config
    from claran_core.survey.archive.check import check_service
    from claran_core.survey.archive.http import Client
    from claran_core.survey.archive.services import described_services

    config = load_config(configfile)
    services = described_services(config.survey.archive.services, config.cutouts.archive.limits)
    unknown = [name for name in names if name not in services]
    if unknown:
        raise click.UsageError(f"no service {unknown[0]!r}; known: {', '.join(services)}")
    broken = []
    # A user waits here: less patience than in a run.
    with Client(dataclasses.replace(config.cutouts.archive, tries=3)) as client:
        for name in names or services:
            click.echo(f"{name}: {services[name].survey} from {services[name].url}")
            findings = []
            for finding in check_service(services[name], client, config.fusion.frame):
                findings.append(finding)
                click.echo(f"  {'right' if finding.right else 'WRONG'}  {finding.line}")
            works = all(finding.right for finding in findings)
            broken += [] if works else [name]
            click.echo(f"{name}: {'works' if works else 'DOES NOT WORK as expected'}")
    if broken:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
