"""Fuse the images of one shard by one method."""

from pathlib import Path

from claran_core.common.files import check_made_from, digest_of, read_table
from claran_core.common.log import job
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
    targets, ledger, components, noise = (
        Path(snakemake.input[name]) for name in ("targets", "ledger", "components", "noise")
    )
    of_shard = {"targets": digest_of(targets)}
    radio.check_made_from(of_shard)
    # The stage components compares the settings of the radio cut-outs with those of the run.
    infrared.check_made_from(radio.made_from)
    check_made_from(ledger, radio.made_from, redo="cutouts")
    for path in (components, noise):
        check_made_from(path, of_shard | {"radio": radio.digest}, redo="components")
    fuse_shard(
        read_table(targets, TARGETS.names),
        snakemake.wildcards.method,
        radio,
        infrared,
        read_noise(noise),
        frame=fusion.frame,
        drawing=fusion.drawing,
        ledger_path=ledger,
        images_path=Path(snakemake.output.images),
        index_path=Path(snakemake.output.index),
        made_from={
            "components": digest_of(components),
            "radio": radio.digest,
            "infrared": infrared.digest,
        },
    )
