"""Label the sources of one shard: from labels of the user, the simulated sky or the label table."""

from pathlib import Path

from claran_core.common.files import read_table
from claran_core.common.frame import Frame
from claran_core.common.log import job
from claran_core.common.origins import check_together, origins_of
from claran_core.common.tables import TARGETS
from claran_core.components.component_table import read_noise
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.cutouts.providers import open_provider
from claran_core.labels.own_labels import read_own_labels
from claran_core.labels.owner_table import COMPONENT_COLUMNS
from claran_core.labels.shard import (
    TruthFiles,
    label_own_shard,
    label_shard_from_table,
    label_simulated_shard,
)
from claran_core.labels.sky_labels import SkyLabels
from claran_core.settings.survey import FusedSurveysOptions

with job(snakemake.log[0]), read_cutouts(Path(snakemake.input.radio)) as radio:
    pixels = snakemake.params.pixels
    tables = {name: Path(snakemake.input[name]) for name in ("targets", "components", "noise")}
    targets = read_table(Path(snakemake.input.targets), TARGETS.names)
    frame = Frame(**pixels["frame"])
    files = TruthFiles(
        labels=Path(snakemake.output.labels),
        owners=Path(snakemake.output.owners),
        made_from=check_together(origins_of(**tables) | {"radio": radio.origin}),
    )
    inputs = {
        "radio": radio,
        "noise": read_noise(Path(snakemake.input.noise)),
        "components": read_table(Path(snakemake.input.components), COMPONENT_COLUMNS),
        "files": files,
    }
    if snakemake.params.truth == "own labels":
        labels = read_own_labels(
            Path(snakemake.input.table[0]),
            snakemake.params.images and Path(snakemake.params.images),
            snakemake.params.classes,
        )
        components = inputs["components"]
        label_own_shard(targets, SkyLabels(labels), frame, components=components, files=files)
    elif snakemake.params.truth == "simulated":
        survey = FusedSurveysOptions.model_validate(pixels["survey"])
        sky = open_provider(survey.radio, seed=pixels["seed"], simulated=survey.simulated)
        label_simulated_shard(targets, sky, frame, **inputs)
    else:
        label_shard_from_table(targets, Path(snakemake.input.table[0]), frame, **inputs)
