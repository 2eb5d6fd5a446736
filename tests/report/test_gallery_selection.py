"""Selection of sources with pictures: spread over classes, test subjects first, repeatable."""

import pandas as pd
from report_inputs import make_inputs, sources

from claran_core.common.morphology import MORPHOLOGIES
from claran_core.report.gallery_selection import Choice, select_pictures


def subjects_of(n: int, n_test: int) -> pd.DataFrame:
    split = ["test" if i < n_test else "train" for i in range(n)]
    return pd.DataFrame({"subject_id": [f"S{i:03d}" for i in range(n)], "split": split})


def test_the_selection_is_spread_over_classes_with_test_subjects_first() -> None:
    subjects, catalogue = subjects_of(40, 20), sources(36)
    choice = select_pictures(subjects, catalogue, set(catalogue["subject_id"]), size=14, seed=3)
    rows = catalogue.set_index("source_id")
    morphologies = [rows.loc[name, "morphology"] for name in choice.sources]
    assert morphologies == [*MORPHOLOGIES, *MORPHOLOGIES]
    split = subjects.set_index("subject_id")["split"]
    # Each class has three or four test subjects here; those without a source are all training ones.
    assert {split[rows.loc[name, "subject_id"]] for name in choice.sources} == {"test"}
    assert len(choice.empty) == 2
    assert set(choice.empty) <= {"S036", "S037", "S038", "S039"}


def test_the_selection_does_not_depend_on_the_order_of_the_tables() -> None:
    inputs = make_inputs()
    subjects, catalogue = inputs.targets[["subject_id", "split"]], inputs.catalogue
    found = set(catalogue["subject_id"])
    first = select_pictures(subjects, catalogue, found, size=10, seed=5)
    again = select_pictures(
        subjects.sample(frac=1, random_state=1),
        catalogue.sample(frac=1, random_state=2),
        found,
        size=10,
        seed=5,
    )
    assert first == again
    assert first != select_pictures(subjects, catalogue, found, size=10, seed=6)


def test_all_selects_everything_and_zero_selects_nothing() -> None:
    subjects, catalogue = subjects_of(5, 2), sources(3)
    found = set(catalogue["subject_id"])
    everything = select_pictures(subjects, catalogue, found, size=None, seed=0)
    assert sorted(everything.sources) == sorted(catalogue["source_id"])
    assert sorted(everything.empty) == ["S003", "S004"]
    assert select_pictures(subjects, catalogue, found, size=0, seed=0) == Choice((), ())


def test_subject_whose_source_is_listed_under_another_is_not_empty() -> None:
    subjects, catalogue = subjects_of(3, 0), sources(1)
    choice = select_pictures(subjects, catalogue, {"S000", "S001"}, size=None, seed=0)
    assert choice.empty == ("S002",)


def test_catalogue_without_a_row_leaves_the_empty_subjects() -> None:
    choice = select_pictures(subjects_of(3, 0), sources(3).iloc[:0], set(), size=2, seed=0)
    assert choice.sources == ()
    assert len(choice.empty) == 2
