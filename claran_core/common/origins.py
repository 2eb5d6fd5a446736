"""What files were made from: files that do not belong together are refused.

A file records the digests of all that it was made from, by name.  Names are kinds of files of one shard
(``targets``, ``radio``), and what else decides the content (``settings``, ``method``, ``weights``).  Files
belong together if each name stands for one digest, whichever of them records or has it.  A file of another
shard, seed, method, run or other weights in the place of the right one therefore contradicts another file.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from claran_core.common.errors import InputError
from claran_core.common.files import content_of, read_arrow, stated_content

__all__ = ["Origin", "check_run", "check_together", "origin_of", "origins_of", "read_with_origin"]

# Stage that writes each kind of file.
STAGES: Mapping[str, str] = {
    "targets": "targets",
    "run_targets": "targets",
    "run_labels": "components",
    "components": "components",
    "noise": "components",
    "labels": "components",
    "owners": "components",
    "fused": "fusion",
    "candidates": "inference",
    "detections": "inference",
    "associated": "catalogue",
    "sources": "catalogue",
    "atoms": "catalogue",
    "catalogue": "catalogue",
    "outcomes": "catalogue",
    "contours": "catalogue",
    "matched_targets": "catalogue",
}


@dataclass(frozen=True)
class Origin:
    """A file, its digest, and the digests of what it was made from, by name.

    The digest is empty for a file that nothing is made from.
    """

    path: Path
    digest: str
    made_from: Mapping[str, str]


def origins_of(**files: Path) -> dict[str, Origin]:
    """Return the origins of tables by name, as `origin_of`."""
    return {name: origin_of(path) for name, path in files.items()}


def origin_of(path: Path) -> Origin:
    """Return the origin of a table that `claran_core.common.files` wrote.

    Raises
    ------
    InputError
        If the file is missing, is not a complete Parquet file, or does not say what it contains.
    """
    return Origin(path, *content_of(path))


def read_with_origin(path: Path, columns: Iterable[str] | None = None) -> tuple[pd.DataFrame, Origin]:
    """Return a table (`claran_core.common.files.read_table`) and its origin; the file is read once."""
    content = read_arrow(path, columns)
    return content.to_pandas(), Origin(path, *stated_content(path, content.schema))


def check_together(files: Mapping[str, Origin], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Refuse files that do not belong together.

    Parameters
    ----------
    files : mapping of str to Origin
        Files of one shard, or of one run, by name.
    known : mapping of str to str, optional
        Digests that are known otherwise, by name.

    Returns
    -------
    dict of str to str
        The digest of each name, for `made_from` of what is made from these files.

    Raises
    ------
    InputError
        If a name stands for two digests.  The message names the files.
    """
    found = {name: (digest, "") for name, digest in (known or {}).items()}
    for name, origin in files.items():
        if origin.digest:
            found[name] = (origin.digest, str(origin.path))
    for name, origin in files.items():
        for parent, digest in origin.made_from.items():
            other, says = found.setdefault(parent, (digest, str(origin.path)))
            if other != digest:
                against = f", or {says} is" if says else ""
                raise InputError(
                    f"{origin.path}: made from other {parent.replace('_', ' ')} than those of this run "
                    f"(it is of another shard, seed or setting{against}); remove it and rerun the stage "
                    f"{STAGES.get(name, 'cutouts')}"
                )
    return {name: digest for name, (digest, _) in found.items()}


def check_run(
    run: Mapping[str, Origin],
    shards: Iterable[Mapping[str, Origin]],
    known: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Refuse files of a run that do not belong together: those of each shard, and those of the whole run.

    Parameters
    ----------
    run : mapping of str to Origin
        Files of the whole run, by name.
    shards : iterable of mappings
        Files of each shard, by name, in the order of the shards.
    known : mapping of str to str, optional
        Digests that are known otherwise and hold for all shards.

    Returns
    -------
    dict of str to str
        The digest of each name that holds for the whole run.  ``all_radio`` stands for the digests of
        ``radio`` of all shards in their order.

    Raises
    ------
    InputError
        As `check_together`.
    """
    shared, every = dict(known or {}), []
    for files in shards:
        found = check_together(files, shared)
        shared |= {name: digest for name, digest in found.items() if _is_of_run(name)}
        every.append({name: digest for name, digest in found.items() if not _is_of_run(name)})
    for name in sorted(set.intersection(*map(set, every)) if every else set()):
        shared[f"all_{name}"] = hashlib.sha256("\n".join(own[name] for own in every).encode()).hexdigest()
    return check_together(run, shared)


def _is_of_run(name: str) -> bool:
    """Return whether a name stands for the same digest in all shards."""
    return name in ("settings", "second_settings", "method", "weights") or name.startswith("all_")
