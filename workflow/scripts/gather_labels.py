"""Join the labels of all shards."""

from pathlib import Path

from claran_core.common.log import job
from claran_core.labels.own_labels import read_own_labels
from claran_core.labels.shard import gather_labels

with job(snakemake.log[0]):
    images = snakemake.params.images
    own = [read_own_labels(Path(path), images and Path(images)) for path in snakemake.input.get("own", [])]
    gather_labels(
        [Path(path) for path in snakemake.input.labels],
        Path(snakemake.output.labels),
        [label.label_id for labels in own for label in labels],
    )
