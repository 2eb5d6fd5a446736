"""Signatures: the counts of the paper's tables, and the numbers of subjects per signature."""

import math
from collections import Counter
from pathlib import Path

import pytest

from claran_core.common.errors import InputError
from claran_core.common.morphology import MORPHOLOGIES, morphology_of
from claran_core.labels.rgz_table import read_label_table
from claran_core.simulation.class_mixes import (
    Quota,
    classes_of,
    published_signatures,
    reweighted,
    shared_out,
    signature_of,
)

# The paper's Table 3, and Table 2: subjects, sources, components, peaks.
TABLE_3 = {"train": (3518, 810, 728, 647, 609, 666), "test": (1782, 521, 684, 604, 599, 668)}
TABLE_2 = {"train": (6141, 6978, 9566, 12_441), "test": (4603, 4858, 7397, 9885)}


@pytest.mark.parametrize("split", ["train", "test"])
def test_published_counts_add_up_to_the_tables_of_the_paper(split: str) -> None:
    counts = published_signatures()[split]
    sources = dict.fromkeys(MORPHOLOGIES, 0)
    for signature, subjects in counts.items():
        for name in classes_of(signature):
            sources[name] += subjects
    assert tuple(sources.values()) == TABLE_3[split]
    components = sum(int(name[0]) * number for name, number in sources.items())
    peaks = sum(int(name[3]) * number for name, number in sources.items())
    assert (sum(counts.values()), sum(sources.values()), components, peaks) == TABLE_2[split]


@pytest.mark.data
def test_published_counts_are_those_of_the_label_table(shared_data: Path) -> None:
    table = read_label_table(shared_data / "rgz" / "full_catalogue.csv")
    counted = {"train": {}, "test": {}}
    for _, rows in table.groupby("first_id"):
        classes = [morphology_of(*counts)[0] for counts in zip(rows.num_cpnts, rows.num_peaks, strict=True)]
        split = counted["train" if rows.training.iloc[0] else "test"]
        split[signature_of(classes)] = split.get(signature_of(classes), 0) + 1
    assert counted == {split: dict(counts) for split, counts in published_signatures().items()}


def test_signatures_are_sorted() -> None:
    assert signature_of(["2C_2P", "1C_1P", "1C_1P"]) == "1C_1P+1C_1P+2C_2P"
    assert classes_of("1C_1P+1C_1P+2C_2P") == ("1C_1P", "1C_1P", "2C_2P")


@pytest.mark.parametrize(("split", "size"), [("train", 6141), ("test", 4603)])
def test_numbers_of_the_paper_give_its_table(split: str, size: int) -> None:
    published = published_signatures()[split]
    assert dict(shared_out(size, published)) == dict(published)
    for n in (0, 1, 7, 900):
        assert shared_out(n, published).total() == n


def test_largest_remainders_by_hand() -> None:
    # 7 of 1 : 2 : 4 is 1 : 2 : 4; 5 of them is .71, 1.43, 2.86, so the last and the first gain one.
    mix = {"1C_1P": 1, "1C_2P": 2, "1C_3P": 4}
    assert dict(shared_out(7, mix)) == mix
    assert dict(shared_out(5, mix)) == {"1C_1P": 1, "1C_2P": 1, "1C_3P": 3}


def test_share_of_subjects_with_several_sources() -> None:
    mix = {"1C_1P": 6, "2C_2P": 2, "1C_1P+1C_1P": 1, "1C_1P+2C_2P": 1}
    assert reweighted(mix, None) is mix
    half = reweighted(mix, 0.5)
    assert half == pytest.approx({"1C_1P": 0.375, "2C_2P": 0.125, "1C_1P+1C_1P": 0.25, "1C_1P+2C_2P": 0.25})
    assert dict(shared_out(8, reweighted(mix, 1.0))) == {"1C_1P+1C_1P": 4, "1C_1P+2C_2P": 4}
    assert set(shared_out(100, reweighted(published_signatures()["train"], 0.0))) == set(MORPHOLOGIES)
    assert reweighted({"1C_1P": 1}, 0.0) == {"1C_1P": 1.0}


@pytest.mark.parametrize("fraction", [-0.1, 1.5, math.nan])
def test_invalid_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(InputError, match="is not a share"):
        reweighted({"1C_1P": 1, "1C_1P+1C_1P": 1}, fraction)


def test_fraction_without_such_subjects_in_the_mix_is_refused() -> None:
    with pytest.raises(InputError, match="no subject of several sources"):
        reweighted({"1C_1P": 1}, 0.5)
    with pytest.raises(InputError, match="no subject of one source"):
        reweighted({"1C_1P+1C_1P": 1, "1C_1P": 0}, 0.5)


@pytest.mark.parametrize(
    ("n", "mix", "message"),
    [
        (-1, {"1C_1P": 1}, "-1 is negative"),
        (1, {"1C_4P": 1}, "unknown signature '1C_4P'"),
        (1, {"1C_2P+1C_1P": 1}, "sorted"),
        (1, {"": 1}, "unknown signature ''"),
        (1, {"1C_1P": 2, "1C_2P": -1}, "1C_2P is -1; it must be 0 or more"),
        (1, {"1C_1P": math.nan}, "is nan"),
        (1, {"1C_1P": 0, "1C_2P": 0}, "all shares are zero"),
        (1, {}, "all shares are zero"),
    ],
)
def test_invalid_numbers_and_mixes_are_refused_in_one_line(
    n: int, mix: dict[str, float], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        shared_out(n, mix)
    assert "\n" not in str(caught.value)


def test_quota_lists_the_signatures_still_needed() -> None:
    quota = Quota("train", Counter({"1C_1P": 1, "1C_1P+2C_2P": 2, "2C_2P": 0}))
    assert quota.total == quota.missing == 3
    assert quota.open_for("1C_1P") == [("1C_1P",), ("1C_1P", "2C_2P")]
    assert quota.open_for("1C_1P", at_least=2) == quota.open_for("2C_2P") == [("1C_1P", "2C_2P")]
    assert quota.open_for("3C_3P") == []
    quota.left["1C_1P"] -= 1
    assert quota.open_for("1C_1P") == [("1C_1P", "2C_2P")] and (quota.total, quota.missing) == (3, 2)
