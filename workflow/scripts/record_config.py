"""Write the merged settings of the run."""

from pathlib import Path

import yaml

from claran_core.common.files import write_text
from claran_core.common.log import job

with job(snakemake.log[0]):
    settings = yaml.safe_dump(snakemake.params.config, sort_keys=False, allow_unicode=True)
    write_text(Path(snakemake.output.config), settings)
