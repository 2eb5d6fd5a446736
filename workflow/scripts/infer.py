"""Run the detector over one shard."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.inference.infer import run_inference
from claran_core.settings.config import FusionOptions, InferenceOptions, build_options

with job(snakemake.log[0]):
    run_inference(
        Path(snakemake.input.weights),
        method=snakemake.wildcards.method,
        fusion=build_options(FusionOptions, snakemake.params.fusion),
        options=build_options(InferenceOptions, snakemake.params.inference),
        fused_path=Path(snakemake.input.images),
        index_path=Path(snakemake.input.index),
        components_path=Path(snakemake.input.components),
        output_path=Path(snakemake.output.detections),
        survey=snakemake.params.survey,
        threads=snakemake.threads,
    )
