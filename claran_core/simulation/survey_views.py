"""Training subjects as in a survey: random places, coarse views, large sources, crowded and bright fields.

Subjects of Radio Galaxy Zoo (`claran_core.simulation.subjects`) are centred on bright components of sources
that fit the frame.  A survey has every other view too.  These subjects come from regions outside the
footprint, so they share no sky with the test subjects.  Nothing is rendered to select them.

Lengths and brightnesses are those of FIRST.  For another survey lengths scale with its beam and brightnesses
with its noise, so that its images show the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.errors import InputError
from claran_core.common.names import position_names
from claran_core.common.sky import chord, offset_to_sky, unit_vectors
from claran_core.labels.rgz_table import position_of_name
from claran_core.simulation.ambiguous_pairs import AmbiguousPair, ambiguous_pairs
from claran_core.simulation.geometry import cell_positions
from claran_core.simulation.observed import FIRST
from claran_core.simulation.population import RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.random_streams import Stream, generator
from claran_core.simulation.rare_sources import LARGE_ARCSEC, RADIO_NSIDE, RareSource, large_sources
from claran_core.simulation.recipes import SNR_UNIT_JY
from claran_core.simulation.regions import CROWDED_DEC_DEG, PAIRS_DEC_DEG, TRAINING_DEC_DEG, regions
from claran_core.survey.surveys import Survey

__all__ = ["VIEWS", "SurveyPlaces", "ambiguous_targets", "survey_views"]

# Numbers of subjects by kind and scale.
VIEWS: dict[str, dict[int, int]] = {
    "random": {1: 1000, 2: 900, 4: 600, 8: 200},
    "large": {1: 900, 2: 2400, 4: 1700, 8: 500},
    "crowded": {1: 500, 2: 400, 4: 300, 8: 200},
    "neighbours": {1: 1200, 2: 500},
    "ambiguous": {1: 800},
    "bright": {1: 1000, 2: 300, 4: 200, 8: 100},
}

# Sizes (arcsec) of large sources at each scale: they appear as large as sources of RGZ at scale 1.  Any
# part of a large source may be seen at scale 1.
LARGE_AT_SCALE = {1: (120.0, 900.0), 2: (120.0, 280.0), 4: (180.0, 560.0), 8: (320.0, 900.0)}

# Brightest parts of a large source on which subjects are centred, and the scatter of their centres around
# these (arcsec at scale 1).
PARTS, OFF_CENTRE_ARCSEC = 6, 12.0

# Largest number of subjects of one large source at each scale.
MOST_PARTS = 4

# Signal to noise of the sources in bright fields: limits of classes of which each has as many subjects.
BRIGHT_SNR = (100.0, 300.0, 1000.0, 3000.0, 12000.0)

# So many more places of each class than subjects, at most one in ten: two places may have the same name.
SPARE_BRIGHT = 2

# Share of subjects centred on the bright source, and largest distance of the others from it (arcsec).
ON_BRIGHT, BRIGHT_WITHIN_ARCSEC = 0.3, 600.0

# Sources of neighbours are at least so bright (10 sigma, as labels), and so close (arcsec at scale 1).
NEIGHBOUR_SNR, NEIGHBOUR_WITHIN_ARCSEC = 10.0, 100.0

# Share of crowded subjects centred on an extended source.
ON_EXTENDED = 0.5

# Ambiguous pairs are as close as 1.85 beams of FIRST; a wider beam blends them.
WIDEST_FOR_PAIRS = 1.05

Places = Iterator[tuple[float, float]]


def survey_views(seed: int, survey: Survey = FIRST) -> pd.DataFrame:
    """Return the training subjects of `VIEWS`, without those that the survey cannot show.

    The sky has sources of up to 15 arcmin: a survey with a wider beam than FIRST has fewer that are large at
    its scales, or none, and sees ambiguous pairs as blends.

    Parameters
    ----------
    seed : int
        Seed of the sky.
    survey : Survey
        The radio survey that sees them.

    Returns
    -------
    DataFrame
        ``subject_id`` (a position, and ``_x2`` for a scale of 2), ``ra``, ``dec`` (deg, exactly the position
        in the name), ``split`` (``train``), ``scale`` and ``kind`` (key of `VIEWS`).
    """
    places, table = SurveyPlaces(seed, survey), _Table(survey.name)
    for kind, by_scale in VIEWS.items():
        for scale, n in by_scale.items():
            if kind != "ambiguous" or survey.beam_arcsec <= WIDEST_FOR_PAIRS * FIRST.beam_arcsec:
                fewer = kind == "large" and survey != FIRST
                table.add(kind, scale, n, places.of(kind, scale, n), fewer=fewer)
    return table.targets("train")


class SurveyPlaces:
    """Places of training subjects by kind, in random order; no cell gives places of two kinds.

    Large sources and ambiguous pairs are apart: they are chosen from all cells.

    Parameters
    ----------
    seed : int
        Seed of the sky.
    survey : Survey
        The radio survey that sees them.

    Attributes
    ----------
    rng : Generator
        Random numbers of the choice.
    """

    def __init__(self, seed: int, survey: Survey = FIRST) -> None:
        self._sky = _SeenSky.of(seed, survey)
        self.rng = generator(seed, Stream.SUBJECTS, 0)
        self._cells, self._crowded = _cells(seed, TRAINING_DEC_DEG), _cells(seed, CROWDED_DEC_DEG)

    def of(self, kind: str, scale: int, n: int) -> Places:
        """Yield places (RA and Dec, deg) for `n` subjects of a kind and scale, some more if there are.

        Parameters
        ----------
        kind : str
            Key of `VIEWS`.
        scale : int
            Scale of the subjects.
        n : int
            Number of subjects.
        """
        rng, sky, cells = self.rng, self._sky, self._cells
        kinds: dict[str, Callable[[], Places]] = {
            "random": lambda: (_anywhere(rng, cell) for cell in cells),
            "large": lambda: _large(rng, sky, scale),
            "crowded": lambda: _crowded(rng, sky, self._crowded),
            "neighbours": lambda: _on_neighbours(rng, sky, cells, scale),
            "ambiguous": lambda: _on_component(rng, ambiguous_pairs(sky.seed, n, TRAINING_DEC_DEG)),
            "bright": lambda: _bright(rng, sky, cells, n),
        }
        return kinds[kind]()


class _SeenSky(NamedTuple):
    """The sources of a sky as a survey sees them; its beam and noise in units of FIRST's."""

    provider: SimulatedProvider
    beams: float
    noisier: float

    @classmethod
    def of(cls, seed: int, survey: Survey) -> "_SeenSky":
        sky = SimulatedProvider(survey, seed=seed)
        return cls(sky, survey.beam_arcsec / FIRST.beam_arcsec, survey.rms / FIRST.rms)

    @property
    def seed(self) -> int:
        return self.provider.seed

    @property
    def snr_unit_jy(self) -> float:
        """The noise, Jy/beam."""
        return SNR_UNIT_JY * self.noisier

    @property
    def off_centre_arcsec(self) -> float:
        return OFF_CENTRE_ARCSEC * self.beams

    def large_at(self, scale: int) -> tuple[float, float]:
        """Return the sizes (arcsec) of large sources at a scale."""
        smallest, largest = LARGE_AT_SCALE[scale]
        return smallest * self.beams, largest * self.beams


def ambiguous_targets(seed: int, n: int) -> pd.DataFrame:
    """Return `n` test subjects of ambiguous pairs, at scale 1, centred on one of the two components.

    Their regions contain no other subjects.  Half of the pairs are one source; columns are those of
    `survey_views`, with the kinds ``one_source`` and ``two_sources``.

    Raises
    ------
    InputError
        If the number is odd or negative, or the sky has too few of them.
    """
    rng = generator(seed, Stream.SUBJECTS, 0, 1)
    pairs = ambiguous_pairs(seed, n, PAIRS_DEC_DEG)
    table = _Table(FIRST.name)
    for pair in pairs:
        table.add("one_source" if pair.is_one_source else "two_sources", 1, 1, _on_component(rng, [pair]))
    return table.targets("test")


@dataclass
class _Table:
    """Subjects of a survey with distinct names."""

    survey: str
    rows: dict[str, tuple[float, float, int, str]] = field(default_factory=dict)

    def add(self, kind: str, scale: int, n: int, places: Places, *, fewer: bool = False) -> None:
        """Add `n` subjects at the first places (deg), or `fewer`; places in use are passed over."""
        wanted = len(self.rows) + n
        for ra, dec in places:
            if len(self.rows) == wanted:
                return
            position = position_names(np.array([ra]), np.array([dec]))[0]
            name = f"{self.survey}{position}" if scale == 1 else f"{self.survey}{position}_x{scale}"
            self.rows.setdefault(name, (*position_of_name(f"FIRST{position}"), scale, kind))
        if len(self.rows) < wanted and not fewer:
            missing = wanted - len(self.rows)
            raise InputError(f"simulated sky: {missing} of {n} {kind} subjects at scale {scale} not found")

    def targets(self, split: str) -> pd.DataFrame:
        """Return the subjects as a table."""
        rows = [(name, ra, dec, split, scale, kind) for name, (ra, dec, scale, kind) in self.rows.items()]
        return pd.DataFrame(rows, columns=["subject_id", "ra", "dec", "split", "scale", "kind"])


def _cells(seed: int, declinations_deg: tuple[float, float]) -> Iterator[int]:
    """Yield the cells of regions in random order; searches share the iterator, so none sees a cell twice."""
    for _, cells in regions(seed, declinations_deg):
        yield from cells.tolist()


def _anywhere(rng: np.random.Generator, cell: int) -> tuple[float, float]:
    ra, dec = cell_positions(cell, RADIO_NSIDE, rng.random(), rng.random())
    return float(ra), float(dec)


def _moved(ra_deg: float, dec_deg: float, east_arcsec: float, north_arcsec: float) -> tuple[float, float]:
    ra, dec = offset_to_sky(ra_deg, dec_deg, east_arcsec, north_arcsec)
    return float(ra), float(dec)


def _large(rng: np.random.Generator, sky: _SeenSky, scale: int) -> Places:
    """Yield places on parts of the sources that are large at a scale, up to `MOST_PARTS` of each."""
    smallest, largest = sky.large_at(scale)
    seen: list[RareSource | RadioSource] = []
    for cell in _cells(sky.seed, TRAINING_DEC_DEG):
        rare = large_sources(sky.seed, cell)
        fits: list[RareSource | RadioSource] = []
        fits += [source for source in rare if smallest <= source.extent_arcsec <= largest]
        fits += _extended_between(sky, cell, smallest, largest)
        for source in fits:
            seen.append(source)
            yield _on_part(rng, source, sky.off_centre_arcsec * scale)
    for _ in range(1, MOST_PARTS):
        for source in seen:
            yield _on_part(rng, source, sky.off_centre_arcsec * scale)


def _extended_between(sky: _SeenSky, cell: int, smallest: float, largest: float) -> list[RadioSource]:
    """Return the sources of the recipes of these sizes (arcsec) whose peaks the survey detects as labels."""
    if smallest >= LARGE_ARCSEC[0]:
        return []
    sources = sky.provider.population.cell(cell)
    extent = sources.peak_reach_arcsec
    fits = (smallest <= extent) & (extent <= min(largest, LARGE_ARCSEC[0]))
    fits &= sources.peak_jy >= NEIGHBOUR_SNR * sky.snr_unit_jy
    return [sources[k] for k in np.flatnonzero(fits).tolist() if sources[k].kind != "large"]


def _on_part(
    rng: np.random.Generator, source: RareSource | RadioSource, off_centre_arcsec: float
) -> tuple[float, float]:
    """Return a place near one of the brightest parts of a large source."""
    built = source.build() if isinstance(source, RareSource) else source
    peaks = built.peaks[:PARTS]
    offset = peaks[rng.integers(len(peaks))] + rng.normal(0, off_centre_arcsec, 2)
    return _moved(source.ra_deg, source.dec_deg, *offset.tolist())


def _crowded(rng: np.random.Generator, sky: _SeenSky, cells: Iterator[int]) -> Places:
    """Yield places in crowded cells: anywhere, and on extended sources."""
    for cell in cells:
        sources = sky.provider.population.cell(cell)
        extended = np.flatnonzero(~sources.is_compact)
        if rng.random() < ON_EXTENDED and extended.size:
            chosen = int(rng.choice(extended))
            offset = rng.normal(0, sky.off_centre_arcsec, 2).tolist()
            yield _moved(float(sources.ra_deg[chosen]), float(sources.dec_deg[chosen]), *offset)
        else:
            yield _anywhere(rng, cell)


def _on_neighbours(rng: np.random.Generator, sky: _SeenSky, cells: Iterator[int], scale: int) -> Places:
    """Yield places on bright sources with another nearby: near, but not one."""
    for cell in cells:
        sources = sky.provider.population.cell(cell)
        bright = np.flatnonzero(sources.peak_jy >= NEIGHBOUR_SNR * sky.snr_unit_jy)
        vectors = unit_vectors(sources.ra_deg[bright], sources.dec_deg[bright])
        pairs = cKDTree(vectors).query_pairs(
            float(chord(scale * NEIGHBOUR_WITHIN_ARCSEC * sky.beams)), output_type="ndarray"
        )
        for pair in pairs[np.lexsort(pairs.T)]:
            chosen = int(bright[rng.choice(pair)])
            offset = rng.normal(0, sky.off_centre_arcsec * scale, 2).tolist()
            yield _moved(float(sources.ra_deg[chosen]), float(sources.dec_deg[chosen]), *offset)


def _on_component(rng: np.random.Generator, pairs: list[AmbiguousPair]) -> Places:
    """Yield places on one component of each pair."""
    for pair in pairs:
        side = rng.choice([-1.0, 1.0])
        yield _moved(pair.ra_deg, pair.dec_deg, side * pair.east_arcsec, side * pair.north_arcsec)


def _bright(rng: np.random.Generator, sky: _SeenSky, cells: Iterator[int], n: int) -> Places:
    """Yield places on and around bright sources, as many from each class of brightness."""
    of_class = -(-n // (len(BRIGHT_SNR) - 1))
    left = np.full(len(BRIGHT_SNR) - 1, of_class + min(SPARE_BRIGHT, of_class // 10))
    for cell in cells:
        sources = sky.provider.population.cell(cell)
        of = np.digitize(sources.peak_jy / sky.snr_unit_jy, BRIGHT_SNR) - 1
        for k in np.flatnonzero((of >= 0) & (of < len(left))).tolist():
            if left[of[k]]:
                left[of[k]] -= 1
                far = 0.0 if rng.random() < ON_BRIGHT else rng.uniform(0, BRIGHT_WITHIN_ARCSEC * sky.beams)
                angle = rng.uniform(0, 2 * np.pi)
                offset = far * np.sin(angle), far * np.cos(angle)
                yield _moved(float(sources.ra_deg[k]), float(sources.dec_deg[k]), *offset)
        if not left.any():
            return
