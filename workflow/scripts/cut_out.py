"""Take the cut-outs of one shard."""

from pathlib import Path

from claran_core.common.files import digest_of, read_table
from claran_core.common.frame import Frame
from claran_core.common.log import job
from claran_core.common.paths import Results
from claran_core.common.tables import TARGETS
from claran_core.cutouts.cutout_file import settings_digest
from claran_core.cutouts.providers import open_provider
from claran_core.cutouts.shard import cut_shard
from claran_core.settings.config import Config
from claran_core.settings.survey import FusedSurveysOptions

with job(snakemake.log[0]):
    results = Results(Path(snakemake.output.ledger).parents[2])
    pixels = snakemake.params.pixels
    survey = FusedSurveysOptions.model_validate(pixels["survey"])
    options = {
        "seed": pixels["seed"],
        "simulated": survey.simulated,
        "archive": survey.archive,
        # Not a parameter of the rule: these settings change no pixel, and must not repeat the cut-outs.
        "fetch": Config.from_dict(snakemake.config).cutouts.archive,
    }
    images = {Path(path).parent.name: Path(path) for path in snakemake.input.images}
    cut_shard(
        read_table(Path(snakemake.input.targets), TARGETS.names),
        open_provider(survey.radio, images=images.get("radio"), **options),
        open_provider(survey.infrared, images=images.get("infrared"), **options),
        Frame(**pixels["frame"]),
        results=results,
        shard=snakemake.wildcards.shard,
        made_from={
            "targets": digest_of(Path(snakemake.input.targets)),
            "settings": settings_digest(pixels),
            **{f"{band}_images": digest_of(path) for band, path in images.items()},
        },
    )
