"""Train the detector of one fusion method."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.common.paths import Results
from claran_core.training.torchrun import launch_config, launch_training
from claran_core.training.torchrun_job import TrainingJob

with job(snakemake.log[0]):
    method = snakemake.wildcards.method
    results = Results(Path(snakemake.output.weights).parents[2])
    config = launch_config(snakemake.resources, snakemake.threads)
    launch_training(
        TrainingJob(
            method=method,
            targets=list(snakemake.input.targets),
            images=list(snakemake.input.images),
            index=list(snakemake.input.index),
            components=list(snakemake.input.components),
            owners=list(snakemake.input.owners),
            labels=snakemake.input.labels,
            pretrained=next(iter(snakemake.input.get("pretrained", [])), None),
            start=next(iter(snakemake.input.get("start", [])), None),
            fusion=snakemake.params.fusion,
            architecture=snakemake.params.architecture,
            classes=list(snakemake.params.classes),
            options=snakemake.params.options,
            training=snakemake.params.training,
            seed=snakemake.params.seed,
            survey=snakemake.params.survey,
            device=snakemake.params.device,
            threads=config.threads,
            weights=snakemake.output.weights,
            losses=snakemake.output.losses,
            checkpoint=str(results.checkpoint(method)),
        ),
        config,
        results.training_job(method),
    )
