"""Measure the associated sources of one shard."""

from pathlib import Path

from claran_core.catalogue.shard_sources import write_shard
from claran_core.common.frame import Frame
from claran_core.common.log import job
from claran_core.survey.surveys import Survey

with job(snakemake.log[0]):
    second = snakemake.params.second_survey
    write_shard(
        associated_path=Path(snakemake.input.associated),
        index_path=Path(snakemake.input.index),
        components_path=Path(snakemake.input.components),
        noise_path=Path(snakemake.input.noise),
        radio_path=Path(snakemake.input.radio),
        infrared_path=Path(snakemake.input.infrared),
        sources_path=Path(snakemake.output.sources),
        shard=snakemake.wildcards.shard,
        min_probability=snakemake.params.min_probability,
        frame=Frame(**snakemake.params.frame),
        survey=Survey.from_dict(snakemake.params.survey),
        infrared_survey=Survey.from_dict(snakemake.params.infrared_survey),
        second_path=Path(snakemake.input.second[0]) if second else None,
        second_survey=Survey.from_dict(second) if second else None,
    )
