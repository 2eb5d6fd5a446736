"""List the images of one band on disk."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.cutouts.providers import folder_of
from claran_core.settings.config import SurveyOptions, build_options
from claran_core.survey.directory.image_index import write_index
from claran_core.survey.surveys import survey_named

if __name__ == "__main__":  # the processes that read headers import this file again
    with job(snakemake.log[0]):
        options = build_options(SurveyOptions, snakemake.params.survey)
        write_index(
            Path(snakemake.output.index),
            survey_named(options.name),
            folder_of(options),
            pattern=options.pattern,
            processes=snakemake.threads,
        )
