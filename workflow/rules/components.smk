# This part of the workflow finds the components of all subjects by the contour rule, and measures the noise of
# their radio images.  Where the sky is simulated, the targets are a label table or the user gives labels, it
# labels the true sources, and says which source each component belongs to.
#
# REQUIRED INPUTS: results/targets/{shard}.parquet, results/cutouts/{shard}/radio.arrow.
# OUTPUTS: per shard results/components/{shard}.parquet and {shard}.noise.parquet, and where truth is known
# results/labels/{shard}.parquet and {shard}.owners.parquet; results/labels.parquet.


rule components:
    input:
        of_shards(RESULTS.components),
        [RESULTS.labels] if TRUTH else [],


rule find_components:
    input:
        targets=RESULTS.shard_targets("{shard}"),
        radio=RESULTS.cutouts("{shard}", "radio"),
    output:
        components=RESULTS.components("{shard}"),
        noise=RESULTS.noise("{shard}"),
    log:
        LOGS / "find_components" / "{shard}.log",
    benchmark:
        BENCHMARKS / "find_components" / "{shard}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        pixels=get_sampled_pixels(),
        version=__version__,
    message:
        "Components: shard {wildcards.shard}"
    script:
        "../scripts/find_components.py"


rule label_shard:
    input:
        targets=RESULTS.shard_targets("{shard}"),
        radio=RESULTS.cutouts("{shard}", "radio"),
        components=RESULTS.components("{shard}"),
        noise=RESULTS.noise("{shard}"),
        table={"label table": [TARGET_TABLE], "own labels": [OWN_LABELS]}.get(TRUTH, []),
    output:
        labels=RESULTS.shard_labels("{shard}"),
        owners=RESULTS.owners("{shard}"),
    log:
        LOGS / "label_shard" / "{shard}.log",
    benchmark:
        BENCHMARKS / "label_shard" / "{shard}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        pixels=get_sampled_pixels(),
        truth=TRUTH,
        classes=list(CONFIG.model.classes),
        images=LABEL_IMAGES and str(LABEL_IMAGES),
        version=__version__,
    message:
        "Truth: shard {wildcards.shard}"
    script:
        "../scripts/label_shard.py"


rule gather_labels:
    input:
        labels=of_shards(RESULTS.shard_labels),
        own=[OWN_LABELS] if OWN_LABELS else [],
    output:
        labels=RESULTS.labels,
    log:
        LOGS / "gather_labels.log",
    benchmark:
        BENCHMARKS / "gather_labels.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        images=LABEL_IMAGES and str(LABEL_IMAGES),
        version=__version__,
    message:
        "Truth: all shards"
    script:
        "../scripts/gather_labels.py"
