"""Time to index thousands of images on disk, to refresh the index, and to open an image provider with it.

OMP_NUM_THREADS=1 python -m benchmarks.speed.image_index --files 5000
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from claran_core.common.frame import Frame
from claran_core.survey.directory.image_files import files_digest
from claran_core.survey.directory.image_index import ImageIndex, write_index
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.regular import wcs_cards
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]
PATTERN = "*.fits"
CHANGED = 10


def write_images(folder: Path, n: int) -> None:
    """Write `n` small images along the equator."""
    frame = Frame(size_px=64, pixel_scale_arcsec=1.8)
    data = np.zeros((64, 64), np.float32)
    for k in range(n):
        header = fits.Header(wcs_cards(frame.wcs(360.0 * k / n, 0.0)))
        fits.writeto(folder / f"{k:06d}.fits", data, header)


def timed(what: str, work: Callable[[], object]) -> None:
    """Run an action, and print its time."""
    start = time.perf_counter()
    work()
    print(f"{what:42s} {time.perf_counter() - start:7.2f} s")


def main() -> None:
    """Print one line per action."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=5000, help="number of images (default: 5000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name) / "images", Path(name) / "index.parquet"
        folder.mkdir()
        write_images(folder, options.files)
        print(f"{options.files} images")
        for processes in (1, 2):
            path.unlink(missing_ok=True)
            timed(
                f"index, {processes} process{'es' * (processes > 1)}",
                lambda n=processes: write_index(path, FIRST, folder, pattern=PATTERN, processes=n),
            )
        print(f"{'':42s} {path.stat().st_size / 1e6:7.2f} MB")
        timed("what changed? (digest)", lambda: files_digest(FIRST, folder, PATTERN))
        timed("refresh, nothing changed", lambda: write_index(path, FIRST, folder, pattern=PATTERN))
        for k in range(CHANGED):
            (folder / f"{k:06d}.fits").touch()
        timed(f"refresh, {CHANGED} changed", lambda: write_index(path, FIRST, folder, pattern=PATTERN))
        timed("open a source without index", lambda: DirectoryProvider(FIRST, folder, pattern=PATTERN))
        timed(
            "open a source with the index",
            lambda: DirectoryProvider(FIRST, folder, index=ImageIndex.read(path)),
        )
        source = DirectoryProvider(FIRST, folder, index=ImageIndex.read(path))
        timed("100 cut-outs", lambda: [source.cutout("x", 3.6 * k, 0.0, 60.0) for k in range(100)])


if __name__ == "__main__":
    main()
