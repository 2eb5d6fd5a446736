"""Pairs of compact components of which radio images do not tell whether they are one source or two.

One half are doubles with a host between their components (`claran_core.simulation.rare_sources`), the other
half pairs of field sources, each with its own host.  Every double is matched with a pair of field sources of
nearly the same separation, brightness and ratio, and the components of both have the same sizes, so the two
halves look alike in the radio.  All hosts are visible.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from claran_core.common.errors import InputError
from claran_core.common.sky import offset_to_sky, sky_to_offset
from claran_core.simulation.geometry import cells_near
from claran_core.simulation.population import RadioCell, radio_cell
from claran_core.simulation.rare_sources import RADIO_NSIDE, compact_pairs
from claran_core.simulation.recipes import SNR_UNIT_JY
from claran_core.simulation.regions import is_inside, regions

__all__ = ["AmbiguousPair", "ambiguous_pairs"]

# Separation (arcsec) and smallest flux ratio of the components; faintest component in units of the noise.
SEPARATION_ARCSEC, FAINTEST_RATIO, FAINTEST_SNR = (10.0, 60.0), 0.5, 8.0

# Faintest host: 5 sigma in W1 (Vega).
FAINTEST_HOST = 17.0

# No other source above 5 sigma within this distance of the middle.
ALONE_ARCSEC, OTHERS_SNR = 75.0, 5.0

# Largest differences of natural logarithms of separation and brightness, and of ratios, in a match.
ALIKE = np.array([0.15, 0.4, 0.15])


@dataclass(frozen=True)
class AmbiguousPair:
    """Two compact components that are one source or two.

    Attributes
    ----------
    is_one_source : bool
        Whether one host lies between them; otherwise each has one.
    ra_deg, dec_deg : float
        Middle between the components, deg, ICRS.
    east_arcsec, north_arcsec : float
        Offset of the brighter component from the middle.
    peak_snr, ratio : float
        Peak of the brighter component in units of the noise; flux of the fainter one over it.
    """

    is_one_source: bool
    ra_deg: float
    dec_deg: float
    east_arcsec: float
    north_arcsec: float
    peak_snr: float
    ratio: float

    @property
    def separation_arcsec(self) -> float:
        """Distance of the components."""
        return 2 * math.hypot(self.east_arcsec, self.north_arcsec)

    @property
    def looks(self) -> np.ndarray:
        """The numbers in which the halves must be alike; (3,)."""
        return np.array([math.log(self.separation_arcsec), math.log(self.peak_snr), self.ratio])


def ambiguous_pairs(seed: int, n: int, declinations_deg: tuple[float, float]) -> list[AmbiguousPair]:
    """Return `n` ambiguous pairs, doubles and pairs of sources in turn, each next to its match.

    Parameters
    ----------
    seed : int
        Seed of the sky.
    n : int
        An even number.
    declinations_deg : tuple of 2 float
        Limits of the centres of the regions that are searched.

    Raises
    ------
    InputError
        If the number is odd or negative, or the regions have too few such pairs.
    """
    if n < 0 or n % 2:
        raise InputError(f"ambiguous pairs: {n} is not an even number of subjects; half of them are doubles")
    found: list[AmbiguousPair] = []
    doubles: list[AmbiguousPair] = []
    couples: list[AmbiguousPair] = []
    for region, cells in regions(seed, declinations_deg):
        for cell in cells.tolist():
            if len(found) >= n:
                return found
            pairs = [pair for pair in _pairs(seed, cell) if is_inside(region, pair.ra_deg, pair.dec_deg)]
            for pair in pairs:
                own, others = (doubles, couples) if pair.is_one_source else (couples, doubles)
                match = _match(pair, others)
                if match is None:
                    own.append(pair)
                else:
                    others.remove(match)
                    found += [pair, match] if pair.is_one_source else [match, pair]
    if len(found) < n:
        raise InputError(f"simulated sky {seed}: only {len(found)} of {n} ambiguous pairs; request fewer")
    return found[:n]


def _match(pair: AmbiguousPair, others: list[AmbiguousPair]) -> AmbiguousPair | None:
    """Return the most similar of other pairs, if it is similar enough."""
    apart = [float((np.abs(pair.looks - other.looks) / ALIKE).max()) for other in others]
    return others[int(np.argmin(apart))] if apart and min(apart) <= 1 else None


def _pairs(seed: int, cell: int) -> list[AmbiguousPair]:
    """Return the ambiguous pairs of a cell of `RADIO_NSIDE`, which have no other source near."""
    found = [*_doubles(seed, cell), *_couples(radio_cell(seed, cell))]
    return [pair for pair in found if _is_alone(seed, pair)]


def _doubles(seed: int, cell: int) -> Iterator[AmbiguousPair]:
    for source in compact_pairs(seed, cell):
        model = source.build()
        peak, fainter = model.gaussians[:, 2].tolist()
        if fainter >= FAINTEST_SNR and source.host_magnitude <= FAINTEST_HOST:
            middle = model.peaks.mean(axis=0)
            ra, dec = offset_to_sky(source.ra_deg, source.dec_deg, *middle)
            east, north = (model.peaks[0] - middle).tolist()
            yield AmbiguousPair(True, float(ra), float(dec), east, north, peak, fainter / peak)


def _couples(cell: RadioCell) -> Iterator[AmbiguousPair]:
    snr = cell.peak_jy / SNR_UNIT_JY
    usable = np.flatnonzero(cell.is_compact & (snr >= FAINTEST_SNR) & (cell.host_magnitude <= FAINTEST_HOST))
    usable = usable[np.argsort(-snr[usable], kind="stable")]
    for k, one in enumerate(usable.tolist()):
        others = usable[k + 1 :]
        ra, dec = float(cell.ra_deg[one]), float(cell.dec_deg[one])
        east, north = sky_to_offset(ra, dec, cell.ra_deg[others], cell.dec_deg[others])
        apart, ratio = np.hypot(east, north), snr[others] / snr[one]
        fits = (apart >= SEPARATION_ARCSEC[0]) & (apart <= SEPARATION_ARCSEC[1]) & (ratio >= FAINTEST_RATIO)
        for other in np.flatnonzero(fits).tolist():
            half = float(east[other]) / 2, float(north[other]) / 2
            middle_ra, middle_dec = offset_to_sky(ra, dec, *half)
            looks = -half[0], -half[1], float(snr[one]), float(ratio[other])
            yield AmbiguousPair(False, float(middle_ra), float(middle_dec), *looks)


def _is_alone(seed: int, pair: AmbiguousPair) -> bool:
    """Return whether no other source lies near the middle of a pair."""
    n_near = 0
    for cell in cells_near(pair.ra_deg, pair.dec_deg, ALONE_ARCSEC, RADIO_NSIDE):
        sources = radio_cell(seed, cell)
        east, north = sky_to_offset(pair.ra_deg, pair.dec_deg, sources.ra_deg, sources.dec_deg)
        bright = sources.peak_jy >= OTHERS_SNR * SNR_UNIT_JY
        n_near += int((bright & (np.hypot(east, north) <= ALONE_ARCSEC)).sum())
    return n_near == (1 if pair.is_one_source else 2)
