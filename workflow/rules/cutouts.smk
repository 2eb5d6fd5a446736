# This part of the workflow takes radio and infrared cut-outs around all targets.
#
# REQUIRED INPUTS: results/targets/{shard}.parquet; the surveys of `survey`.
# OUTPUTS: for images on disk results/images/{band}.parquet and per shard results/images/{band}/{shard}.parquet;
# per shard results/cutouts/{shard}/radio.arrow, infrared.arrow, ledger.parquet; results/catalogue/ledger.parquet.


rule cutouts:
    input:
        of_shards(RESULTS.ledger),
        RESULTS.catalogue_ledger,
        list(map(RESULTS.images, DIRECTORY_BANDS)),


rule index_images:
    input:
        targets=RESULTS.targets,
    output:
        # Headers of unchanged files are not read again.  Lists of shards whose images have not changed are not
        # outputs, so that the jobs that read them do not rerun.
        indexes=update(list(map(RESULTS.images, DIRECTORY_BANDS))),
        lists=update([path for band in IMAGES for path in IMAGES[band].stale]),
    log:
        LOGS / "index_images.log",
    benchmark:
        BENCHMARKS / "index_images.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 8
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        survey={band: getattr(CONFIG.survey, band).as_dict() for band in DIRECTORY_BANDS},
        frame=vars(CONFIG.fusion.frame),
        files={band: IMAGES[band].files for band in IMAGES},  # changes with any file
        version=__version__,
    message:
        "Cut-outs: which images each shard needs"
    script:
        "../scripts/index_images.py"


rule cut_out:
    input:
        targets=RESULTS.shard_targets("{shard}"),
        images=[RESULTS.shard_images("{shard}", band) for band in DIRECTORY_BANDS],
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
        ledgers=of_shards(RESULTS.ledger),
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
