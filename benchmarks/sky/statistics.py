"""Measurements on real and simulated subjects that compare the two skies, and their statistics.

The statistical error of a difference of two samples comes from a bootstrap of both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from benchmarks.sky.first_noise import masked_autocorrelation, source_free
from benchmarks.sky.samples import PIXEL_ARCSEC, SubjectFacts
from claran_core.simulation.baselines import STRIPE_ANGLES_DEG

# Lags of the noise's autocorrelation in the table and the largest measured, px.
LAGS_PX, MAX_LAG_PX = (1, 2, 3, 6, 12, 20), 24
DIRECTIONS_DEG = {"x (RA)": 0.0, "y (Dec)": 90.0, "61.5 deg": 61.5, "118.5 deg": 118.5}

# Stripes: pixels within the first distance of one of the lines through the brightest pixel are on them,
# those beyond the second from all lines are between them, px; at these distances from it, arcsec.
ON_STRIPE_PX, OFF_STRIPE_PX = 2.0, 5.0
RINGS_ARCSEC = (20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 85.0)

# Subjects with a brightest pixel above this show their stripes.
BRIGHT_SNR = 100.0

# Islands above 5 sigma in 3' x 3' of 1,255 FIRST fields: mean, its error, and variance over mean.
REAL_ISLANDS, REAL_ISLANDS_ERROR, REAL_ISLANDS_SCATTER = 0.262, 0.006, 1.35

N_RESAMPLINGS = 200


@dataclass(frozen=True)
class Values:
    """A sample of one number: values ``(n,)`` and what each counts."""

    values: np.ndarray
    weights: np.ndarray

    def resampled(self, rng: np.random.Generator) -> "Values":
        """As many of them, drawn with replacement."""
        k = rng.integers(len(self.values), size=len(self.values))
        return Values(self.values[k], self.weights[k])


@dataclass(frozen=True)
class Statistic:
    """One number of a row: its name, both values, and the error of their difference."""

    name: str
    real: float
    simulated: float
    error: float

    @property
    def difference_percent(self) -> float:
        """By how much the simulated value is above the real one."""
        return 100 * (self.simulated - self.real) / abs(self.real) if self.real else np.nan

    @property
    def is_significant(self) -> bool:
        """Whether the difference is more than twice its error."""
        return abs(self.simulated - self.real) > 2 * self.error


@dataclass(frozen=True)
class Samples:
    """What is compared.

    Attributes
    ----------
    real : sequence of SubjectFacts
        Labelled FIRST subjects that have simulated ones like them.
    matched : sequence of sequences of SubjectFacts
        For each of them the simulated subjects most like it; weights sum to one.
    blind : sequence of SubjectFacts
        An unbiased sample of each recipe, weighted.
    windows : (n,) int array
        Islands in random windows of the simulated sky.
    catalogue : DataFrame
        The label table: ``morphology``, ``extent_arcsec``, ``peaks_apart_arcsec``.
    n_left_out : int
        Real subjects that no simulated one is like.
    """

    real: Sequence[SubjectFacts]
    matched: Sequence[Sequence[SubjectFacts]]
    blind: Sequence[SubjectFacts]
    windows: np.ndarray
    catalogue: pd.DataFrame
    n_left_out: int = 0

    @property
    def chosen(self) -> list[SubjectFacts]:
        """All simulated subjects that resemble a real one."""
        return [subject for group in self.matched for subject in group]


def sample(values: Sequence[float], weights: Sequence[float] | None = None) -> Values:
    """Values without those that are not numbers, which count one each unless `weights` says otherwise."""
    values = np.asarray(values, float)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    return Values(values[np.isfinite(values)], weights[np.isfinite(values)])


def quantile(of: Values, part: float) -> float:
    """Value below which a part (0 to 1) of the weight lies, with half of each value's own; linear between."""
    order = np.argsort(of.values, kind="stable")
    weights = of.weights[order]
    return float(np.interp(part, (np.cumsum(weights) - weights / 2) / weights.sum(), of.values[order]))


def statistic(name: str) -> Callable[[Values], float]:
    """Function behind a statistic's name: ``mean``, ``var/mean``, ``median``, or ``p5`` and the like."""
    if name == "mean":
        return lambda of: float(np.average(of.values, weights=of.weights))
    if name == "var/mean":
        return lambda of: float(of.values.var() / of.values.mean())
    part = 0.5 if name == "median" else float(name.removeprefix("p")) / 100
    return lambda of: quantile(of, part)


def compared(name: str, function: str, real: Values, simulated: Values) -> Statistic:
    """One statistic of both samples, and the error of their difference."""
    of, rng = statistic(function), np.random.default_rng(0)
    if not (len(real.values) and len(simulated.values)):
        return Statistic(name, np.nan, np.nan, np.nan)
    differences = [of(simulated.resampled(rng)) - of(real.resampled(rng)) for _ in range(N_RESAMPLINGS)]
    return Statistic(name, of(real), of(simulated), float(np.std(differences)))


@dataclass(frozen=True)
class ImageStatistics:
    """What is measured on the pixels of subjects; first axis: subjects.

    Attributes
    ----------
    autocorrelation : (n, 4, MAX_LAG_PX + 1) array
        Of the noise, along `DIRECTIONS_DEG`, at whole lags (px).
    background : (n,) array
        Mean of the source-free pixels, in units of the noise.
    rings, stripes : (n, len(RINGS_ARCSEC) - 1) arrays
        The same in rings around the brightest pixel; on stripes less between them.
    """

    autocorrelation: np.ndarray
    background: np.ndarray
    rings: np.ndarray
    stripes: np.ndarray


def image_statistics(subjects: Sequence[SubjectFacts]) -> ImageStatistics:
    """Measure the pixels of subjects."""
    images = [subject.image for subject in subjects]
    return ImageStatistics(
        autocorrelation=np.array([autocorrelation_curves(image) for image in images]),
        background=np.array([background(image) for image in images]),
        rings=np.array([background_rings(image) for image in images]),
        stripes=np.array([stripes(image) for image in images]),
    )


def autocorrelation_curves(image: np.ndarray) -> np.ndarray:
    """Autocorrelation of an image's noise along `DIRECTIONS_DEG` at lags of 0 to `MAX_LAG_PX` px."""
    plane = masked_autocorrelation([image], MAX_LAG_PX)
    lag = np.arange(MAX_LAG_PX + 1)
    angles = np.deg2rad(list(DIRECTIONS_DEG.values()))[:, None]
    where = MAX_LAG_PX + lag * np.array([np.sin(angles), np.cos(angles)])  # (2, 4, lags)
    return ndimage.map_coordinates(plane, where, order=1)


def background(image: np.ndarray) -> float:
    """Mean of the source-free pixels, in the image's unit."""
    return float(image[source_free(image)].mean())


def background_rings(image: np.ndarray) -> np.ndarray:
    """Mean of the source-free pixels in the rings `RINGS_ARCSEC` around the brightest; NaN without any."""
    distance, _ = _around_brightest(image)
    free = source_free(image)
    return np.array([_mean(image, free & ring) for ring in _rings(distance)])


def stripes(image: np.ndarray) -> np.ndarray:
    """Mean of the source-free pixels on stripes less that between them, in the rings around the brightest."""
    distance, across = _around_brightest(image)
    on, off = (across <= ON_STRIPE_PX).any(axis=0), (across >= OFF_STRIPE_PX).all(axis=0)
    free = source_free(image)
    return np.array(
        [_mean(image, free & on & ring) - _mean(image, free & off & ring) for ring in _rings(distance)]
    )


def _around_brightest(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each pixel from the brightest ``(ny, nx)``, and from each stripe through it; px."""
    rows, columns = np.indices(image.shape)
    row0, column0 = np.unravel_index(np.nanargmax(image), image.shape)
    y, x = rows - row0, columns - column0
    across = [np.abs(x * np.sin(angle) - y * np.cos(angle)) for angle in np.deg2rad(STRIPE_ANGLES_DEG)]
    return np.hypot(x, y), np.stack(across)


def _rings(distance_px: np.ndarray) -> Iterator[np.ndarray]:
    for low, high in zip(RINGS_ARCSEC, RINGS_ARCSEC[1:], strict=False):
        yield (distance_px * PIXEL_ARCSEC >= low) & (distance_px * PIXEL_ARCSEC < high)


def _mean(image: np.ndarray, where: np.ndarray) -> float:
    return float(image[where].mean()) if where.any() else float("nan")


def of_subjects(values: Sequence[float], subjects: Sequence[SubjectFacts]) -> Values:
    """Values of subjects, one each, with their weights."""
    return sample(values, [subject.weight for subject in subjects])


def of_main(subjects: Sequence[SubjectFacts], quantity: str, morphologies: Sequence[str]) -> Values:
    """A quantity of the main sources of these classes."""
    chosen = [subject for subject in subjects if subject.main.morphology in morphologies]
    return of_subjects([getattr(subject.main, quantity) for subject in chosen], chosen)


def of_blind(subjects: Sequence[SubjectFacts], quantity: str, morphologies: Sequence[str]) -> Values:
    """A quantity of all labelled sources of these classes in the blind sample, weighted."""
    chosen = [
        (getattr(source, quantity), subject.weight)
        for subject in subjects
        for source in subject.sources
        if source.morphology in morphologies and not source.is_beyond_three
    ]
    return sample(*np.array(chosen, float).reshape(-1, 2).T)


def of_catalogue(catalogue: pd.DataFrame, quantity: str, morphologies: Sequence[str]) -> Values:
    """A quantity of the rows of these classes of the label table."""
    return sample(catalogue.loc[catalogue["morphology"].isin(morphologies), quantity].to_numpy())
