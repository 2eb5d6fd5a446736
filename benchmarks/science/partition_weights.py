"""Fit the weights of sets in the joint probability of partitions to the true partitions of simulated fields.

    OMP_NUM_THREADS=1 python -m benchmarks.science.partition_weights FOLDER --targets targets.csv --jobs 2

The fields belong to another sky than training and tests (`--seed`); targets.csv, from ``claran simulate
targets --seed 7001``, gives the places of subjects as Radio Galaxy Zoo selects them.  Each field is seen in
nine views of scales 1, 2, 4 and 8.  The coefficients (`claran_core.catalogue.associate.set_weights`) are
those for which the true set of each component is most probable, over all methods together.  FOLDER keeps the
drawn images.
"""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from benchmarks.science.blind_sky import draw
from benchmarks.science.blind_survey import runner
from benchmarks.science.blind_targets import in_shards
from claran_core.catalogue.associate.candidate_sets import find_votes, gather_evidence
from claran_core.catalogue.associate.joint_probability import joint_probability
from claran_core.catalogue.associate.partition import best_partition
from claran_core.catalogue.associate.set_design import alone_logits, artefact_design, design, extents
from claran_core.catalogue.associate.set_weights import COEFFICIENTS, SetWeights
from claran_core.catalogue.associate.sky_components import SkyComponents, find_sky_components
from claran_core.catalogue.associate.views import ShardFiles, read_sky
from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.log import configure_logging
from claran_core.common.paths import Results
from claran_core.common.ragged import Ragged
from claran_core.common.sky import chord, offset_to_sky, unit_vectors
from claran_core.common.tables import NATIVE_SCALE, TARGETS
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.model.weights_choice import given_weights
from claran_core.settings.config import Config, load_config
from claran_core.simulation.survey_views import SurveyPlaces
from claran_core.survey.surveys import SURVEYS

# Numbers of fields by kind and scale (`claran_core.simulation.survey_views.VIEWS`), and of the target list.
FIELDS = {
    "large": {1: 30, 2: 50, 4: 35, 8: 15},
    "random": {1: 70},
    "neighbours": {1: 70},
    "bright": {1: 50},
    "crowded": {1: 20},
}
LABELLED = 260

# Offsets (arcsec) of the views of a field from its middle, by scale, and how far the middle may be off.
OFFSETS = {
    1: [(0, 0), (-80, -80), (-80, 80), (80, -80), (80, 80)],
    2: [(-70, 50), (70, -50)],
    4: [(60, -40)],
    8: [(40, 60)],
}
OFF_MIDDLE_ARCSEC = 50.0

N_SHARDS = 32

# Probabilities of true sets are limited to this, so that a few impossible ones do not decide the fit.
LEAST = 0.02

# Coefficients that are not fitted, and keep the values of the start: artefacts are much more frequent in the
# fields around bright sources than on the sky.
FIXED = ("dismissed", "cut", "size", "artefact")

# A set is a source if what they share is at least this part of both together, by the brightest pixels: a
# smoothed contour may hold a noise peak, or that of a large source a neighbour.
MAIN_SHARE = 0.7

# Weight in the fit of a source of several atoms, by its extent (arcsec), in units of that of one atom.  Large
# sources are few; a catalogue that leaves them in pieces would cost little.  Then that of a lost atom.
LARGE_FROM_ARCSEC, SEVERAL_WEIGHT, LARGE_WEIGHT, LOST_WEIGHT = 60.0, 1.5, 12.0, 0.1

# Strength that keeps coefficients near the start where the fields say little.
PRIOR = 1e-3

SKIPPED, LOST, ARTEFACT = -3, -2, -1


class Problem(NamedTuple):
    """Sets and truth of one method: the true set of each atom, or `ARTEFACT`, `LOST` or `SKIPPED`.

    The true set of a lost atom is proposed by no view: it is known only that the atom is no artefact.
    `weight` is that of each atom in the fit.
    """

    sets: Ragged
    columns: np.ndarray
    artefact: np.ndarray
    truth: np.ndarray
    weight: np.ndarray


def field_targets(targets: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the views of all fields."""
    sky = SurveyPlaces(seed)
    places = {
        kind: [place for scale, n in by_scale.items() for place in islice(sky.of(kind, scale, n), n)]
        for kind, by_scale in FIELDS.items()
    }
    places["labelled"] = list(targets[["ra", "dec"]].head(LABELLED).itertuples(index=False, name=None))
    rows, rng = [], sky.rng
    for kind, own in places.items():
        for number, (ra, dec) in enumerate(own):
            east, north = rng.uniform(-OFF_MIDDLE_ARCSEC, OFF_MIDDLE_ARCSEC, 2)
            for scale, offsets in OFFSETS.items():
                for view, (x, y) in enumerate(offsets):
                    at = offset_to_sky(ra, dec, east + x, north + y)
                    name = f"{kind}{number:03d}_{view}_x{scale}"
                    rows.append((name, float(at[0]), float(at[1]), scale, "none"))
    return pd.DataFrame(rows, columns=["subject_id", "ra", "dec", "scale", "split"])


def draw_all(results: Results, config: Config, weights: dict[str, Path], shard: str) -> None:
    """Draw the views of one shard and search them with all weights, unless that is done."""
    for method, path in weights.items():
        draw(results, config, method, path, shard)


def problem(results: Results, config: Config, method: str, shards: Sequence[str]) -> Problem:
    """Return the sets that the views propose, and the truth."""
    files = [
        ShardFiles(results.shard_targets(name), results.components(name), results.candidates(method, name))
        for name in shards
    ]
    sky = read_sky(files, config.fusion.frame)
    atoms = find_sky_components(sky.components, SURVEYS["FIRST"].beam_arcsec)
    votes = find_votes(sky, atoms)
    evidence = gather_evidence(sky, votes)
    n = len(atoms.ids)
    columns = design(votes.sets, evidence, atoms, alone_logits(votes.sets, evidence, n))
    artefact = artefact_design(votes.sets, evidence, n)
    names = ["scale", "level", "component_id", "source_id"]
    owners = pd.concat([read_table(results.owners(name), names) for name in shards])
    truth = true_sets(votes.sets, atoms, owners[owners["level"] == NOMINAL_LEVEL])
    targets = pd.concat([read_table(results.shard_targets(name), ["ra", "dec", "scale"]) for name in shards])
    fine = targets[targets["scale"] == NATIVE_SCALE]
    inner = in_frames(fine, atoms, config.fusion.frame)
    whole = votes.sets.extremes(inner)[0]
    # Only what views of the finest scale show: around the fields there are coarse ones alone.
    counted = inner & np.where(truth >= 0, whole[np.maximum(truth, 0)], True)
    kept = np.flatnonzero(votes.sets.extremes(inner)[1])
    number = np.full(len(votes.sets), SKIPPED)
    number[kept] = np.arange(len(kept))
    truth = np.where(counted, np.where(truth >= 0, number[np.maximum(truth, 0)], truth), SKIPPED)
    sets = votes.sets.take(kept)
    return Problem(sets, columns[kept], artefact, truth, weights_of(truth, sets, extents(sets, atoms)))


def in_frames(targets: pd.DataFrame, atoms: SkyComponents, frame: Frame) -> np.ndarray:
    """Return which atoms lie in the inscribed circle of the frame of one of the subjects, (n,) bool."""
    tree = cKDTree(unit_vectors(targets["ra"].to_numpy(), targets["dec"].to_numpy()))
    reach = chord(frame.size_px * frame.pixel_scale_arcsec / 2)
    return np.isfinite(tree.query(unit_vectors(atoms.ra, atoms.dec), distance_upper_bound=float(reach))[0])


def weights_of(truth: np.ndarray, sets: Ragged, extent: np.ndarray) -> np.ndarray:
    """Return the weight of each atom: those of one source share its weight."""
    weight = np.where(truth == SKIPPED, 0.0, np.where(truth == LOST, LOST_WEIGHT, 1.0))
    known = np.flatnonzero(truth >= 0)
    own = truth[known]
    several = np.where(extent >= LARGE_FROM_ARCSEC, LARGE_WEIGHT, SEVERAL_WEIGHT)
    of_set = np.where(np.diff(sets.starts) > 1, several, 1.0) / np.maximum(
        np.bincount(own, minlength=len(sets)), 1
    )
    weight[known] = of_set[own]
    return weight


def true_sets(sets: Ragged, atoms: SkyComponents, owners: pd.DataFrame) -> np.ndarray:
    """Return the set that is the source of each atom, or what else is known of it (`Problem`)."""
    known = owners.groupby(["component_id", "scale"])["source_id"].agg(lambda own: own.mode().iloc[0])
    keys = pd.MultiIndex.from_arrays([atoms.ids, atoms.scale])
    source = known.reindex(keys).to_numpy(object)
    truth = np.where((source == "") & atoms.usable, ARTEFACT, SKIPPED)
    is_source = np.array([isinstance(one, str) and one != "" for one in source]) & atoms.usable
    containing = Ragged.grouped(
        sets.values, np.repeat(np.arange(len(sets)), np.diff(sets.starts)), len(atoms.ids)
    )
    for _, own in pd.Series(np.flatnonzero(is_source)).groupby(source[is_source]):
        brightest = own.to_numpy()[atoms.snr[own].argmax()]
        proposed = containing.values[containing.starts[brightest] : containing.starts[brightest + 1]]
        truth[own] = _nearest(sets.take(proposed), proposed, own.to_numpy(), atoms.snr)
    return truth


def _nearest(sets: Ragged, numbers: np.ndarray, own: np.ndarray, snr: np.ndarray) -> int:
    """Return the number of the set that has nearly all of a source and nearly nothing else, or `LOST`."""
    is_own = np.zeros(len(snr), bool)
    is_own[own] = True
    shared, whole = sets.sums(np.where(is_own, snr, 0.0)), sets.sums(snr)
    share = shared / (whole + snr[own].sum() - shared)
    if not len(share) or share.max() < MAIN_SHARE:
        return LOST
    return int(numbers[share.argmax()])


def probabilities(one: Problem, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of all sets and of all atoms as no source."""
    n_columns = one.columns.shape[1]
    return joint_probability(one.sets, one.columns @ values[:n_columns], one.artefact @ values[n_columns:])


def loss(values: np.ndarray, problems: Sequence[Problem], start: np.ndarray) -> float:
    """Return minus the weighted mean logarithm of the probability of the true sets, and the prior."""
    every, weight = [], np.concatenate([one.weight for one in problems])
    for one in problems:
        of_set, artefact = probabilities(one, values)
        own = np.where(one.truth >= 0, of_set[np.maximum(one.truth, 0)], artefact)
        own = np.where(one.truth == LOST, 1 - artefact, own)
        every.append(own)
    mean = np.average(-np.log(np.maximum(np.concatenate(every), LEAST)), weights=weight)
    return float(mean + PRIOR * ((values - start) ** 2).sum())


def fitted(problems: Sequence[Problem], start: np.ndarray) -> np.ndarray:
    """Return the coefficients with the least loss; those of `FIXED` stay as they are."""
    names = [
        field.name for field in fields(SetWeights) for _ in np.atleast_1d(getattr(COEFFICIENTS, field.name))
    ]
    free = np.flatnonzero(~np.isin(names, FIXED))

    def of_free(values: np.ndarray) -> float:
        every = start.copy()
        every[free] = values
        return loss(every, problems, start)

    found = start.copy()
    # Sets that link no atoms any more make steps in the loss: wide differences do not see them.
    options = {"eps": 5e-3, "ftol": 1e-5, "maxiter": 30}
    found[free] = minimize(of_free, start[free], method="L-BFGS-B", options=options).x
    return found


def report(one: Problem, values: np.ndarray) -> str:
    """Return how many atoms are placed rightly, and how true the probabilities of the rows are."""
    of_set, artefact = probabilities(one, values)
    owner = best_partition(one.sets, of_set, artefact).owner
    right, counted = owner == one.truth, one.truth != SKIPPED
    right |= (one.truth == LOST) & (owner >= 0)
    several = counted & (one.truth >= 0) & (np.diff(one.sets.starts)[np.maximum(one.truth, 0)] > 1)
    kinds = {
        "alone": counted & (one.truth >= 0) & ~several,
        "in several": several,
        "artefacts": counted & (one.truth == ARTEFACT),
        "in sources that no view proposes": one.truth == LOST,
    }
    rows = np.unique(owner[counted & (owner >= 0)])
    is_true = np.isin(rows, one.truth)
    bins = np.minimum((of_set[rows] * 10).astype(int), 9)
    gaps = [abs(of_set[rows][bins == k].sum() - is_true[bins == k].sum()) for k in range(10)]
    shown = ", ".join(
        f"{name} {right[own].mean():.3f} of {own.sum()}" for name, own in kinds.items() if own.any()
    )
    return f"atoms placed rightly: {shown}; rows {len(rows)}, calibration error {sum(gaps) / len(rows):.4f}"


def main() -> None:
    """Draw, search, fit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of all files")
    parser.add_argument("--targets", type=Path, required=True, help="places of labelled subjects, CSV")
    parser.add_argument("--methods", nargs="+", default=["D1", "D4"], help="fusion methods (D1 D4)")
    parser.add_argument("--weights", type=Path, help="folder of the weights; default those that ship")
    parser.add_argument("--seed", type=int, default=7001, help="seed of the sky (7001)")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    configure_logging()
    config, results = load_config().changed(seed=options.seed), Results(options.folder)
    if not results.targets.exists():
        targets = in_shards(field_targets(pd.read_csv(options.targets), options.seed), N_SHARDS)
        for shard, rows in targets.groupby("shard"):
            write_table(results.shard_targets(str(shard)), rows, TARGETS)
        write_table(results.targets, targets, TARGETS)
    shards = sorted(read_table(results.targets, TARGETS.names)["shard"].unique())
    folder = options.weights
    weights = {
        method: folder / f"{method}.safetensors" if folder else given_weights(config)[0][method].path
        for method in options.methods
    }
    runner(options.jobs)(partial(draw_all, results, config, weights), shards)
    problems = {method: problem(results, config, method, shards) for method in options.methods}
    start = COEFFICIENTS.values
    found = fitted(list(problems.values()), start)
    for method, one in problems.items():
        print(f"{method}, before: {report(one, start)}\n{method}, fitted: {report(one, found)}")
    print(SetWeights.of(found.round(2)))


if __name__ == "__main__":
    main()
