"""Draw and search the subjects of a blind survey of the simulated sky; join shards.

Used by blind_survey.py.  Files that exist are not drawn again.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.files import digest_of, read_metadata, read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.names import position_names
from claran_core.common.paths import Results
from claran_core.common.sky import offset_to_sky, unit_vectors
from claran_core.common.tables import CANDIDATES, COMPONENTS, FUSED, NOISE, TARGETS
from claran_core.components.component_table import read_noise
from claran_core.components.shard import find_shard_components
from claran_core.cutouts.cutout_file import cutout_writer, read_cutouts
from claran_core.cutouts.shard import cut_shard
from claran_core.fusion.shard import fuse_shard
from claran_core.inference.infer import run_inference
from claran_core.labels.owner_table import COMPONENT_COLUMNS
from claran_core.labels.shard import TruthFiles, label_simulated_shard
from claran_core.settings.config import Config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.subjects import sources_near
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.shards import assign_shards

CENTRE = (180.0, 30.0)
STEP_ARCSEC = 120.0

# Neighbours: both at least 10 sigma (1.6 mJy/beam), hosts closer than an arcminute.
PAIR_JY, PAIR_ARCSEC = 1.6e-3, 60.0
PAIRS_PER_DEG2 = 3.0
# Positions of the frames around a pair, in steps.
AROUND = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], float)


def grid_targets(area_deg2: float, scales: Sequence[int], frame: Frame) -> pd.DataFrame:
    """Return the subjects of each scale whose frames cover a square of this area."""
    side = ARCSEC_PER_DEG * np.sqrt(area_deg2)
    tables = []
    for scale in scales:
        step = scale * STEP_ARCSEC
        n = max(0, int(np.ceil((side - scale * frame.width_arcsec) / step))) + 1
        along = (np.arange(n) - (n - 1) / 2) * step
        east, north = (axis.ravel() for axis in np.meshgrid(along, along))
        tables.append(_targets(offset_to_sky(*CENTRE, east, north), scale))
    return pd.concat(tables, ignore_index=True)


def pair_targets(n_pairs: int, seed: int) -> pd.DataFrame:
    """Return 3 x 3 subjects of scale 1 around pairs of neighbours, each grid shifted at random."""
    radius = ARCSEC_PER_DEG * np.sqrt(2 * n_pairs / PAIRS_PER_DEG2 / np.pi)
    sources = [one for one in sources_near(seed, *CENTRE, radius) if one.peak_jy >= PAIR_JY]
    places = np.array([(one.ra_deg, one.dec_deg) for one in sources])
    vectors = unit_vectors(*places.T)
    pairs = cKDTree(vectors).query_pairs(np.deg2rad(PAIR_ARCSEC / ARCSEC_PER_DEG), output_type="ndarray")
    pairs = pairs[np.lexsort(pairs.T)][:n_pairs]
    rng = np.random.default_rng(1)
    middle = places[pairs].mean(axis=1)[:, None]
    shift = STEP_ARCSEC * (AROUND[None] + rng.uniform(-0.5, 0.5, (len(pairs), 1, 2)))
    ra, dec = offset_to_sky(middle[..., 0], middle[..., 1], shift[..., 0], shift[..., 1])
    return _targets((ra.ravel(), dec.ravel()), 1).drop_duplicates("subject_id", ignore_index=True)


def _targets(positions: tuple[np.ndarray, np.ndarray], scale: int) -> pd.DataFrame:
    """Return the subjects of one scale at some positions."""
    ra, dec = positions
    names = position_names(ra, dec, ra_decimals=2, dec_decimals=1)
    names = names if scale == 1 else [f"{name}_x{scale}" for name in names]
    return pd.DataFrame({"subject_id": names, "ra": ra, "dec": dec, "scale": scale, "split": "none"})


def in_shards(targets: pd.DataFrame, n_shards: int) -> pd.DataFrame:
    """Return subjects in `n_shards` shards."""
    return assign_shards(targets, None, -(-len(targets) // n_shards))


def draw(results: Results, config: Config, method: str, weights: Path, shard: str) -> None:
    """Cut out, label, fuse and search one shard, unless its candidates exist."""
    if not results.candidates(method, shard).exists():
        cut(results, config, shard)
        search(results, config, method, weights, shard)


def cut(results: Results, config: Config, shard: str) -> None:
    """Draw and label the cut-outs of one shard."""
    targets, frame = read_table(results.shard_targets(shard), TARGETS.names), config.fusion.frame
    radio, infrared = (SimulatedProvider(SURVEYS[name], seed=config.seed) for name in ("FIRST", "WISE_W1"))
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
        survey=config.survey.radio.name,
        threads=1,
    )


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
