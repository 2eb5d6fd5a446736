"""Divide the targets into shards; added targets leave existing shards unchanged.

A shard is a batch of subjects close on the sky: one job and one set of files per stage.  The plan of a
run is a pure function of the target table and the targets file of an earlier run, so it is known when the
workflow is parsed.  Each shard has its own list of targets.  The list is written when the subjects of the
shard are new or have changed, and only shards with a new list run again.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astropy import units as u
from astropy_healpix import lonlat_to_healpix

from claran_core.common import files
from claran_core.common.errors import InputError
from claran_core.common.origins import check_run, origins_of
from claran_core.common.paths import Results, missing, resolve_path
from claran_core.common.tables import TARGETS
from claran_core.settings.config import Config
from claran_core.targets.target_table import position_doubt, read_targets

__all__ = ["ShardPlan", "assign_shards", "plan", "refuse_other_table", "write_targets"]

logger = logging.getLogger(__name__)

# Cells that order the subjects on the sky: 6 arcsec, smaller than the distance between subjects.
HEALPIX_NSIDE = 2**15
# Minimum number of digits in a shard's name.
NAME_DIGITS = 5
HASH_BLOCK = 1 << 20


@dataclass(frozen=True)
class ShardPlan:
    """The shards of a run.

    Attributes
    ----------
    names : tuple of str
        Names of all shards, in order.
    stale : tuple of str
        Shards whose list of targets is missing or out of date.
    """

    names: tuple[str, ...]
    stale: tuple[str, ...]


def assign_shards(targets: pd.DataFrame, existing: pd.DataFrame | None, shard_size: int) -> pd.DataFrame:
    """Assign every target to a shard of at most `shard_size` subjects close on the sky.

    A target with the same id, position and scale in `existing` keeps its shard; all others go to new shards
    with the next numbers.  The result does not depend on the order of the rows.

    Parameters
    ----------
    targets : DataFrame
        Columns ``subject_id``, ``ra``, ``dec`` (deg), ``scale``, ``split``.
    existing : DataFrame or None
        The table of an earlier run with the same shard size.
    shard_size : int
        Largest number of subjects in a shard.

    Returns
    -------
    DataFrame
        Columns of `claran_core.common.tables.TARGETS`, sorted by shard, then along the sky.
    """
    shards = _kept_shards(targets, existing)
    order = _sky_order(targets)
    new = order[pd.isna(shards[order])]
    start = 0 if existing is None or existing.empty else existing["shard"].astype(int).max() + 1
    numbers = start + np.arange(len(new)) // shard_size
    shards[new] = [f"{number:0{NAME_DIGITS}d}" for number in numbers.tolist()]
    assigned = targets.assign(shard=shards).iloc[order]
    by_shard = np.argsort(assigned["shard"].astype(int).to_numpy(), kind="stable")
    return assigned.iloc[by_shard][TARGETS.names].reset_index(drop=True)


def plan(config: Config, targets_path: Path, results: Results, *, verify: bool = True) -> ShardPlan:
    """Return the shards of a run from its target table and, if present, the targets file of an earlier run.

    Every job of a cluster parses the workflow again.  As long as the targets file was made from the current
    target table, only the file's metadata is used; its seal is compared with all its bytes if `verify`.

    Raises
    ------
    InputError
        If the targets are invalid (see `claran_core.targets.target_table.read_targets`).
    """
    stored = _stored(results, verify=verify)
    settings = _settings(config)
    same_settings = {name: stored.get(name) for name in settings} == settings
    if same_settings and _is_source(stored.get("source"), targets_path):
        return _plan_of(stored["digests"], stored, results)
    return _plan_of(_digests(_assigned(config, targets_path, results, stored)), stored, results)


def write_targets(config: Config, targets_path: Path, results: Results) -> None:
    """Write the lists of the stale shards of `plan`, then the targets file.

    Raises
    ------
    InputError
        If the targets are invalid (see `claran_core.targets.target_table.read_targets`).
    """
    stored = _stored(results)
    assigned = _assigned(config, targets_path, results, stored)
    digests = _digests(assigned)
    stale = set(_plan_of(digests, stored, results).stale)
    for shard, rows in assigned.groupby("shard", sort=False):
        if shard in stale:
            files.write_table(results.shard_targets(str(shard)), rows, TARGETS)
    doubt = position_doubt(targets_path, assigned["ra"].to_numpy())
    if doubt:
        logger.warning("%s", doubt)
    metadata = {**_settings(config), "source": _source(targets_path), "digests": digests, "doubt": doubt}
    made_from = check_run({}, [origins_of(targets=results.shard_targets(shard)) for shard in digests])
    files.write_table(results.targets, assigned, TARGETS, metadata=metadata, made_from=made_from)


def refuse_other_table(targets_file: Path, table: Path) -> None:
    """Refuse a table that is not the one that a run's targets file was made from.

    Raises
    ------
    InputError
        If its bytes have changed since.
    """
    if not _is_source(files.read_metadata(targets_file).get("source"), table):
        raise InputError(
            f"{table}: has changed since {targets_file} was made from it; rerun the stage targets"
        )


def _kept_shards(targets: pd.DataFrame, existing: pd.DataFrame | None) -> np.ndarray:
    """Return the existing shard of each target, (n,) str objects; None for new or moved targets."""
    if existing is None or existing.empty:
        return np.full(len(targets), None, dtype=object)
    rows = pd.Index(existing["subject_id"]).get_indexer(targets["subject_id"])
    old = existing.iloc[rows]  # row -1, for unknown ids, is masked below
    same = (rows >= 0) & (old["ra"].to_numpy() == targets["ra"].to_numpy())
    same &= old["dec"].to_numpy() == targets["dec"].to_numpy()
    same &= old["scale"].to_numpy() == targets["scale"].to_numpy()
    shards = old["shard"].to_numpy(dtype=object, copy=True)
    shards[~same] = None
    return shards


def _sky_order(targets: pd.DataFrame) -> np.ndarray:
    """Return the row numbers along the HEALPix curve (nested order), ties by id."""
    lon, lat = targets["ra"].to_numpy() * u.deg, targets["dec"].to_numpy() * u.deg
    cells = lonlat_to_healpix(lon, lat, HEALPIX_NSIDE, order="nested")
    # Ids sort as bytes: the same on every machine and in every locale.
    return np.lexsort((targets["subject_id"].to_numpy(dtype=str), cells))


def _digests(assigned: pd.DataFrame) -> dict[str, str]:
    """Return the SHA-256 of each shard's list, independent of the order of its rows; in shard order."""
    digests = {}
    for shard, rows in assigned.groupby("shard", sort=False):
        rows = rows.sort_values("subject_id")
        digest = hashlib.sha256("\n".join(rows["subject_id"] + " " + rows["split"]).encode())
        digest.update(rows[["ra", "dec", "scale"]].to_numpy(dtype="<f8").tobytes())
        digests[str(shard)] = digest.hexdigest()
    return digests


def _plan_of(digests: Mapping[str, str], stored: Mapping[str, Any], results: Results) -> ShardPlan:
    """Return the plan for shards with these digests; `stored` is the metadata of the targets file."""
    earlier = stored.get("digests", {})
    absent = missing({shard: results.shard_targets(shard) for shard in digests})
    stale = [shard for shard, digest in digests.items() if earlier.get(shard) != digest or shard in absent]
    return ShardPlan(names=tuple(digests), stale=tuple(stale))


def _assigned(
    config: Config, targets_path: Path, results: Results, stored: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the targets with their shards; a changed shard size assigns all of them again.

    `stored` is the metadata of the targets file.
    """
    same_size = stored.get("shard_size") == config.shard_size
    existing = files.read_table(results.targets, TARGETS.names) if same_size else None
    images = config.labels.images
    targets = read_targets(
        targets_path, config.targets.scales, None if images is None else resolve_path(images)
    )
    return assign_shards(targets, existing, config.shard_size)


def _settings(config: Config) -> dict[str, Any]:
    """Return the settings that decide the targets of a table and their shards."""
    return {
        "shard_size": config.shard_size,
        "scales": list(config.targets.scales),
        "label_images": config.labels.images,
    }


def _stored(results: Results, *, verify: bool = True) -> dict[str, Any]:
    """Return the metadata of the targets file, empty without a file."""
    return files.read_metadata(results.targets, verify=verify) if results.targets.exists() else {}


def _source(path: Path) -> dict[str, Any]:
    """Return what identifies a target table: path, size, modification time and SHA-256."""
    stat = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(HASH_BLOCK):
            digest.update(block)
    return {
        "path": str(path.resolve()),
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "sha256": digest.hexdigest(),
    }


def _is_source(stored: Mapping[str, Any] | None, path: Path) -> bool:
    """Return whether `path` is the table described by `stored`; read its bytes only if its time changed."""
    if not stored:
        return False
    try:
        stat = path.stat()
        if stat.st_size != stored["size"]:
            return False
        untouched = (str(path.resolve()), stat.st_mtime_ns) == (stored["path"], stored["mtime_ns"])
        return untouched or _source(path)["sha256"] == stored["sha256"]
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); set targets.path to your table"
        ) from None
