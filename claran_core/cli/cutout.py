"""``claran cutout``: the image of one subject as a FITS file."""
# ruff: noqa: D301 - a backspace in a docstring tells click to keep the lines that follow

from pathlib import Path

import click

from claran_core.common.cutout import ROLES, Role
from claran_core.common.paths import Results

__all__ = ["cutout"]


@click.command(short_help="Write an image of one subject as a FITS file.")
@click.argument("subject", metavar="SUBJECT")
@click.option(
    "--band",
    type=click.Choice(ROLES),
    default="radio",
    show_default=True,
    help="Which of its images.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="FITS file to write.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Results().root,
    show_default=True,
    help="Results folder of the run.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
def cutout(subject: str, band: Role, output: Path, results: Path, overwrite: bool) -> None:
    """Write the image of SUBJECT as a FITS file, with WCS, unit and beam, for DS9 and other programs.

    SUBJECT is a name of column subject_id, which targets and catalogue have.

    \b
    Examples:
      claran cutout FIRSTJ104556.7+243312 --output radio.fits
      claran cutout FIRSTJ104556.7+243312 --band infrared --results first/results --output w1.fits
    """
    from claran_core.cutouts.fits_export import export_cutout

    export_cutout(Results(results), subject, band, output, overwrite=overwrite)
    click.echo(f"{output}: {band} image of {subject}")
