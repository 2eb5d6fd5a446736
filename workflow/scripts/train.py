"""Train the detector of one fusion method."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.common.paths import Results
from claran_core.training.torchrun import launch, placement_of
from claran_core.training.torchrun_job import TrainingJob

with job(snakemake.log[0]):
    method = snakemake.wildcards.method
    results = Results(Path(snakemake.output.weights).parents[2])
    placement = placement_of(snakemake.resources, snakemake.threads)
    launch(
        TrainingJob(
            method=method,
            targets=list(snakemake.input.targets),
            images=list(snakemake.input.images),
            index=list(snakemake.input.index),
            components=list(snakemake.input.components),
            labels=snakemake.input.labels,
            pretrained=next(iter(snakemake.input.get("pretrained", [])), None),
            fusion=snakemake.params.fusion,
            architecture=snakemake.params.architecture,
            options=snakemake.params.options,
            training=snakemake.params.training,
            seed=snakemake.params.seed,
            survey=snakemake.params.survey,
            device=snakemake.params.device,
            threads=placement.threads,
            weights=snakemake.output.weights,
            losses=snakemake.output.losses,
            checkpoint=str(results.checkpoint(method)),
        ),
        placement,
        results.training_job(method),
    )
