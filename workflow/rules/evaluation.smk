# This part of the workflow compares detections with the truth, where there is any, and draws the
# training losses.
#
# REQUIRED INPUTS: results/detections/{method}/*, results/labels.parquet; results/model/{method}/losses.parquet.
# OUTPUTS: results/evaluation/{method}/metrics.json, sources.parquet, thresholds.parquet, *.png.


rule evaluation:
    input:
        expand(RESULTS.metrics("{method}"), method=METHODS if TRUTH else []),
        expand(RESULTS.loss_curves("{method}"), method=TRAINED_HERE),


rule evaluate:
    input:
        detections=get_detections,
        index=get_fused_index,
        labels=RESULTS.labels,
        targets=RESULTS.targets,
    output:
        metrics=RESULTS.metrics("{method}"),
        sources=RESULTS.true_sources("{method}"),
        thresholds=RESULTS.thresholds("{method}"),
        figures=list(RESULTS.evaluation_figures("{method}").values()),
    log:
        LOGS / "evaluate" / "{method}.log",
    benchmark:
        BENCHMARKS / "evaluate" / "{method}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        evaluation=plain(CONFIG.evaluation),
        seed=CONFIG.seed,
        version=__version__,
    message:
        "Evaluation: {wildcards.method}"
    script:
        "../scripts/evaluate.py"


rule plot_losses:
    input:
        losses=RESULTS.losses("{method}"),
    output:
        figure=RESULTS.loss_curves("{method}"),
    log:
        LOGS / "plot_losses" / "{method}.log",
    benchmark:
        BENCHMARKS / "plot_losses" / "{method}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        version=__version__,
    message:
        "Evaluation: training losses of {wildcards.method}"
    script:
        "../scripts/plot_losses.py"
