"""``claran show``, ``export``, ``validate`` and ``columns``: commands that read a catalogue."""
# ruff: noqa: D301 - a backspace in a docstring tells click to keep the lines that follow

from pathlib import Path

import click

from claran_core.common.paths import Results

__all__ = ["columns", "export", "show", "validate"]

# As in `claran_core.export`, which takes long to import; a test compares them.
FORMATS = ("fits", "votable", "ds9", "contours", "moc", "coco", "hats", "csv", "rocrate")
MOC_ORDER = 15
CATALOGUE = Results().catalogue


@click.command(short_help="Show one source: all columns, its flags in words, the paths of its images.")
@click.argument("source_id", metavar="ID")
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path),
    default=CATALOGUE,
    show_default=True,
    help="The catalogue to read.",
)
def show(source_id: str, catalogue: Path) -> None:
    """Show one source: all columns with units, its flags in words, and the paths of its images.

    ID is a name of column source_id. The beginning of a name lists all names that start with it.

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


@click.command(short_help="Write a catalogue as FITS, VOTable, DS9, contours, MOC, COCO, HATS or CSV.")
@click.argument("catalogue", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Choice(FORMATS), help="Format to write.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Results folder of the run, for moc, coco, contours, rocrate.  [default: that of FILE]",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder to write with a PNG image of each subject, for coco.",
)
@click.option(
    "--moc-order",
    type=click.IntRange(5, 20),
    default=MOC_ORDER,
    show_default=True,
    help="HEALPix order of the smallest cells of a MOC; 15 is 6.4 arcsec.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def export(
    catalogue: Path,
    output: Path,
    to: str,
    results: Path | None,
    images: Path | None,
    moc_order: int,
    overwrite: bool,
) -> None:
    """Write the catalogue FILE in another format to OUT.

    FILE may also be a selection of rows or columns of a catalogue, saved as Parquet; or targets.parquet,
    which can become fits, votable or csv.

    \b
    Formats:
      fits     binary table; units, UCDs and descriptions in its header
      votable  VOTable (BINARY2), for TOPCAT, Aladin and other VO programs
      ds9      regions: a square per source, a cross per component, coloured by class
      contours DS9 regions: the contours of each source as polygons
      moc      the area the run has searched, as a coverage map (needs mocpy)
      coco     COCO JSON of boxes and masks: images are subjects, a category per class, score
      hats     a folder of Parquet files by HEALPix pixel, for lsdb (needs hats)
      csv      plain text; lists in brackets
      rocrate  ro-crate-metadata.json in the results folder: describes its files

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

    export_catalogue(
        catalogue, output, to=to, results=results, images=images, moc_order=moc_order, overwrite=overwrite
    )
    click.echo(f"{output}: written from {catalogue}")


@click.command(short_help="Check that a file is a valid catalogue.")
@click.argument("catalogue", metavar="[FILE]", type=click.Path(path_type=Path), default=CATALOGUE)
@click.option("--run", is_flag=True, help="Also verify every file of the run that FILE belongs to.")
def validate(catalogue: Path, run: bool) -> None:
    """Check that FILE is a valid catalogue; print "valid", or one line per fault.

    The default FILE is results/catalogue/catalogue.parquet.

    The checks cover columns, types, units, UCDs and descriptions; ranges, finite boxes, known flags and
    lists of equal length; unique names that match their positions; the order of the rows; and the VOTable
    description inside (VOParquet). With results/catalogue/catalogue.parquet its outcomes.parquet is checked
    (each component is listed once, and each source has components), and its contours.parquet. Every byte is
    compared with the digest in the file, so that damage is noticed. The exit status is 0 for a valid file and
    1 for any other. Rows are counted from 0.

    With --run, every byte of all tables, cut-outs and fused images of the run is compared with the digests in
    them, and whether they belong together. This reads all files once.

    \b
    Examples:
      claran validate
      claran validate --run
      claran validate my_copy.parquet && scp my_copy.parquet archive:
    """
    from claran_core.catalogue.product.validate import validate_catalogue
    from claran_core.catalogue.product.validate_run import validate_run

    findings = validate_catalogue(catalogue)
    if run:
        findings += validate_run(Results(catalogue.absolute().parents[1]))
    for line in findings or ["valid"]:
        click.echo(f"{catalogue}: {line}")
    if findings:
        raise click.exceptions.Exit(1)


@click.command()
def columns() -> None:
    """Print the columns of a catalogue with their types, units and meanings.

    \b
    Example:
      claran columns | grep -A1 flux
    """
    from claran_core.catalogue.product.show import column_lines

    for line in column_lines():
        click.echo(line)
