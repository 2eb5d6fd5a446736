"""Join the labels of all shards."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.labels.shard import gather_labels

with job(snakemake.log[0]):
    gather_labels([Path(path) for path in snakemake.input.labels], Path(snakemake.output.labels))
