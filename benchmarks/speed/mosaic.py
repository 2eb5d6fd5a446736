"""Time and memory of writing a mosaic of the simulated sky, on one core.

OMP_NUM_THREADS=1 python -m benchmarks.speed.mosaic --size 10000
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from claran_core.simulation.mosaic import write_mosaic
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

# An arbitrary centre, away from the poles and the equator.
SEED, RA_DEG, DEC_DEG = 20181031, 183.0, 44.0

BYTES_PER_KIB, BYTES_PER_GB = 1024, 1e9

# Surveys whose mosaics are timed.
MEASURED = ("FIRST", "WISE_W1")


def written_here(survey: str, size_px: int, folder: Path) -> tuple[float, float]:
    """Write a mosaic in this process; return seconds, and peak resident memory in GB, imports included."""
    start = time.perf_counter()
    write_mosaic(
        folder / "mosaic.fits", SimulatedProvider(SURVEYS[survey], seed=SEED), RA_DEG, DEC_DEG, size_px
    )
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_KIB / BYTES_PER_GB


def measure(survey: str, size_px: int, folder: Path) -> tuple[float, float]:
    """Write a mosaic in a new process, which starts without caches; return the same."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.speed.mosaic",
        "--survey",
        survey,
        "--size",
        str(size_px),
        "--into",
        str(folder),
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(printed[0]), float(printed[1])


def main() -> None:
    """Print seconds, pixels per second and peak memory for both surveys."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="width of the mosaic, px")
    parser.add_argument(
        "--survey", choices=MEASURED, help="write the mosaic of this survey only, in this process"
    )
    parser.add_argument("--into", type=Path, help="folder of the file (default: a temporary folder)")
    options = parser.parse_args()
    if options.survey and options.into:
        print(*written_here(options.survey, options.size, options.into))
        return
    for survey in [options.survey] if options.survey else MEASURED:
        with tempfile.TemporaryDirectory(dir=options.into) as folder:
            seconds, memory_gb = measure(survey, options.size, Path(folder))
        rate = options.size**2 / seconds
        print(
            f"{survey:>8}: {options.size} x {options.size} px in {seconds:.1f} s, "
            f"{rate / 1e6:.2f} million px per second, at most {memory_gb:.2f} GB resident"
        )


if __name__ == "__main__":
    main()
