"""Take the images of the second radio survey for one shard."""

from pathlib import Path

from claran_core.common.files import digest_of, read_table
from claran_core.common.frame import Frame
from claran_core.common.log import job
from claran_core.common.paths import Results
from claran_core.common.tables import TARGETS
from claran_core.cutouts.cutout_file import settings_digest
from claran_core.cutouts.providers import open_provider
from claran_core.cutouts.shard import cut_second_radio
from claran_core.settings.config import Config
from claran_core.settings.survey import ArchiveOptions, SecondRadioSurveyOptions, SimulatedOptions

with job(snakemake.log[0]):
    results = Results(Path(snakemake.output.ledger).parents[2])
    pixels = snakemake.params.pixels
    images = [Path(path) for path in snakemake.input.images]
    provider = open_provider(
        SecondRadioSurveyOptions.model_validate(pixels["survey"]),
        seed=pixels["seed"],
        simulated=SimulatedOptions.model_validate(pixels["simulated"]),
        archive=ArchiveOptions.model_validate(pixels["archive"]),
        # Not a parameter of the rule: these settings change no pixel, and must not repeat the cut-outs.
        fetch=Config.from_dict(snakemake.config).cutouts.archive,
        images=images[0] if images else None,
    )
    cut_second_radio(
        read_table(Path(snakemake.input.targets), TARGETS.names),
        provider,
        Frame(**pixels["frame"]),
        results=results,
        shard=snakemake.wildcards.shard,
        made_from={
            "targets": digest_of(Path(snakemake.input.targets)),
            "second_settings": settings_digest(pixels),
            **({"second_radio_images": digest_of(images[0])} if images else {}),
        },
    )
