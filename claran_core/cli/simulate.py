"""``claran simulate``: target lists and images of the simulated sky."""
# ruff: noqa: D301 - a backspace in a docstring tells click to keep the lines that follow

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from claran_core.survey.surveys import Survey

__all__ = ["simulate"]

# The seed of config.yaml, so that the demonstration finds sources at targets selected with the default.
DEFAULT_SEED = 20181031


@click.group(short_help="Write target lists and images of the simulated sky.")
def simulate() -> None:
    """Write target lists with their labels, and images of any size, from the simulated sky.

    \b
    Examples:
      claran simulate targets --train 900 --test 400 --output targets.csv --labels labels.csv
      claran simulate image --ra 150 --dec 20 --size-px 3000 --output mosaic.fits
      claran simulate image --survey LOTSS --ra 150 --dec 20 --output lotss.fits
    """


seed_option = click.option(
    "--seed",
    type=int,
    default=DEFAULT_SEED,
    show_default=True,
    help="Seed of the sky, as in the config of a run.",
)
survey_option = click.option(
    "--survey",
    help="Survey to imitate: one that ships, or one of the settings.  [default: their radio survey]",
)
configfile_option = click.option(
    "--configfile", type=click.Path(path_type=Path), help="Settings of a run, which may describe the survey."
)
verbose_option = click.option("--verbose", is_flag=True, help="Log the progress.")


@simulate.command()
@click.option("--train", type=int, help="Number of training subjects.")
@click.option("--test", type=int, help="Number of test subjects.")
@click.option("--table-3", is_flag=True, help="Reproduce the paper's Table 3, source by source.")
@click.option(
    "--multi-source-fraction",
    type=float,
    help="Share of subjects with several sources, 0 to 1.  [default: the paper's]",
)
@click.option(
    "--survey-views",
    is_flag=True,
    help="Add training subjects as in a survey: any place, coarse views, large sources, crowded and "
    "bright fields, close neighbours, ambiguous pairs.",
)
@click.option(
    "--ambiguous",
    type=int,
    metavar="N",
    help="Add N test subjects of two components that are one source or two; only their hosts tell.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="CSV file of targets to write."
)
@click.option(
    "--labels", type=click.Path(path_type=Path), help="Also write the RGZ label table (CSV), of FIRST only."
)
@survey_option
@configfile_option
@seed_option
@verbose_option
def targets(
    train: int | None,
    test: int | None,
    table_3: bool,
    multi_source_fraction: float | None,
    survey_views: bool,
    ambiguous: int | None,
    output: Path,
    labels: Path | None,
    survey: str | None,
    configfile: Path | None,
    seed: int,
    verbose: bool,
) -> None:
    """Select targets from the simulated sky the way Radio Galaxy Zoo selected its subjects.

    They are centred on sources that the radio survey detects: FIRST, unless the options say another.

    \b
    Examples:
      claran simulate targets --train 900 --test 400 --output targets.csv --labels labels.csv
      claran simulate targets --table-3 --survey-views --output training.csv
      claran simulate targets --ambiguous 200 --output pairs.csv
      claran simulate targets --survey VLASS --train 900 --test 400 --survey-views --output vlass.csv
    """
    import pandas as pd

    from claran_core.common.errors import InputError
    from claran_core.common.files import write_text
    from claran_core.labels.rgz_table import write_label_table
    from claran_core.simulation import survey_views as views
    from claran_core.simulation.subjects import select_subjects
    from claran_core.survey.surveys import SURVEYS

    if seed < 0:
        raise InputError(f"simulated sky: seed {seed} is negative; give 0 or more")
    imitated = _radio_survey(survey, configfile)
    if imitated != SURVEYS["FIRST"]:
        for option, value in {"--ambiguous": ambiguous, "--labels": labels}.items():
            if value is not None:
                raise InputError(
                    f"{option} is for FIRST only, but the survey is {imitated.name}; leave it out"
                )
    n_train, n_test = _subject_counts(
        train, test, table_3, multi_source_fraction, optional=survey_views or ambiguous is not None
    )
    _log_progress(verbose)
    added = [views.survey_views(seed, imitated)] if survey_views else []
    added += [views.ambiguous_targets(seed, ambiguous)] if ambiguous is not None else []
    selection = select_subjects(
        seed=seed,
        n_train=n_train,
        n_test=n_test,
        multi_source_fraction=multi_source_fraction,
        survey=imitated,
    )
    table = selection.targets
    if added:
        table = pd.concat([table.assign(scale=1, kind="classified"), *added], ignore_index=True)
    if labels is not None:
        write_label_table(labels, selection.labels)
    write_text(output, table.to_csv(index=False))
    n_sources = len(selection.labels)
    click.echo(
        f"{output}: {len(table)} subjects of {imitated.name}, sky {seed}, with {n_sources} labelled sources"
    )


@simulate.command()
@survey_option
@configfile_option
@click.option("--ra", type=float, required=True, help="RA of the centre, deg (ICRS).")
@click.option("--dec", type=float, required=True, help="Dec of the centre, deg (ICRS).")
@click.option("--size-px", type=int, help="Width of a mosaic.  [default: the whole tile]")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="FITS file to write.")
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    help="Also write the radio sources in the image (Parquet); beside an infrared image "
    "those of the radio survey of the settings.",
)
@seed_option
@verbose_option
def image(
    survey: str | None,
    configfile: Path | None,
    ra: float,
    dec: float,
    size_px: int | None,
    output: Path,
    truth: Path | None,
    seed: int,
    verbose: bool,
) -> None:
    """Write a whole tile of a simulated survey, or a mosaic, as a FITS file.

    \b
    Examples:
      claran simulate image --ra 150 --dec 20 --size-px 3000 --output out.fits --truth truth.parquet
      claran simulate image --configfile my.yaml --ra 150 --dec 20 --output out.fits
    """
    from claran_core.common.files import write_table
    from claran_core.common.tables import LABELS
    from claran_core.labels.shard import sky_truth
    from claran_core.simulation.mosaic import mosaic_window, sources_in, write_mosaic
    from claran_core.simulation.provider import SimulatedProvider
    from claran_core.simulation.survey_image import frame_of

    _log_progress(verbose)
    imitated, radio_survey = _surveys(survey, configfile)
    sky = SimulatedProvider(imitated, seed=seed)
    radio = sky if imitated.band == "radio" else SimulatedProvider(radio_survey, seed=seed)
    tile, window = mosaic_window(sky, ra, dec, size_px)
    write_mosaic(output, sky, ra, dec, size_px)
    click.echo(f"{output}: {window.nx} x {window.ny} px of {imitated.name}, sky {seed}")
    if truth is not None:
        rows = sky_truth(radio, sources_in(radio, tile, window), frame_of(radio.survey))
        write_table(truth, rows, LABELS)
        click.echo(f"{truth}: {len(rows)} sources detected by the contour rule")


def _radio_survey(name: str | None, configfile: Path | None) -> "Survey":
    """Return the radio survey of a name that ships or that the settings describe; default theirs."""
    from claran_core.common.errors import InputError

    survey, _ = _surveys(name, configfile)
    if survey.band != "radio":
        raise InputError(f"--survey {name}: an infrared survey detects no subjects; give a radio survey")
    return survey


def _surveys(name: str | None, configfile: Path | None) -> tuple["Survey", "Survey"]:
    """Return the survey to imitate and the radio survey of the settings.

    The first has the given name and ships, or is described in the settings; without a name it is the second.
    """
    from claran_core.common.errors import InputError
    from claran_core.settings.config import load_config
    from claran_core.survey.surveys import SURVEYS

    options = load_config(configfile).survey
    known = dict(SURVEYS) | {one.name: one.survey for one in (options.infrared, options.radio)}
    if name is not None and name not in known:
        raise InputError(f"--survey {name}: write one of: {', '.join(known)}, or describe it in the settings")
    return known[options.radio.name if name is None else name], options.radio.survey


def _subject_counts(
    train: int | None,
    test: int | None,
    table_3: bool,
    multi_source_fraction: float | None,
    *,
    optional: bool,
) -> tuple[int, int]:
    """Return the numbers of training and test subjects that the options ask for; `optional` allows none."""
    if table_3:
        if any(value is not None for value in (train, test, multi_source_fraction)):
            raise click.UsageError(
                "--table-3 sets --train, --test and --multi-source-fraction; leave them out"
            )
        from claran_core.simulation.class_mixes import published_signatures

        mixes = published_signatures()
        return sum(mixes["train"].values()), sum(mixes["test"].values())
    if optional:
        train, test = train or 0, test or 0
    if train is None or test is None:
        raise click.UsageError("give --train and --test, --table-3, --survey-views or --ambiguous")
    return train, test


def _log_progress(verbose: bool) -> None:
    """Send the log messages to the terminal, if the user wants them."""
    if verbose:
        from claran_core.common.log import configure_logging

        configure_logging()
