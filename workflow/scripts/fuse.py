"""Fuse the images of one shard by one method."""

from pathlib import Path

from claran_core.config import FusionOptions, build_options
from claran_core.files import read_table
from claran_core.fusion.shard import fuse_shard
from claran_core.log import job
from claran_core.tables import TARGETS

with job(snakemake.log[0]):
    fuse_shard(
        read_table(Path(snakemake.input.targets), TARGETS.names),
        snakemake.wildcards.method,
        build_options(FusionOptions, snakemake.params.fusion),
        radio_path=Path(snakemake.input.radio),
        infrared_path=Path(snakemake.input.infrared),
        ledger_path=Path(snakemake.input.ledger),
        images_path=Path(snakemake.output.images),
        index_path=Path(snakemake.output.index),
        components_path=Path(snakemake.output.components),
    )
