"""Find the components of one shard by the contour rule."""

from pathlib import Path

from claran_core.common.files import read_table
from claran_core.common.frame import Frame
from claran_core.common.log import job
from claran_core.common.origins import check_together, origins_of
from claran_core.common.tables import TARGETS
from claran_core.components.shard import find_shard_components
from claran_core.cutouts.cutout_file import read_cutouts, settings_digest

with job(snakemake.log[0]), read_cutouts(Path(snakemake.input.radio)) as radio:
    targets = Path(snakemake.input.targets)
    settings = {"settings": settings_digest(snakemake.params.pixels)}
    made_from = check_together(origins_of(targets=targets) | {"radio": radio.origin}, settings)
    find_shard_components(
        read_table(targets, TARGETS.names),
        radio,
        Frame(**snakemake.params.pixels["frame"]),
        components_path=Path(snakemake.output.components),
        noise_path=Path(snakemake.output.noise),
        made_from=made_from,
    )
