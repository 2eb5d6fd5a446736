"""Choosing subjects of the simulated sky, as Radio Galaxy Zoo chose its own: a sample, not a blind patch.

A subject is centred on one component of an extended source, not on its middle.  Classes are mixed as in
Table 3 of the paper, by what sources are meant to show; nothing is rendered.  Training and test subjects
come from different regions of the sky, away from their borders, so that no source is in both.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from claran_core.errors import InputError
from claran_core.morphology import MORPHOLOGIES, morphology_of
from claran_core.names import position_names
from claran_core.survey.simulated.geometry import (
    TileGrid,
    cells_near,
    offset_to_sky,
    subcells,
)
from claran_core.survey.simulated.population import RADIO_NSIDE, RadioSource, radio_cell
from claran_core.survey.simulated.streams import Purpose, generator

__all__ = ["TABLE_3", "select_subjects"]

logger = logging.getLogger(__name__)

# Number of sources per class in the paper's sets (Table 3).
TABLE_3: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "train": dict(zip(MORPHOLOGIES, (3518, 810, 728, 647, 609, 666), strict=True)),
        "test": dict(zip(MORPHOLOGIES, (1782, 521, 684, 604, 599, 668), strict=True)),
    }
)

# Regions of 7.3 degrees; subjects keep this far from their borders.
REGION_NSIDE = 8
BORDER_ARCSEC = 400.0

# Where FIRST looked in the north Galactic cap: RA and Dec limits, deg.
FOOTPRINT = ((110.0, 260.0), (-8.0, 62.0))

# Half a diagonal of a 3 arcmin subject: within it every source must have at most three components and peaks.
SUBJECT_RADIUS_ARCSEC = 130.0

# Error of a catalogued component position, arcsec, along each axis.
POSITION_ERROR_ARCSEC = 0.3


def select_subjects(
    *,
    seed: int,
    n_train: int,
    n_test: int,
    mix: Mapping[str, Mapping[str, int]] = TABLE_3,
) -> pd.DataFrame:
    """Choose subjects from the sky of `seed`.

    Parameters
    ----------
    seed : int
        Which sky.
    n_train, n_test : int
        Number of subjects per split.
    mix : mapping, optional
        Per split, relative number of subjects per class, by what their source is meant to show.

    Returns
    -------
    DataFrame
        ``subject_id`` (``FIRSTJHHMMSS.s+DDMMSS``, unique), ``ra``, ``dec`` (deg, six decimals), ``split``;
        ordered by split (train first) and name.

    Raises
    ------
    InputError
        If the seed or a number is negative, the mix is not one of the six classes, or the sky has too few
        sources.
    """
    if seed < 0:
        raise InputError(f"simulated sky: seed {seed} is negative; give 0 or more")
    wanted = {
        "train": _Quota("train", _shares(n_train, mix["train"])),
        "test": _Quota("test", _shares(n_test, mix["test"])),
    }
    names: set[str] = set()
    for region, rng in _regions(seed):
        short = {split: quota for split, quota in wanted.items() if quota.missing}
        if not short:
            break
        split = max(short, key=lambda name: short[name].missing / short[name].total)
        _search(seed, region, rng, short[split], names)
    for quota in wanted.values():
        if quota.missing:
            raise InputError(
                f"simulated sky {seed}: {quota.missing} of {quota.total} {quota.split} subjects not found "
                f"({dict(quota.left)} left); ask for fewer"
            )
    table = pd.DataFrame([row for quota in wanted.values() for row in sorted(quota.rows)])
    return table.set_axis(["subject_id", "ra", "dec", "split"], axis=1) if len(table) else _no_subjects()


def _no_subjects() -> pd.DataFrame:
    return pd.DataFrame({"subject_id": [], "ra": [], "dec": [], "split": []}).astype(
        {"subject_id": str, "ra": float, "dec": float, "split": str}
    )


@dataclass
class _Quota:
    """What is still to be found for one split, and what has been."""

    split: str
    left: Counter[str]
    rows: list[tuple[str, float, float, str]] = field(default_factory=list)
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = max(self.missing, 1)

    @property
    def missing(self) -> int:
        return self.left.total()


def _shares(n: int, mix: Mapping[str, int]) -> Counter[str]:
    """Split `n` over classes in proportion to `mix`: whole numbers that sum to `n` (largest remainders)."""
    if n < 0 or set(mix) != set(MORPHOLOGIES) or min(mix.values()) < 0 or sum(mix.values()) == 0:
        raise InputError(
            f"subjects: number {n} and class mix {dict(mix)} need n >= 0 and a share >= 0 for each of "
            f"{', '.join(MORPHOLOGIES)}, not all zero"
        )
    exact = {name: n * share / sum(mix.values()) for name, share in mix.items()}
    counts = Counter({name: int(value) for name, value in exact.items()})
    rest = sorted(exact, key=lambda name: counts[name] - exact[name])[: n - counts.total()]
    counts.update(rest)
    return counts


def _regions(seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    """Regions of the footprint in random order, each with its own stream."""
    (west, east), (south, north) = FOOTPRINT
    grid = TileGrid(nside=REGION_NSIDE, pixel_scale_arcsec=1.0, size_px=1)
    tiles = [grid.tile(index) for index in range(12 * REGION_NSIDE**2)]
    inside = [t.index for t in tiles if west <= t.ra_deg <= east and south <= t.dec_deg <= north]
    for region in generator(seed, Purpose.SUBJECTS).permutation(inside):
        yield int(region), generator(seed, Purpose.SUBJECTS, int(region))


def _search(seed: int, region: int, rng: np.random.Generator, quota: _Quota, names: set[str]) -> None:
    """Take what a quota still needs from one region, cell after cell in random order."""
    for cell in rng.permutation(subcells(region, REGION_NSIDE, RADIO_NSIDE)):
        if not quota.missing:
            return
        for source in radio_cell(seed, int(cell)):
            morphology = _class_of(source)
            if morphology is None or not quota.left[morphology]:
                continue
            row = _subject(seed, source, region, rng, quota.split)
            if row is not None and row[0] not in names:
                names.add(row[0])
                quota.rows.append(row)
                quota.left[morphology] -= 1
    logger.info("region %d searched for %s subjects: %d to go", region, quota.split, quota.missing)


def _class_of(source: RadioSource) -> str | None:
    """Class a source may be a subject of; field sources and those beyond three are none's."""
    name, clipped = morphology_of(source.n_components, source.n_peaks)
    return None if clipped or source.kind == "field" else name


def _subject(
    seed: int, source: RadioSource, region: int, rng: np.random.Generator, split: str
) -> tuple[str, float, float, str] | None:
    """Row of a subject centred on one peak of a source, or None where RGZ would not have taken it."""
    east, north = source.peaks[rng.integers(len(source.peaks))] + rng.normal(0, POSITION_ERROR_ARCSEC, 2)
    ra, dec = (round(float(value), 6) for value in offset_to_sky(source.ra_deg, source.dec_deg, east, north))
    if cells_near(ra, dec, BORDER_ARCSEC, REGION_NSIDE) != (region,) or _is_crowded(seed, ra, dec):
        return None
    name = position_names(np.array([ra]), np.array([dec]))[0]
    return f"FIRST{name}", ra, dec, split


def _is_crowded(seed: int, ra_deg: float, dec_deg: float) -> bool:
    """Whether a source of more than three components or peaks lies within the subject (paper section 3.2)."""
    for cell in cells_near(ra_deg, dec_deg, SUBJECT_RADIUS_ARCSEC, RADIO_NSIDE):
        for source in radio_cell(seed, cell):
            if morphology_of(source.n_components, source.n_peaks)[1]:
                east = (source.ra_deg - ra_deg + 180) % 360 - 180
                offset = np.hypot(east * np.cos(np.deg2rad(dec_deg)), source.dec_deg - dec_deg) * 3600
                if offset < SUBJECT_RADIUS_ARCSEC:
                    return True
    return False
