"""Decide which components on the sky are one source, for all shards."""

from pathlib import Path

from claran_core.catalogue.associate.associate import associate
from claran_core.catalogue.associate.views import ShardFiles
from claran_core.common.calibration import Calibration
from claran_core.common.frame import Frame
from claran_core.common.log import job
from claran_core.model.weights_header import read_info
from claran_core.survey.surveys import Survey

with job(snakemake.log[0]):
    files = zip(snakemake.input.targets, snakemake.input.components, snakemake.input.candidates, strict=True)
    associate(
        [ShardFiles(*map(Path, paths)) for paths in files],
        [Path(path) for path in snakemake.output.associated],
        Path(snakemake.output.atoms),
        frame=Frame(**snakemake.params.frame),
        beam_arcsec=Survey.from_dict(snakemake.params.survey).beam_arcsec,
        calibration=Calibration(read_info(Path(snakemake.input.weights)).calibration),
    )
