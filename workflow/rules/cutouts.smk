# This part of the workflow takes radio and infrared cut-outs around all targets.
#
# REQUIRED INPUTS: results/targets/{shard}.parquet; the surveys of `survey`.
# OUTPUTS: results/images/{band}.parquet for images on disk; per shard results/cutouts/{shard}/radio.arrow,
# infrared.arrow, ledger.parquet; results/catalogue/ledger.parquet.


rule cutouts:
    input:
        for_shards(RESULTS.ledger),
        RESULTS.catalogue_ledger,


rule index_images:
    input:
        targets=RESULTS.targets,
    output:
        index=update(RESULTS.images("{band}")),  # headers of unchanged files are not read again
    log:
        LOGS / "index_images" / "{band}.log",
    benchmark:
        BENCHMARKS / "index_images" / "{band}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 8
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        survey=get_band_survey,
        frame=vars(CONFIG.fusion.frame),
        files=get_files_digest,  # changes when files are added, removed or changed
        version=__version__,
    message:
        "Cut-outs: index of the {wildcards.band} images"
    script:
        "../scripts/index_images.py"


rule cut_out:
    input:
        targets=RESULTS.shard_targets("{shard}"),
        # A new index alone does not repeat cut-outs; `-R cut_out` does.
        images=[ancient(RESULTS.images(band)) for band in DIRECTORY_BANDS],
    output:
        radio=RESULTS.cutouts("{shard}", "radio"),
        infrared=RESULTS.cutouts("{shard}", "infrared"),
        ledger=RESULTS.ledger("{shard}"),
    log:
        LOGS / "cut_out" / "{shard}.log",
    benchmark:
        BENCHMARKS / "cut_out" / "{shard}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=get_cutout_runtime,
        archive_jobs=get_archive_jobs,
    params:
        pixels=get_sampled_pixels(),
        version=__version__,
    message:
        "Cut-outs: shard {wildcards.shard}"
    script:
        "../scripts/cut_out.py"


rule gather_ledger:
    input:
        ledgers=for_shards(RESULTS.ledger),
    output:
        ledger=RESULTS.catalogue_ledger,
    log:
        LOGS / "gather_ledger.log",
    benchmark:
        BENCHMARKS / "gather_ledger.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=__version__,
    message:
        "Cut-outs: ledger of all shards"
    script:
        "../scripts/gather_ledger.py"
