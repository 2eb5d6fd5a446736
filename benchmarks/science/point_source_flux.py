"""Measure isolated sources injected into the simulated sky: bias, and errors against scatter.

python -m benchmarks.science.point_source_flux --injections 4000
python -m benchmarks.science.point_source_flux --injections 1000 --size 1.2

Sources are circular Gaussians: points, or as much larger than the beam as `--size` says.

Injections that the contour rule does not find are reported.  Positions are random, without a component of the
sky within 30 arcsec.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from claran_core.catalogue.measure.pixel_beam import PixelBeam
from claran_core.catalogue.measure.radio import RadioMeasurement, measure
from claran_core.catalogue.measure.radio_image import JY_TO_MJY, RadioImage
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


def injected(image: np.ndarray, x: float, y: float, peak: float, beams: float = 1.0) -> np.ndarray:
    """Return an image with an added source, `beams` times as wide as the beam."""
    rows, columns = np.indices(image.shape)
    sigma = beams * SURVEY.beam_arcsec / SURVEY.pixel_scale_arcsec / FWHM_PER_SIGMA
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


def measured(image: np.ndarray, x: float, y: float) -> RadioMeasurement | None:
    """Return the measurements of the source at a position; None without one."""
    sigma = noise_sigma(image)
    found: Components = find_components(image, sigma)
    own = found.at(x, y)
    if own is None:
        return None
    scale_arcsec = SURVEY.pixel_scale_arcsec
    beam = PixelBeam(SURVEY.beam_arcsec / scale_arcsec)
    whole = RadioImage.of(image, found.labels, COMPONENT_SIGMA * sigma, scale_arcsec, beam, SURVEY)
    return measure(whole, [own], found.brightest[[own]], n_peaks=int(found.n_peaks[own]))


def line(snr: float, missed: int, peaks: list[float], rows: list[RadioMeasurement], beams: float) -> str:
    """Return the row of an SNR: injected peaks (mJy/beam) and measurements."""
    peak = np.array(peaks)
    true = peak * beams**2
    flux = np.array([row.integrated_flux for row in rows])
    summed = np.array([row.component_flux.sum() for row in rows])
    pulls = (
        (np.array([row.peak_flux for row in rows]) - peak) / [row.peak_flux_err for row in rows],
        (flux - true) / [row.integrated_flux_err for row in rows],
    )
    widths = [np.diff(np.percentile(pull, [15.87, 84.13]))[0] / 2 for pull in pulls]
    bias = [100 * np.mean(np.array([row.peak_flux for row in rows]) / peak - 1)]
    bias += [100 * np.mean(values / true - 1) for values in (flux, summed)]
    errors = [100 * np.sqrt(np.mean((values / true - 1) ** 2)) for values in (flux, summed)]
    return (
        f"{snr:5.0f} {missed:5d} | {bias[0]:+7.2f} % {pulls[0].mean():+7.3f} {widths[0]:6.3f} |"
        f" {bias[1]:+7.2f} % {errors[0]:6.2f} % {pulls[1].mean():+7.3f} {widths[1]:6.3f} |"
        f" {bias[2]:+7.2f} % {errors[1]:6.2f} % | {np.mean([row.is_unresolved for row in rows]):.3f}"
    )


def main() -> None:
    """Print a row for each SNR."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--injections", type=int, default=4000, help="of each SNR")
    parser.add_argument("--size", type=float, default=1.0, help="FWHM of the sources, beams")
    options = parser.parse_args()
    peaks: dict[float, list[float]] = {snr: [] for snr in SNRS}
    found: dict[float, list[RadioMeasurement]] = {snr: [] for snr in SNRS}
    missed = dict.fromkeys(SNRS, 0)
    for image, sigma, x, y in empty_places(options.injections, seed=1):
        for snr in SNRS:
            row = measured(injected(image, x, y, snr * sigma, options.size), x, y)
            if row is None:
                missed[snr] += 1
            else:
                peaks[snr].append(snr * sigma * JY_TO_MJY)
                found[snr].append(row)
    print("  SNR  lost | peak: bias, pull mean, width | flux density: bias, rms error, pull mean, width |")
    print("            | sum: bias, rms error | share unresolved  (SNR of the peak; widths hold 68 %)")
    for snr in SNRS:
        print(line(snr, missed[snr], peaks[snr], found[snr], options.size))


if __name__ == "__main__":
    main()
