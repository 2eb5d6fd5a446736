"""Associate the components of all views: each component of the sky in one source, or in none for a reason.

All shards are one job, because a source near the border of a shard has views in several.  Text stays in the
files: the arrays hold numbers only.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from claran_core.catalogue.associate.candidate_sets import Evidence, find_votes, gather_evidence
from claran_core.catalogue.associate.joint_probability import joint_probability
from claran_core.catalogue.associate.outcomes import OUTCOMES, outcomes_of
from claran_core.catalogue.associate.partition import best_partition, second_groupings
from claran_core.catalogue.associate.set_weights import COEFFICIENTS
from claran_core.catalogue.associate.sky_components import SkyComponents, find_sky_components
from claran_core.catalogue.associate.views import ShardFiles, Sky, read_sky
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.calibration import Calibration, logit
from claran_core.common.errors import InputError
from claran_core.common.files import read_arrow, read_metadata, write_arrow
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import CLASSES_KEY, classes_of, probability_columns
from claran_core.common.origins import check_run, check_together
from claran_core.common.ragged import Ragged, starts_of
from claran_core.common.tables import ASSOCIATED, ATOMS, for_classes

__all__ = ["Association", "associate", "associate_sky"]

logger = logging.getLogger(__name__)

# Columns that a source takes from the candidate of its best view.
TAKEN = ["subject_id", "scale", "ra", "dec", *BOX_COLUMNS, "unit_ids"]


@dataclass(frozen=True)
class Association:
    """Sources and outcomes of all atoms.

    Sources are sorted by the shard and the view that show them best, then by their first atom.

    Attributes
    ----------
    atoms : SkyComponents
        All atoms.
    sets : Ragged
        Atoms of each source.
    evidence : Evidence
        What the views say of each source.
    source_probability : (n,) float64 array
        Probability of each source.
    components : Ragged
        Rows of `Components` that each source consists of in its view.
    second : Ragged
        For each of these the number of its source in the next best grouping; -1: none.
    second_probability : (n,) float64 array
        Mean probability of the atoms in that grouping.
    source : (m,) int64 array
        Source of each atom; -1: none.
    outcome, probability : (m,) arrays
        As `claran_core.catalogue.associate.outcomes.outcomes_of`.
    """

    atoms: SkyComponents
    sets: Ragged
    evidence: Evidence
    source_probability: np.ndarray
    components: Ragged
    second: Ragged
    second_probability: np.ndarray
    source: np.ndarray
    outcome: np.ndarray
    probability: np.ndarray


def associate(
    shards: Sequence[ShardFiles],
    associated: Sequence[Path],
    atoms_path: Path,
    *,
    frame: Frame,
    beam_arcsec: float,
    calibration: Calibration,
) -> int:
    """Associate the components of all shards and write the tables `ASSOCIATED` and `ATOMS`.

    Parameters
    ----------
    shards : sequence of ShardFiles
        Input tables.  The sources do not depend on how the sky is cut into shards.
    associated : sequence of Path
        Output table `ASSOCIATED` of each shard; the name of the file is that of the shard.
    atoms_path : Path
        Output table `ATOMS`.
    frame : Frame
        Geometry of the views of scale 1.
    beam_arcsec : float
        FWHM of the radio survey's beam.
    calibration : Calibration
        Of the probability of a source.

    Returns
    -------
    int
        Number of sources.

    Raises
    ------
    InputError
        If a file is missing, truncated or from another run.
    """
    facts = _common_facts([shard.candidates for shard in shards])
    sky = read_sky(shards, frame)
    logger.info("%d views, %d candidates", len(sky.views.scale), len(sky.candidates.view))
    origins = [shard.origins() for shard in shards]
    together = check_run({}, origins)
    found = associate_sky(sky, beam_arcsec, calibration)
    shard_of = sky.views.shard[sky.candidates.view[found.evidence.best]]
    starts = np.searchsorted(shard_of, np.arange(len(shards) + 1))
    progress = Progress("shards written", len(shards))
    for number, (shard, path) in enumerate(zip(shards, associated, strict=True)):
        own = slice(int(starts[number]), int(starts[number + 1]))
        write_arrow(
            path,
            _associated_table(sky, found, own, shard.candidates, classes_of(facts)),
            metadata=facts,
            made_from=check_together(origins[number], together),
        )
        progress.step()
    names = np.array([path.stem for path in associated])
    write_arrow(atoms_path, _atom_table(sky, found, names), metadata=facts, made_from=together)
    counts = np.bincount(found.outcome, minlength=len(OUTCOMES))
    named = ", ".join(f"{count} {name}" for name, count in zip(OUTCOMES, counts, strict=True))
    logger.info("%d sources; components on the sky: %s", len(found.sets), named)
    return len(found.sets)


def associate_sky(sky: Sky, beam_arcsec: float, calibration: Calibration) -> Association:
    """Associate the components of all views; see `associate`."""
    atoms = find_sky_components(sky.components, beam_arcsec)
    votes = find_votes(sky, atoms)
    logger.info("%d components on the sky, %d sets of them proposed", len(atoms.ids), len(votes.sets))
    evidence = gather_evidence(sky, votes)
    weights = COEFFICIENTS.log_weights(votes.sets, evidence, atoms)
    joint, artefact = joint_probability(votes.sets, *weights)
    of_set = calibration.apply(logit(joint))
    partition = best_partition(votes.sets, of_set, artefact)
    outcome, probability = outcomes_of(atoms, partition.owner, of_set, artefact)
    chosen = np.unique(partition.owner[partition.owner >= 0])
    view = sky.candidates.view[evidence.best[chosen]]
    first = votes.sets.values[votes.sets.starts[chosen]]
    chosen = chosen[np.lexsort((first, view, sky.views.shard[view]))]
    second, mean = second_groupings(votes.sets, of_set, artefact, partition, chosen)
    group = np.full(len(atoms.ids), -1, np.int32)
    group[votes.sets.take(chosen).values] = second.values
    components, of_component = _components_of(sky, atoms, evidence.best[chosen])
    number = np.full(len(votes.sets) + 1, -1, np.int64)  # the last entry stands for no set
    number[chosen] = np.arange(len(chosen))
    return Association(
        atoms=atoms,
        sets=votes.sets.take(chosen),
        evidence=evidence.take(chosen),
        source_probability=of_set[chosen],
        components=components,
        second=Ragged(components.starts, group[of_component]),
        second_probability=mean,
        source=number[partition.owner],
        outcome=outcome,
        probability=probability,
    )


def _components_of(sky: Sky, atoms: SkyComponents, candidates: np.ndarray) -> tuple[Ragged, np.ndarray]:
    """Return the rows that candidates consist of, and the atom of each row.

    These are the rows inside their units.  A unit that shows none inside counts itself, with its first atom.
    """
    units = sky.candidates.units.take(candidates)
    inside = atoms.units.take(units.values)
    members = Ragged(atoms.units.starts, atoms.members).take(units.values)
    counts = np.diff(members.starts)
    unit = np.repeat(np.arange(len(units.values)), counts)
    shows = np.zeros(len(units.values), bool)
    shows[unit[members.values >= 0]] = True
    rows = np.where(members.values >= 0, members.values, units.values[unit])
    leads = np.zeros(len(rows), bool)
    leads[members.starts[:-1]] = True  # each unit has an atom
    kept = np.where(shows[unit], members.values >= 0, leads)
    source = np.repeat(np.arange(len(units)), np.diff(units.starts))[unit[kept]]
    return Ragged(starts_of(np.bincount(source, minlength=len(units))), rows[kept]), inside.values[kept]


def _common_facts(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the method and the model that made the candidates of all shards, and their classes."""
    every = [read_metadata(path) for path in paths]
    facts = [
        {name: str(one.get(name, "")) for name in ("method", "model_id")} | {CLASSES_KEY: classes_of(one)}
        for one in every
    ]
    for path, own in zip(paths, facts, strict=True):
        if own != facts[0]:
            raise InputError(
                f"{path}: made with weights {own['model_id']!r}, but {paths[0]} with "
                f"{facts[0]['model_id']!r}; remove the older file and rerun the inference stage"
            )
    return facts[0]


def _associated_table(
    sky: Sky, found: Association, own: slice, candidates: Path, names: Sequence[str]
) -> pa.Table:
    """Return the table `ASSOCIATED` of the sources `own`, whose best views are in one shard.

    `names` are those of the classes.
    """
    rows = np.arange(own.start, own.stop)
    evidence, probability = found.evidence.take(rows), found.source_probability[own]
    taken = read_arrow(candidates, TAKEN).take(pa.array(sky.candidates.row[evidence.best]))
    sets, second, components = (lists.take(rows) for lists in (found.sets, found.second, found.components))
    classes = evidence.classes / evidence.classes.sum(axis=1, keepdims=True) * probability[:, None]
    best_class = classes.argmax(axis=1)
    columns = {name: taken[name] for name in TAKEN} | {
        "component_ids": _lists(Ragged(components.starts, sky.components.ids[components.values])),
        "atoms": _lists(Ragged(sets.starts, sets.values.astype(np.int64))),
        "morphology": pa.array(names, pa.string()).take(pa.array(best_class)),
        "probability": classes[rows - own.start, best_class],
        **dict(zip(probability_columns(names), classes.T, strict=True)),
        "source_probability": probability,
        "second_grouping": _lists(second),
        "second_probability": found.second_probability[rows],
        "n_merged": evidence.n_views,
        "views_disagree": evidence.disagree,
        "at_edge": evidence.at_edge,
    }
    return _table(columns, for_classes(ASSOCIATED, names))


def _atom_table(sky: Sky, found: Association, shards: np.ndarray) -> pa.Table:
    atoms = found.atoms
    columns = {
        "component_id": atoms.ids,
        "scale": atoms.scale,
        "ra": atoms.ra,
        "dec": atoms.dec,
        "snr": atoms.snr,
        "n_views": atoms.n_views,
        "shard": pa.array(shards, pa.string()).take(pa.array(sky.views.shard[atoms.view])),
        "source": found.source,
        "outcome": pa.array(OUTCOMES).take(pa.array(found.outcome)),
        "probability": found.probability,
    }
    return _table(columns, ATOMS)


def _lists(lists: Ragged) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(lists.starts.astype(np.int32)), pa.array(lists.values))


def _table(columns: dict[str, pa.Array | np.ndarray], schema: pa.Schema) -> pa.Table:
    """Return the columns as a table of a schema."""
    plain = pa.table([columns[name] for name in schema.names], names=schema.names)
    return plain.cast(schema)
