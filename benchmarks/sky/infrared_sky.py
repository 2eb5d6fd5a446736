"""Compare the simulated W1 sky with real AllWISE images, by the same measurements on windows of one size.

    OMP_NUM_THREADS=1 python -m benchmarks.sky.infrared_sky ../shared/data/pairs [--windows 60] [--seed 5] \
        [--json]

Real images are centred on bright hosts, so their central 30" is excluded from all rows on sources.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.ndimage import binary_dilation, gaussian_filter, maximum_filter
from scipy.optimize import curve_fit

from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

SCALE = SURVEYS["WISE_W1"].pixel_scale_arcsec
SIZE_PX = 132

# Sources: local maxima of the image smoothed by this sigma (px), above this many MAD sigma of the unsmoothed.
SMOOTHING_PX, THRESHOLD, PEAK_BOX_PX = 1.2, 5.0, 5
HOST_ARCSEC = 30.0

# Noise: pixels below this many sigma, and farther than this from any above.
MASK_SIGMA, MASK_GROWTH_PX = 3.0, 3
LAGS = range(1, 8)

# Counts: slope above this peak. Stars: brighter than this, alone within a radius down to a part of the peak.
SLOPE_ABOVE_DN, STAR_ABOVE_DN, WINGS_ABOVE_DN = 1.5, 5.0, 25.0
ALONE_PX, ALONE_PART = 12, 0.05
# Width is measured within this radius; broader ones are galaxies.
CORE_PX, STAR_BELOW_ARCSEC = 6, 9.2
WING_RADII_ARCSEC = np.arange(5.0, 41.0, 5.0)


@dataclass(frozen=True)
class Sample:
    """A window ``(ny, nx)`` in DN, and the pixels in which sources are counted."""

    image: np.ndarray
    counts: np.ndarray


def real_samples(folder: Path) -> Iterator[Sample]:
    """Yield images of `SIZE_PX` whole, and the corners of wider ones."""
    for path in sorted(folder.glob("infrared/*.fits")):
        image = fits.getdata(path).astype(float)
        rows, columns = np.indices(image.shape)
        middle = (np.array(image.shape) - 1) / 2
        counts = np.hypot(rows - middle[0], columns - middle[1]) * SCALE > HOST_ARCSEC
        ny, nx = image.shape
        tops, lefts = ({0, max(0, size - SIZE_PX)} for size in (ny, nx))
        if ny < 2 * SIZE_PX:
            tops, lefts = {0}, {0}
        for top in sorted(tops):
            for left in sorted(lefts):
                part = (slice(top, top + SIZE_PX), slice(left, left + SIZE_PX))
                yield Sample(image[part], counts[part])


def simulated_samples(n: int, seed: int) -> Iterator[Sample]:
    """Windows at random positions within 60 degrees of the equator."""
    survey, rng = SimulatedProvider(SURVEYS["WISE_W1"], seed=seed), np.random.default_rng(0)
    for _ in range(n):
        ra, dec = rng.uniform(0, 360), np.rad2deg(np.arcsin(rng.uniform(-1, 1) * np.sin(np.pi / 3)))
        image = survey.cutout("", ra, dec, SIZE_PX * SCALE).data.astype(float)
        top, left = ((size - SIZE_PX) // 2 for size in image.shape)
        image = image[top : top + SIZE_PX, left : left + SIZE_PX]
        yield Sample(image, np.ones(image.shape, bool))


def noise(image: np.ndarray) -> dict[str, float]:
    """Level, three measures of noise, and its autocorrelation off the sources."""
    median = np.median(image)
    sigma = 1.4826 * np.median(np.abs(image - median))
    low = image[image < median] - median
    quiet = ~binary_dilation(image - median > MASK_SIGMA * sigma, iterations=MASK_GROWTH_PX)
    rest = np.where(quiet, image - image[quiet].mean(), 0)
    variance = (rest**2).sum() / quiet.sum()

    def at(lag: int) -> float:
        along = ((rest[:, lag:] * rest[:, :-lag]).sum(), (rest[lag:] * rest[:-lag]).sum())
        pairs = ((quiet[:, lag:] & quiet[:, :-lag]).sum(), (quiet[lag:] & quiet[:-lag]).sum())
        return (along[0] / pairs[0] + along[1] / pairs[1]) / 2 / variance

    levels = {"background DN": median, "MAD rms DN": sigma, "rms below median DN": np.sqrt((low**2).mean())}
    return levels | {f"autocorrelation at {lag} px": at(lag) for lag in LAGS}


def sources(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, and heights (DN) above the background, of the sources that count."""
    median = np.median(sample.image)
    sigma = 1.4826 * np.median(np.abs(sample.image - median))
    smooth = gaussian_filter(sample.image, SMOOTHING_PX)
    peak = (smooth == maximum_filter(smooth, PEAK_BOX_PX)) & (smooth - median > THRESHOLD * sigma)
    where = np.argwhere(peak & sample.counts)
    return where, maximum_filter(sample.image, 3)[tuple(where.T)] - median


def is_alone(image: np.ndarray, row: int, column: int) -> bool:
    """Return whether a source is isolated from other sources and from the window's border."""
    if min(row, column) < ALONE_PX or max(row, column) > SIZE_PX - ALONE_PX - 1:
        return False
    part = image[row - ALONE_PX : row + ALONE_PX + 1, column - ALONE_PX : column + ALONE_PX + 1]
    part = part - np.median(image)
    return ((part == maximum_filter(part, 3)) & (part > ALONE_PART * part.max())).sum() == 1


def core_fwhm(image: np.ndarray, row: int, column: int) -> tuple[float, float]:
    """FWHM (arcsec) along and across of an elliptical Gaussian fitted to the core; infinite without fit."""
    y, x = np.indices(image.shape) - np.array([row, column], float)[:, None, None]
    core = np.hypot(x, y) < CORE_PX
    values = image[core] - np.median(image)

    def gaussian(
        at: np.ndarray,
        level: float,
        height: float,
        x0: float,
        y0: float,
        a: float,
        b: float,
        turn: float,
    ) -> np.ndarray:
        along = (at[0] - x0) * np.cos(turn) + (at[1] - y0) * np.sin(turn)
        across = (at[1] - y0) * np.cos(turn) - (at[0] - x0) * np.sin(turn)
        return level + height * np.exp(-0.5 * ((along / a) ** 2 + (across / b) ** 2))

    start = [0, values.max(), 0, 0, 2.7, 2.5, 0.5]
    try:
        fit, _ = curve_fit(gaussian, np.array([x[core], y[core]]), values, start, maxfev=2000)
    except RuntimeError:
        return np.inf, np.inf
    minor, major = np.sort(np.abs(fit[4:6])) * FWHM_PER_SIGMA * SCALE
    return float(major), float(minor)


def wings(image: np.ndarray, row: int, column: int) -> np.ndarray:
    """Medians on rings around a source, DN above the background; NaN where the window shows too little."""
    rows, columns = np.indices(image.shape)
    radius = np.hypot(rows - row, columns - column) * SCALE
    rings = [image[np.abs(radius - r) < SCALE] for r in WING_RADII_ARCSEC]
    return np.array([np.median(ring) if ring.size > 20 else np.nan for ring in rings]) - np.median(image)


def source_rows(samples: list[Sample]) -> tuple[dict[str, float], dict[str, int]]:
    """Return the rows of the table on sources, and the numbers of sources."""
    density, heights, stars, bright, rings = [], [], [], [], []
    for sample in samples:
        where, height = sources(sample)
        density.append(len(where) / (sample.counts.sum() * SCALE**2 / 180**2))
        heights.extend(height)
        for (row, column), value in zip(where, height, strict=True):
            fwhm = core_fwhm(sample.image, row, column) if value > STAR_ABOVE_DN else (np.inf, np.inf)
            if np.sqrt(fwhm[0] * fwhm[1]) > STAR_BELOW_ARCSEC:
                continue
            if is_alone(sample.image, row, column):
                stars.append(fwhm)
            if value > WINGS_ABOVE_DN:
                bright.append(value)
                rings.append(wings(sample.image, row, column))
    heights = np.array(heights)
    above = heights[heights > SLOPE_ABOVE_DN]
    major, minor = np.median(stars, axis=0)
    # Weighted by brightness, since wings of faint stars drown in their neighbours.
    weight = np.where(np.isfinite(rings), np.array(bright)[:, None], 0)
    profile = np.nansum(rings, axis=0) / weight.sum(axis=0)
    rows = {
        "sources in 3' x 3', mean": np.mean(density),
        "sources in 3' x 3', standard deviation": np.std(density),
        "slope of N(>S)": -len(above) / np.log(above / SLOPE_ABOVE_DN).sum(),
    }
    rows |= {f"height of sources DN, p{p}": np.percentile(heights, p) for p in (25, 50, 75, 90, 95)}
    rows |= {"FWHM of stars arcsec": np.sqrt(major * minor), "axis ratio of stars": major / minor}
    rows |= {f'wings at {r:g}"': value for r, value in zip(WING_RADII_ARCSEC, profile, strict=True)}
    return rows, {"sources": len(heights), "stars": len(stars), "bright stars": len(bright)}


def measure(samples: list[Sample]) -> tuple[dict[str, float], dict[str, int]]:
    """Return all rows of the table, and the numbers of sources behind them."""
    levels = [noise(sample.image) for sample in samples]
    rows = {}
    for name in levels[0]:
        values = [level[name] for level in levels]
        rows[name] = np.mean(values) if name.startswith("autocorrelation") else np.median(values)
    for percent in (10, 90):
        rows[f"MAD rms DN, p{percent}"] = np.percentile([level["MAD rms DN"] for level in levels], percent)
    of_sources, seen = source_rows(samples)
    return {k: float(v) for k, v in (rows | of_sources).items()}, {"windows": len(samples)} | seen


def main() -> None:
    """Print both columns and their difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, help="folder with infrared/*.fits")
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    real, seen_real = measure(list(real_samples(args.pairs)))
    started = time.perf_counter()
    windows = list(simulated_samples(args.windows, args.seed))
    time_ms = (time.perf_counter() - started) / args.windows * 1e3
    ours, seen_ours = measure(windows)
    if args.json:
        seen = {"real": seen_real, "simulated": seen_ours}
        print(json.dumps({"real": real, "simulated": ours, "seen": seen, "time_ms": time_ms}, indent=1))
        return
    print(f"real: {seen_real}\nsimulated: {seen_ours}, {time_ms:.1f} ms each\n")
    print(f"{'':42s}{'real':>10s}{'simulated':>12s}{'difference':>12s}")
    for name, value in real.items():
        print(f"{name:42s}{value:10.4g}{ours[name]:12.4g}{(ours[name] / value - 1) * 100:+11.0f} %")


if __name__ == "__main__":
    main()
