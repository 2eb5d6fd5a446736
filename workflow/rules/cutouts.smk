# This part of the workflow takes radio and infrared cut-outs around all targets, and those of a second radio
# survey where the settings name one.
#
# REQUIRED INPUTS: results/targets/{shard}.parquet; the surveys of `survey`.
# OUTPUTS: for images on disk results/images/{band}.parquet and per shard results/images/{band}/{shard}.parquet;
# per shard results/cutouts/{shard}/radio.arrow, infrared.arrow, ledger.parquet, and of a second radio survey
# second_radio.arrow, second_radio.ledger.parquet; results/catalogue/ledger.parquet.


rule cutouts:
    input:
        of_shards(RESULTS.ledger),
        of_second(RESULTS.second_ledger),
        RESULTS.catalogue_ledger,
        list(map(RESULTS.images, ON_DISK)),


rule index_images:
    input:
        targets=RESULTS.targets,
    output:
        # Headers of unchanged files are not read again.  Lists of shards whose images have not changed are not
        # outputs, so that the jobs that read them do not rerun.
        indexes=update(list(map(RESULTS.images, ON_DISK))),
        lists=update([path for role in IMAGES for path in IMAGES[role].stale]),
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
        survey={role: getattr(CONFIG.survey, role).as_dict() for role in ON_DISK},
        frame=vars(CONFIG.fusion.frame),
        files={role: IMAGES[role].files for role in IMAGES},  # changes with any file
        version=__version__,
    message:
        "Cut-outs: which images each shard needs"
    script:
        "../scripts/index_images.py"


rule cut_out:
    input:
        targets=RESULTS.shard_targets("{shard}"),
        images=[RESULTS.shard_images("{shard}", role) for role in ON_DISK if role != "second_radio"],
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


rule cut_out_second:
    input:
        targets=RESULTS.shard_targets("{shard}"),
        images=[RESULTS.shard_images("{shard}", role) for role in ON_DISK if role == "second_radio"],
    output:
        images=RESULTS.cutouts("{shard}", "second_radio"),
        ledger=RESULTS.second_ledger("{shard}"),
    log:
        LOGS / "cut_out_second" / "{shard}.log",
    benchmark:
        BENCHMARKS / "cut_out_second" / "{shard}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=get_second_runtime,
        archive_jobs=int(CONFIG.survey.second_radio.source == "archive"),
    params:
        pixels=get_second_pixels(),
        version=__version__,
    message:
        "Cut-outs: second radio survey, shard {wildcards.shard}"
    script:
        "../scripts/cut_out_second.py"


rule gather_ledger:
    input:
        ledgers=of_shards(RESULTS.ledger),
        second=of_second(RESULTS.second_ledger),
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
