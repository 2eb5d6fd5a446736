"""Catalogues of a few subjects of real images with the weights that ship, made without the workflow."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.science.blind_sky import search
from benchmarks.science.blind_survey import build
from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.files import read_table, write_table
from claran_core.common.paths import Results
from claran_core.common.tables import TARGETS
from claran_core.components.shard import find_shard_components
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.cutouts.shard import cut_shard
from claran_core.model.weights_choice import given_weights
from claran_core.settings.config import load_config
from claran_core.survey.directory.provider import DirectoryProvider

__all__ = ["catalogue_of"]

METHOD, SHARD = "D1", "00000"


def catalogue_of(
    folder: Path, images: Path, pattern: str, views: Sequence[tuple[float, float, int]]
) -> pd.DataFrame:
    """Return the catalogue of subjects on FIRST images, radio only.

    Parameters
    ----------
    folder : Path
        Where the files of the stages go.
    images, pattern : Path and str
        The images, as for `DirectoryProvider`.
    views : sequence of (float, float, int)
        Position (deg) and scale of each subject.
    """
    radio = {"source": "directory", "path": str(images), "pattern": pattern}
    config = load_config(
        {
            "survey": {"radio": radio, "infrared": {"source": "none"}},
            "fusion": {"methods": [METHOD]},
            "catalogue": {"method": METHOD},
        }
    )
    results, frame = Results(folder), config.fusion.frame
    rows = [(f"s{k}", *view, "none", SHARD) for k, view in enumerate(views)]
    targets = pd.DataFrame(rows, columns=["subject_id", "ra", "dec", "scale", "split", "shard"])
    write_table(results.shard_targets(SHARD), targets, TARGETS)
    provider = DirectoryProvider(config.survey.radio.survey, images, pattern=pattern)
    cut_shard(targets, provider, None, frame, results=results, shard=SHARD)
    with read_cutouts(results.cutouts(SHARD, "radio")) as cutouts:
        find_shard_components(
            targets,
            cutouts,
            frame,
            components_path=results.components(SHARD),
            noise_path=results.noise(SHARD),
            made_from={"radio": cutouts.digest},
        )
    weights = given_weights(config)[0][METHOD].path
    search(results, config, METHOD, weights, SHARD)
    build(results, results, config, METHOD, weights, 1, lambda work, shards: list(map(work, shards)))
    return read_table(results.catalogue, CATALOGUE.names)
