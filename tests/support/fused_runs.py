"""Small runs of fused images of round blobs with labels, in the files of the stages."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core.common import tables
from claran_core.common.files import digest_of, write_table
from claran_core.common.paths import Results
from claran_core.fusion.fused_images import checksum
from claran_core.training.dataset import FusedDataset, FusedShard

__all__ = [
    "blob_sky",
    "component_rows",
    "fused_shard",
    "index_of",
    "label_row",
    "open_run",
    "owner_rows",
    "write_run",
]

# Lists of secondary peaks of a component without any.
NO_SECONDARY: dict[str, Any] = {f"secondary_{name}": [] for name in ("ra", "dec", "snr", "saddle")}


def blob_sky(n: int, *, size_px: int = 64, seed: int = 1) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Return n images of one or two round blobs (every eighth is empty), with index and labels.

    One wide blob is a 1C_1P, two narrow ones a 2C_2P; the truth box is a square around the middle.
    """
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 12, (n, size_px, size_px, 3), dtype=np.uint8)
    y, x = np.mgrid[:size_px, :size_px] + 0.5
    labels = []
    for i in range(n):
        if i % 8 == 7:
            continue
        middle, half = rng.uniform(20, size_px - 20, 2), rng.uniform(6, 14)
        width, offsets = (half / 2, [0.0]) if i % 2 else (half / 5, [-half / 2, half / 2])
        for offset in offsets:
            square = (x - middle[0] - offset) ** 2 + (y - middle[1]) ** 2
            images[i, ..., i % 3] |= (200 * np.exp(-square / (2 * width**2))).astype(np.uint8)
        box = np.array([*(middle - half), *(middle + half)], dtype=np.float32)
        labels.append(label_row(f"S{i:03d}", box, "1C_1P" if i % 2 else "2C_2P"))
    return (
        images,
        index_of([f"S{i:03d}" for i in range(n)]),
        pd.DataFrame(labels, columns=tables.LABELS.names),
    )


def index_of(subject_ids: list[str]) -> pd.DataFrame:
    """Return the index of complete fused images on a line in the sky."""
    n = len(subject_ids)
    numbers = {"sigma": 1e-4, "radio_coverage": 1.0, "infrared_coverage": 1.0, "n_contours": 1, "flags": 0}
    ra = 180 + np.arange(n) / 10
    return pd.DataFrame({"subject_id": subject_ids, "ra": ra, "dec": np.full(n, 30.0), "scale": 1, **numbers})


def label_row(subject_id: str, box: np.ndarray, morphology: str, label_id: str = "a") -> dict[str, object]:
    """Return one row of the table of labels."""
    return {
        **dict(zip(["box_x1", "box_y1", "box_x2", "box_y2"], map(float, box), strict=True)),
        **{"subject_id": subject_id, "label_id": label_id, "split": "train", "ra": 180.0, "dec": 30.0},
        **{"morphology": morphology, "n_components": 1, "n_peaks": 1, "angular_size": 10.0},
        **{"consensus": None, "host_ra": None, "host_dec": None},
        **{"flags": 0, "component_ra": [180.0], "component_dec": [30.0]},
    }


def component_rows(labels: pd.DataFrame, levels: tuple[float, ...] = (1.0, 1.1)) -> pd.DataFrame:
    """Return one or two components per label, from which the DR1 rule gives the boxes of `blob_sky`."""
    rows = []
    for label in labels.itertuples():
        x, y = (label.box_x1 + label.box_x2) / 2, (label.box_y1 + label.box_y2) / 2
        side = label.box_x2 - label.box_x1
        half = 2.0 if label.morphology == "2C_2P" else side / 2**1.5
        for offset in (-side / 2, side / 2) if label.morphology == "2C_2P" else (0.0,):
            place = x + offset
            for level in levels:
                box = {"box_x1": place - half, "box_y1": y - half, "box_x2": place + half, "box_y2": y + half}
                about = {"n_peaks": 1, "snr": 20.0, "flux": 99.0, "area": 4 * half**2, "n_pixels": 9}
                peaks = {"peak_x": place, "peak_y": y} | {f"prominence_{k}": 0.0 for k in (1, 2, 3)}
                identity = 2 * zlib.crc32(label.subject_id.encode()) + int(offset > 0)
                known = {"component_id": identity, "subject_id": label.subject_id}
                known |= {"scale": 1, "level": level, "part_of": -1, "at_edge": False}
                places = {"ra": label.ra, "dec": label.dec, "pixel_x": 0, "pixel_y": 0}
                rows.append(known | places | box | about | peaks | NO_SECONDARY)
    return pd.DataFrame(rows, columns=tables.COMPONENTS.names)


def owner_rows(labels: pd.DataFrame, levels: tuple[float, ...] = (1.0, 1.1)) -> pd.DataFrame:
    """Return the owners of `component_rows`: the label that each component is made from."""
    components = component_rows(labels, levels)
    counts = [len(levels) * (2 if name == "2C_2P" else 1) for name in labels["morphology"]]
    source, morphology = (np.repeat(labels[name].to_numpy(), counts) for name in ("label_id", "morphology"))
    owners = components[["subject_id", "scale", "level", "component_id"]]
    owners = owners.assign(source_id=source, kind="source", morphology=morphology)
    return owners[tables.OWNERS.names]


def fused_shard(results: Results, shard: str) -> FusedShard:
    """Return the files of a shard of a run."""
    return FusedShard(
        results.fused("D4", shard),
        results.fused_index("D4", shard),
        results.components(shard),
        results.owners(shard),
    )


def write_run(
    root: Path,
    sky: tuple[np.ndarray, pd.DataFrame, pd.DataFrame],
    *,
    cuts: tuple[int, ...] = (),
    split: dict[str, str] | None = None,
) -> tuple[Results, list[FusedShard]]:
    """Write the files of the fusion and labels stages for a sky, divided into shards at `cuts`."""
    images, index, labels = sky
    results = Results(root)
    shards = []
    for number, rows in enumerate(np.split(np.arange(len(index)), cuts)):
        shard = f"{number:05d}"
        files = fused_shard(results, shard)
        of_shard = labels["subject_id"].isin(index.iloc[rows]["subject_id"])
        checksums = [checksum(image) for image in images[rows]]
        write_table(files.components, component_rows(labels[of_shard]), tables.COMPONENTS)
        write_table(files.owners, owner_rows(labels[of_shard]), tables.OWNERS)
        made_from = {"components": digest_of(files.components)}
        of_images = index.iloc[rows].assign(crc32=checksums)
        write_table(files.index, of_images, tables.FUSED, made_from=made_from)
        np.save(files.images, images[rows])
        shards.append(files)
    targets = index[["subject_id", "ra", "dec", "scale"]].drop_duplicates("subject_id").assign(shard="00000")
    targets["split"] = [(split or {}).get(name, "train") for name in targets["subject_id"]]
    write_table(results.targets, targets, tables.TARGETS)
    write_table(results.labels, labels, tables.LABELS)
    return results, shards


def open_run(
    root: Path,
    sky: tuple[np.ndarray, pd.DataFrame, pd.DataFrame],
    *,
    name: str = "train",
    **options: Any,
) -> FusedDataset:
    """Write a sky, and open one split of it."""
    results, shards = write_run(root, sky, **options)
    return FusedDataset(shards, targets=[results.targets], labels=results.labels, split=name)
