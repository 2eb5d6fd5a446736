# This part of the workflow turns the scored groups of components of one method into the catalogue: it decides
# on the sky which components are one source, measures the sources shard by shard, and names them.
#
# REQUIRED INPUTS: results/candidates/{method}/*, results/fused/{method}/*.parquet, results/components/*,
# results/cutouts/*, the ledger.
# OUTPUTS: results/catalogue/catalogue.parquet, what became of every component in outcomes.parquet, the
# contours of every source in contours.parquet, what was found near every target in targets.parquet, and on the way results/catalogue/atoms.parquet, associated/{shard}.parquet and sources/{shard}.parquet.


rule catalogue:
    input:
        RESULTS.catalogue,
        RESULTS.catalogue_ledger,
        RESULTS.matched_targets,


rule associate:
    input:
        targets=of_shards(RESULTS.shard_targets),
        components=of_shards(RESULTS.components),
        candidates=of_shards(RESULTS.candidates, method=CONFIG.catalogue.method),
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
        survey=CONFIG.survey.radio.survey.as_dict(),
        version=__version__,
    message:
        "Catalogue: which components on the sky are one source"
    script:
        "../scripts/associate.py"


rule measure_sources:
    input:
        associated=RESULTS.associated("{shard}"),
        index=RESULTS.fused_index(CONFIG.catalogue.method, "{shard}"),
        components=RESULTS.components("{shard}"),
        noise=RESULTS.noise("{shard}"),
        radio=RESULTS.cutouts("{shard}", "radio"),
        infrared=RESULTS.cutouts("{shard}", "infrared"),
        second=[RESULTS.cutouts("{shard}", "second_radio")] if HAS_SECOND else [],
    output:
        sources=RESULTS.shard_sources("{shard}"),
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
        min_probability=CONFIG.catalogue.min_probability,
        frame=vars(CONFIG.fusion.frame),
        survey=CONFIG.survey.radio.survey.as_dict(),
        infrared_survey=CONFIG.survey.infrared.survey.as_dict(),
        second_survey=CONFIG.survey.second_radio.survey.as_dict() if HAS_SECOND else None,
        version=__version__,
    message:
        "Catalogue: measure the sources of shard {wildcards.shard}"
    script:
        "../scripts/measure_sources.py"


rule build_catalogue:
    input:
        index=of_shards(RESULTS.fused_index, method=CONFIG.catalogue.method),
        associated=of_shards(RESULTS.associated),
        sources=of_shards(RESULTS.shard_sources),
        atoms=RESULTS.atoms,
        run_targets=RESULTS.targets,
        run_ledger=RESULTS.catalogue_ledger,
        # Compared only: do these files belong together?
        radio_images=images_of_shards("radio"),
        infrared_images=images_of_shards("infrared"),
        second_radio_images=images_of_shards("second_radio"),
        targets=of_shards(RESULTS.shard_targets),
        ledger=of_shards(RESULTS.ledger),
        second_ledger=of_second(RESULTS.second_ledger),
        radio=of_shards(RESULTS.cutouts, band="radio"),
        infrared=of_shards(RESULTS.cutouts, band="infrared"),
        second_radio=of_second(RESULTS.cutouts, band="second_radio"),
        components=of_shards(RESULTS.components),
        noise=of_shards(RESULTS.noise),
        candidates=of_shards(RESULTS.candidates, method=CONFIG.catalogue.method),
        weights=weights_of(CONFIG.catalogue.method),
    output:
        catalogue=RESULTS.catalogue,
        outcomes=RESULTS.outcomes,
        contours=RESULTS.contours,
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
        why_weights=why_weights_of(CONFIG.catalogue.method),
        max_failed_fraction=CONFIG.cutouts.max_failed_fraction,
        origin=[CONFIG.catalogue.creator, CONFIG.catalogue.rights, CONFIG.catalogue.citation],
        version=__version__,
    message:
        "Catalogue: from the sources found with {params.method}"
    script:
        "../scripts/build_catalogue.py"


rule match_targets:
    input:
        table=TARGET_TABLE,
        targets=RESULTS.targets,
        catalogue=RESULTS.catalogue,
        ledger=RESULTS.catalogue_ledger,
    output:
        matched=RESULTS.matched_targets,
    log:
        LOGS / "match_targets.log",
    benchmark:
        BENCHMARKS / "match_targets.tsv"
    conda:
        CONDA_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        scales=CONFIG.targets.scales,
        images=LABEL_IMAGES,
        frame=vars(CONFIG.fusion.frame),
        radius_arcsec=CONFIG.catalogue.match_radius_arcsec,
        version=__version__,
    message:
        "Catalogue: what was found near the targets"
    script:
        "../scripts/match_targets.py"
