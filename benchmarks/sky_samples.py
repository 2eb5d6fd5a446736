"""Real and simulated subjects, measured by the same code: what the comparisons of the sky share.

Real subjects are FIRST cut-outs with rows of the RGZ label table.  Simulated ones are drawn blindly from
the sky and then chosen to resemble the real ones in class, brightness and extent, since the real sample is
biased to bright and extended sources.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.wcs import WCS

from claran_core.components import dr1_extent
from claran_core.frame import Frame, sky_to_pixels
from claran_core.labels import Subject, components_in_frame, label_simulated
from claran_core.morphology import morphology_of
from claran_core.noise import noise_sigma
from claran_core.rgz import position_of_name, read_label_table
from claran_core.survey import SURVEYS
from claran_core.survey.base import Cutout
from claran_core.survey.simulated import SimulatedSource
from claran_core.survey.simulated.geometry import offset_to_sky, sky_to_cell
from claran_core.survey.simulated.population import RADIO_NSIDE

FRAME = Frame()

# Native pixels kept of each subject: what fits into the subject's 101 pixels of 1.8 arcsec.
WIDTH_PX = 96

# HEALPix cells of the footprint's middle, from which simulated subjects are drawn at random.
POOL_RA_DEG, POOL_DEC_DEG = (120.0, 250.0), (0.0, 60.0)

# Share of the sources of each recipe that become subjects of the pool, less for those that reach less far.
VISITED = {"1C_1P": 0.2, "1C_2P": 0.3, "1C_3P": 1, "2C_2P": 0.15, "2C_3P": 1, "3C_3P": 0.8, "beyond": 0.2}
POOL_REACH_ARCSEC = {"1C_1P": 102, "1C_2P": 115, "1C_3P": 122, "2C_2P": 118, "2C_3P": 112, "3C_3P": 122}


@dataclass(frozen=True)
class SourceFacts:
    """One labelled source as its image shows it; lengths in arcsec, fluxes relative to the brightest."""

    morphology: str
    peak_snr: float
    extent_arcsec: float
    centre_offset_arcsec: float
    second_flux: float
    third_flux: float
    separation_arcsec: float
    area_px: float
    mean_over_peak: float


@dataclass(frozen=True)
class SubjectFacts:
    """One subject: the middle of its image in units of the noise, and what is in it."""

    name: str
    image: np.ndarray
    sigma: float
    n_islands: int
    sources: tuple[SourceFacts, ...]
    host_magnitude: float = np.nan

    @property
    def classes(self) -> str:
        """Sorted classes of its sources: ``1C_1P+2C_2P``."""
        return "+".join(sorted(source.morphology for source in self.sources))

    @property
    def main(self) -> SourceFacts:
        """Its largest source."""
        return max(self.sources, key=lambda source: source.extent_arcsec)


def measure(
    subject: Subject, cutout: Cutout, components: Sequence[tuple[Sequence, Sequence]]
) -> SubjectFacts:
    """Measure a subject whose sources have components at these positions (RA, Dec; deg)."""
    found = components_in_frame(subject, cutout)
    image = middle(subject, cutout)
    sigma = noise_sigma(image)
    sources = []
    for ra, dec in components:
        x, y = sky_to_pixels(cutout.wcs, np.asarray(ra), np.asarray(dec))
        own = sorted({found.at(*position) for position in zip(x, y, strict=True)} - {None})
        if own:
            sources.append(_source_facts(subject, cutout, found, own, sigma))
    return SubjectFacts(subject.subject_id, image / sigma, sigma, len(found), tuple(sources))


def _source_facts(subject, cutout, found, own, sigma) -> SourceFacts:
    masks = [found.labels == k + 1 for k in own]
    fluxes = sorted((float(cutout.data[mask].sum()) for mask in masks), reverse=True) + [np.nan, np.nan]
    x, y = (found.boxes[own][:, [0, 2]].mean(axis=1), found.boxes[own][:, [1, 3]].mean(axis=1))
    apart = np.hypot(x[:, None] - x, y[:, None] - y).max() * 1.8 if len(own) > 1 else np.nan
    union = found.boxes[own]
    low, high = union[:, :2].min(axis=0), union[:, 2:].max(axis=0)
    centre = np.array(sky_to_pixels(cutout.wcs, np.array([subject.ra_deg]), np.array([subject.dec_deg])))[
        :, 0
    ]
    values = cutout.data[np.any(masks, axis=0)]
    return SourceFacts(
        morphology=morphology_of(len(own), int(found.n_peaks[own].sum()))[0],
        peak_snr=float(values.max() / sigma),
        extent_arcsec=dr1_extent(union) * 1.8,
        centre_offset_arcsec=float(np.hypot(*(0.5 * (low + high) - centre))) * 1.8,
        second_flux=fluxes[1] / fluxes[0],
        third_flux=fluxes[2] / fluxes[0],
        separation_arcsec=float(apart),
        area_px=float(values.size),
        mean_over_peak=float(values.mean() / values.max()),
    )


def middle(subject: Subject, cutout: Cutout) -> np.ndarray:
    """Native pixels around the subject's centre, ``(WIDTH_PX, WIDTH_PX)``; NaN beyond the cut-out."""
    x, y = sky_to_pixels(cutout.wcs, np.array([subject.ra_deg]), np.array([subject.dec_deg]))
    x0, y0 = int(np.rint(x[0])) - WIDTH_PX // 2, int(np.rint(y[0])) - WIDTH_PX // 2
    padded = np.pad(cutout.data, WIDTH_PX, constant_values=np.nan)
    return padded[y0 + WIDTH_PX : y0 + 2 * WIDTH_PX, x0 + WIDTH_PX : x0 + 2 * WIDTH_PX].astype(np.float32)


def real_subjects(folder: Path) -> list[SubjectFacts]:
    """Labelled FIRST cut-outs: ``labels.csv`` and ``radio/*.fits`` of a folder."""
    subjects = []
    for name, rows in read_label_table(folder / "labels.csv").groupby("first_id"):
        with fits.open(folder / "radio" / f"{name}.fits") as hdus:
            cutout = Cutout(hdus[0].data.astype(np.float32), WCS(hdus[0].header), name)
        subject = Subject(name, *position_of_name(name), "train", FRAME)
        positions = [(row.component_ra, row.component_dec) for row in rows.itertuples()]
        subjects.append(measure(subject, cutout, positions))
    return [subject for subject in subjects if subject.sources]


def simulated_pool(seed: int, n: int) -> Iterator[SubjectFacts]:
    """`n` subjects of the sky around extended sources of random cells, as their labels show them.

    Common and small sources are mostly passed over: the real sample has few of them to match.
    """
    sky = SimulatedSource(SURVEYS["FIRST"], seed=seed)
    rng = np.random.default_rng(seed)
    produced = 0
    while produced < n:
        cell = sky_to_cell(rng.uniform(*POOL_RA_DEG), rng.uniform(*POOL_DEC_DEG), RADIO_NSIDE)
        for source in sky.population.cell(cell):
            small = source.reach_arcsec < POOL_REACH_ARCSEC.get(source.kind, 0)
            if source.is_compact or rng.random() > VISITED[source.kind] * (0.1 if small else 1):
                continue
            facts = _simulated(sky, source, rng)
            if facts is not None and produced < n:
                produced += 1
                yield facts


def _simulated(sky: SimulatedSource, source, rng: np.random.Generator) -> SubjectFacts | None:
    east, north = source.peaks[rng.integers(len(source.peaks))]
    ra, dec = (float(v) for v in offset_to_sky(source.ra_deg, source.dec_deg, east, north))
    cutout = sky.cutout("", ra, dec, FRAME.width_arcsec)
    subject = Subject(source.source_id, ra, dec, "none", FRAME)
    labels = label_simulated(subject, cutout, sky.truth(ra, dec, FRAME.width_arcsec))
    if source.source_id not in set(labels["label_id"]):
        return None
    return measure(subject, cutout, list(zip(labels["component_ra"], labels["component_dec"], strict=True)))


def matched(
    real: Sequence[SubjectFacts], pool: Sequence[SubjectFacts], per_subject: int
) -> list[list[SubjectFacts]]:
    """For each real subject the simulated ones most like it: same main class, brightness, extent.

    Each simulated subject is used once; real subjects take turns, so that none is left with poor ones.
    """
    features = np.array([_features(subject) for subject in pool])
    classes = np.array([subject.main.morphology for subject in pool])
    free = np.ones(len(pool), bool)
    chosen: list[list[SubjectFacts]] = [[] for _ in real]
    for _ in range(per_subject):
        for k, subject in enumerate(real):
            distance = np.abs(features - _features(subject)).sum(axis=1)
            distance[~free | (classes != subject.main.morphology)] = np.inf
            best = int(distance.argmin())
            if np.isfinite(distance[best]):
                free[best] = False
                chosen[k].append(pool[best])
    return chosen


def _features(subject: SubjectFacts) -> np.ndarray:
    main = subject.main
    return np.array([np.log(main.peak_snr), 2 * np.log(main.extent_arcsec)])


def table(subjects: Sequence[SubjectFacts]) -> pd.DataFrame:
    """One row per labelled source, with its subject's noise and islands."""
    return pd.DataFrame(
        [
            {"name": s.name, "sigma": s.sigma, "n_islands": s.n_islands, **source.__dict__}
            for s in subjects
            for source in s.sources
        ]
    )
