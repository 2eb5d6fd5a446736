"""Verify every file of a run: its bytes, and whether it belongs to the others."""

from collections.abc import Callable, Iterator
from pathlib import Path

from claran_core.common.errors import ClaranError
from claran_core.common.files import read_batches, read_metadata
from claran_core.common.origins import check_run, origins_of
from claran_core.common.paths import Results
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.fusion.fused_images import check_images, open_shard
from claran_core.model.weights_header import model_id

__all__ = ["validate_run"]


def validate_run(results: Results) -> list[str]:
    """Return the faults of the files of a run, one line each; empty for a valid run.

    Every byte of the tables, cut-outs and fused images is compared with the digests in the files, and the
    tables of the whole run and the weights that it trained with each other.  All files are read once.
    """
    checks: dict[str, Callable[[Path], object]] = {
        "**/*.parquet": _check_table,
        "cutouts/*/*.arrow": _check_cutouts,
        "fused/*/*.npy": _check_fused,
    }
    found: list[str] = []
    for pattern, check in checks.items():
        found += _faults(sorted(results.root.glob(pattern)), check)
    return found + list(_faults([results.root], lambda _: _check_products(results)))


def _faults(paths: list[Path], check: Callable[[Path], object]) -> Iterator[str]:
    """Yield the fault of each file."""
    for path in paths:
        try:
            check(path)
        except ClaranError as error:
            yield str(error)


def _check_table(path: Path) -> None:
    for _ in read_batches(path, strict=True):
        pass


def _check_cutouts(path: Path) -> None:
    with read_cutouts(path) as cutouts:
        for name in cutouts:
            cutouts[name]


def _check_fused(path: Path) -> None:
    images, index = open_shard(path, path.with_suffix(".parquet"))
    check_images(images, index, range(len(index)), path)


def _check_products(results: Results) -> None:
    tables = {
        "catalogue": results.catalogue,
        "outcomes": results.outcomes,
        "atoms": results.atoms,
        "run_ledger": results.catalogue_ledger,
        "run_targets": results.targets,
        "contours": results.contours,
        "matched_targets": results.matched_targets,
    }
    weights = results.weights(str(read_metadata(results.catalogue).get("method")))
    check_run(origins_of(**tables), [], {"weights": model_id(weights)} if weights.exists() else {})
