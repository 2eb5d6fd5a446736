"""Write the report of the run."""

from datetime import UTC, datetime
from pathlib import Path

from claran_core.common.log import job
from claran_core.common.paths import Results
from claran_core.report.inputs import read_inputs
from claran_core.report.page import write_report
from claran_core.settings.config import Config

with job(snakemake.log[0]):
    output = Path(snakemake.output.report)
    inputs = read_inputs(
        Results(output.parent),
        Config.from_dict(snakemake.config),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        evaluated=snakemake.params.evaluated,
        trained=snakemake.params.trained,
        against_truth=snakemake.params.against_truth,
        compared=snakemake.params.compared,
    )
    write_report(output, Path(snakemake.output.gallery), inputs)
