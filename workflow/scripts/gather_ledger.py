"""Join the ledgers of all shards."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.cutouts.shard import merge_ledgers

with job(snakemake.log[0]):
    merge_ledgers(
        [Path(path) for path in snakemake.input.ledgers],
        Path(snakemake.output.ledger),
        second_paths=[Path(path) for path in snakemake.input.second],
    )
