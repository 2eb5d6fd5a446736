"""Build the catalogue, unless too much of the run failed."""

from dataclasses import asdict
from pathlib import Path

from claran_core.catalogue.build import ShardTables, write_catalogue
from claran_core.catalogue.provenance import catalogue_provenance
from claran_core.common.files import read_table
from claran_core.common.log import job
from claran_core.common.tables import LEDGER
from claran_core.cutouts.shard import check_failures
from claran_core.model.weights_header import model_id, read_info
from claran_core.settings.config import Config

# Compared only: do these files belong together?
COMPARED = (
    "targets",
    "radio_images",
    "infrared_images",
    "second_radio_images",
    "radio",
    "infrared",
    "second_radio",
    "ledger",
    "second_ledger",
    "components",
    "noise",
    "candidates",
)

with job(snakemake.log[0]):
    ledger = read_table(Path(snakemake.input.run_ledger), LEDGER.names)
    check_failures(ledger, snakemake.params.max_failed_fraction)
    weights = Path(snakemake.input.weights)
    compared = [name for name in COMPARED if snakemake.input[name]]
    names = ("index", "associated", "sources", *compared)
    shards = []
    for files in zip(*(snakemake.input[name] for name in names), strict=True):
        index, associated, sources, *others = map(Path, files)
        shards.append(ShardTables(index, associated, sources, dict(zip(compared, others, strict=True))))
    write_catalogue(
        Path(snakemake.output.catalogue),
        Path(snakemake.output.outcomes),
        Path(snakemake.output.contours),
        shards,
        Path(snakemake.input.atoms),
        method=snakemake.params.method,
        provenance=catalogue_provenance(
            Config.from_dict(snakemake.config),
            ledger=ledger,
            weights=asdict(read_info(weights)) | {"chosen": snakemake.params.why_weights},
        ),
        run={name: Path(snakemake.input[name]) for name in ("run_targets", "run_ledger")},
        weights=model_id(weights),
    )
