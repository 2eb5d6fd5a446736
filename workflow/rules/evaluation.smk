# This part of the workflow compares detections and catalogue with the truth, where there is any, the catalogue
# with one of the user's, where one is given, and draws the training losses.
#
# REQUIRED INPUTS: results/detections/{method}/*, results/labels.parquet; results/model/{method}/losses.parquet;
# the catalogue, the outcomes of all components, results/components/*, results/labels/*.owners.parquet.
# OUTPUTS: results/evaluation/{method}/metrics.json, sources.parquet, thresholds.parquet, *.png;
# results/evaluation/catalogue/*, results/evaluation/comparison/*.


rule evaluation:
    input:
        expand(RESULTS.metrics("{method}"), method=METHODS if TRUTH else []),
        expand(RESULTS.loss_curves("{method}"), method=TRAINED_HERE),
        CATALOGUE_EVALUATION,
        CATALOGUE_COMPARISON,


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
        evaluation=CONFIG.evaluation.as_dict(exclude={"compare_with"}),
        min_probability=CONFIG.catalogue.min_probability,
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


rule evaluate_catalogue:
    input:
        catalogue=RESULTS.catalogue,
        outcomes=RESULTS.outcomes,
        components=of_shards(RESULTS.components),
        owners=of_shards(RESULTS.owners),
        targets=RESULTS.targets,
    output:
        metrics=RESULTS.catalogue_evaluation("metrics.json"),
        truth=RESULTS.catalogue_evaluation("truth.parquet"),
        sources=RESULTS.catalogue_evaluation("sources.parquet"),
        rows=RESULTS.catalogue_evaluation("rows.parquet"),
        bins=RESULTS.catalogue_evaluation("bins.parquet"),
        figure=RESULTS.catalogue_evaluation("completeness.png"),
        calibration=RESULTS.catalogue_evaluation("calibration.png"),
    log:
        LOGS / "evaluate_catalogue.log",
    benchmark:
        BENCHMARKS / "evaluate_catalogue.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        survey=CONFIG.survey.as_dict(),
        frame=vars(CONFIG.fusion.frame),
        bootstrap=CONFIG.evaluation.bootstrap,
        seed=CONFIG.seed,
        version=__version__,
    message:
        "Evaluation: the catalogue against the simulated sky"
    script:
        "../scripts/evaluate_catalogue.py"


rule compare_catalogue:
    input:
        catalogue=RESULTS.catalogue,
        ledger=RESULTS.catalogue_ledger,
        targets=RESULTS.targets,
        other=OTHER_CATALOGUE,
    output:
        metrics=RESULTS.comparison("metrics.json"),
        matches=RESULTS.comparison("matches.parquet"),
        figure=RESULTS.comparison("comparison.png"),
    log:
        LOGS / "compare_catalogue.log",
    benchmark:
        BENCHMARKS / "compare_catalogue.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        comparison=CONFIG.evaluation.compare_with.as_dict(),
        frame=vars(CONFIG.fusion.frame),
        version=__version__,
    message:
        "Evaluation: the catalogue beside {input.other}"
    script:
        "../scripts/compare_catalogue.py"
