"""Fit the priors of hosts: density of unrelated W1 sources, magnitudes and places of hosts.

    OMP_NUM_THREADS=1 python -m benchmarks.science.host_prior resources/demo/targets.csv \
        --pairs ../shared/data/pairs

Fits the numbers of `claran_core.catalogue.measure.host` to training subjects of the simulated sky and prints
them.  Six real images serve as a comparison.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from scipy.optimize import minimize

from benchmarks.science.host_samples import FRAME, W1, HostSample, simulated_samples, sky_offsets
from claran_core.catalogue.measure import host
from claran_core.catalogue.measure.infrared_sources import InfraredSources, find_infrared_sources
from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.cutout import Cutout
from claran_core.settings.config import load_config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.regular import regular_image
from claran_core.targets.target_table import read_targets

EDGES = np.append(np.array(host.MAGNITUDES) - 0.5, host.MAGNITUDES[-1] + 0.5)

# Sources closer than this to the target of a real image do not count as unrelated.
HOST_ARCSEC = 30.0

# Lowest weight of a possible place, because the real sky differs from the simulated one.
LEAST_WEIGHT = 0.02
EM_ROUNDS = 60


def unrelated(found: list[InfraredSources], area_arcsec2: float) -> np.ndarray:
    """Return the sources per square degree and magnitude."""
    counts = sum(np.histogram(sources.magnitude, EDGES)[0] for sources in found)
    return np.maximum(counts, 0.5) / area_arcsec2 * ARCSEC_PER_DEG**2 / np.diff(EDGES)


def random_windows(n: int, seed: int) -> np.ndarray:
    """Return the density of sources at random positions of the simulated sky, |Dec| < 60 deg."""
    sky, rng, found, area = SimulatedProvider(W1, seed=seed), np.random.default_rng(0), [], 0.0
    for _ in range(n):
        ra, dec = rng.uniform(0, 360), np.rad2deg(np.arcsin(rng.uniform(-1, 1) * np.sin(np.pi / 3)))
        cutout = sky.cutout("", ra, dec, FRAME.width_arcsec)
        found.append(find_infrared_sources(cutout, W1))
        area += np.isfinite(cutout.data).sum() * cutout.pixel_scale_arcsec**2
    return unrelated(found, area)


def real_windows(folder: Path) -> np.ndarray:
    """Return the density of sources of real images, without their centres."""
    found, area = [], 0.0
    for path in sorted(folder.glob("infrared/*.fits")):
        with quiet_astropy(), fits.open(path) as hdus:
            image = regular_image(hdus[0].data.astype(np.float32), WCS(hdus[0].header).celestial)
        cutout = Cutout(*image, str(path))
        sources = find_infrared_sources(cutout, W1)
        middle = [float(v) for v in cutout.wcs.pixels_to_sky(*((n - 1) / 2 for n in cutout.data.shape[::-1]))]
        far = np.hypot(*sky_offsets(*middle, sources.ra, sources.dec)) > HOST_ARCSEC
        found.append(InfraredSources(*(values[far] for values in vars(sources).values())))
        area += np.isfinite(cutout.data).sum() * cutout.pixel_scale_arcsec**2 - np.pi * HOST_ARCSEC**2
    return unrelated(found, area)


def hosts(samples: list[HostSample]) -> tuple[np.ndarray, float]:
    """Return the hosts per magnitude and source, and the fraction of sources with a detected host."""
    seen = [(sample.infrared.magnitude, sample.seen) for sample in samples]
    magnitudes = [magnitude[index] for magnitude, index in seen if index is not None]
    counts = np.histogram(np.clip(magnitudes, EDGES[0], EDGES[-1]), EDGES)[0] + 0.5
    share = len(magnitudes) / len(samples)
    return share * counts / counts.sum() / np.diff(EDGES), share


def place_weights(samples: list[HostSample], kind: str) -> tuple[np.ndarray, float]:
    """Return the fraction of hosts at each place (by expectation maximisation), and its log-likelihood."""
    density = np.array([densities_at_host(sample) for sample in samples])
    allowed = np.array(host.WEIGHTS[kind]) > 0
    weights = allowed / allowed.sum()
    for _ in range(EM_ROUNDS):
        part = density * weights + 1e-12 * allowed
        weights = (part / part.sum(axis=1, keepdims=True)).mean(axis=0)
    likelihood = float(np.log((density * weights).sum(axis=1) + 1e-9).sum())
    weights = np.where(allowed, np.maximum(weights, LEAST_WEIGHT), 0)
    return weights / weights.sum(), likelihood


def densities_at_host(sample: HostSample) -> np.ndarray:
    """Density of each place at the true host."""
    ra, dec = np.array([sample.host_ra_deg]), np.array([sample.host_dec_deg])
    return host.position_densities(sample.radio, ra, dec, 0.0)[:, 0]


def fit_spreads(samples: dict[str, list[HostSample]]) -> None:
    """Set the spreads of `host` to those of highest likelihood."""

    def misfit(logarithms: np.ndarray) -> float:
        spreads = np.exp(logarithms)
        host.CENTROID_SPREAD, host.MIDDLE_SPREAD = tuple(spreads[:2]), tuple(spreads[2:])
        return -sum(place_weights(some, kind)[1] for kind, some in samples.items())

    start = np.log([*host.CENTROID_SPREAD, *host.MIDDLE_SPREAD])
    misfit(
        minimize(misfit, start, method="Nelder-Mead", options={"maxfev": 60, "xatol": 0.05, "fatol": 0.5}).x
    )


def show(name: str, values: Iterable[float]) -> None:
    """Print numbers as they stand in a module."""
    print(f"{name}: ({', '.join(f'{float(value):.3g}' for value in values)})", flush=True)


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", type=Path, help="subjects of the simulated sky; those to train on count")
    parser.add_argument("--pairs", type=Path, help="folder with infrared/*.fits")
    parser.add_argument("--windows", type=int, default=400)
    parser.add_argument("--seed", type=int, default=load_config().seed)
    args = parser.parse_args()
    print("magnitudes:", host.MAGNITUDES)
    show("UNRELATED_DEG2", random_windows(args.windows, args.seed))
    if args.pairs:
        show("the same of real images", real_windows(args.pairs))
    targets = read_targets(args.targets)
    samples = list(simulated_samples(targets[targets["split"] == "train"], args.seed))
    single = [len(sample.radio.peak_ra_deg) == 1 for sample in samples]
    for name, wanted in (("1 peak", True), ("more peaks", False)):
        density, share = hosts(
            [one for one, is_single in zip(samples, single, strict=True) if is_single == wanted]
        )
        show(f"HOSTS {name}", density)
        print(f"VISIBLE {name}: {share:.3f}")
    by_kind = {kind: [one for one in samples if host.radio_kind(one.radio) == kind] for kind in host.WEIGHTS}
    fit_spreads(by_kind)
    show("CENTROID_SPREAD", host.CENTROID_SPREAD)
    show("MIDDLE_SPREAD", host.MIDDLE_SPREAD)
    for kind, some in by_kind.items():
        show(f"WEIGHTS {kind} ({len(some)} sources)", place_weights(some, kind)[0])


if __name__ == "__main__":
    main()
