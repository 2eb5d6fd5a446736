"""Reprojection to the subject frame compared with `reproject_interp`: largest difference, ratio of times.

OMP_NUM_THREADS=1 python -m benchmarks.speed.reprojection ../shared/data/pairs
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from reproject import reproject_interp

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame, flip_rows
from claran_core.common.noise import noise_sigma
from claran_core.common.reprojection import reproject
from claran_core.survey.regular import astropy_wcs, regular_image


def main() -> None:
    """Compare both for all FITS files in a folder."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of FITS images")
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore", FITSFixedWarning)
    frame, times, differences = Frame(), [], []
    for path in sorted(folder.rglob("*.fits")):
        with fits.open(path) as hdus:
            data = hdus[0].data.squeeze().astype(np.float32)
            wcs = WCS(hdus[0].header).celestial
        cutout = Cutout(*regular_image(data, wcs), path.name)
        ra, dec = (float(value) for value in cutout.wcs.pixels_to_sky(*(np.array(data.shape[::-1]) / 2)))
        started = time.process_time()
        ours = reproject(cutout, frame, ra, dec)
        middle = time.process_time()
        theirs, _ = reproject_interp((data, wcs), astropy_wcs(frame.wcs(ra, dec)), shape_out=ours.shape)
        times.append((middle - started, time.process_time() - middle))
        differences.append(np.nanmax(np.abs(ours - flip_rows(theirs))) / noise_sigma(data))
    ours_ms, theirs_ms = np.median(times, axis=0) * 1e3
    print(f"{len(times)} images, largest difference {max(differences):.1e} sigma")
    print(f"median {ours_ms:.2f} ms, reproject_interp {theirs_ms:.1f} ms, ratio {theirs_ms / ours_ms:.1f}")


if __name__ == "__main__":
    main()
