"""Measure isolated point sources injected into the simulated sky: bias, and errors against scatter.

python -m benchmarks.science.point_source_flux --injections 4000

Injections that the contour rule does not find are reported.  Positions are random, without a component of the
sky within 30 arcsec.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from claran_core.catalogue.measure.radio import measure
from claran_core.catalogue.measure.radio_image import BEAM_AREA, JY_TO_MJY, RadioImage
from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.noise import noise_sigma
from claran_core.components.contour_rule import COMPONENT_SIGMA, Components, find_components
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

SEED = 77
SURVEY = SURVEYS["FIRST"]
SNRS = (10.0, 15.0, 25.0, 50.0, 100.0)

# Width of a subject, and distance from its middle within which a source is put, px.
SIZE_PX, SPREAD_PX = 101, 20
FREE_PX = 30.0 / SURVEY.pixel_scale_arcsec


def injected(image: np.ndarray, x: float, y: float, peak: float) -> np.ndarray:
    """Return an image with an added point source."""
    rows, columns = np.indices(image.shape)
    sigma = SURVEY.beam_arcsec / SURVEY.pixel_scale_arcsec / FWHM_PER_SIGMA
    return image + peak * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


def empty_places(count: int, seed: int) -> Iterator[tuple[np.ndarray, float, float, float]]:
    """Yield cut-outs with an empty position: image (Jy/beam), noise, ``x``, ``y``."""
    rng = np.random.default_rng(seed)
    sky = SimulatedProvider(SURVEY, seed=SEED)
    yielded = 0
    while yielded < count:
        ra, dec = rng.uniform(0, 360), np.rad2deg(np.arcsin(rng.uniform(0, 0.9)))
        cutout = sky.cutout("blank", float(ra), float(dec), SIZE_PX * SURVEY.pixel_scale_arcsec)
        image = np.asarray(cutout.data, float)
        sigma = noise_sigma(image)
        rows, columns = np.nonzero(find_components(image, sigma).labels)
        for _ in range(4):  # sources of the same noise are nearly independent of each other
            x, y = (np.array(image.shape[::-1]) - 1) / 2 + rng.uniform(-SPREAD_PX, SPREAD_PX, 2)
            if np.all(np.hypot(rows - y, columns - x) > FREE_PX):
                yielded += 1
                yield image, sigma, float(x), float(y)


def measured(image: np.ndarray, x: float, y: float) -> tuple[float, float, float, float] | None:
    """Return peak, flux density and their errors (mJy) of the source at a position; None without one."""
    sigma = noise_sigma(image)
    found: Components = find_components(image, sigma)
    own = found.at(x, y)
    if own is None:
        return None
    whole = RadioImage.of(image, found.labels, COMPONENT_SIGMA * sigma, SURVEY.pixel_scale_arcsec, SURVEY)
    n_peaks = int(found.n_peaks[own])
    result = measure(whole, [own], found.brightest[[own]], n_peaks=n_peaks)
    return result.peak_flux, result.peak_flux_err, result.integrated_flux, result.integrated_flux_err


def main() -> None:
    """Print a row for each SNR."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--injections", type=int, default=4000, help="of each SNR")
    options = parser.parse_args()
    truth: dict[float, list[float]] = {snr: [] for snr in SNRS}
    found: dict[float, list[tuple[float, float, float, float]]] = {snr: [] for snr in SNRS}
    missed = dict.fromkeys(SNRS, 0)
    for image, sigma, x, y in empty_places(options.injections, seed=1):
        for snr in SNRS:
            row = measured(injected(image, x, y, snr * sigma), x, y)
            if row is None:
                missed[snr] += 1
            else:
                truth[snr].append(snr * sigma * JY_TO_MJY)
                found[snr].append(row)
    print(
        f"{'SNR':>5} {'lost':>5} | peak: bias   pull mean  width"
        " | flux: bias   pull mean  width  (68 % widths)"
    )
    beam_px = BEAM_AREA * (SURVEY.beam_arcsec / SURVEY.pixel_scale_arcsec) ** 2
    for snr in SNRS:
        peak, peak_err, flux, flux_err = np.array(found[snr]).T
        true = np.array(truth[snr])  # a point source has as many mJy as mJy/beam
        pulls = (peak - true) / peak_err, (flux - true) / flux_err
        widths = [np.diff(np.percentile(pull, [15.87, 84.13]))[0] / 2 for pull in pulls]
        print(
            f"{snr:5.0f} {missed[snr]:5d} |"
            f" {100 * np.mean(peak / true - 1):+10.2f} % {pulls[0].mean():+9.3f} {pulls[0].std():6.3f} |"
            f" {100 * np.mean(flux / true - 1):+10.2f} % {pulls[1].mean():+9.3f} {pulls[1].std():6.3f}"
            f"  ({widths[0]:.3f}, {widths[1]:.3f})"
        )
    print(f"beam {SURVEY.beam_arcsec} arcsec, {beam_px:.2f} px")


if __name__ == "__main__":
    main()
