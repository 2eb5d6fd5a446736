"""Build the catalogue, unless too much of the run failed."""

from dataclasses import asdict
from pathlib import Path

from claran_core.catalogue.provenance import catalogue_provenance
from claran_core.catalogue.write import write_catalogue
from claran_core.config import CatalogueOptions, Config, build_options
from claran_core.cutouts import check_failures
from claran_core.files import read_table
from claran_core.frame import Frame
from claran_core.log import job
from claran_core.tables import LEDGER
from claran_core.weights_header import read_info

with job(snakemake.log[0]):
    ledger = read_table(Path(snakemake.input.ledger), LEDGER.names)
    check_failures(ledger, snakemake.params.max_failed_fraction)
    write_catalogue(
        Path(snakemake.output.catalogue),
        [Path(path) for path in snakemake.input.detections],
        [Path(path) for path in snakemake.input.index],
        options=build_options(CatalogueOptions, snakemake.params.catalogue),
        frame=Frame(**snakemake.params.frame),
        provenance=catalogue_provenance(
            Config.from_dict(snakemake.config),
            ledger=ledger,
            weights=asdict(read_info(Path(snakemake.input.weights))),
        ),
    )
