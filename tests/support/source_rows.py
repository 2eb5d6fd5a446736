"""Rows of ASSOCIATED, SOURCES and ATOMS made by hand, and the files that hold them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.catalogue.build import ShardTables
from claran_core.catalogue.product.schema import SOURCES
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.files import digest_of, write_table
from claran_core.common.morphology import probability_columns
from claran_core.common.tables import ASSOCIATED, ATOMS, FUSED

__all__ = [
    "METADATA",
    "associated_row",
    "atom_row",
    "random_sources",
    "source_row",
    "write_atoms",
    "write_shard_files",
]

METADATA = {"model_id": "association-1", "method": "D4"}


def blank(field: pa.Field) -> Any:
    """What a column holds where nothing is said."""
    if pa.types.is_list(field.type):
        return []
    return "" if pa.types.is_string(field.type) else 0


def associated_row(
    subject: str,
    box: tuple[float, ...],
    component_ids: Sequence[int],
    *,
    morphology: str = "1C_1P",
    probability: float = 0.9,
    **columns: Any,
) -> dict[str, Any]:
    """A source of some components, each a unit of its own; its position is wrong on purpose."""
    share = {name: 0.0 for name in probability_columns()} | {f"p_{morphology.lower()}": probability}
    known = {"subject_id": subject, "scale": 1, "ra": 1.0, "dec": 1.0, "morphology": morphology}
    known |= dict(zip(BOX_COLUMNS, box, strict=True)) | {"probability": probability, **share}
    known |= {"source_probability": probability, "unit_ids": list(component_ids), "n_merged": 1}
    known |= {"component_ids": list(component_ids), "second_grouping": [-1] * len(component_ids)}
    return {field.name: blank(field) for field in ASSOCIATED} | known | columns


def source_row(subject: str, place: tuple[float, float], **columns: Any) -> dict[str, Any]:
    """A measured source of one component at a position (RA, Dec in deg)."""
    ra, dec = place
    known = {"subject_id": subject, "scale": 1, "method": "D4", "morphology": "1C_1P", "ra": ra, "dec": dec}
    known |= {"rule_components": 1, "component_ra": [ra], "component_dec": [dec], "n_merged": 1}
    known |= {"component_flux": [1.0], "component_peak_flux": [1.0], "angular_size": 15.0, "box_x2": 9.0}
    known |= {"source_probability": 0.9, "probability": 0.9, "shape_centre": "none"}
    known |= {"ring_points": [3], "ring_level": [1.0], "ring_is_hole": [False]}
    known |= {"contour_x": [1.0, 2.0, 1.0], "contour_y": [1.0, 1.0, 2.0]}
    known |= {"contour_ra": [ra] * 3, "contour_dec": [dec] * 3}
    return {field.name: blank(field) for field in SOURCES} | known | columns


def atom_row(component_id: int, source: int = -1, **columns: Any) -> dict[str, Any]:
    """A component of the sky, part of a source or noise."""
    known = {"component_id": component_id, "scale": 1, "snr": 20.0, "n_views": 1, "source": source}
    known |= {"outcome": "source" if source >= 0 else "noise", "probability": 0.9, "shard": "00000"}
    return {field.name: blank(field) for field in ATOMS} | known | columns


def write_atoms(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write components of the sky."""
    write_table(path, pd.DataFrame(list(rows), columns=ATOMS.names), ATOMS, metadata=METADATA)
    return path


def write_shard_files(
    folder: Path,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    subjects: pd.DataFrame,
    metadata: Mapping[str, Any] = METADATA,
) -> ShardTables:
    """Write one shard: its measured sources, and its subjects (subject_id, ra, dec)."""
    files = ShardTables(*(folder / part / f"{name}.parquet" for part in ("index", "associated", "sources")))
    boxes = [(1.0, 1.0, 9.0, 9.0)] * len(rows)
    associated = [associated_row(row["subject_id"], box, [1]) for row, box in zip(rows, boxes, strict=True)]
    write_table(
        files.associated, pd.DataFrame(associated, columns=ASSOCIATED.names), ASSOCIATED, metadata=metadata
    )
    made_from = {"associated": digest_of(files.associated)}
    table = pd.DataFrame(list(rows), columns=SOURCES.names)
    write_table(files.sources, table, SOURCES, metadata=metadata, made_from=made_from)
    index = {field.name: blank(field) for field in FUSED} | {
        c: subjects[c] for c in ("subject_id", "ra", "dec")
    }
    write_table(files.index, pd.DataFrame(index, index=subjects.index), FUSED)
    return files


def random_sources(n: int, seed: int) -> list[dict[str, Any]]:
    """Sources all over the sky, some of them so close together that they share a name."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), rng.uniform(-89, 89, n)
    ra[n // 2 :], dec[n // 2 :] = ra[: n - n // 2], dec[: n - n // 2] + rng.uniform(-1e-5, 1e-5, n - n // 2)
    return [
        source_row(
            f"s{k:03d}", (float(ra[k]), float(dec[k])), host_w1=float(k), second_grouping="0|1"[: k % 4]
        )
        for k in range(n)
    ]
