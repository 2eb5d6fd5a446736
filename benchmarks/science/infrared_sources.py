"""Stars put into W1 images: how many are found, where, and with what magnitude.

    OMP_NUM_THREADS=1 python -m benchmarks.science.infrared_sources --pairs ../shared/data/pairs

Each image is looked at with a few stars more than it has, at random places, crowded ones included.  Stars are
as elongated as real ones, which the fit does not know.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from benchmarks.science.host_samples import FRAME, W1
from claran_core.catalogue.measure.infrared_sources import InfraredSources, find_infrared_sources
from claran_core.common.cutout import Cutout
from claran_core.settings.config import load_config
from claran_core.simulation import infrared
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.regular import regular_image

# Stars per image, distance from its border, and limits of a recovery.
STARS, BORDER_PX, FOUND_ARCSEC, FOUND_MAGNITUDES = 3, 8, 3.0, 1.0
EDGES = np.arange(12.0, 17.6, 0.5)


def simulated_windows(n: int, seed: int) -> Iterator[Cutout]:
    """Yield cut-outs at random positions of the simulated sky."""
    sky, rng = SimulatedProvider(W1, seed=seed), np.random.default_rng(3)
    for _ in range(n):
        yield sky.cutout("", rng.uniform(120, 250), rng.uniform(0, 60), FRAME.width_arcsec)


def real_windows(folder: Path, n: int) -> Iterator[Cutout]:
    """Yield real images, each several times."""
    paths = sorted(folder.glob("infrared/*.fits"))
    for k in range(n):
        with quiet_astropy(), fits.open(paths[k % len(paths)]) as hdus:
            image = regular_image(hdus[0].data.astype(np.float32), WCS(hdus[0].header).celestial)
        yield Cutout(*image, "real")


def star(shape: tuple[int, ...], x: float, y: float, magnitude: float, angle: float) -> np.ndarray:
    """Return the image of an elongated star, without spikes."""
    rows, columns = np.indices(shape)
    along = ((columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)) * W1.pixel_scale_arcsec
    across = ((rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)) * W1.pixel_scale_arcsec
    image = np.zeros(shape)
    for k, (height, fwhm) in enumerate(infrared.PSF):
        ratio = infrared.PSF_AXIS_RATIO**0.5 if k < 2 else 1.0
        square = (along / (fwhm * ratio)) ** 2 + (across * ratio / fwhm) ** 2
        image += height * np.exp(-4 * np.log(2) * square)
    return infrared.peak_of_magnitude(magnitude) * image


def injected(windows: Iterator[Cutout]) -> np.ndarray:
    """Return the magnitude of each star and its recovery: offset, error, distance (arcsec), SNR, or NaN."""
    rng, rows = np.random.default_rng(4), []
    for window in windows:
        ny, nx = window.data.shape
        places = rng.uniform(BORDER_PX, [nx - BORDER_PX, ny - BORDER_PX], (STARS, 2))
        magnitudes = rng.uniform(EDGES[0], EDGES[-1], STARS)
        image = window.data.astype(float)
        for place, magnitude in zip(places, magnitudes, strict=True):
            image = image + star(image.shape, *place, magnitude, rng.uniform(0, np.pi))
        sources = find_infrared_sources(Cutout(image.astype(np.float32), window.wcs, "test"), W1)
        at = np.array(window.wcs.sky_to_pixels(sources.ra, sources.dec))
        for place, magnitude in zip(places, magnitudes, strict=True):
            rows.append([magnitude, *recovered(sources, at, place, magnitude)])
    return np.array(rows)


def recovered(sources: InfraredSources, at: np.ndarray, place: np.ndarray, magnitude: float) -> list[float]:
    """Return the recovery of one star."""
    apart = np.hypot(*(at - place[:, None])) * W1.pixel_scale_arcsec
    off = sources.magnitude - magnitude
    apart = np.where(np.abs(off) < FOUND_MAGNITUDES, apart, np.inf)
    if not apart.size or apart.min() > FOUND_ARCSEC:
        return [np.nan] * 4
    best = apart.argmin()
    return [off[best], sources.magnitude_err[best], apart[best], sources.snr[best]]


def report(name: str, rows: np.ndarray) -> None:
    """Print one line per bin of magnitude."""
    print(f"\n{name}")
    print("W1 | stars | found | median off | scatter (MAD) | median error | position error / (FWHM/SNR)")
    for low, high in zip(EDGES[:-1], EDGES[1:], strict=True):
        inside = rows[(rows[:, 0] >= low) & (rows[:, 0] < high)]
        found = inside[np.isfinite(inside[:, 1])]
        if len(found) < 5:
            continue
        off = np.median(found[:, 1])
        scatter = 1.4826 * np.median(np.abs(found[:, 1] - off))
        # Median of a distance in the plane over the error along an axis: 1.1774.
        place = np.median(found[:, 3] * found[:, 4]) / W1.beam_arcsec / 1.1774
        numbers = f"{off:+.3f} | {scatter:.3f} | {np.median(found[:, 2]):.3f} | {place:.2f}"
        print(f"{low:.1f}-{high:.1f} | {len(inside)} | {len(found) / len(inside):.2f} | {numbers}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, help="folder with infrared/*.fits")
    parser.add_argument("--windows", type=int, default=400)
    parser.add_argument("--seed", type=int, default=load_config().seed)
    args = parser.parse_args()
    report("simulated sky", injected(simulated_windows(args.windows, args.seed)))
    if args.pairs:
        report("real images", injected(real_windows(args.pairs, args.windows)))


if __name__ == "__main__":
    main()
