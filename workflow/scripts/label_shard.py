"""Label the sources of one shard, from the simulated sky or from the label table."""

from pathlib import Path

from claran_core.common.files import read_table
from claran_core.common.frame import Frame
from claran_core.common.log import job
from claran_core.common.tables import TARGETS
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.cutouts.providers import open_provider
from claran_core.labels.shard import label_shard_from_table, label_simulated_shard
from claran_core.settings.survey import SurveysOptions

with job(snakemake.log[0]), read_cutouts(Path(snakemake.input.radio)) as radio:
    pixels = snakemake.params.pixels
    targets = read_table(Path(snakemake.input.targets), TARGETS.names)
    frame, output = Frame(**pixels["frame"]), Path(snakemake.output.labels)
    if snakemake.params.truth == "simulated":
        survey = SurveysOptions.model_validate(pixels["survey"])
        sky = open_provider(survey.radio, seed=pixels["seed"], simulated=survey.simulated)
        label_simulated_shard(targets, sky, frame, radio=radio, output_path=output)
    else:
        table = Path(snakemake.input.table[0])
        label_shard_from_table(targets, table, frame, radio=radio, output_path=output)
