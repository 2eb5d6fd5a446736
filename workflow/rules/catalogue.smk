# This part of the workflow turns the detections of one method into the catalogue: it filters and measures
# them shard by shard, then merges them on the sky.
#
# REQUIRED INPUTS: results/detections/{method}/*, results/fused/{method}/*.parquet, results/components/*,
# results/cutouts/*, the ledger.
# OUTPUTS: results/catalogue/catalogue.parquet, what became of every detection in detections.parquet, and on
# the way results/catalogue/sources/{shard}.parquet and rejected/{shard}.parquet.


rule catalogue:
    input:
        RESULTS.catalogue,
        RESULTS.catalogue_ledger,


rule associate:
    input:
        targets=for_shards(RESULTS.shard_targets),
        components=for_shards(RESULTS.components),
        candidates=for_shards(RESULTS.candidates, method=CONFIG.catalogue.method),
        weights=weights_of(CONFIG.catalogue.method),
    output:
        associated=for_shards(RESULTS.associated),
        atoms=RESULTS.atoms,
    log:
        LOGS / "associate.log",
    benchmark:
        BENCHMARKS / "associate.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 2
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        frame=vars(CONFIG.fusion.frame),
        survey=CONFIG.survey.radio.name,
        version=__version__,
    message:
        "Catalogue: which components on the sky are one source"
    script:
        "../scripts/associate.py"


rule measure_sources:
    input:
        detections=RESULTS.detections(CONFIG.catalogue.method, "{shard}"),
        index=RESULTS.fused_index(CONFIG.catalogue.method, "{shard}"),
        components=RESULTS.components("{shard}"),
        noise=RESULTS.noise("{shard}"),
        radio=RESULTS.cutouts("{shard}", "radio"),
        infrared=RESULTS.cutouts("{shard}", "infrared"),
    output:
        sources=RESULTS.shard_sources("{shard}"),
        rejected=RESULTS.rejected("{shard}"),
    log:
        LOGS / "measure_sources" / "{shard}.log",
    benchmark:
        BENCHMARKS / "measure_sources" / "{shard}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        catalogue=CONFIG.catalogue.as_dict(),
        frame=vars(CONFIG.fusion.frame),
        survey=CONFIG.survey.radio.name,
        infrared_survey=CONFIG.survey.infrared.name,
        version=__version__,
    message:
        "Catalogue: sources of shard {wildcards.shard}"
    script:
        "../scripts/measure_sources.py"


rule build_catalogue:
    input:
        index=for_shards(RESULTS.fused_index, method=CONFIG.catalogue.method),
        sources=for_shards(RESULTS.shard_sources),
        rejected=for_shards(RESULTS.rejected),
        ledger=RESULTS.catalogue_ledger,
        weights=weights_of(CONFIG.catalogue.method),
    output:
        catalogue=RESULTS.catalogue,
        outcomes=RESULTS.outcomes,
    log:
        LOGS / "build_catalogue.log",
    benchmark:
        BENCHMARKS / "build_catalogue.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 2
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        method=CONFIG.catalogue.method,
        frame=vars(CONFIG.fusion.frame),
        survey=CONFIG.survey.radio.name,
        max_failed_fraction=CONFIG.cutouts.max_failed_fraction,
        version=__version__,
    message:
        "Catalogue: from the detections of {params.method}"
    script:
        "../scripts/build_catalogue.py"
