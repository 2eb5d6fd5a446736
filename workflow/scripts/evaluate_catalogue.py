"""Compare the catalogue with the truth of the simulated sky."""

from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.common.files import read_table, write_json, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import job, logger
from claran_core.common.origins import check_run, origins_of
from claran_core.common.tables import TARGETS
from claran_core.cutouts.providers import open_provider
from claran_core.evaluation.accounting import COMPONENT_COLUMNS, unaccounted
from claran_core.evaluation.calibration import catalogue_calibration
from claran_core.evaluation.catalogue_figures import plot_catalogue_shares
from claran_core.evaluation.catalogue_sample import choose_catalogue_sample
from claran_core.evaluation.catalogue_scores import BINS, binned_shares, catalogue_metrics, catalogue_summary
from claran_core.evaluation.catalogue_truth import ROW_STATUSES, TRUE_OUTCOMES, compare_with_truth
from claran_core.evaluation.component_links import LINK_BEAMS, OWNER_COLUMNS
from claran_core.evaluation.metrics import json_ready
from claran_core.evaluation.probability_figures import plot_reliability
from claran_core.evaluation.sky_truth import SKY_TRUTH, sky_truth_over
from claran_core.settings.survey import SurveysOptions

with job(snakemake.log[0]):
    names = ("catalogue", "outcomes")
    check_run(
        origins_of(run_targets=Path(snakemake.input.targets), **{n: Path(snakemake.input[n]) for n in names}),
        [
            origins_of(components=Path(components), owners=Path(owners))
            for components, owners in zip(snakemake.input.components, snakemake.input.owners, strict=True)
        ],
    )
    frame = Frame(**snakemake.params.frame)
    survey = SurveysOptions.model_validate(snakemake.params.survey)
    sky = open_provider(survey.radio, seed=snakemake.params.seed, simulated=survey.simulated)
    outcomes = read_table(Path(snakemake.input.outcomes), OUTCOMES.names)
    components = pd.concat(
        [read_table(Path(path), COMPONENT_COLUMNS) for path in snakemake.input.components], ignore_index=True
    )
    sample = choose_catalogue_sample(
        read_table(Path(snakemake.input.targets), TARGETS.names),
        read_table(Path(snakemake.input.catalogue), CATALOGUE.names),
        outcomes,
        frame,
    )
    truth = sky_truth_over(sky, sample.subjects, frame)
    owners = pd.concat([read_table(Path(path), OWNER_COLUMNS) for path in snakemake.input.owners])
    link_arcsec = LINK_BEAMS * survey.radio.survey.beam_arcsec
    comparison = compare_with_truth(sample.catalogue, truth, sample.outcomes, owners, link_arcsec=link_arcsec)
    bins = binned_shares(comparison, sample.catalogue)
    measured = catalogue_calibration(
        sample.catalogue,
        comparison.rows["status"].to_numpy(object),
        snakemake.params.bootstrap,
        np.random.default_rng(snakemake.params.seed),
    )
    write_table(Path(snakemake.output.truth), truth, SKY_TRUTH)
    write_table(Path(snakemake.output.sources), comparison.sources, TRUE_OUTCOMES)
    write_table(Path(snakemake.output.rows), comparison.rows, ROW_STATUSES)
    write_table(Path(snakemake.output.bins), bins, BINS)
    plot_catalogue_shares(Path(snakemake.output.figure), bins)
    plot_reliability(Path(snakemake.output.calibration), measured, of="catalogue", counted="rows")
    metrics = {
        "sample": sample.name,
        **catalogue_metrics(comparison, sample.catalogue, truth, sample.outcomes, sample.subjects, frame),
        "calibration": measured,
        "unaccounted": unaccounted(components, outcomes, link_arcsec),
    }
    write_json(Path(snakemake.output.metrics), json_ready(metrics))
    logger.info("%s", catalogue_summary(metrics))
