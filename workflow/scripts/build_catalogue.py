"""Build the catalogue, unless too much of the run failed."""

from dataclasses import asdict
from pathlib import Path

from claran_core.catalogue.build import ShardTables, write_catalogue
from claran_core.catalogue.provenance import catalogue_provenance
from claran_core.common.files import read_table
from claran_core.common.log import job
from claran_core.common.tables import LEDGER
from claran_core.cutouts.shard import check_failures
from claran_core.model.weights_header import read_info
from claran_core.settings.config import Config

with job(snakemake.log[0]):
    ledger = read_table(Path(snakemake.input.ledger), LEDGER.names)
    check_failures(ledger, snakemake.params.max_failed_fraction)
    files = zip(snakemake.input.index, snakemake.input.associated, snakemake.input.sources, strict=True)
    write_catalogue(
        Path(snakemake.output.catalogue),
        Path(snakemake.output.outcomes),
        [ShardTables(*map(Path, paths)) for paths in files],
        Path(snakemake.input.atoms),
        method=snakemake.params.method,
        provenance=catalogue_provenance(
            Config.from_dict(snakemake.config),
            ledger=ledger,
            weights=asdict(read_info(Path(snakemake.input.weights))),
        ),
    )
