"""Fuse the images of one shard by one method."""

from pathlib import Path

from claran_core.common.files import read_table
from claran_core.common.log import job
from claran_core.common.origins import check_together, origins_of
from claran_core.common.tables import TARGETS
from claran_core.components.component_table import read_noise
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.fusion.shard import fuse_shard
from claran_core.settings.fusion import ImageOptions

with (
    job(snakemake.log[0]),
    read_cutouts(Path(snakemake.input.radio)) as radio,
    read_cutouts(Path(snakemake.input.infrared)) as infrared,
):
    fusion = ImageOptions.model_validate(snakemake.params.fusion)
    method = snakemake.wildcards.method
    tables = {name: Path(snakemake.input[name]) for name in ("targets", "ledger", "components", "noise")}
    # The stage components compares the settings of the radio cut-outs with those of the run.
    files = origins_of(**tables) | {"radio": radio.origin, "infrared": infrared.origin}
    fuse_shard(
        read_table(tables["targets"], TARGETS.names),
        method,
        radio,
        infrared,
        read_noise(tables["noise"]),
        frame=fusion.frame,
        drawing=fusion.drawing,
        ledger_path=tables["ledger"],
        images_path=Path(snakemake.output.images),
        index_path=Path(snakemake.output.index),
        made_from=check_together(files, {"method": method}),
    )
