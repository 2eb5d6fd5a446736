"""Numbers of subjects per signature: those of the paper, scaled to any number of subjects.

The *signature* of a subject is the sorted list of the classes of its labelled sources, joined by ``+``:
``1C_1P`` is a subject with one source, ``1C_1P+1C_2P`` one with two.  The numbers of subjects per signature
were counted in the published label table and reproduce Tables 2 and 3 of the paper.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Literal

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
    """Return the signature of a subject with these classes of sources."""
    return "+".join(sorted(classes))


def classes_of(signature: str) -> tuple[str, ...]:
    """Return the classes of the sources in a signature, sorted."""
    return tuple(signature.split("+"))


@cache
def published_signatures() -> Mapping[str, Mapping[str, int]]:
    """Return the number of subjects per signature in the paper's ``train`` and ``test`` set."""
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
    """Change the share of subjects with several sources.

    Parameters
    ----------
    mix : mapping
        Relative number of subjects per signature.
    multi_source_fraction : float or None
        Share of subjects with several sources, 0 to 1.  Relative numbers among these, and among subjects
        with one source, stay as in `mix`.  None changes nothing.

    Raises
    ------
    InputError
        If the share or `mix` is invalid, or `mix` has no subject of a requested kind.
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
        If `n` is negative, or `mix` has an invalid signature, a negative number, or only zeros.
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
    """Raise an `InputError` for invalid signatures or numbers."""
    for name, share in mix.items():
        classes = classes_of(name)
        if not set(classes) <= set(MORPHOLOGIES) or signature_of(classes) != name:
            raise InputError(
                f"mix of subjects: unknown signature {name!r}; write one of {', '.join(MORPHOLOGIES)}, "
                "or several of them, sorted and joined by '+'"
            )
        if not (math.isfinite(share) and share >= 0):
            raise InputError(f"mix of subjects: the share of {name} is {share}; it must be 0 or more")
    if not any(mix.values()):
        raise InputError("mix of subjects: all shares are zero; at least one must be positive")


@dataclass
class Quota:
    """The numbers of subjects that a split still needs.

    Attributes
    ----------
    split : {"train", "test"}
        The split.
    left : Counter
        Subjects still needed, per signature.
    rendered : int
        Number of candidates rendered.
    total : int
        Total number of subjects.
    """

    split: Literal["train", "test"]
    left: Counter[str]
    rendered: int = 0
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = self.missing

    @property
    def missing(self) -> int:
        """Number of subjects still needed."""
        return self.left.total()

    def open_for(self, morphology: str, *, at_least: int = 1) -> list[tuple[str, ...]]:
        """Return the classes of all signatures still needed that include a class and `at_least` sources."""
        every = [classes_of(signature) for signature, number in self.left.items() if number]
        return [classes for classes in every if morphology in classes and len(classes) >= at_least]
