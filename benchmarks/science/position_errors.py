"""Measure positions, extents and position angles of injected sources: pulls against the truth.

    OMP_NUM_THREADS=1 python -m benchmarks.science.position_errors --injections 300

Sources are put into the simulated sky where no component is within 60 arcsec, and measured as subjects of a
run: points, Gaussians a little and much wider than the beam, doubles, and sources of the simulator's classes.
SNR is that of the faintest lobe, or of the peak.  The error of the survey's astrometry is 0.

The pull of a position is measured minus true flux-weighted position over its error, along both axes.  Extents
end at contours of the noisy image, so their pulls are those of the same source in different noise: from its
mean over `REPEATS` places.  Sources with an angle error of 30 deg or more have no direction and are left out
of the pulls of the angle.  Widths are half the distance of the percentiles 15.9 and 84.1; `far` is the share
of pulls of positions beyond 3.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from claran_core.catalogue.measure.measure_subject import SubjectImage, measured_columns
from claran_core.catalogue.measure.stored_components import stored_components
from claran_core.common.constants import FWHM_PER_SIGMA
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.sky import offset_to_sky, sky_to_offset
from claran_core.common.subject import Subject
from claran_core.common.tables import NATIVE_SCALE
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.find import component_tables
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.recipes import RECIPES
from claran_core.simulation.source_models import build_extended
from claran_core.survey.surveys import SURVEYS

SEED = 77
SURVEY = replace(SURVEYS["FIRST"], astrometric_error_arcsec=0.0)
FRAME = Frame()
SNRS = (7.0, 10.0, 30.0, 100.0)
# Places of each source, and distance (arcsec) within which they have no component of the sky.
REPEATS, FREE_ARCSEC = 10, 60.0
# Largest offset of a source from the middle of its subject along an axis, arcsec.
SPREAD_ARCSEC = 15.0
# A component belongs to the source if this is brighter at its brightest pixel, sigma.
OWN_SIGMA = 2.0
LARGEST_ANGLE_ERR_DEG = 30.0
SIGMA_PERCENTILES = (15.87, 84.13)
CLASSES = ("1C_1P", "1C_2P", "2C_2P", "3C_3P")
# Extents of the sources of the simulator's classes, arcsec.
EXTENTS_ARCSEC = (20.0, 45.0)


@dataclass(frozen=True)
class Place:
    """An empty place of the simulated sky: cut-out, subject, noise (Jy/beam) and position (deg)."""

    cutout: Cutout
    subject: Subject
    sigma: float
    ra_deg: float
    dec_deg: float


def empty_places(count: int, seed: int) -> Iterator[Place]:
    """Yield empty places, each in a subject of its own."""
    rng = np.random.default_rng(seed)
    sky = SimulatedProvider(SURVEY, seed=SEED)
    while count:
        ra, dec = float(rng.uniform(0, 360)), float(np.rad2deg(np.arcsin(rng.uniform(-0.6, 0.9))))
        subject = Subject("blank", ra, dec, "none", FRAME)
        cutout = sky.cutout("blank", ra, dec, FRAME.width_arcsec)
        at = offset_to_sky(ra, dec, *rng.uniform(-SPREAD_ARCSEC, SPREAD_ARCSEC, 2))
        components, noise = component_tables([(subject, cutout, (NOMINAL_LEVEL,))], FRAME)
        apart = sky_to_offset(*at, components["ra"].to_numpy(float), components["dec"].to_numpy(float))
        if np.hypot(*apart).min(initial=np.inf) > FREE_ARCSEC:
            count -= 1
            yield Place(cutout, subject, float(noise["sigma"].iloc[0]), float(at[0]), float(at[1]))


def emission(place: Place, gaussians: np.ndarray) -> np.ndarray:
    """Return the image (Jy/beam) of Gaussians (`SourceModel.gaussians`) whose source is at a place."""
    rows, columns = np.indices(place.cutout.data.shape)
    image = np.zeros(rows.shape)
    for east, north, peak, major, minor, angle in gaussians:
        wcs = place.cutout.wcs
        sky = offset_to_sky(place.ra_deg, place.dec_deg, east, north)
        x, y = (float(value) for value in wcs.sky_to_pixels(*sky))
        turn = np.deg2rad(angle)
        axes = np.array([[np.sin(turn), np.cos(turn)], [np.cos(turn), -np.sin(turn)]])
        sigmas = axes @ wcs.sky_matrix(x, y) * FWHM_PER_SIGMA / np.array([[major], [minor]])
        offsets = np.tensordot(sigmas, np.stack([columns - x, rows - y]), axes=1)
        image += peak * place.sigma * np.exp(-0.5 * (offsets**2).sum(axis=0))
    return image


def measured(place: Place, gaussians: np.ndarray) -> dict[str, Any] | None:
    """Return the columns of a source at a place and its offset from the truth; None if it is not found."""
    image = emission(place, gaussians)
    cutout = replace(place.cutout, data=(place.cutout.data + image).astype(np.float32))
    components, noise = component_tables([(place.subject, cutout, (NOMINAL_LEVEL,))], FRAME)
    stored = {scale: own for (_, scale), own in stored_components(components).items()}
    if NATIVE_SCALE not in stored:
        return None
    own = stored[NATIVE_SCALE]
    is_own = image[own.pixels[:, 1], own.pixels[:, 0]] > OWN_SIGMA * place.sigma
    if not is_own.any():
        return None
    subject = SubjectImage.of(place.subject, cutout, stored, float(noise["sigma"].iloc[0]), SURVEY)
    ids = own.ids[is_own].tolist()
    columns = measured_columns(subject, ids, ids)
    flux = gaussians[:, 2:5].prod(axis=1)
    true = offset_to_sky(place.ra_deg, place.dec_deg, *(flux @ gaussians[:, :2] / flux.sum()))
    for prefix in ("", "fitted_", "centroid_"):
        off = sky_to_offset(*true, columns[f"{prefix}ra"], columns[f"{prefix}dec"])
        columns |= {f"{prefix}east": float(off[0]), f"{prefix}north": float(off[1])}
    return columns


def models(snr: float, count: int, rng: np.random.Generator) -> dict[str, tuple[int, list[np.ndarray]]]:
    """Return so many sources of each kind, by name, and the least number of components of each."""
    gaussians = {"point": (5.4, 5.4), "1.2 x 1.1 beams": (6.5, 6.0), "1.9 x 1.3 beams": (10.0, 7.0)}
    found: dict[str, tuple[int, list[np.ndarray]]] = {
        name: (1, [np.array([[0, 0, snr, *axes, rng.uniform(0, 180)]]) for _ in range(count)])
        for name, axes in gaussians.items()
    }
    found["double of 24 arcsec"] = (2, [_double(snr, rng) for _ in range(count)])
    found["simulator's classes"] = (1, [_simulated(snr, rng) for _ in range(count)])
    return found


def _double(snr: float, rng: np.random.Generator) -> np.ndarray:
    angle, bright = rng.uniform(0, 180), snr * rng.uniform(1, 1.5)
    east, north = 12 * np.sin(np.deg2rad(angle)), 12 * np.cos(np.deg2rad(angle))
    return np.array([[east, north, snr, 6.5, 6.0, angle], [-east, -north, bright, 7.0, 6.0, angle]])


def _simulated(snr: float, rng: np.random.Generator) -> np.ndarray:
    recipe = RECIPES[CLASSES[int(rng.integers(len(CLASSES)))]]
    return build_extended(rng, recipe, peak_snr=snr, extent_arcsec=rng.uniform(*EXTENTS_ARCSEC)).gaussians


def pulls_of(rows: pd.DataFrame, prefix: str) -> np.ndarray:
    """Return the pulls of a position, east and north; ``(n, 2)``."""
    pairs = (("east", "ra_err"), ("north", "dec_err"))
    return np.stack([rows[f"{prefix}{off}"] / rows[f"{prefix}{error}"] for off, error in pairs], axis=1)


def scatter_pulls(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the pulls of extent and angle from the means of the same source."""
    sizes, angles = [], []
    for _, same in rows.groupby("source"):
        if len(same) < REPEATS // 2:
            continue
        grow = np.sqrt(len(same) / (len(same) - 1))
        size = same["largest_angular_size"].to_numpy(float)
        sizes.append(grow * (size - size.mean()) / same["largest_angular_size_err"].to_numpy(float))
        turns = np.exp(2j * np.deg2rad(same["position_angle"].to_numpy(float)))
        away = np.rad2deg(np.angle(turns / turns.mean())) / 2
        error = same["position_angle_err"].to_numpy(float)
        angles.append((grow * away / error)[error < LARGEST_ANGLE_ERR_DEG])
    nothing = np.empty(0)
    return np.concatenate([nothing, *sizes]), np.concatenate([nothing, *angles])


def width(pulls: np.ndarray) -> float:
    """Return half the distance between the percentiles of one sigma; NaN of nothing."""
    low, high = np.percentile(pulls, SIGMA_PERCENTILES) if len(pulls) else (np.nan, np.nan)
    return float(high - low) / 2


def line(kind: str, snr: float, tried: int, rows: pd.DataFrame) -> str:
    """Return the row of one kind of source at one SNR."""
    best, centre = pulls_of(rows, ""), pulls_of(rows, "centroid_")
    sizes, angles = scatter_pulls(rows)
    fitted = pulls_of(rows[rows["unresolved"]], "fitted_")
    error = float(np.median(rows[["ra_err", "dec_err"]].to_numpy(float)))
    return (
        f"| {kind} | {snr:g} | {tried} | {len(rows)} | {rows['unresolved'].mean():.2f} | {error:.3f} |"
        f" {width(best[:, 0]):.2f} | {width(best[:, 1]):.2f} | {np.mean(np.abs(best) > 3):.3f} |"
        f" {width(centre.ravel()):.2f} | {width(fitted.ravel()):.2f} | {width(sizes):.2f} |"
        f" {width(angles):.2f} | {len(angles)} |"
    )


def main() -> None:
    """Print a row for each kind of source and SNR."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--injections", type=int, default=300, help="of each kind and SNR (300)")
    options = parser.parse_args()
    count = -(-options.injections // REPEATS)
    places = list(empty_places(count * REPEATS, seed=1))
    rng = np.random.default_rng(SEED)
    print("| source | SNR | injected | found | unresolved | error, arcsec | east | north | far | centroid |")
    print("|  fitted, of unresolved | extent | angle | number of angles |")
    progress = Progress("kinds of sources", 5 * len(SNRS))
    for snr in SNRS:
        for kind, (least, sources) in models(snr, count, rng).items():
            found = []
            for number, gaussians in enumerate(sources):
                for place in places[number * REPEATS : (number + 1) * REPEATS]:
                    row = measured(place, gaussians)
                    if row is not None and row["rule_components"] >= least:
                        found.append(row | {"source": number})
            print(line(kind, snr, len(places), pd.DataFrame(found)), flush=True)
            progress.step()


if __name__ == "__main__":
    main()
