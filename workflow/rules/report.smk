# This part of the workflow writes the report: a page and its gallery.
#
# REQUIRED INPUTS: the catalogue, the ledger, the settings; cut-outs with their noise, and fused images; truth and metrics where
# there are any.
# OUTPUTS: results/report.html, and its gallery in results/report/.

SHOWN_OF_TRUTH = ["metrics.json", "completeness.png", "calibration.png"]
SHOWN_OF_COMPARISON = ["metrics.json", "comparison.png"]


rule report:
    input:
        RESULTS.report,


rule write_report:
    input:
        config=RESULTS.config,
        targets=RESULTS.targets,
        ledger=RESULTS.catalogue_ledger,
        catalogue=RESULTS.catalogue,
        outcomes=RESULTS.outcomes,
        images=of_shards(RESULTS.fused, method=CONFIG.catalogue.method),
        index=of_shards(RESULTS.fused_index, method=CONFIG.catalogue.method),
        radio=of_shards(RESULTS.cutouts, band="radio"),
        noise=of_shards(RESULTS.noise),
        infrared=of_shards(RESULTS.cutouts, band="infrared"),
        labels=[RESULTS.labels] if TRUTH else [],
        metrics=expand(RESULTS.metrics("{method}"), method=METHODS if TRUTH else []),
        figures=expand(RESULTS.evaluation_figures("{method}").values(), method=METHODS if TRUTH else []),
        losses=expand(RESULTS.loss_curves("{method}"), method=TRAINED_HERE),
        against_truth=map(RESULTS.catalogue_evaluation, SHOWN_OF_TRUTH if CATALOGUE_EVALUATION else []),
        comparison=map(RESULTS.comparison, SHOWN_OF_COMPARISON if CATALOGUE_COMPARISON else []),
    output:
        report=RESULTS.report,
        gallery=directory(RESULTS.report_files),
    log:
        LOGS / "write_report.log",
    benchmark:
        BENCHMARKS / "write_report.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        report=CONFIG.report.as_dict(),
        evaluated=list(METHODS if TRUTH else []),
        trained=list(TRAINED_HERE),
        against_truth=bool(CATALOGUE_EVALUATION),
        compared=bool(CATALOGUE_COMPARISON),
        seed=CONFIG.seed,
        version=__version__,
    message:
        "Report: {output.report}"
    script:
        "../scripts/write_report.py"
