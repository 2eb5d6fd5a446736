"""Time and memory to merge millions of detections into a catalogue, with a count of lost and doubled sources.

python -m benchmarks.speed.merging --detections 1000000 10000000 --into FOLDER

Sources have random positions.  Each is detected in the four subjects around it (3 arcmin frames every 90
arcsec, in shards of 4,900), with a random position error in each.  5 % of the sources are chains of eight
components, 25 arcsec apart; a subject shows only the components in its frame, so the detections of a chain
overlap in part, and a chain may end up as several rows.  All columns contain numbers.  Every source that is
not a chain must give exactly one row, except 0.2 % that are closer than half a beam to another by chance.
Files are read once before the measurement.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.catalogue.build import ShardTables, write_catalogue
from claran_core.catalogue.product.schema import REJECTED, SOURCES
from claran_core.common.files import parquet_writer, read_arrow
from claran_core.common.frame import Frame
from claran_core.common.tables import FUSED
from claran_core.survey.surveys import SURVEYS

FRAME = Frame()
STEP_DEG = 90 / 3600  # from one subject to the next
BLOCK = 70  # subjects along one side of a shard
PER_SQUARE_DEG = 1000.0
CHAINS, LINKS, LINK_DEG = 0.05, 8, 25 / 3600
BOX_ERROR_DEG = 1.0 / 3600
KIB, GB = 1024, 1e9


def block_sources(i: int, j: int) -> dict[str, np.ndarray]:
    """Return the sources with the centre in block (i, j): plane positions, deg, and which are chains."""
    rng = np.random.default_rng([7, i, j])
    side = BLOCK * STEP_DEG
    n = rng.poisson(PER_SQUARE_DEG * side**2)
    middle = (np.array([i, j]) + rng.random((n, 2))) * side
    angle = rng.uniform(0, np.pi, n)
    return {
        "middle": middle,
        "chain": rng.random(n) < CHAINS,
        "direction": np.stack([np.cos(angle), np.sin(angle)], axis=1),
    }


def block_views(i: int, j: int, side_blocks: int) -> pd.DataFrame:
    """Return one row per component and subject of the block that shows it."""
    around = [
        block_sources(a, b)
        for a in range(max(i - 1, 0), min(i + 2, side_blocks))
        for b in range(max(j - 1, 0), min(j + 2, side_blocks))
    ]
    sky = {name: np.concatenate([part[name] for part in around]) for name in around[0]}
    steps = np.where(sky["chain"][:, None], np.arange(LINKS) - (LINKS - 1) / 2, np.nan)
    steps[~sky["chain"], 0] = 0.0
    places = sky["middle"][:, None] + LINK_DEG * steps[..., None] * sky["direction"][:, None]
    source, _ = np.nonzero(np.isfinite(steps))
    place = places[np.isfinite(steps)]
    low = np.floor(place / STEP_DEG - 0.5).astype(int)
    rows = [
        pd.DataFrame(
            {"source": source, "x": place[:, 0], "y": place[:, 1], "sx": low[:, 0] + a, "sy": low[:, 1] + b}
        )
        for a in (0, 1)
        for b in (0, 1)
    ]
    table = pd.concat(rows, ignore_index=True)
    inside = (table["sx"] // BLOCK == i) & (table["sy"] // BLOCK == j)
    return table[inside].assign(chain=sky["chain"][table["source"][inside]])


def sky_of(x: np.ndarray, y: np.ndarray, side_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Project plane positions onto the sky, with equal areas, around RA 0 and the equator."""
    return (x - side_deg / 2) % 360.0, np.rad2deg(np.arcsin(np.deg2rad(y - side_deg / 2)))


def write_block(folder: Path, i: int, j: int, side_blocks: int) -> int:
    """Write the files of one shard; return the number of its detections."""
    name = f"{i * side_blocks + j:05d}"
    side_deg = side_blocks * BLOCK * STEP_DEG
    parts = block_views(i, j, side_blocks).sort_values(["sx", "sy", "source"], kind="stable")
    group = parts.groupby(["sx", "sy", "source"], sort=False).ngroup().to_numpy()
    first = np.flatnonzero(np.diff(group, prepend=-1))
    counts = np.diff(np.append(first, len(group)))
    n = len(first)
    rng = np.random.default_rng([8, i, j])
    ra, dec = sky_of(parts["x"].to_numpy(), parts["y"].to_numpy(), side_deg)
    offsets = np.append(first, len(group)).astype(np.int32)
    lead = parts.iloc[first]
    middle = [np.add.reduceat(parts[axis].to_numpy(), first) / counts for axis in "xy"]
    centre = sky_of(*(axis + rng.normal(0, BOX_ERROR_DEG, n) for axis in middle), side_deg)
    columns: dict[str, pa.Array] = {
        "ra": pa.array(centre[0]),
        "dec": pa.array(centre[1]),
        "subject_id": pa.array(
            (lead["sx"].astype(str) + "_" + lead["sy"].astype(str)).to_numpy(), pa.string()
        ),
        "method": pa.array(["D4"] * n),
        "morphology": pa.array(["3C_3P"] * n),
        "rule_morphology": pa.array(["3C_3P"] * n),
        "rule_components": pa.array(counts.astype(np.int32)),
        "angular_size": pa.array((15 + 20 * counts).astype(np.float32)),
        "frame_quality": pa.array(rng.random(n).astype(np.float32) * counts / LINKS),
        "detection": pa.array(np.arange(n, dtype=np.int32)),
        "flags": pa.array(np.zeros(n, np.int32)),
        "host_reliability": pa.array(lead["chain"].to_numpy().astype(np.float32)),  # kept to count sources
    }
    for field in SOURCES:
        if field.name in columns:
            continue
        if pa.types.is_list(field.type):
            sky = {"ra": ra, "dec": dec}.get(field.name.removeprefix("peak_").removeprefix("component_"))
            values = rng.random(len(group)) if sky is None else sky
            inner = pa.array(values).cast(field.type.value_type)
            columns[field.name] = pa.ListArray.from_arrays(pa.array(offsets), inner)
        else:
            columns[field.name] = pa.array(rng.random(n) * 100).cast(field.type, safe=False)
    facts = {"method": "D4", "model_id": "made up"}
    with parquet_writer(folder / "sources" / f"{name}.parquet", SOURCES, metadata=facts) as writer:
        writer.write_table(
            pa.table([columns[name] for name in SOURCES.names], names=SOURCES.names).cast(writer.schema)
        )
    with parquet_writer(folder / "rejected" / f"{name}.parquet", REJECTED, metadata=facts) as writer:
        writer.write_table(REJECTED.empty_table().cast(writer.schema))
    sx, sy = (
        axis.ravel() for axis in np.meshgrid(i * BLOCK + np.arange(BLOCK), j * BLOCK + np.arange(BLOCK))
    )
    where = sky_of((sx + 1.0) * STEP_DEG, (sy + 1.0) * STEP_DEG, side_deg)
    index = {
        field.name: pa.nulls(len(sx), field.type).fill_null(0)
        for field in FUSED
        if field.name != "subject_id"
    }
    index |= {"ra": pa.array(where[0]), "dec": pa.array(where[1])}
    index["subject_id"] = pa.array([f"{a}_{b}" for a, b in zip(sx, sy, strict=True)])
    with parquet_writer(folder / "index" / f"{name}.parquet", FUSED) as writer:
        writer.write_table(
            pa.table([index[name] for name in FUSED.names], names=FUSED.names).cast(writer.schema)
        )
    return n


def make(folder: Path, detections: int) -> None:
    """Write a sky with about this number of detections."""
    per_block = 4 * PER_SQUARE_DEG * (BLOCK * STEP_DEG) ** 2
    side_blocks = max(1, round(np.sqrt(detections / per_block)))
    blocks = [(i, j) for i in range(side_blocks) for j in range(side_blocks)]
    total = sum(
        write_block(folder, i, j, side_blocks) for i in range(side_blocks) for j in range(side_blocks)
    )
    n_sources = sum(int((~block_sources(i, j)["chain"]).sum()) for i, j in blocks)
    (folder / "made.json").write_text(
        json.dumps({"detections": total, "sources": n_sources, "shards": side_blocks**2})
    )


def merge(folder: Path) -> None:
    """Merge the detections in a folder, and print time, memory and counts."""
    names = sorted(path.name for path in (folder / "sources").iterdir())
    shards = [
        ShardTables(folder / "index" / name, folder / "sources" / name, folder / "rejected" / name)
        for name in names
    ]
    for shard in shards:  # read into the page cache, so that the disk is not measured
        for path in (shard.index, shard.sources, shard.rejected):
            path.read_bytes()
    start = time.perf_counter()
    rows = write_catalogue(
        folder / "catalogue.parquet",
        folder / "outcomes.parquet",
        shards,
        method="D4",
        frame=FRAME,
        survey=SURVEYS["FIRST"],
        provenance={},
    )
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / GB
    table = read_arrow(folder / "catalogue.parquet", ["n_merged", "host_reliability"])
    single = table["host_reliability"].to_numpy() == 0
    merged = table["n_merged"].to_numpy()[single]
    print(
        json.dumps(
            {
                "seconds": seconds,
                "memory_gb": memory,
                "rows": rows,
                "single": int(single.sum()),
                "n_merged_mean": float(merged.mean()),
            }
        )
    )


def main() -> None:
    """Print one row for each number of detections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument(
        "--into", type=Path, required=True, help="folder for the files, about 5 GB for 10 million detections"
    )
    parser.add_argument("--merge", type=Path, help="only merge this folder, in this process")
    options = parser.parse_args()
    if options.merge:
        merge(options.merge)
        return
    for detections in options.detections:
        folder = options.into / str(detections)
        if not (folder / "made.json").exists():
            make(folder, detections)
        made = json.loads((folder / "made.json").read_text())
        command = [
            sys.executable,
            "-m",
            "benchmarks.speed.merging",
            "--into",
            str(options.into),
            "--merge",
            str(folder),
        ]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
        found = json.loads(printed)
        print(
            f"{made['detections']:>10,} detections in {made['shards']} shards: {found['seconds']:.1f} s, "
            f"{1e6 * found['seconds'] / made['detections']:.1f} s per million, {found['memory_gb']:.2f} GB; "
            f"{found['rows']:,} rows, {found['single']:,} of {made['sources']:,} sources other than chains, "
            f"of {found['n_merged_mean']:.2f} detections each"
        )


if __name__ == "__main__":
    main()
