# This part of the workflow turns the detections of one method into the catalogue.
#
# REQUIRED INPUTS: results/detections/{method}/*, results/fused/{method}/*.parquet, the ledger.
# OUTPUTS: results/catalogue/catalogue.parquet.


rule catalogue:
    input:
        RESULTS.catalogue,
        RESULTS.catalogue_ledger,


rule build_catalogue:
    input:
        detections=for_shards(RESULTS.detections, method=CONFIG.catalogue.method),
        index=for_shards(RESULTS.fused_index, method=CONFIG.catalogue.method),
        ledger=RESULTS.catalogue_ledger,
        weights=weights_of(CONFIG.catalogue.method),
    output:
        catalogue=RESULTS.catalogue,
    log:
        LOGS / "build_catalogue.log",
    benchmark:
        BENCHMARKS / "build_catalogue.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        catalogue=plain(CONFIG.catalogue),
        frame=plain(CONFIG.fusion.frame),
        max_failed_fraction=CONFIG.cutouts.max_failed_fraction,
        version=__version__,
    message:
        "Catalogue: from the detections of {params.catalogue[method]}"
    script:
        "../scripts/build_catalogue.py"
