"""List the images of one band on disk, and refuse targets that no radio image shows."""

from pathlib import Path

from claran_core.common.files import read_table
from claran_core.common.frame import Frame
from claran_core.common.log import job
from claran_core.cutouts.providers import folder_of
from claran_core.settings.survey import SurveyOptions
from claran_core.survey.directory.image_index import write_index
from claran_core.survey.directory.target_check import check_targets
from claran_core.survey.surveys import SURVEYS

if __name__ == "__main__":  # the processes that read headers import this file again
    with job(snakemake.log[0]):
        options = SurveyOptions.model_validate(snakemake.params.survey)
        survey, folder = SURVEYS[options.name], folder_of(options)
        index = write_index(
            Path(snakemake.output.index),
            survey,
            folder,
            pattern=options.pattern,
            processes=snakemake.threads,
        )
        if survey.band == "radio":  # infrared images may be missing
            targets = read_table(Path(snakemake.input.targets), ["ra", "dec", "scale"])
            check_targets(
                index,
                survey,
                folder,
                targets["ra"].to_numpy(),
                targets["dec"].to_numpy(),
                width_arcsec=targets["scale"].max() * Frame(**snakemake.params.frame).width_arcsec,
            )
