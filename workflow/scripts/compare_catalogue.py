"""Compare the catalogue with one that the user supplies."""

from pathlib import Path

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.files import read_metadata, read_table, write_json, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import job, logger
from claran_core.common.morphology import classes_of
from claran_core.common.origins import check_run, origins_of
from claran_core.common.tables import LEDGER, TARGETS, for_classes
from claran_core.evaluation.comparison import MATCHES, compare_catalogues
from claran_core.evaluation.comparison_figures import plot_comparison
from claran_core.evaluation.other_catalogue import read_other_catalogue
from claran_core.settings.evaluation import ComparisonOptions

with job(snakemake.log[0]):
    options = ComparisonOptions.model_validate(snakemake.params.comparison)
    path = Path(snakemake.input.other[0])
    catalogue, ledger, targets = (Path(snakemake.input[n]) for n in ("catalogue", "ledger", "targets"))
    check_run(origins_of(catalogue=catalogue, run_ledger=ledger, run_targets=targets), [])
    targets = read_table(Path(snakemake.input.targets), TARGETS.names)
    ledger = read_table(Path(snakemake.input.ledger), LEDGER.names)
    seen = ledger[(ledger["band"] == "radio") & ledger["status"].isin(["ok", "partial"])]["subject_id"]
    columns = for_classes(CATALOGUE, classes_of(read_metadata(catalogue))).names
    metrics, matches = compare_catalogues(
        read_table(catalogue, columns),
        read_other_catalogue(path, options),
        targets[targets["subject_id"].isin(seen)],
        Frame(**snakemake.params.frame),
        options,
    )
    write_table(Path(snakemake.output.matches), matches, MATCHES)
    plot_comparison(Path(snakemake.output.figure), metrics, matches, path.name)
    write_json(Path(snakemake.output.metrics), {"other": path.name, **metrics})
    counts = metrics["counts"]
    logger.info("%s: %d of %d sources matched", path.name, counts["n_matched"], counts["n_catalogue"])
