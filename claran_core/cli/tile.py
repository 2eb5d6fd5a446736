"""``claran tile``: the targets of a run, as subjects that cover an area."""
# ruff: noqa: D301 - a backspace in a docstring tells click to keep the lines that follow

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from claran_core.survey.surveys import Survey
    from claran_core.targets.areas import Area

__all__ = ["tile"]

# As in `claran_core.targets.subject_grid` and `claran_core.common.frame`, which take long to import; a test
# compares them.
LARGEST_ARCSEC = 90.0
SCALES = (1, 2, 4, 8)


class _Scales(click.ParamType[tuple[int, ...]]):
    """Some of `SCALES`, separated by commas or blanks."""

    name = "scales"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the scales in ascending order."""
        words = set(str(value).replace(",", " ").split())
        known = {str(scale): scale for scale in SCALES}
        if not words or words - known.keys():
            self.fail(f"{value!r} is not a list of: {', '.join(known)}", param, ctx)
        return tuple(sorted(known[word] for word in words))


@click.command(short_help="List overlapping subjects that cover an area: the targets of a run.")
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
    help="Largest source that at least one subject of scale 1 contains whole; sets the overlap.",
)
@click.option(
    "--scales",
    type=_Scales(),
    default=",".join(map(str, SCALES)),
    show_default=True,
    metavar="S,S,...",
    help="Scales: subjects and overlap are so many times as wide.",
)
@click.option(
    "--configfile",
    type=click.Path(path_type=Path),
    help="Settings of your run, for the width of its subjects and the survey of its images.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def tile(
    output: Path,
    circle: tuple[float, float, float] | None,
    box: tuple[float, float, float, float] | None,
    moc: Path | None,
    images: Path | None,
    pattern: str,
    largest: float,
    scales: tuple[int, ...],
    configfile: Path | None,
    overwrite: bool,
) -> None:
    """List subjects that cover an area, for `targets.path` of a run, in OUT (.csv or .parquet).

    Give one area: --circle, --box, --moc or --images (angles in deg, ICRS). All areas share one grid of
    subjects, so a larger area keeps the subjects of a smaller one inside it.

    The border of a subject may truncate a source larger than --largest. Sources up to 2, 4 and 8 times as
    large are whole in the subjects of --scales 2, 4 and 8, which are a quarter, a sixteenth and a 64th as
    many. A scale is left out if the area is not wider than a subject of the scale before. With the default
    width of 181.5 arcsec there are 1,610 subjects of scale 1 per square degree for sources up to 90 arcsec,
    910 for 60 and 520 for 20.

    \b
    Examples:
      claran tile --circle 180 30 1.5 targets.csv
      claran tile --box 350 10 -5 5 --largest 60 --scales 1,2 targets.parquet
      claran tile --moc coverage.fits targets.parquet
      claran tile --images mosaics/ --configfile emu.yaml targets.parquet
    """
    from claran_core.settings.config import load_config
    from claran_core.targets.subject_grid import SkyGrid, tile_at_scales, write_tiles

    config = load_config(configfile)
    area = _area(circle, box, moc, images, pattern, config.survey.radio.survey)
    subjects = tile_at_scales(area, SkyGrid(config.fusion.frame, largest), scales)
    write_tiles(output, subjects, overwrite=overwrite)
    counts = [f"{count} of scale {scale}" for scale, count in subjects.groupby("scale").size().items()]
    click.echo(f"{output}: {len(subjects)} subjects ({', '.join(counts)})")


def _area(
    circle: tuple[float, float, float] | None,
    box: tuple[float, float, float, float] | None,
    moc: Path | None,
    images: Path | None,
    pattern: str,
    survey: Survey,
) -> Area:
    """Return the one area that the options describe; images are those of the survey."""
    from claran_core.targets.areas import BoxArea, CircleArea, MocArea, image_area

    options = {"--circle": circle, "--box": box, "--moc": moc, "--images": images}
    given = [name for name, value in options.items() if value]
    if len(given) != 1:
        raise click.UsageError(
            f"give one of --circle, --box, --moc and --images, not {' and '.join(given) or 'none'}"
        )
    if circle:
        return CircleArea(*circle)
    if box:
        return BoxArea(*box)
    if moc:
        return MocArea(moc)
    assert images is not None  # one of the four is given
    return image_area(images, survey, pattern)
