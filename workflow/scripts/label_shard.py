"""Label the sources of one shard, from the simulated sky or from the label table."""

from pathlib import Path

from claran_core.config import SurveysOptions, build_options
from claran_core.files import read_table
from claran_core.frame import Frame
from claran_core.log import job
from claran_core.survey.open import open_source
from claran_core.tables import TARGETS
from claran_core.truth import label_shard_from_table, label_simulated_shard

with job(snakemake.log[0]):
    pixels = snakemake.params.pixels
    targets = read_table(Path(snakemake.input.targets), TARGETS.names)
    files = {
        "radio_path": Path(snakemake.input.radio),
        "output_path": Path(snakemake.output.labels),
    }
    if snakemake.params.truth == "simulated":
        survey = build_options(SurveysOptions, pixels["survey"])
        sky = open_source(survey.radio, seed=pixels["seed"], simulated=survey.simulated)
        label_simulated_shard(targets, sky, Frame(**pixels["frame"]), **files)
    else:
        label_shard_from_table(targets, Path(snakemake.input.table[0]), Frame(**pixels["frame"]), **files)
