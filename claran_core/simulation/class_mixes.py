"""How many subjects of which signature: the sets of the paper, shared out over any number of subjects.

The *signature* of a subject is the sorted list of the classes of all its labelled sources, joined by ``+``:
``1C_1P`` is a subject with one source, ``1C_1P+1C_2P`` one with two.  Tables 2 and 3 of the paper follow
from the numbers of subjects per signature, which were counted from the published label table.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from claran_core.common.errors import InputError
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.paths import REPOSITORY

__all__ = [
    "Quota",
    "classes_of",
    "published_signatures",
    "reweighted",
    "shared_out",
    "signature_of",
]

PUBLISHED = REPOSITORY / "resources" / "published" / "subject_classes.csv"


def signature_of(classes: Iterable[str]) -> str:
    """Signature of a subject from the classes of its sources."""
    return "+".join(sorted(classes))


def classes_of(signature: str) -> tuple[str, ...]:
    """Classes of the sources of a subject, sorted."""
    return tuple(signature.split("+"))


@cache
def published_signatures() -> Mapping[str, Mapping[str, int]]:
    """Number of subjects per signature in the paper's ``train`` and ``test`` set."""
    with PUBLISHED.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return MappingProxyType(
        {
            split: MappingProxyType(
                {row["classes"]: int(row["subjects"]) for row in rows if row["split"] == split}
            )
            for split in ("train", "test")
        }
    )


def reweighted(mix: Mapping[str, float], multi_source_fraction: float | None) -> Mapping[str, float]:
    """Weigh subjects of several sources against those of one.

    Parameters
    ----------
    mix : mapping
        Relative number of subjects per signature.
    multi_source_fraction : float or None
        Share of subjects with several sources, 0 to 1; among them, and among the others, `mix` stays as
        it is.  None changes nothing.

    Raises
    ------
    InputError
        If the share is none, `mix` is not what `shared_out` takes, or it has no subject of a kind that is
        wanted.
    """
    if multi_source_fraction is None:
        return mix
    _check_mix(mix)
    if not 0 <= multi_source_fraction <= 1:
        raise InputError(f"multi-source fraction {multi_source_fraction} is not a share between 0 and 1")
    wanted = {False: 1.0 - multi_source_fraction, True: float(multi_source_fraction)}
    total = {several: sum(mix[name] for name in mix if ("+" in name) == several) for several in wanted}
    for several, share in wanted.items():
        if share > 0 and total[several] == 0:
            kind = "several sources" if several else "one source"
            raise InputError(
                f"multi-source fraction {multi_source_fraction}: the mix has no subject of {kind}"
            )
    return {
        name: share * wanted["+" in name] / total["+" in name] if total["+" in name] else 0.0
        for name, share in mix.items()
    }


def shared_out(n: int, mix: Mapping[str, float]) -> Counter[str]:
    """Split `n` subjects over signatures in proportion to `mix`, by largest remainders.

    Parameters
    ----------
    n : int
        Number of subjects.
    mix : mapping
        Relative number of subjects per signature.

    Returns
    -------
    Counter
        Whole numbers above zero that sum to `n`.

    Raises
    ------
    InputError
        If `n` is negative, or `mix` holds something that is no signature, a number below zero, or zeros
        only.
    """
    if n < 0:
        raise InputError(f"number of subjects {n} is negative; give 0 or more")
    _check_mix(mix)
    total = sum(mix.values())
    exact = {name: n * share / total for name, share in mix.items()}
    counts = Counter({name: int(value) for name, value in exact.items()})
    rest = sorted(exact, key=lambda name: counts[name] - exact[name])[: n - counts.total()]
    counts.update(rest)
    return +counts


def _check_mix(mix: Mapping[str, float]) -> None:
    for name, share in mix.items():
        classes = classes_of(name)
        if not set(classes) <= set(MORPHOLOGIES) or signature_of(classes) != name:
            raise InputError(
                f"mix of subjects: {name!r} is none of {', '.join(MORPHOLOGIES)}, "
                "nor several of them, sorted and joined by '+'"
            )
        if not (math.isfinite(share) and share >= 0):
            raise InputError(f"mix of subjects: the share of {name} is {share}; it must be 0 or more")
    if not any(mix.values()):
        raise InputError("mix of subjects: all shares are zero; at least one must be above")


@dataclass
class Quota:
    """How many subjects of each signature a split still lacks.

    Attributes
    ----------
    split : str
        ``train`` or ``test``.
    left : Counter
        Subjects still to be found, per signature.
    rendered : int
        How many candidates were looked at.
    total : int
        Number of subjects wanted at first.
    """

    split: str
    left: Counter[str]
    rendered: int = 0
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = self.missing

    @property
    def missing(self) -> int:
        """Number of subjects still to be found."""
        return self.left.total()

    def open_for(self, morphology: str, *, at_least: int = 1) -> list[tuple[str, ...]]:
        """Classes in the signatures still wanted that hold a class and `at_least` so many sources."""
        every = [classes_of(signature) for signature, number in self.left.items() if number]
        return [classes for classes in every if morphology in classes and len(classes) >= at_least]
