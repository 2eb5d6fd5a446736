# This part of the workflow reads the positions to work on and cuts them into shards close on the sky.
#
# REQUIRED INPUTS: the target table of `targets.path`.
# OUTPUTS: results/targets.parquet, per shard results/targets/{shard}.parquet, and results/config.yaml with the merged settings.


rule targets:
    input:
        RESULTS.targets,
        RESULTS.config,


rule assign_shards:
    input:
        table=TARGET_TABLE,
    output:
        targets=update(RESULTS.targets),  # an earlier table keeps its shards when targets are added
        # Lists of unchanged shards are not outputs, so that the jobs that read them do not rerun.
        lists=[RESULTS.shard_targets(shard) for shard in SHARDS.stale],
    log:
        LOGS / "assign_shards.log",
    benchmark:
        BENCHMARKS / "assign_shards.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        shard_size=CONFIG.shard_size,
        scales=CONFIG.targets.scales,
        version=__version__,
    message:
        "Targets: cutting {input.table} into shards"
    script:
        "../scripts/assign_shards.py"


rule record_config:
    output:
        config=RESULTS.config,
    log:
        LOGS / "record_config.log",
    benchmark:
        BENCHMARKS / "record_config.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        config=CONFIG.as_dict(),
    message:
        "Settings of this run: {output.config}"
    script:
        "../scripts/record_config.py"
