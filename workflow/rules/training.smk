# This part of the workflow trains the detector of each fusion method that was given no weights.
#
# REQUIRED INPUTS: results/targets/*, results/components/*, results/fused/{method}/*, results/labels/*,
# results/labels.parquet.
# OUTPUTS: results/model/{method}/weights.safetensors and losses.parquet.


rule training:
    input:
        expand(RESULTS.weights("{method}"), method=TRAINED_HERE),


rule train:
    input:
        targets=of_shards(RESULTS.shard_targets),
        images=get_fused,
        index=get_fused_index,
        components=of_shards(RESULTS.components),
        owners=of_shards(RESULTS.owners),
        labels=RESULTS.labels,
        pretrained=PRETRAINED,
        start=get_start,
    output:
        weights=RESULTS.weights("{method}"),
        losses=RESULTS.losses("{method}"),
    log:
        LOGS / "train" / "{method}.log",
    benchmark:
        BENCHMARKS / "train" / "{method}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 8
    resources:
        mem_mb=8000,
        runtime=720,
    params:
        fusion=FUSION,
        architecture=CONFIG.model.architecture,
        classes=list(CONFIG.model.classes),
        options=dict(CONFIG.model.options),
        training=CONFIG.training.as_dict(),
        seed=CONFIG.seed,
        survey=CONFIG.survey.radio.survey.as_dict(),
        device=CONFIG.inference.device,
        version=__version__,
    message:
        "Training: {wildcards.method}"
    script:
        "../scripts/train.py"
