"""List the images of one band on disk."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.cutouts.providers import folder_of
from claran_core.settings.survey import SurveyOptions
from claran_core.survey.directory.image_index import write_index
from claran_core.survey.surveys import SURVEYS

if __name__ == "__main__":  # the processes that read headers import this file again
    with job(snakemake.log[0]):
        options = SurveyOptions.model_validate(snakemake.params.survey)
        write_index(
            Path(snakemake.output.index),
            SURVEYS[options.name],
            folder_of(options),
            pattern=options.pattern,
            processes=snakemake.threads,
        )
