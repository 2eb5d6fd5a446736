"""Measure sources, run time and memory from a mosaic of 20,000 x 20,000 px to the catalogue.

    OMP_NUM_THREADS=1 python -m benchmarks.science.mosaic_survey FOLDER --side 3.16 --shard-size 2048

FIRST and W1 mosaics of the simulated sky are written once, tiled into overlapping subjects of several scales
(all of them, or those of a square in the middle), and pass the workflow like any images on disk.  The
catalogue is compared with the truth as in blind_survey.py; memory is the largest of any job, as snakemake
measures it.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from benchmarks.science.blind_survey import compared, report
from claran_core.common.files import read_table
from claran_core.common.frame import SCALES
from claran_core.common.paths import REPOSITORY, Results
from claran_core.common.tables import TARGETS
from claran_core.evaluation.sky_truth import sky_truth_over
from claran_core.settings.config import load_config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS
from claran_core.targets.areas import BoxArea, image_area
from claran_core.targets.subject_grid import SkyGrid, tile_at_scales, write_tiles

CENTRE = (150.0, 20.0)
# The infrared mosaic is a little larger than the radio one.
MOSAICS = {"radio": ("FIRST", 1.0), "infrared": ("WISE_W1", 1.0001)}


def written(folder: Path, size_px: int) -> None:
    """Write the two mosaics unless they exist."""
    for band, (name, part) in MOSAICS.items():
        path = folder / band / f"{name}.fits"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        width = size_px * SURVEYS["FIRST"].pixel_scale_arcsec / SURVEYS[name].pixel_scale_arcsec * part
        command = [sys.executable, "-m", "claran_core.cli.commands", "simulate", "image", "--survey", name]
        command += ["--ra", str(CENTRE[0]), "--dec", str(CENTRE[1]), "--size-px", str(round(width))]
        start = time.perf_counter()
        subprocess.run([*command, "--output", str(path)], check=True)
        print(f"{path.name}: {round(width)} px wide, written in {time.perf_counter() - start:.0f} s")


def targets_of(folder: Path, side_deg: float | None, scales: Sequence[int]) -> pd.DataFrame:
    """Return the subjects of the whole mosaic, or of a square in its middle."""
    start = time.perf_counter()
    grid = SkyGrid(load_config().fusion.frame)
    subjects = tile_at_scales(image_area(folder / "radio", SURVEYS["FIRST"]), grid, scales)
    print(f"{len(subjects)} subjects cover the mosaic, listed in {time.perf_counter() - start:.1f} s")
    if side_deg is None:
        return subjects
    ra, dec = CENTRE
    east = side_deg / 2 / np.cos(np.deg2rad(dec))
    box = BoxArea(ra - east, ra + east, dec - side_deg / 2, dec + side_deg / 2)
    return subjects[subjects["subject_id"].isin(tile_at_scales(box, grid, scales)["subject_id"])]


def main() -> None:
    """Write, tile, run, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of all files, about 8 GB")
    parser.add_argument("--size", type=int, default=20_000, help="of the FIRST mosaic, px (20,000)")
    parser.add_argument("--side", type=float, help="search only a square of this side, deg")
    parser.add_argument("--cores", type=int, default=2, help="jobs at a time")
    parser.add_argument("--shard-size", type=int, default=load_config().shard_size, help="subjects per shard")
    parser.add_argument("--scales", type=int, nargs="+", default=list(SCALES), help="scales of the subjects")
    options = parser.parse_args()
    written(options.folder, options.size)
    subjects = targets_of(options.folder, options.side, options.scales)
    write_tiles(options.folder / "targets.parquet", subjects, overwrite=True)
    sources = {band: {"source": "directory", "path": band} for band in MOSAICS}
    settings = options.folder / "settings.yaml"
    run = {"targets": {"path": "targets.parquet"}, "survey": sources, "shard_size": options.shard_size}
    settings.write_text(yaml.safe_dump(run))
    start = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "catalogue", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(options.folder), "--cores", str(options.cores), "--quiet", "all"]
    subprocess.run([*command, "--configfile", str(settings)], check=True)
    seconds = time.perf_counter() - start
    results, config = Results(options.folder / "results"), load_config()
    targets = read_table(results.targets, TARGETS.names)
    print(
        f"{len(targets)} subjects to the catalogue: {seconds:.0f} s, {len(targets) / seconds:.1f} per second"
    )
    measured = {
        path: pd.read_csv(path, sep="\t")["max_rss"].max()
        for path in (results.root / "benchmarks").glob("**/*.tsv")
    }
    largest = max(measured, key=measured.get)
    print(f"most memory: {measured[largest] / 1000:.2f} GB, {largest.relative_to(results.root)}")
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=config.seed)
    truth = sky_truth_over(sky, targets, config.fusion.frame)
    print(report(compared(results, truth, targets, config)[0], {}))


if __name__ == "__main__":
    main()
