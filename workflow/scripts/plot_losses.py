"""Draw the training losses of one method."""

from pathlib import Path

from claran_core.common.files import read_table
from claran_core.common.log import job
from claran_core.evaluation.figures import plot_losses

with job(snakemake.log[0]):
    plot_losses(Path(snakemake.output.figure), read_table(Path(snakemake.input.losses)))
