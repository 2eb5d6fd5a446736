# This part of the workflow draws radio and infrared cut-outs into one RGB image per subject.
#
# REQUIRED INPUTS: results/targets/{shard}.parquet, results/cutouts/{shard}/*, results/components/{shard}.*.
# OUTPUTS: results/fused/{method}/{shard}.npy and .parquet.


rule fusion:
    input:
        [for_shards(RESULTS.fused, method=method) for method in METHODS],


rule fuse:
    input:
        targets=RESULTS.shard_targets("{shard}"),
        radio=RESULTS.cutouts("{shard}", "radio"),
        infrared=RESULTS.cutouts("{shard}", "infrared"),
        ledger=RESULTS.ledger("{shard}"),
        components=RESULTS.components("{shard}"),
        noise=RESULTS.noise("{shard}"),
    output:
        images=RESULTS.fused("{method}", "{shard}"),
        index=RESULTS.fused_index("{method}", "{shard}"),
    log:
        LOGS / "fuse" / "{method}" / "{shard}.log",
    benchmark:
        BENCHMARKS / "fuse" / "{method}" / "{shard}.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        fusion=FUSION,
        version=__version__,
    message:
        "Fusion: {wildcards.method}, shard {wildcards.shard}"
    script:
        "../scripts/fuse.py"
