"""Draw and search subjects of the simulated sky; join shards.

Used by blind_survey.py, fields.py and simulated_subjects.py.  Shards that were drawn are not drawn
again, and not searched again with the same weights.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from claran_core.common.files import digest_of, read_metadata, read_table, write_table
from claran_core.common.paths import Results
from claran_core.common.tables import CANDIDATES, COMPONENTS, FUSED, NOISE, TARGETS
from claran_core.components.component_table import read_noise
from claran_core.components.shard import find_shard_components
from claran_core.cutouts.cutout_file import cutout_writer, read_cutouts
from claran_core.cutouts.shard import cut_shard
from claran_core.evaluation.component_links import OWNER_COLUMNS
from claran_core.fusion.shard import fuse_shard
from claran_core.inference.infer import run_inference
from claran_core.labels.owner_table import COMPONENT_COLUMNS
from claran_core.labels.shard import TruthFiles, label_simulated_shard
from claran_core.model.weights_header import model_id
from claran_core.settings.config import Config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS


def draw(results: Results, config: Config, method: str, weights: Path, shard: str) -> None:
    """Cut out, label, fuse and search one shard, unless that was done with these weights."""
    if not results.shard_labels(shard).exists():  # the last file that `cut` writes
        cut(results, config, shard)
    candidates = results.candidates(method, shard)
    if not candidates.exists() or read_metadata(candidates)["model_id"] != model_id(weights):
        search(results, config, method, weights, shard)


def cut(results: Results, config: Config, shard: str) -> None:
    """Draw and label the cut-outs of one shard."""
    targets, frame = read_table(results.shard_targets(shard), TARGETS.names), config.fusion.frame
    radio = SimulatedProvider(config.survey.radio.survey, seed=config.seed)
    infrared = None
    if config.survey.infrared.source != "none":
        infrared = SimulatedProvider(config.survey.infrared.survey, seed=config.seed)
    cut_shard(targets, radio, infrared, frame, results=results, shard=shard)
    with read_cutouts(results.cutouts(shard, "radio")) as cutouts:
        components, noise = results.components(shard), results.noise(shard)
        find_shard_components(
            targets,
            cutouts,
            frame,
            components_path=components,
            noise_path=noise,
            made_from={"radio": cutouts.digest},
        )
        label_simulated_shard(
            targets,
            radio,
            frame,
            radio=cutouts,
            noise=read_noise(noise),
            components=read_table(components, COMPONENT_COLUMNS),
            files=TruthFiles(results.shard_labels(shard), results.owners(shard)),
        )


def search(results: Results, config: Config, method: str, weights: Path, shard: str) -> None:
    """Fuse and search one shard."""
    index = results.fused_index(method, shard)
    with (
        read_cutouts(results.cutouts(shard, "radio")) as radio,
        read_cutouts(results.cutouts(shard, "infrared")) as infrared,
    ):
        fuse_shard(
            read_table(results.shard_targets(shard), TARGETS.names),
            method,
            radio,
            infrared,
            read_noise(results.noise(shard)),
            frame=config.fusion.frame,
            drawing=config.fusion.drawing,
            ledger_path=results.ledger(shard),
            images_path=results.fused(method, shard),
            index_path=index,
            made_from={
                "components": digest_of(results.components(shard)),
                "radio": radio.digest,
                "infrared": infrared.digest,
            },
        )
    run_inference(
        weights,
        method=method,
        fusion=config.fusion,
        options=config.inference,
        fused_path=results.fused(method, shard),
        index_path=index,
        components_path=results.components(shard),
        detections_path=results.detections(method, shard),
        candidates_path=results.candidates(method, shard),
        survey=config.survey.radio.survey,
        threads=1,
    )


def read_owners(results: Results) -> pd.DataFrame | None:
    """Return the true owners of all components of a run; None if it has no labels."""
    paths = sorted(results.owners("*").parent.glob("*.owners.parquet"))
    tables = [read_table(path, OWNER_COLUMNS) for path in paths]
    return pd.concat(tables, ignore_index=True) if tables else None


def join(layout: Results, results: Results, method: str, shard: str, parts: Sequence[str]) -> None:
    """Join the inputs of the catalogue stage of several shards into one shard of another layout."""
    targets = pd.concat([read_table(results.shard_targets(part), TARGETS.names) for part in parts])
    write_table(layout.shard_targets(shard), targets.assign(shard=shard), TARGETS)
    cutouts = {}
    for band, survey in (("radio", "FIRST"), ("infrared", "WISE_W1")):
        joined = layout.cutouts(shard, band)
        _join_cutouts([results.cutouts(part, band) for part in parts], joined, survey)
        with read_cutouts(joined) as opened:
            cutouts[band] = opened.digest
    components = layout.components(shard)
    for path, schema, made_from in (
        (Results.components, COMPONENTS, lambda: cutouts),
        (Results.noise, NOISE, lambda: cutouts),
        (
            partial(Results.fused_index, method=method),
            FUSED,
            lambda: cutouts | {"components": digest_of(components)},
        ),
        (
            partial(Results.candidates, method=method),
            CANDIDATES,
            lambda: searched_in(layout, method, shard),
        ),
    ):
        paths = [path(results, shard=part) for part in parts]
        table = pd.concat([read_table(one, schema.names) for one in paths], ignore_index=True)
        metadata = read_metadata(paths[0])
        write_table(path(layout, shard=shard), table, schema, metadata=metadata, made_from=made_from())


def searched_in(results: Results, method: str, shard: str) -> dict[str, str]:
    """Return what the candidates of a shard say that they were made from."""
    index, components = results.fused_index(method, shard), results.components(shard)
    return {"fused": digest_of(index), "components": digest_of(components)}


def _join_cutouts(parts: Sequence[Path], joined: Path, survey: str) -> None:
    """Copy the cut-outs of several files into one."""
    with cutout_writer(joined, survey=survey, unit=SURVEYS[survey].unit) as writer:
        for part in parts:
            with read_cutouts(part) as cutouts:
                for subject_id in cutouts:
                    writer.append(cutouts.row(subject_id))
