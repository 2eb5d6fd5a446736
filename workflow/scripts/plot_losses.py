"""Draw the training losses of one method."""

from pathlib import Path

from claran_core.evaluation import plot_losses
from claran_core.files import read_table
from claran_core.log import job

with job(snakemake.log[0]):
    plot_losses(Path(snakemake.output.figure), read_table(Path(snakemake.input.losses)))
