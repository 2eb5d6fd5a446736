# This part of the workflow writes the page people open.
#
# REQUIRED INPUTS: the catalogue, the ledger, the settings; fused images; truth and metrics where there
# are any.
# OUTPUTS: results/report.html.


rule report:
    input:
        RESULTS.report,


rule write_report:
    input:
        config=RESULTS.config,
        targets=RESULTS.targets,
        ledger=RESULTS.catalogue_ledger,
        catalogue=RESULTS.catalogue,
        images=for_shards(RESULTS.fused, method=CONFIG.catalogue.method),
        index=for_shards(RESULTS.fused_index, method=CONFIG.catalogue.method),
        labels=[RESULTS.labels] if TRUTH else [],
        metrics=expand(RESULTS.metrics("{method}"), method=METHODS if TRUTH else []),
        figures=expand(RESULTS.evaluation_figures("{method}").values(), method=METHODS if TRUTH else []),
        losses=expand(RESULTS.loss_curves("{method}"), method=TRAINED_HERE),
    output:
        report=RESULTS.report,
    log:
        LOGS / "write_report.log",
    benchmark:
        BENCHMARKS / "write_report.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        report=plain(CONFIG.report),
        evaluated=list(METHODS if TRUTH else []),
        trained=list(TRAINED_HERE),
        seed=CONFIG.seed,
        version=__version__,
    message:
        "Report: {output.report}"
    script:
        "../scripts/write_report.py"
