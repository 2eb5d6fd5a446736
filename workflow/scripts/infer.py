"""Run the detector over one shard."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.inference.infer import run_inference
from claran_core.settings.fusion import ImageOptions
from claran_core.settings.inference import InferenceOptions
from claran_core.survey.surveys import Survey

with job(snakemake.log[0]):
    run_inference(
        Path(snakemake.input.weights),
        method=snakemake.wildcards.method,
        fusion=ImageOptions.model_validate(snakemake.params.fusion),
        options=InferenceOptions.model_validate(snakemake.params.inference),
        fused_path=Path(snakemake.input.images),
        index_path=Path(snakemake.input.index),
        components_path=Path(snakemake.input.components),
        detections_path=Path(snakemake.output.detections),
        candidates_path=Path(snakemake.output.candidates),
        survey=Survey.from_dict(snakemake.params.survey),
        threads=snakemake.threads,
    )
