"""Fuse the images of one shard by one method."""

from pathlib import Path

from claran_core.common.files import read_table
from claran_core.common.log import job
from claran_core.common.tables import TARGETS
from claran_core.components.component_table import read_noise
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.fusion.shard import fuse_shard
from claran_core.settings.fusion import ImageOptions

with job(snakemake.log[0]):
    fusion = ImageOptions.model_validate(snakemake.params.fusion)
    cutouts = (Path(snakemake.input.radio), Path(snakemake.input.infrared))
    with read_cutouts(cutouts[0]) as radio, read_cutouts(cutouts[1]) as infrared:
        fuse_shard(
            read_table(Path(snakemake.input.targets), TARGETS.names),
            snakemake.wildcards.method,
            radio,
            infrared,
            read_noise(Path(snakemake.input.noise)),
            frame=fusion.frame,
            drawing=fusion.drawing,
            ledger_path=Path(snakemake.input.ledger),
            images_path=Path(snakemake.output.images),
            index_path=Path(snakemake.output.index),
        )
