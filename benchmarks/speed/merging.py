"""Time and memory to associate the components of millions of candidates, and the sources that are lost.

python -m benchmarks.speed.merging --candidates 1000000 10000000 --into FOLDER

Sources have random positions, 1,000 per square degree.  60 % have one component, 30 % two and 8 % three, 30
arcsec apart; 2 % are chains of eight, which no fine view shows whole.  Views of scale 1, 2 and 4 (frames of
182 arcsec times the scale every 90 arcsec times the scale) show each component four times each.  A coarse
view has coarse components, each with a position of its own around the fine one inside; at scale 4 a chain is
one component.  Candidates are runs of up to four units of a source: whole ones are probable, others are not.
Every source but chains must give exactly one row, except 1 % of which a component is closer than half a
coarse beam to another source's by chance.  Files are read once before the measurement.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.catalogue.associate import associate as stages
from claran_core.catalogue.associate.views import ShardFiles
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.calibration import Calibration
from claran_core.common.files import digest_of, read_arrow, write_arrow
from claran_core.common.frame import Frame
from claran_core.common.morphology import probability_columns
from claran_core.common.tables import CANDIDATES, COMPONENTS, TARGETS
from claran_core.components.sky_identity import healpix_index

FRAME = Frame()
SCALES = (1, 2, 4)
STEP_DEG = 90 / 3600  # from one view of scale 1 to the next
BLOCK = 64  # views of scale 1 along one side of a shard
PER_SQUARE_DEG = 1000.0
N_COMPONENTS, SHARES = (1, 2, 3, 8), (0.60, 0.30, 0.08, 0.02)
APART_DEG, SIZE_ARCSEC = 30 / 3600, 12.0
MAX_UNITS = 4
PER_SOURCE = 27.0  # candidates, about
KIB, GB = 1024, 1e9
STAGES = (
    "read_sky",
    "find_sky_components",
    "find_votes",
    "gather_evidence",
    "joint_probability",
    "best_partition",
    "second_groupings",
)


def block_sources(i: int, j: int) -> pd.DataFrame:
    """Return the components of the sources with the centre in block (i, j): plane positions, deg."""
    rng = np.random.default_rng([7, i, j])
    side = BLOCK * STEP_DEG
    n = rng.poisson(PER_SQUARE_DEG * side**2)
    middle = (np.array([i, j]) + rng.random((n, 2))) * side
    angle = rng.uniform(0, np.pi, n)
    counts = rng.choice(N_COMPONENTS, n, p=SHARES)
    source = np.repeat(np.arange(n), counts)
    number = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    along = APART_DEG * (number - (counts[source] - 1) / 2)
    place = middle[source] + along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)[source]
    name = (i * 1_000 + j) * 100_000 + source
    return pd.DataFrame(
        {"source": name, "number": number, "n": counts[source], "x": place[:, 0], "y": place[:, 1]}
    )


def sky_of(x: np.ndarray, y: np.ndarray, side_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Project plane positions onto the sky, with equal areas, around RA 0 and the equator."""
    return (x - side_deg / 2) % 360.0, np.rad2deg(np.arcsin(np.deg2rad(y - side_deg / 2)))


def seen(parts: pd.DataFrame, scale: int, i: int, j: int) -> pd.DataFrame:
    """Return one row per component and view of block (i, j) at a scale, sorted by view and source."""
    step, block = STEP_DEG * scale, BLOCK // scale
    low = np.floor(parts[["x", "y"]].to_numpy() / step - 0.5).astype(int)
    rows = [parts.assign(vx=low[:, 0] + a, vy=low[:, 1] + b, scale=scale) for a in (0, 1) for b in (0, 1)]
    table = pd.concat(rows, ignore_index=True)
    inside = (table["vx"] // block == i) & (table["vy"] // block == j)
    keys = ["vx", "vy", "source", "number"]
    return table[inside].sort_values(keys, kind="stable", ignore_index=True)


def component_rows(table: pd.DataFrame, side_deg: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return the columns of the components of one scale: coarse ones with one fine one or more inside."""
    scale = int(table["scale"].iloc[0])
    table["id"] = healpix_index(*sky_of(table["x"].to_numpy(), table["y"].to_numpy(), side_deg))
    table["row_scale"], table["part_of"] = 1, -1
    table["room"] = 90.0 * scale * (1 - rng.random(len(table)))
    if scale == 1:
        table["unit"] = table["id"]
        return table
    group = ["vx", "vy", "source"] + ([] if scale == SCALES[-1] else ["number"])
    if scale == SCALES[-1]:
        table["part"] = np.where(table["n"] == 8, 0, table["number"])
        group.append("part")
    coarse = table.drop_duplicates(group).copy()
    shift = (rng.random((len(coarse), 2)) - 0.5) * scale * 1.8 / 3600
    coarse["x"], coarse["y"] = coarse["x"] + shift[:, 0], coarse["y"] + shift[:, 1]
    coarse["id"] = healpix_index(*sky_of(coarse["x"].to_numpy(), coarse["y"].to_numpy(), side_deg))
    coarse["row_scale"], coarse["unit"] = scale, coarse["id"]
    parent = pd.Index(pd.MultiIndex.from_frame(coarse[group]))
    place = parent.get_indexer(pd.MultiIndex.from_frame(table[group]))
    table["part_of"] = table["unit"] = coarse["id"].to_numpy()[place]
    return pd.concat([coarse, table], ignore_index=True)


def candidate_columns(units: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
    """Return the columns of candidates: runs of one to `MAX_UNITS` units of one source in one view."""
    key = pd.util.hash_array(units["view"].to_numpy(), categorize=False) ^ units["source"].to_numpy(np.uint64)
    starts, lengths = [], []
    for length in range(1, MAX_UNITS + 1):
        first = np.arange(max(len(units) - length + 1, 0))
        same = key[first] == key[first + length - 1]
        starts.append(first[same])
        lengths.append(np.full(same.sum(), length))
    start, length = np.concatenate(starts), np.concatenate(lengths)
    whole = (length == units["n"].to_numpy()[start]) | units["is_all"].to_numpy()[start]
    chance = np.where(whole, rng.uniform(0.6, 0.99, len(start)), rng.uniform(0.01, 0.3, len(start)))
    classes = rng.dirichlet(np.ones(6), len(start)) * chance[:, None]
    offsets = np.concatenate([[0], np.cumsum(length)])
    member = np.repeat(start - offsets[:-1], length) + np.arange(offsets[-1])
    return {
        "subject_id": units["view"].to_numpy()[start],
        "scale": units["scale"].to_numpy()[start],
        "unit_ids": pa.ListArray.from_arrays(offsets.astype(np.int32), units["unit"].to_numpy()[member]),
        "p_artefact": np.where(length == 1, rng.uniform(0, 1, len(start)) * (1 - chance), 0.0),
        "room": units["room"].to_numpy()[start],
        **dict(zip(probability_columns(), classes.T, strict=True)),
    }


def filled(columns: dict[str, Any], n: int, schema: pa.Schema) -> pa.Table:
    """Return columns as a table of a schema; those left out are zero, empty lists or empty text."""
    for field in schema:
        if field.name not in columns:
            is_list = pa.types.is_list(field.type)
            usual: Any = [] if is_list else "" if pa.types.is_string(field.type) else 0
            columns[field.name] = pa.array([usual] * n).cast(field.type)
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


def write_block(folder: Path, i: int, j: int, side_blocks: int) -> int:
    """Write the files of one shard; return the number of its candidates."""
    name, rng = f"{i * side_blocks + j:05d}.parquet", np.random.default_rng([8, i, j])
    side_deg = side_blocks * BLOCK * STEP_DEG
    near = [
        block_sources(a, b)
        for a in range(max(i - 1, 0), min(i + 2, side_blocks))
        for b in range(max(j - 1, 0), min(j + 2, side_blocks))
    ]
    parts = pd.concat(near, ignore_index=True)
    rows = pd.concat(
        [component_rows(seen(parts, scale, i, j), side_deg, rng) for scale in SCALES], ignore_index=True
    )
    rows["view"] = rows["scale"].astype(str) + "_" + rows["vx"].astype(str) + "_" + rows["vy"].astype(str)
    ra, dec = sky_of(rows["x"].to_numpy(), rows["y"].to_numpy(), side_deg)
    half = 0.5 * SIZE_ARCSEC / FRAME.pixel_scale_arcsec / rows["scale"].to_numpy()
    half *= np.sqrt(rows["row_scale"].to_numpy())
    box = dict(zip(BOX_COLUMNS, (60 - half, 60 - half, 60 + half, 60 + half), strict=True))
    columns = {
        "component_id": rows["id"].to_numpy(),
        "subject_id": rows["view"].to_numpy(),
        "scale": rows["row_scale"].to_numpy(),
        "level": np.ones(len(rows)),
        "part_of": rows["part_of"].to_numpy(),
        "ra": ra,
        "dec": dec,
        "snr": rng.uniform(6, 60, len(rows)),
        "n_pixels": np.full(len(rows), 20),
        "at_edge": np.zeros(len(rows), bool),
        "peak_x": np.full(len(rows), 60.0),
        "peak_y": np.full(len(rows), 60.0),
        **box,
    }
    write_arrow(folder / "components" / name, filled(columns, len(rows), COMPONENTS))
    units = rows[rows["row_scale"] == rows["scale"]].reset_index(drop=True)
    units["is_all"] = (units["n"] == 8) & (units["scale"] == SCALES[-1])
    scored = candidate_columns(units, rng)
    n = len(scored["subject_id"])
    scored["at_edge"] = np.zeros(n, bool)
    write_arrow(
        folder / "candidates" / name,
        filled(scored, n, CANDIDATES),
        metadata={"method": "D4", "model_id": "made up"},
        made_from={"components": digest_of(folder / "components" / name)},
    )
    views = rows.drop_duplicates("view")
    targets = {"subject_id": views["view"].to_numpy(), "scale": views["scale"].to_numpy()}
    write_arrow(folder / "targets" / name, filled(targets, len(views), TARGETS))
    return n


def make(folder: Path, candidates: int) -> None:
    """Write a sky with about this number of candidates."""
    per_block = PER_SOURCE * PER_SQUARE_DEG * (BLOCK * STEP_DEG) ** 2
    side_blocks = max(1, round(np.sqrt(candidates / per_block)))
    blocks = [(i, j) for i in range(side_blocks) for j in range(side_blocks)]
    total = sum(write_block(folder, i, j, side_blocks) for i, j in blocks)
    sources = [block_sources(i, j).drop_duplicates("source")["n"] for i, j in blocks]
    n_sources = sum(int((counts < 8).sum()) for counts in sources)
    (folder / "made.json").write_text(
        json.dumps({"candidates": total, "sources": n_sources, "shards": side_blocks**2})
    )


def timed(function: Callable[..., Any], seconds: dict[str, float]) -> Callable[..., Any]:
    """Return a function that adds the time of each call to `seconds`."""

    def call(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments, **options)
        seconds[function.__name__] = time.perf_counter() - start
        return result

    return call


def merge(folder: Path) -> None:
    """Associate the components in a folder, and print time, memory and counts."""
    names = sorted(path.name for path in (folder / "targets").iterdir())
    kinds = ("targets", "components", "candidates")
    shards = [ShardFiles(*(folder / kind / name for kind in kinds)) for name in names]
    for shard in shards:  # read into the page cache, so that the disk is not measured
        for path in shard:
            path.read_bytes()
    seconds: dict[str, float] = {}
    for name in STAGES:
        setattr(stages, name, timed(getattr(stages, name), seconds))
    outputs = [folder / "associated" / name for name in names]
    start, busy = time.perf_counter(), time.process_time()
    rows = stages.associate(
        shards,
        outputs,
        folder / "atoms.parquet",
        frame=FRAME,
        beam_arcsec=5.4,
        calibration=Calibration(),
    )
    total, busy = time.perf_counter() - start, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / GB
    sizes = np.concatenate(
        [read_arrow(path, ["atoms"])["atoms"].combine_chunks().value_lengths() for path in outputs]
    )
    atoms = read_arrow(folder / "atoms.parquet", ["source"])["source"].to_numpy()
    found = {"seconds": total, "cpu_seconds": busy, "memory_gb": memory, "rows": rows, "stages": seconds}
    found |= {"short": int((sizes < 4).sum()), "atoms": len(atoms), "in_none": int((atoms < 0).sum())}
    print(json.dumps(found))


def main() -> None:
    """Print one row for each number of candidates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument(
        "--into", type=Path, required=True, help="folder for the files, about 3 GB for 10 million candidates"
    )
    parser.add_argument("--merge", type=Path, help="only associate this folder, in this process")
    options = parser.parse_args()
    if options.merge:
        merge(options.merge)
        return
    for candidates in options.candidates:
        folder = options.into / str(candidates)
        if not (folder / "made.json").exists():
            make(folder, candidates)
        made = json.loads((folder / "made.json").read_text())
        command = [sys.executable, "-m", "benchmarks.speed.merging"]
        command += ["--into", str(options.into), "--merge", str(folder)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
        found = json.loads(printed)
        print(
            f"{made['candidates']:>10,} candidates in {made['shards']} shards: {found['seconds']:.1f} s, "
            f"{found['cpu_seconds']:.1f} s of one core, {found['memory_gb']:.2f} GB; "
            f"{found['atoms']:,} components on the sky, {found['in_none']:,} of them in no source; "
            f"{found['rows']:,} rows, {found['short']:,} of up to three components for "
            f"{made['sources']:,} sources other than chains"
        )
        print("  " + ", ".join(f"{name} {value:.1f} s" for name, value in found["stages"].items()))


if __name__ == "__main__":
    main()
