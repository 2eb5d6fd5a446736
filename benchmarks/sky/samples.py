"""Real and simulated subjects, measured by the same code, for all comparisons of the sky.

Real subjects are FIRST cut-outs with rows of the RGZ label table.  Simulated ones are drawn from the sky, and
`benchmarks.sky.matching` selects those that resemble the real ones.  Comparisons with the whole label table
use a blind sample, in which every extended source of random cells has a known probability.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from benchmarks.science import real_cutouts
from benchmarks.sky.resampling import resampled
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.morphology import MAX_COUNT, morphology_of
from claran_core.common.noise import noise_sigma
from claran_core.common.sky import offset_to_sky
from claran_core.common.subject import Subject
from claran_core.components.contour_rule import Components, dr1_extent, find_components
from claran_core.labels.dr1_labels import components_in_frame, label_simulated
from claran_core.simulation.geometry import sky_to_cell
from claran_core.simulation.population import RADIO_NSIDE, RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

FRAME = Frame()

PIXEL_ARCSEC = SURVEYS["FIRST"].pixel_scale_arcsec

# Native pixels kept of each subject: what fits into the subject's 101 pixels of 1.8 arcsec.
WIDTH_PX = 96

# HEALPix cells of the footprint's middle, from which simulated subjects are drawn at random.
POOL_RA_DEG, POOL_DEC_DEG = (120.0, 250.0), (0.0, 60.0)

# Share of the sources of each recipe that become subjects of the pool, less for those that reach less far.
# Large sources do not fit the subjects of RGZ.
VISITED = {"1C_1P": 0.2, "1C_2P": 0.3, "1C_3P": 1, "2C_2P": 0.15, "2C_3P": 1, "3C_3P": 0.8, "beyond": 0.2}
VISITED |= {"pair": 0.15, "large": 0}
POOL_REACH_ARCSEC = {"1C_1P": 102, "1C_2P": 115, "1C_3P": 122, "2C_2P": 118, "2C_3P": 112, "3C_3P": 122}

# Share of the sources of each recipe in the blind sample: about as many of each class.
BLIND = {"1C_1P": 0.03, "1C_2P": 0.08, "1C_3P": 1, "2C_2P": 0.25, "2C_3P": 1, "3C_3P": 1, "beyond": 0.5}
BLIND |= {"pair": 0.25, "large": 0}

# Windows of the random sky, and the threshold of islands counted in them (facts of 1,255 FIRST fields).
WINDOW_ARCSEC, ISLAND_SIGMA = 180.0, 5.0


@dataclass(frozen=True)
class SourceFacts:
    """One labelled source as its image shows it.

    Attributes
    ----------
    morphology : str
        Class by the contour rule.
    peak_snr : float
        Brightest pixel in units of the noise.
    extent_arcsec : float
        Extent by the DR1 rule.
    centre_offset_arcsec : float
        From the subject's centre to the middle of the source's contours.
    second_flux, third_flux : float
        Flux of the second and third component over that of the brightest; NaN without one.
    area_px, mean_over_peak : float
        Pixels in its contours; their mean over the brightest.
    peaks_apart_arcsec : float
        Largest distance between the brightest pixels of two components, as the label table has it.
    sharpness : float
        Smallest Laplacian (of the four neighbours) in the contours over the brightest pixel, times -1.
    name : str
        Label or source it belongs to.
    n_components, n_peaks : int
        Counts by the contour rule.
    """

    morphology: str
    peak_snr: float
    extent_arcsec: float
    centre_offset_arcsec: float
    second_flux: float
    third_flux: float
    area_px: float
    mean_over_peak: float
    peaks_apart_arcsec: float = np.nan
    sharpness: float = np.nan
    name: str = ""
    n_components: int = 1
    n_peaks: int = 1

    @property
    def is_beyond_three(self) -> bool:
        """Whether it has more components or peaks than its class says: the label table has no such."""
        return max(self.n_components, self.n_peaks) > MAX_COUNT


@dataclass(frozen=True)
class SubjectFacts:
    """One subject: the middle of its image in units of the noise, and what is in it.

    Attributes
    ----------
    name : str
        Subject, or source the subject is centred on.
    image : (WIDTH_PX, WIDTH_PX) float32 array
        Native pixels in units of the noise, FITS order.
    sigma : float
        Noise of these pixels, Jy/beam.
    n_islands : int
        Components in the frame, labelled or not.
    sources : tuple of SourceFacts
        What is labelled.
    ra_deg, dec_deg : float
        Middle of the frame.
    weight : float
        Statistical weight: the number of sources of the sky that it represents.
    """

    name: str
    image: np.ndarray
    sigma: float
    n_islands: int
    sources: tuple[SourceFacts, ...]
    ra_deg: float = np.nan
    dec_deg: float = np.nan
    weight: float = 1.0

    @property
    def classes(self) -> str:
        """Sorted classes of its sources: ``1C_1P+2C_2P``."""
        return "+".join(sorted(source.morphology for source in self.sources))

    @property
    def main(self) -> SourceFacts:
        """Its largest source."""
        return max(self.sources, key=lambda source: source.extent_arcsec)

    @property
    def own(self) -> SourceFacts:
        """The source a simulated subject is centred on."""
        return next(source for source in self.sources if source.name == self.name)

    @property
    def n_unlabelled_islands(self) -> int:
        """Islands that belong to no labelled source."""
        return self.n_islands - sum(source.n_components for source in self.sources)


def measure(
    subject: Subject,
    cutout: Cutout,
    components: Sequence[tuple[Sequence, Sequence]],
    *,
    names: Sequence[str] = (),
    weight: float = 1.0,
) -> SubjectFacts:
    """Measure a subject whose sources have components at these positions (RA, Dec; deg), and these names."""
    found = components_in_frame(subject, cutout)
    image = middle(subject, cutout)
    sigma = noise_sigma(image)
    sources = []
    for name, (ra, dec) in zip(names or [""] * len(components), components, strict=True):
        own = real_cutouts.components_at(found, cutout, ra, dec)
        if own:
            sources.append(_source_facts(subject, cutout, found, own, sigma, name))
    return SubjectFacts(
        subject.subject_id,
        image / sigma,
        sigma,
        len(found),
        tuple(sources),
        ra_deg=subject.ra_deg,
        dec_deg=subject.dec_deg,
        weight=weight,
    )


def _source_facts(
    subject: Subject, cutout: Cutout, found: Components, own: list[int], sigma: float, name: str
) -> SourceFacts:
    masks = [found.labels == k + 1 for k in own]
    fluxes = sorted((float(cutout.data[mask].sum()) for mask in masks), reverse=True) + [np.nan, np.nan]
    union = found.boxes[own]
    low, high = union[:, :2].min(axis=0), union[:, 2:].max(axis=0)
    centre = np.array(cutout.wcs.sky_to_pixels(subject.ra_deg, subject.dec_deg))
    inside = np.any(masks, axis=0)
    values = cutout.data[inside]
    n_peaks = int(found.n_peaks[own].sum())
    curvature = ndimage.laplace(np.nan_to_num(cutout.data).astype(float))[inside]
    return SourceFacts(
        morphology=morphology_of(len(own), n_peaks)[0],
        peak_snr=float(values.max() / sigma),
        extent_arcsec=dr1_extent(union) * PIXEL_ARCSEC,
        centre_offset_arcsec=float(np.hypot(*(0.5 * (low + high) - centre))) * PIXEL_ARCSEC,
        second_flux=fluxes[1] / fluxes[0],
        third_flux=fluxes[2] / fluxes[0],
        area_px=float(values.size),
        mean_over_peak=float(values.mean() / values.max()),
        peaks_apart_arcsec=_widest_arcsec(found.brightest[own]),
        sharpness=float(-curvature.min() / values.max()),
        name=name,
        n_components=len(own),
        n_peaks=n_peaks,
    )


def _widest_arcsec(points: np.ndarray) -> float:
    """Largest distance between two of the points (n, 2), which are pixels; NaN for a single one."""
    if len(points) < 2:
        return float("nan")
    apart = points[:, None] - points[None]
    return float(np.hypot(apart[..., 0], apart[..., 1]).max()) * PIXEL_ARCSEC


def middle(subject: Subject, cutout: Cutout) -> np.ndarray:
    """Native pixels around the subject's centre, ``(WIDTH_PX, WIDTH_PX)``; NaN beyond the cut-out."""
    x, y = cutout.wcs.sky_to_pixels(subject.ra_deg, subject.dec_deg)
    x0, y0 = int(np.rint(x)) - WIDTH_PX // 2, int(np.rint(y)) - WIDTH_PX // 2
    padded = np.pad(cutout.data, WIDTH_PX, constant_values=np.nan)
    return padded[y0 + WIDTH_PX : y0 + 2 * WIDTH_PX, x0 + WIDTH_PX : x0 + 2 * WIDTH_PX].astype(np.float32)


def real_subjects(folder: Path) -> list[SubjectFacts]:
    """Labelled FIRST cut-outs: ``labels.csv`` and ``radio/*.fits`` of a folder."""
    subjects = []
    for real in real_cutouts.real_subjects(folder):
        positions = [(row.component_ra, row.component_dec) for row in real.rows.itertuples()]
        names = [str(label) for label in real.rows["catalog_id"]]
        subjects.append(measure(real.subject, real.cutout, positions, names=names))
    return [subject for subject in subjects if subject.sources]


def simulated_pool(seed: int, n: int) -> Iterator[SubjectFacts]:
    """`n` subjects of the sky around extended sources of random cells, as their labels show them.

    Common and small sources are mostly passed over: the real sample has few of them to match.
    """

    def share(source: RadioSource) -> float:
        small = source.reach_arcsec < POOL_REACH_ARCSEC.get(source.kind, 0)
        return VISITED[source.kind] * (0.1 if small else 1)

    turns = np.random.default_rng([seed, 3])
    return _drawn(seed, n, np.random.default_rng(seed), share, lambda cutout: resampled(cutout, turns))


def blind_sample(seed: int, n: int) -> Iterator[SubjectFacts]:
    """`n` subjects as `simulated_pool`, but of each recipe an unbiased sample, weighted by its share."""
    return _drawn(seed, n, np.random.default_rng([seed, 1]), lambda source: BLIND[source.kind])


def _drawn(
    seed: int,
    n: int,
    rng: np.random.Generator,
    share: Callable[[RadioSource], float],
    handed_out: Callable[[Cutout], Cutout] = lambda cutout: cutout,
) -> Iterator[SubjectFacts]:
    """Subjects around extended sources of random cells, each taken with its own chance.

    What is measured are the cut-outs as they are `handed_out`.
    """
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=seed)
    produced = 0
    while produced < n:
        cell = sky_to_cell(rng.uniform(*POOL_RA_DEG), rng.uniform(*POOL_DEC_DEG), RADIO_NSIDE)
        for source in sky.population.cell(cell):
            if source.is_compact or rng.random() > share(source):
                continue
            facts = _simulated(sky, source, rng, 1 / share(source), handed_out)
            if facts is not None and produced < n:
                produced += 1
                yield facts


def _simulated(
    sky: SimulatedProvider,
    source: RadioSource,
    rng: np.random.Generator,
    weight: float,
    handed_out: Callable[[Cutout], Cutout],
) -> SubjectFacts | None:
    east, north = source.peaks[rng.integers(len(source.peaks))]
    ra, dec = (float(v) for v in offset_to_sky(source.ra_deg, source.dec_deg, east, north))
    cutout = sky.cutout("", ra, dec, FRAME.width_arcsec)
    subject = Subject(source.source_id, ra, dec, "none", FRAME)
    labels = label_simulated(subject, cutout, sky.truth(ra, dec, FRAME.width_arcsec))
    if source.source_id not in set(labels["label_id"]):
        return None
    positions = list(zip(labels["component_ra"], labels["component_dec"], strict=True))
    names = labels["label_id"].tolist()
    return measure(subject, handed_out(cutout), positions, names=names, weight=weight)


def islands(image: np.ndarray) -> np.ndarray:
    """Extents by the DR1 rule (arcsec) of what is above `ISLAND_SIGMA` times the image's noise."""
    found = find_components(image, noise_sigma(image), threshold=ISLAND_SIGMA)
    return np.array([dr1_extent(box[None]) for box in found.boxes]) * PIXEL_ARCSEC


def random_windows(seed: int, n: int) -> Iterator[np.ndarray]:
    """`n` radio images of 3' x 3' at random positions of the sky, FITS order, Jy/beam."""
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=seed)
    rng = np.random.default_rng([seed, 2])
    size_px = round(WINDOW_ARCSEC / PIXEL_ARCSEC)
    for _ in range(n):
        dec = np.rad2deg(np.arcsin(rng.uniform(*np.sin(np.deg2rad(POOL_DEC_DEG)))))
        image = sky.cutout("", rng.uniform(*POOL_RA_DEG), float(dec), WINDOW_ARCSEC).data
        y0, x0 = ((size - size_px) // 2 for size in image.shape)
        yield image[y0 : y0 + size_px, x0 : x0 + size_px]


def table(subjects: Sequence[SubjectFacts]) -> pd.DataFrame:
    """One row per labelled source, with its subject's noise and islands."""
    return pd.DataFrame(
        [
            {"name": s.name, "sigma": s.sigma, "n_islands": s.n_islands, **source.__dict__}
            for s in subjects
            for source in s.sources
        ]
    )
