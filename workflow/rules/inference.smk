# This part of the workflow runs the detector over the fused images.
#
# REQUIRED INPUTS: results/fused/{method}/{shard}.*; results/components/{shard}.parquet; weights, given or trained.
# OUTPUTS: results/detections/{method}/{shard}.parquet, results/candidates/{method}/{shard}.parquet.


rule inference:
    input:
        [for_shards(RESULTS.detections, method=method) for method in METHODS],


rule infer:
    input:
        images=RESULTS.fused("{method}", "{shard}"),
        index=RESULTS.fused_index("{method}", "{shard}"),
        components=RESULTS.components("{shard}"),
        weights=get_weights,
    output:
        detections=RESULTS.detections("{method}", "{shard}"),
        candidates=RESULTS.candidates("{method}", "{shard}"),
    log:
        LOGS / "infer" / "{method}" / "{shard}.log",
    benchmark:
        BENCHMARKS / "infer" / "{method}" / "{shard}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        fusion=FUSION,
        survey=CONFIG.survey.radio.survey.as_dict(),
        inference=CONFIG.inference.as_dict(),
        version=__version__,
    message:
        "Inference: {wildcards.method}, shard {wildcards.shard}"
    script:
        "../scripts/infer.py"
