"""Compare the detections of one method with the truth."""

from pathlib import Path

import pandas as pd

from claran_core.config import EvaluationOptions, build_options
from claran_core.evaluation import choose_sample, evaluate, plot_precision_recall, summary_line
from claran_core.files import read_table, write_json
from claran_core.log import job, logger
from claran_core.tables import DETECTIONS, FUSED, LABELS, TARGETS

with job(snakemake.log[0]):
    labels = read_table(Path(snakemake.input.labels), LABELS.names)
    targets = read_table(Path(snakemake.input.targets), TARGETS.names)
    index = pd.concat([read_table(Path(path), FUSED.names) for path in snakemake.input.index])
    metrics = evaluate(
        pd.concat([read_table(Path(path), DETECTIONS.names) for path in snakemake.input.detections]),
        labels,
        choose_sample(targets, labels),
        build_options(EvaluationOptions, snakemake.params.evaluation),
        method=snakemake.wildcards.method,
        seed=snakemake.params.seed,
        flags=index.set_index("subject_id")["flags"],
    )
    plot_precision_recall(Path(snakemake.output.precision_recall), metrics)
    write_json(Path(snakemake.output.metrics), metrics)
    logger.info("%s", summary_line(metrics))
