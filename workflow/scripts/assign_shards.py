"""Read the targets and cut them into shards."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.common.paths import Results
from claran_core.settings.config import Config
from claran_core.targets.shards import write_targets

with job(snakemake.log[0]):
    write_targets(
        Config.from_dict(snakemake.config),
        Path(snakemake.input.table),
        Results(Path(snakemake.output.targets).parent),
    )
