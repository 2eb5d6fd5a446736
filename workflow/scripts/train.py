"""Train the detector of one fusion method."""

from pathlib import Path

from claran_core.config import FusionOptions, ModelOptions, TrainingOptions, build_options
from claran_core.dataset import FusedDataset, ShardFiles
from claran_core.log import job
from claran_core.paths import Results
from claran_core.train import train

with job(snakemake.log[0]):
    method = snakemake.wildcards.method
    files = (snakemake.input.images, snakemake.input.index, snakemake.input.components)
    shards = [ShardFiles(*map(Path, names)) for names in zip(*files, strict=True)]
    training = build_options(TrainingOptions, snakemake.params.training)
    train(
        FusedDataset(
            shards,
            targets=list(map(Path, snakemake.input.targets)),
            labels=Path(snakemake.input.labels),
            keep_apart_arcsec=training.keep_apart_arcsec,
        ),
        method=method,
        fusion=build_options(FusionOptions, snakemake.params.fusion),
        model=ModelOptions(
            architecture=snakemake.params.architecture,
            options=snakemake.params.options,
            pretrained=next(iter(snakemake.input.get("pretrained", [])), None),
        ),
        training=training,
        seed=snakemake.params.seed,
        weights_path=Path(snakemake.output.weights),
        losses_path=Path(snakemake.output.losses),
        checkpoint_path=Results(Path(snakemake.output.weights).parents[2]).checkpoint(method),
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
