"""CLARAN: from positions on the sky to a catalogue of radio sources with their morphology.

    snakemake --cores 2                                   # demonstration on the simulated sky
    snakemake --cores 4 --configfile my.yaml --directory my_run
    snakemake --cores 4 fusion                            # up to a stage; stages are target names

Stages: targets, cutouts, components, fusion, training, inference, catalogue, evaluation, report.
"""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.8")


configfile: Path(workflow.basedir) / "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/targets.smk"
include: "workflow/rules/cutouts.smk"
include: "workflow/rules/components.smk"
include: "workflow/rules/fusion.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/inference.smk"
include: "workflow/rules/catalogue.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        RESULTS.catalogue,
        RESULTS.catalogue_ledger,
        RESULTS.matched_targets,
        RESULTS.report,
        list(map(RESULTS.images, ON_DISK)),


onstart:
    sweep(RESULTS.root)
    mark_forced_jobs()
    print_unfit_weights()


onsuccess:
    sweep(RESULTS.root)
    print_summary()


onerror:
    sweep(RESULTS.root)
