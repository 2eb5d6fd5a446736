"""Write the user's targets with what was found near each."""

from pathlib import Path

from claran_core.catalogue.match_targets import match_targets
from claran_core.common.frame import Frame
from claran_core.common.log import job

with job(snakemake.log[0]):
    images = snakemake.params.images
    match_targets(
        Path(snakemake.output.matched),
        Path(snakemake.input.table),
        targets_path=Path(snakemake.input.targets),
        catalogue_path=Path(snakemake.input.catalogue),
        ledger_path=Path(snakemake.input.ledger),
        scales=tuple(snakemake.params.scales),
        frame=Frame(**snakemake.params.frame),
        radius_arcsec=snakemake.params.radius_arcsec,
        images=Path(images) if images else None,
    )
