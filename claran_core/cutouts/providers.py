"""From settings to a source of images."""

from pathlib import Path

from claran_core.common.errors import ConfigError
from claran_core.common.paths import resolve_path
from claran_core.settings.survey import ArchiveOptions, SimulatedOptions, SurveyOptions
from claran_core.survey.archive.options import FetchOptions
from claran_core.survey.provider import ImageProvider
from claran_core.survey.surveys import Survey

__all__ = ["folder_of", "label_table_of", "open_provider"]


def open_provider(
    options: SurveyOptions,
    *,
    seed: int,
    simulated: SimulatedOptions | None = None,
    archive: ArchiveOptions | None = None,
    fetch: FetchOptions | None = None,
    images: Path | None = None,
    working_directory: Path | None = None,
) -> ImageProvider | None:
    """Open where the pixels of a survey come from.

    Parameters
    ----------
    options : SurveyOptions
        An entry of the configuration's section ``survey``.
    seed : int
        Which simulated sky.
    simulated : SimulatedOptions, optional
        Sources of the simulated sky; default: drawn sources.
    archive : ArchiveOptions, optional
        Services that serve the images; needed for ``archive``.
    fetch : FetchOptions, optional
        Limits, time-outs and retries of requests to them; needed for ``archive``.
    images : Path, optional
        Index of the folder (`claran_core.survey.directory.image_index`), for ``directory``; default: it is
        read anew.
    working_directory : Path, optional
        Where relative paths start; default: the current one.

    Returns
    -------
    ImageProvider or None
        None for the source ``none``: the run goes without this survey.

    Raises
    ------
    ConfigError
        If the images or the label table cannot be found.
    InputError
        If the label table cannot be used.
    """
    if options.source == "none":
        return None
    survey = options.survey
    # Imported when needed: a simulated run need not load what reads files, nor the other way round.
    if options.source == "simulated":
        table = label_table_of(simulated, working_directory) if simulated else None
        return _open_simulated(survey, seed, table)
    if options.source == "directory":
        from claran_core.survey.directory.image_index import ImageIndex
        from claran_core.survey.directory.provider import DirectoryProvider

        folder = folder_of(options, working_directory)
        index = ImageIndex.read(images) if images else None
        return DirectoryProvider(survey, folder, pattern=options.pattern, index=index)
    if archive is None or fetch is None:
        raise TypeError("source 'archive' needs the options of services and requests")
    return _open_archive(survey, archive, fetch, working_directory)


def folder_of(options: SurveyOptions, working_directory: Path | None = None) -> Path:
    """Return the folder of a survey's images on disk."""
    assert options.path is not None, "SurveyOptions of the source `directory` have a path"
    return resolve_path(options.path, working_directory)


def label_table_of(options: SimulatedOptions, working_directory: Path | None = None) -> Path | None:
    """Label table whose sources the simulated sky holds; None where they are drawn.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    if options.label_table is None:
        return None
    path = resolve_path(options.label_table, working_directory)
    if not path.is_file():
        raise ConfigError(
            f"config: survey.simulated.label_table: no file {path}; give the path of an RGZ label table, "
            "or null for drawn sources"
        )
    return path


def _open_archive(
    survey: Survey, archive: ArchiveOptions, fetch: FetchOptions, working_directory: Path | None
) -> ImageProvider:
    from claran_core.survey.archive.http import Client
    from claran_core.survey.archive.provider import ArchiveProvider
    from claran_core.survey.archive.services import chosen_services, described_services

    services = described_services(archive.services, fetch.limits)
    chosen = chosen_services(survey.name, archive.order, services)
    return ArchiveProvider(survey, chosen, Client(fetch, working_directory))


def _open_simulated(survey: Survey, seed: int, label_table: Path | None) -> ImageProvider:
    from claran_core.simulation.provider import SimulatedProvider

    if label_table is None:
        return SimulatedProvider(survey, seed=seed)
    from claran_core.simulation.label_table_sky import read_population

    return SimulatedProvider(survey, seed=seed, population=read_population(seed, label_table))
