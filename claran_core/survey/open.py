"""From settings to a source of images."""

from pathlib import Path

from claran_core.config import SurveyOptions, resolve_path
from claran_core.errors import ConfigError
from claran_core.survey.base import SURVEYS, ImageSource

__all__ = ["open_source"]


def open_source(
    options: SurveyOptions, *, seed: int, working_directory: Path | None = None
) -> ImageSource | None:
    """Open where the pixels of a survey come from.

    Parameters
    ----------
    options : SurveyOptions
        One of the two entries of the configuration's section ``survey``.
    seed : int
        Which simulated sky.
    working_directory : Path, optional
        Where relative paths start; default: the current one.

    Returns
    -------
    ImageSource or None
        None for the source ``none``: the run goes without this band.

    Raises
    ------
    ConfigError
        If the survey or kind of source is unknown, or its images cannot be found.
    """
    if options.source == "none":
        return None
    if options.name not in SURVEYS:
        raise ConfigError(
            f"config: survey {options.name!r} is not described; write one of: {', '.join(SURVEYS)}"
        )
    survey = SURVEYS[options.name]
    # Imported when needed: a simulated run need not load what reads files, nor the other way round.
    if options.source == "simulated":
        from claran_core.survey.simulated import SimulatedSource

        return SimulatedSource(survey, seed=seed)
    if options.source == "directory":
        from claran_core.survey.directory import DirectorySource

        if not options.path:
            raise ConfigError(
                f"config: survey.{survey.band}.path is empty; give the folder of the FITS files"
            )
        return DirectorySource(survey, resolve_path(options.path, working_directory), pattern=options.pattern)
    raise ConfigError(
        f"config: survey.{survey.band}.source {options.source!r} does not exist yet; "
        "download the images and use 'directory', or use 'simulated'"
    )
