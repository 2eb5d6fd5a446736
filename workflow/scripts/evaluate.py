"""Compare the detections of one method with the truth."""

from pathlib import Path

import pandas as pd

from claran_core.common.files import read_metadata, read_table, write_json, write_table
from claran_core.common.log import job, logger
from claran_core.common.morphology import MORPHOLOGIES, classes_of
from claran_core.common.origins import check_run, origins_of
from claran_core.common.tables import DETECTIONS, FUSED, LABELS, TARGETS, for_classes
from claran_core.evaluation.by_scale import precision_by_scale
from claran_core.evaluation.completeness import THRESHOLDS
from claran_core.evaluation.draw import plot_figures
from claran_core.evaluation.metrics import choose_sample, evaluate, evaluate_sources, json_ready, summary_line
from claran_core.evaluation.published import published_values
from claran_core.evaluation.sources import TRUE_SOURCES
from claran_core.settings.evaluation import ScoringOptions

with job(snakemake.log[0]):
    method = snakemake.wildcards.method
    files = zip(snakemake.input.detections, snakemake.input.index, strict=True)
    check_run(
        origins_of(run_labels=Path(snakemake.input.labels), run_targets=Path(snakemake.input.targets)),
        [origins_of(detections=Path(detections), fused=Path(index)) for detections, index in files],
        {"method": method},
    )
    labels = read_table(Path(snakemake.input.labels), LABELS.names)
    targets = read_table(Path(snakemake.input.targets), TARGETS.names)
    index = pd.concat([read_table(Path(path), FUSED.names) for path in snakemake.input.index])
    classes = classes_of(read_metadata(Path(snakemake.input.detections[0])))
    columns = for_classes(DETECTIONS, classes).names
    detections = pd.concat([read_table(Path(path), columns) for path in snakemake.input.detections])
    least = snakemake.params.min_probability
    sample = choose_sample(targets, labels)
    options = ScoringOptions.model_validate(snakemake.params.evaluation)
    metrics = evaluate(
        detections,
        labels,
        sample,
        options,
        min_probability=least,
        method=method,
        seed=snakemake.params.seed,
        flags=index.set_index("subject_id")["flags"],
        published=published_values(method) if classes == MORPHOLOGIES else None,
        classes=classes,
    )
    by_scale = precision_by_scale(detections, labels, targets, options.min_iou, classes)
    metrics["by_scale"] = json_ready(by_scale)
    sources = evaluate_sources(detections, labels, sample, options, min_probability=least)
    thresholds = pd.DataFrame(metrics["thresholds"], columns=THRESHOLDS.names)
    plot_figures({Path(path).stem: Path(path) for path in snakemake.output.figures}, metrics, sources)
    write_table(Path(snakemake.output.sources), sources, TRUE_SOURCES)
    write_table(Path(snakemake.output.thresholds), thresholds, THRESHOLDS)
    write_json(Path(snakemake.output.metrics), metrics)
    logger.info("%s", summary_line(metrics))
