"""Build the catalogue, unless too much of the run failed."""

from dataclasses import asdict
from pathlib import Path

from claran_core.catalogue import ShardFiles, catalogue_provenance, write_catalogue
from claran_core.config import Config
from claran_core.cutouts import check_failures
from claran_core.files import read_table
from claran_core.frame import Frame
from claran_core.log import job
from claran_core.survey.base import SURVEYS
from claran_core.tables import LEDGER
from claran_core.weights_header import read_info

with job(snakemake.log[0]):
    ledger = read_table(Path(snakemake.input.ledger), LEDGER.names)
    check_failures(ledger, snakemake.params.max_failed_fraction)
    files = zip(snakemake.input.index, snakemake.input.sources, snakemake.input.rejected, strict=True)
    write_catalogue(
        Path(snakemake.output.catalogue),
        Path(snakemake.output.fates),
        [ShardFiles(*map(Path, paths)) for paths in files],
        method=snakemake.params.method,
        frame=Frame(**snakemake.params.frame),
        provenance=catalogue_provenance(
            Config.from_dict(snakemake.config),
            ledger=ledger,
            weights=asdict(read_info(Path(snakemake.input.weights))),
        ),
        survey=SURVEYS[snakemake.params.survey],
    )
