"""Select subjects of the simulated sky the way Radio Galaxy Zoo selected its subjects.

A subject is centred on one component of a source, and not on the centre of the source; its centre is the
position in its name.  Candidates are rendered with noise, labelled by the contour rule, and selected by their
labels until each signature (see `claran_core.simulation.class_mixes`) has the requested number of subjects.
Training and test subjects come from different regions of the sky, away from their borders, and no source is
in two subjects.

Subjects of another survey than FIRST are selected in the same way from its own images.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag
from claran_core.common.log import Progress
from claran_core.common.morphology import morphology_of
from claran_core.common.names import position_names
from claran_core.common.sky import offset_to_sky, sky_to_offset
from claran_core.common.subject import Subject
from claran_core.common.tables import LABELS
from claran_core.labels.dr1_labels import label_simulated
from claran_core.labels.rgz_table import position_of_name
from claran_core.simulation.class_mixes import (
    Quota,
    published_signatures,
    reweighted,
    shared_out,
    signature_of,
)
from claran_core.simulation.geometry import cells_near
from claran_core.simulation.population import RADIO_NSIDE, DrawnPopulation, Population, RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.random_streams import Stream, generator
from claran_core.simulation.regions import FOOTPRINT_DEC_DEG, is_inside, regions
from claran_core.simulation.survey_image import frame_of
from claran_core.survey.surveys import SURVEYS, Survey

__all__ = ["Selection", "blind_subjects", "select_subjects", "sources_near"]

logger = logging.getLogger(__name__)

# Error of a component position in the catalogue, arcsec, along each axis.
POSITION_ERROR_ARCSEC = 0.3

# Compact field sources are centres of subjects only for signatures of at least this many sources, which are
# too rare around extended sources.
CROWD = 4

# Typical largest distance of the centre of a subject, one peak of its source, from the host.
PEAK_OFFSET_ARCSEC = 60.0

COMPACT_CLASS = "1C_1P"

TARGET_COLUMNS = ["subject_id", "ra", "dec", "split"]

Mix = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Selection:
    """Selected subjects and their labels.

    Attributes
    ----------
    targets : DataFrame
        ``subject_id`` (``FIRSTJHHMMSS.s+DDMMSS``, unique; with the name of the survey), ``ra``, ``dec``
        (deg, exactly the position in the name), ``split``.
    labels : DataFrame
        All labelled sources of these subjects, columns of `claran_core.common.tables.LABELS`.
    centred_on : Series
        ``label_id`` of the source each subject is centred on, by ``subject_id``.
    """

    targets: pd.DataFrame
    labels: pd.DataFrame
    centred_on: pd.Series

    @property
    def own_labels(self) -> pd.DataFrame:
        """Labels of the sources on which the subjects are centred: one row per subject."""
        own = self.labels["label_id"] == self.labels["subject_id"].map(self.centred_on)
        return self.labels[own.to_numpy(dtype=bool)].reset_index(drop=True)


@dataclass(frozen=True)
class _RenderedSubject:
    """A rendered subject, the source on which it is centred, and all labels in it."""

    subject: Subject
    source_id: str
    labels: pd.DataFrame

    @property
    def signature(self) -> str:
        return signature_of(self.labels["morphology"])


def sources_near(seed: int, ra_deg: float, dec_deg: float, radius_arcsec: float) -> list[RadioSource]:
    """Return the radio sources with hosts within a radius of a position, whether detectable or not."""
    return _sources_near(DrawnPopulation(seed), ra_deg, dec_deg, radius_arcsec)


def _sources_near(
    population: Population, ra_deg: float, dec_deg: float, radius_arcsec: float
) -> list[RadioSource]:
    return [
        source
        for cell in cells_near(ra_deg, dec_deg, radius_arcsec, RADIO_NSIDE)
        for source in population.cell(cell)
        if _offset_arcsec(ra_deg, dec_deg, source.ra_deg, source.dec_deg) <= radius_arcsec
    ]


def _offset_arcsec(ra_deg: float, dec_deg: float, other_ra_deg: float, other_dec_deg: float) -> float:
    return float(np.hypot(*sky_to_offset(ra_deg, dec_deg, other_ra_deg, other_dec_deg)))


def select_subjects(
    *,
    seed: int,
    n_train: int,
    n_test: int,
    multi_source_fraction: float | None = None,
    mix: Mix | None = None,
    survey: Survey = SURVEYS["FIRST"],
) -> Selection:
    """Select subjects from the sky of a seed.

    Parameters
    ----------
    seed : int
        Seed of the sky.
    n_train, n_test : int
        Number of subjects per split.  6141 and 4603 with the default mix reproduce the paper's Table 3,
        source by source.
    multi_source_fraction : float, optional
        Share of subjects with several sources, 0 to 1; default that of `mix`.
    mix : mapping, optional
        Per split, relative number of subjects per signature, such as
        ``{"train": {"1C_1P": 2, "1C_1P+2C_2P": 1}, "test": {...}}``; default the paper's.

    Returns
    -------
    Selection
        Ordered by split (train first) and name.

    Raises
    ------
    InputError
        In one line, if the seed or a number is negative, the mix or the fraction is invalid, or the sky
        has too few such subjects.
    """
    if seed < 0:
        raise InputError(f"simulated sky: seed {seed} is negative; give 0 or more")
    mix = published_signatures() if mix is None else mix
    if set(mix) != {"train", "test"}:
        raise InputError(f"mix of subjects: needs the splits train and test, not {', '.join(mix)}")
    numbers: dict[Literal["train", "test"], int] = {"train": n_train, "test": n_test}
    quotas = {
        split: Quota(split, shared_out(n, reweighted(mix[split], multi_source_fraction)))
        for split, n in numbers.items()
    }
    search = _Search(SimulatedProvider(survey, seed=seed))
    for region, cells in regions(seed):
        short = [quota for quota in quotas.values() if quota.missing]
        if not short:
            break
        search.region(region, cells, max(short, key=lambda quota: quota.missing / quota.total))
    for quota in quotas.values():
        _close(quota, seed)
    by_split = [[one for one in search.found if one.subject.split == split] for split in quotas]
    return _selection([one for found in by_split for one in sorted(found, key=_name)])


def blind_subjects(
    *,
    seed: int,
    ra_deg: float,
    dec_deg: float,
    radius_arcsec: float,
    compact: bool = True,
    survey: Survey = SURVEYS["FIRST"],
) -> Selection:
    """Return a subject for every source of an area that the contour rule detects: the natural mix.

    Parameters
    ----------
    seed : int
        Seed of the sky.
    ra_deg, dec_deg, radius_arcsec : float
        Circle that contains the hosts.
    compact : bool
        Whether compact field sources get subjects too; labels in other subjects include them in any case.
    survey : Survey
        Radio survey that detects them.

    Returns
    -------
    Selection
        One subject per source, centred on one of its peaks, split ``none``, ordered by name.  Subjects
        overlap, so a source may have labels in several; `Selection.own_labels` lists each once.
    """
    sky = SimulatedProvider(survey, seed=seed)
    sources = _sources_near(sky.population, ra_deg, dec_deg, radius_arcsec)
    chosen = [source for source in sources if compact or source.kind != "field"]
    found: dict[str, _RenderedSubject] = {}
    progress = Progress(f"blind subjects of sky {seed}", len(chosen))
    for source in chosen:
        one = _render(sky, source, _subject(sky, source, "none"))
        if one is not None:
            found.setdefault(one.subject.subject_id, one)
        progress.step()
    return _selection(sorted(found.values(), key=_name))


def _name(found: _RenderedSubject) -> str:
    return found.subject.subject_id


def _selection(found: list[_RenderedSubject]) -> Selection:
    """Return rendered subjects as tables."""
    subjects = [one.subject for one in found]
    rows = [(one.subject_id, one.ra_deg, one.dec_deg, one.split) for one in subjects]
    targets = pd.DataFrame(rows, columns=TARGET_COLUMNS)
    if not found:
        targets = targets.astype({"subject_id": str, "ra": float, "dec": float, "split": str})
    labels = [one.labels for one in found] or [pd.DataFrame(columns=LABELS.names)]
    centred_on = pd.Series({_name(one): one.source_id for one in found}, dtype=object, name="label_id")
    return Selection(targets, pd.concat(labels, ignore_index=True), centred_on)


def _close(quota: Quota, seed: int) -> None:
    """Log the result of a search; raise an `InputError` if subjects are missing."""
    numbers = quota.total - quota.missing, quota.total, quota.split, quota.rendered
    logger.info("sky %d: %d of %d %s subjects found, %d rendered", seed, *numbers)
    if quota.missing:
        south, north = FOOTPRINT_DEC_DEG
        left = ", ".join(f"{name} {number}" for name, number in (+quota.left).items())
        raise InputError(
            f"simulated sky {seed}: {quota.missing} of {quota.total} {quota.split} subjects not found "
            f"between declinations {south:g} and {north:g} deg ({left} left); request fewer, or use another "
            "mix or another seed"
        )


@dataclass
class _Search:
    """A search of the sky: the subjects found, and the names and sources in use."""

    sky: SimulatedProvider
    found: list[_RenderedSubject] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)

    def region(self, region: int, cells: np.ndarray, quota: Quota) -> None:
        """Add subjects of one region until the quota is full."""
        for cell in cells:
            if not quota.missing:
                break
            for candidate in self.sky.population.cell(int(cell)):
                found = self._look(candidate, region, quota)
                if found is not None:
                    self._take(found, quota)
        logger.info(
            "region %d searched for %s subjects: %d of %d to go in %d signatures, %d rendered so far",
            region,
            quota.split,
            quota.missing,
            quota.total,
            len(+quota.left),
            quota.rendered,
        )

    def _take(self, found: _RenderedSubject, quota: Quota) -> None:
        """Add a subject to the selection."""
        self.found.append(found)
        self.names.add(found.subject.subject_id)
        self.sources.update(found.labels["label_id"])
        quota.left[found.signature] -= 1

    def _look(self, candidate: RadioSource, region: int, quota: Quota) -> _RenderedSubject | None:
        """Return the subject at a candidate, or None if the quota or the rules of RGZ exclude it."""
        # Volunteers saw no more of a source than the frame, and hardly any larger source.
        if candidate.kind == "large" or candidate.source_id in self.sources:
            return None
        if not _promising(self.sky, candidate, quota):
            return None
        subject = _subject(self.sky, candidate, quota.split)
        if subject.subject_id in self.names or not is_inside(region, subject.ra_deg, subject.dec_deg):
            return None
        quota.rendered += 1
        found = _render(self.sky, candidate, subject)
        if found is None or not quota.left[found.signature]:
            return None
        beyond_three = (found.labels["flags"] & int(Flag.COUNTS_CLIPPED)).any()
        taken = not self.sources.isdisjoint(found.labels["label_id"])
        return None if beyond_three or taken else found


def _promising(sky: SimulatedProvider, candidate: RadioSource, quota: Quota) -> bool:
    """Return whether a subject at a candidate may have a signature that is still needed.

    This fast test precedes the slow rendering: there must be at least as many sources near by, and as many
    extended ones, as in the signature.
    """
    compact = candidate.kind == "field"
    morphology, _ = morphology_of(candidate.n_components, candidate.n_peaks)
    wanted = quota.open_for(morphology, at_least=CROWD if compact else 1)
    if not wanted or any(len(classes) == 1 for classes in wanted):
        return bool(wanted)
    n_near, n_extended = _neighbours(sky, candidate, 0.0 if compact else PEAK_OFFSET_ARCSEC)
    return any(
        n_near >= len(classes) and n_extended >= len(classes) - classes.count(COMPACT_CLASS)
        for classes in wanted
    )


def _neighbours(sky: SimulatedProvider, candidate: RadioSource, margin_arcsec: float) -> tuple[int, int]:
    """Return the numbers of sources and of extended ones within the frame at a candidate plus a margin."""
    half = frame_of(sky.survey).width_arcsec / 2 + margin_arcsec
    cells = cells_near(candidate.ra_deg, candidate.dec_deg, np.sqrt(2) * half, RADIO_NSIDE)
    ra, dec, extended = np.concatenate([_positions(sky.population, cell) for cell in cells]).T
    east, north = sky_to_offset(candidate.ra_deg, candidate.dec_deg, ra, dec)
    near = np.maximum(np.abs(east), np.abs(north)) <= half
    return int(near.sum()), int(extended[near].sum())


@lru_cache(maxsize=512)
def _positions(population: Population, cell: int) -> np.ndarray:
    """Return RA, Dec (deg) of the sources of a cell, and 1 for extended ones; ``(n, 3)``."""
    sources = population.cell(cell)
    return np.stack([sources.ra_deg, sources.dec_deg, ~sources.is_compact], axis=1)


def _subject(sky: SimulatedProvider, source: RadioSource, split: Literal["train", "test", "none"]) -> Subject:
    """Return a subject at one peak of a source; its position is that of its name, as in Radio Galaxy Zoo."""
    _, cell, number = source.source_id.split("-")
    faint = number.startswith("f")  # a source that FIRST does not detect: numbered apart
    rng = generator(sky.seed, Stream.SUBJECTS, 1 + int(cell), 1 + int(number.lstrip("f")), *[1] * faint)
    east, north = source.peaks[rng.integers(len(source.peaks))] + rng.normal(0, POSITION_ERROR_ARCSEC, 2)
    ra, dec = offset_to_sky(source.ra_deg, source.dec_deg, east, north)
    position = str(position_names(np.array([ra]), np.array([dec]))[0])
    name = f"{sky.survey.name}{position}"
    return Subject(name, *position_of_name(f"FIRST{position}"), split, frame_of(sky.survey))


def _render(sky: SimulatedProvider, source: RadioSource, subject: Subject) -> _RenderedSubject | None:
    """Render and label a subject; return None if the source at its centre has no label."""
    window = subject.ra_deg, subject.dec_deg, subject.frame.width_arcsec
    cutout = sky.cutout(subject.subject_id, *window)
    assert isinstance(cutout, Cutout)  # the simulated sky has an image everywhere
    labels = label_simulated(subject, cutout, sky.truth(*window))
    shows = source.source_id in set(labels["label_id"])
    return _RenderedSubject(subject, source.source_id, labels) if shows else None
