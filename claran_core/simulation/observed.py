"""The radio sources of the simulated sky as another survey than FIRST sees them.

The sky is one: sources, positions and structure are those of FIRST's sky.  Each Gaussian of a source has its
flux density at the frequency of the survey (`claran_core.simulation.spectra`) and is convolved with the beam
of the survey.  A survey that is deeper also sees fainter sources (`claran_core.simulation.faint_sources`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache

import numpy as np

from claran_core.common.cutout import Beam
from claran_core.common.errors import ConfigError
from claran_core.simulation.faint_sources import faint_layer, layers_above
from claran_core.simulation.gaussians import Gaussians
from claran_core.simulation.population import (
    FIELD_REACH_ARCSEC,
    UNCLEANED_JY,
    Population,
    RadioCell,
    RadioSource,
)
from claran_core.simulation.recipes import BEAM_ARCSEC
from claran_core.simulation.source_models import SourceModel
from claran_core.simulation.source_shapes import POINT_ARCSEC
from claran_core.simulation.spectra import REFERENCE_HZ, drawn_spectra
from claran_core.survey.surveys import SURVEYS, Survey

__all__ = ["ObservedPopulation", "ObservedSource", "convolved", "is_first"]

FIRST = SURVEYS["FIRST"]
# Gaussians are cut off at this distance in units of their FWHM.
CUT_FWHM = 2.21
# Steepest spectrum of faint sources that are still drawn, and the flattest, towards higher frequencies.
STEEP, FLAT = 0.8, 0.0
# Spectral index by which the brightness of an extended source is scaled before its model is built.
TYPICAL_INDEX = 0.75
# Images show compact sources from this signal-to-noise ratio on; contours start at 5.3.
SHOWN_SNR = 2.5
# Magnitude of hosts that no infrared image shows.
UNSEEN_MAGNITUDE = 20.0


def is_first(survey: Survey) -> bool:
    """Return whether a survey is FIRST as it ships, whose noise and artefacts are drawn as measured."""
    return survey == FIRST


def convolved(
    flux_jy: np.ndarray, major_arcsec: np.ndarray, minor_arcsec: np.ndarray, angle_deg: np.ndarray, beam: Beam
) -> np.ndarray:
    """Return Gaussians under a beam: peak (Jy/beam), FWHM of both axes (arcsec), position angle; ``(n, 4)``.

    All arguments before the beam are (n,) arrays: flux density, axes and position angle before the beam.
    """
    east_east, east_north, north_north = np.add(
        _covariance(major_arcsec, minor_arcsec, angle_deg),
        _covariance(*(np.array([value]) for value in (beam.major_arcsec, beam.minor_arcsec, beam.angle_deg))),
    )
    mean, half = (east_east + north_north) / 2, (north_north - east_east) / 2
    spread = np.hypot(half, east_north)
    major, minor = np.sqrt(mean + spread), np.sqrt(mean - spread)
    peak = flux_jy * beam.major_arcsec * beam.minor_arcsec / (major * minor)
    return np.stack([peak, major, minor, np.rad2deg(0.5 * np.arctan2(east_north, half))], axis=1)


def _covariance(major: np.ndarray, minor: np.ndarray, angle_deg: np.ndarray) -> np.ndarray:
    """Return the squares east-east, east-north and north-north of an ellipse; ``(3, n)``."""
    sin, cos = np.sin(np.deg2rad(angle_deg)), np.cos(np.deg2rad(angle_deg))
    wide, narrow = major**2, minor**2
    return np.stack(
        [wide * sin**2 + narrow * cos**2, (wide - narrow) * sin * cos, wide * cos**2 + narrow * sin**2]
    )


@dataclass(frozen=True)
class ObservedSource(RadioSource):
    """A source as a survey sees it; `observe` returns its Gaussians, `original` is it in FIRST's sky."""

    observe: Callable[[], Gaussians] | None = field(default=None, repr=False, compare=False)
    original: RadioSource | None = field(default=None, repr=False, compare=False)

    @cached_property
    def model(self) -> SourceModel:
        """Model of its emission in FIRST's sky."""
        assert self.original is not None  # only compact sources have none, which need no model
        return self.original.model

    @property
    def peaks(self) -> np.ndarray:
        """East and north offset of its peaks in FIRST's sky, arcsec; ``(k, 2)``, brightest first."""
        return np.zeros((1, 2)) if self.original is None else self.original.peaks

    @property
    def peak_reach_arcsec(self) -> float:
        """Largest distance of its peaks from the host."""
        return 0.0 if self.original is None else self.original.peak_reach_arcsec

    @cached_property
    def gaussians(self) -> Gaussians:
        """Its emission in the survey, Jy/beam."""
        assert self.observe is not None  # `ObservedCell` gives it
        return self.observe()


class ObservedCell(RadioCell):
    """The sources of a cell in a survey: those of FIRST's sky, then the fainter ones.

    Parameters
    ----------
    base : RadioCell
        The sources in FIRST's sky.
    survey : Survey
        The survey.
    seed, cell : int
        Seed of the sky and number of the cell.
    """

    def __init__(self, base: RadioCell, survey: Survey, seed: int, cell: int) -> None:
        self._base, self._survey, self._cell = base, survey, cell
        faint = _faint(seed, cell, survey)
        n = len(base) + len(faint)
        self._spectra = drawn_spectra(seed, cell, n)
        sizes = np.concatenate([base.compact, faint[:, 3:]])
        beams = (np.square(np.hypot(POINT_ARCSEC, base.compact[:, :2])) / BEAM_ARCSEC**2).prod(axis=1) ** 0.5
        flux = np.append(base.peak_jy * np.where(base.is_compact, beams, 1.0), faint[:, 2])
        is_compact = np.isfinite(sizes[:, 0])
        index = np.where(is_compact, self._spectra.compact, TYPICAL_INDEX)
        flux *= (_frequency(survey) / REFERENCE_HZ) ** -index
        ra, dec = np.append(base.ra_deg, faint[:, 0]), np.append(base.dec_deg, faint[:, 1])
        self._rows = np.zeros((n, 8))
        self._rows[:, 0], self._rows[:, 1] = ra, dec
        major, minor, angle = np.nan_to_num(sizes).T
        self._rows[:, 4:] = convolved(flux, major, minor, angle, survey.beam)
        noisier = survey.rms / FIRST.rms
        wider = CUT_FWHM * max(survey.beam.major_arcsec - BEAM_ARCSEC, 0.0)
        columns = np.stack(
            [
                ra,
                dec,
                self._rows[:, 4],
                np.append(base.uncleaned_jy, np.full(len(faint), UNCLEANED_JY)) * noisier,
                np.append(base.sidelobe_gain, np.zeros(len(faint))) * _artefact_gain(survey),
                np.append(base.reach_arcsec, np.full(len(faint), FIELD_REACH_ARCSEC)) + wider,
                np.append(base.host_magnitude, np.full(len(faint), UNSEEN_MAGNITUDE)),
            ],
            axis=1,
        )
        super().__init__(columns, sizes, self._observed)
        self.noisier, self.artefact_gain = noisier, _artefact_gain(survey)

    @property
    def is_shown(self) -> np.ndarray:
        """Which sources images may show, ``(n,)`` bool.

        Thousands of compact sources per square degree hardly exceed the noise and only add to it.
        """
        return np.asarray(~self.is_compact | (self.peak_jy >= SHOWN_SNR * self._survey.rms))

    @property
    def peak_reach_arcsec(self) -> np.ndarray:
        """`RadioSource.peak_reach_arcsec` of all sources."""
        return np.append(self._base.peak_reach_arcsec, np.zeros(len(self) - len(self._base)))

    def gaussians(self) -> Gaussians:
        """Return one Gaussian per source: the emission of a compact source, a point at the host of others."""
        return Gaussians(self._rows)

    def _observed(self, number: int) -> RadioSource:
        if number >= len(self._base):
            return self._faint_source(number)
        original = self._base[number]
        values = {one.name: getattr(original, one.name) for one in fields(RadioSource)}
        values |= {
            "peak_jy": float(self.peak_jy[number]),
            "uncleaned_jy": float(self.uncleaned_jy[number]),
            "sidelobe_gain": float(self.sidelobe_gain[number]),
            "reach_arcsec": float(self.reach_arcsec[number]),
        }
        return ObservedSource(**values, observe=lambda: self._gaussians_of(number), original=original)

    def _faint_source(self, number: int) -> RadioSource:
        return ObservedSource(
            source_id=f"sim-{self._cell:06d}-f{number - len(self._base):05d}",
            ra_deg=float(self.ra_deg[number]),
            dec_deg=float(self.dec_deg[number]),
            kind="field",
            n_components=1,
            n_peaks=1,
            host_magnitude=UNSEEN_MAGNITUDE,
            reach_arcsec=float(self.reach_arcsec[number]),
            peak_jy=float(self.peak_jy[number]),
            uncleaned_jy=float(self.uncleaned_jy[number]),
            sidelobe_gain=0.0,
            compact=tuple(self.compact[number].tolist()),
            observe=lambda: Gaussians(self._rows[number : number + 1]),
        )

    def _gaussians_of(self, number: int) -> Gaussians:
        """Return the Gaussians of a source of FIRST's sky as the survey sees them."""
        if self.is_compact[number]:
            return Gaussians(self._rows[number : number + 1])
        rows = self._base[number].gaussians.rows.copy()
        flux = rows[:, 4] * rows[:, 5] * rows[:, 6] / BEAM_ARCSEC**2
        major, minor = (np.sqrt(np.maximum(rows[:, k] ** 2 - POINT_ARCSEC**2, 0.0)) for k in (5, 6))
        index = self._spectra.of_parts(number, np.hypot(rows[:, 2], rows[:, 3]), np.sqrt(major * minor))
        flux *= (_frequency(self._survey) / REFERENCE_HZ) ** -index
        rows[:, 4:] = convolved(flux, major, minor, rows[:, 7], self._survey.beam)
        return Gaussians(rows)


@dataclass(frozen=True)
class ObservedPopulation:
    """The sources of a sky as a survey sees them (a `Population`).

    Attributes
    ----------
    sky : Population
        The sources as FIRST sees them.
    survey : Survey
        A radio survey with a frequency.
    """

    sky: Population
    survey: Survey

    def __post_init__(self) -> None:
        _frequency(self.survey)

    @property
    def seed(self) -> int:
        """Seed of the sky."""
        return self.sky.seed

    def cell(self, index: int) -> RadioCell:
        """See `Population`."""
        return _observed_cell(self, index)

    def has_large(self, index: int) -> bool:
        """See `Population`."""
        return self.sky.has_large(index)


@lru_cache(maxsize=512)
def _observed_cell(population: ObservedPopulation, index: int) -> RadioCell:
    return ObservedCell(population.sky.cell(index), population.survey, population.seed, index)


def _faint(seed: int, cell: int, survey: Survey) -> np.ndarray:
    """Return the fainter sources of a cell that a survey may see, rows as `FaintSources`."""
    ratio = _frequency(survey) / REFERENCE_HZ
    faintest = survey.rms * ratio ** (STEEP if ratio < 1 else FLAT)
    layers = [faint_layer(seed, cell, layer) for layer in range(layers_above(faintest))]
    return np.concatenate([np.empty((0, 6)), *layers])


def _frequency(survey: Survey) -> float:
    if survey.frequency_hz is None:
        raise ConfigError(
            f"config: survey.radio: the simulated sky needs the frequency of {survey.name}; "
            "write description.frequency_hz"
        )
    return survey.frequency_hz


def _artefact_gain(survey: Survey) -> float:
    return FIRST.dynamic_range / survey.dynamic_range
