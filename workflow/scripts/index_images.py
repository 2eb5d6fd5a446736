"""List the images of one band on disk."""

from pathlib import Path

from claran_core.config import SurveyOptions, build_options
from claran_core.log import job
from claran_core.survey.base import survey_named
from claran_core.survey.image_index import write_index
from claran_core.survey.open import folder_of

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
