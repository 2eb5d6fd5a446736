"""List the images on disk and those that each shard may need; refuse targets that no radio image shows."""

from pathlib import Path

from claran_core.common.frame import Frame
from claran_core.common.log import job
from claran_core.common.paths import Results
from claran_core.cutouts.shard_images import write_images
from claran_core.settings.survey import InfraredSurveyOptions, RadioSurveyOptions, SecondRadioSurveyOptions

if __name__ == "__main__":  # the processes that read headers import this file again
    with job(snakemake.log[0]):
        kinds = (RadioSurveyOptions, SecondRadioSurveyOptions, InfraredSurveyOptions)
        by_role = {kind.role: kind for kind in kinds}
        for role, options in snakemake.params.survey.items():
            write_images(
                by_role[role].model_validate(options),
                Frame(**snakemake.params.frame),
                Results(Path(snakemake.input.targets).parent),
                processes=snakemake.threads,
            )
