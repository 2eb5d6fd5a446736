"""Compare the catalogue with the truth of the simulated sky."""

from pathlib import Path

from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.common.files import read_table, write_json, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import job, logger
from claran_core.common.tables import TARGETS
from claran_core.cutouts.providers import open_provider
from claran_core.evaluation.catalogue_figures import plot_catalogue_shares
from claran_core.evaluation.catalogue_sample import choose_catalogue_sample
from claran_core.evaluation.catalogue_scores import BINS, binned_shares, catalogue_metrics, catalogue_summary
from claran_core.evaluation.catalogue_truth import ROW_STATUSES, TRUE_OUTCOMES, compare_with_truth
from claran_core.evaluation.sky_truth import SKY_TRUTH, sky_truth_over
from claran_core.settings.survey import SurveysOptions

with job(snakemake.log[0]):
    frame = Frame(**snakemake.params.frame)
    survey = SurveysOptions.model_validate(snakemake.params.survey)
    sky = open_provider(survey.radio, seed=snakemake.params.seed, simulated=survey.simulated)
    sample = choose_catalogue_sample(
        read_table(Path(snakemake.input.targets), TARGETS.names),
        read_table(Path(snakemake.input.catalogue), CATALOGUE.names),
        read_table(Path(snakemake.input.outcomes), OUTCOMES.names),
        frame,
    )
    truth = sky_truth_over(sky, sample.subjects, frame)
    comparison = compare_with_truth(
        sample.catalogue,
        truth,
        sample.outcomes,
        frame=frame,
        min_probability=snakemake.params.min_probability,
    )
    bins = binned_shares(comparison, sample.catalogue)
    metrics = catalogue_metrics(comparison, sample.catalogue, truth, sample.subjects, frame)
    write_table(Path(snakemake.output.truth), truth, SKY_TRUTH)
    write_table(Path(snakemake.output.sources), comparison.sources, TRUE_OUTCOMES)
    write_table(Path(snakemake.output.rows), comparison.rows, ROW_STATUSES)
    write_table(Path(snakemake.output.bins), bins, BINS)
    plot_catalogue_shares(Path(snakemake.output.figure), bins)
    metrics = {"sample": sample.name, **metrics}
    write_json(Path(snakemake.output.metrics), metrics)
    logger.info("%s", catalogue_summary(metrics))
