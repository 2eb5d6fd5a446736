"""``claran archive``: the services of the survey archives."""
# ruff: noqa: D301 - a backspace in a docstring tells click to keep the lines that follow

from pathlib import Path

import click

__all__ = ["archive"]


@click.group(short_help="Check the services of the survey archives.")
def archive() -> None:
    """Images from the archives of the surveys.

    \b
    Examples:
      claran archive check
      claran archive forget
    """


@archive.command()
@click.option(
    "--service", "names", multiple=True, metavar="NAME", help="Check only this service; repeatable."
)
@click.option(
    "--configfile",
    type=click.Path(path_type=Path),
    help="Settings of your run, if they change or add services.",
)
def check(names: tuple[str, ...], configfile: Path | None) -> None:
    """Request a few positions from each service and report whether it works. Needs internet.

    The services follow their published documentation but are tested only against a mock server, so run
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
    # A user waits for the answer, so there are fewer retries than in a run.
    with Client(config.cutouts.archive.changed(tries=3)) as client:
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


@archive.command()
@click.option(
    "--configfile",
    type=click.Path(path_type=Path),
    help="Settings of your run, if they name a folder of the limits.",
)
def forget(configfile: Path | None) -> None:
    """Forget the pauses of all services, so that the next run asks them at once.

    A service that fails many times in a row, or asks for a long pause, is not asked for some time.

    \b
    Example:
      claran archive forget
    """
    from claran_core.settings.config import load_config
    from claran_core.survey.archive.limits import forget_pauses, limits_folder

    named = load_config(configfile).cutouts.archive.limits_folder
    folder = limits_folder(named)
    click.echo(f"{folder}: pauses of {forget_pauses(folder)} hosts forgotten")
