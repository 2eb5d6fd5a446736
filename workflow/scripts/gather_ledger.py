"""Join the ledgers of all shards."""

from pathlib import Path

from claran_core.cutouts import merge_ledgers
from claran_core.log import job

with job(snakemake.log[0]):
    merge_ledgers([Path(path) for path in snakemake.input.ledgers], Path(snakemake.output.ledger))
