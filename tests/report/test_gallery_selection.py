"""Selection of sources with pictures: spread over classes, test subjects first, repeatable."""

import pandas as pd
from report_inputs import make_inputs, sources

from claran_core.common.morphology import MORPHOLOGIES
from claran_core.report.gallery_selection import Choice, select_pictures


def subjects_of(n: int, n_test: int) -> pd.DataFrame:
    split = ["test" if i < n_test else "train" for i in range(n)]
    return pd.DataFrame({"subject_id": [f"S{i:03d}" for i in range(n)], "split": split})


def blank_of(subjects: pd.DataFrame, first: int) -> set[str]:
    """Return the subjects from a number on."""
    return set(subjects["subject_id"][first:])


def test_the_selection_is_spread_over_classes_with_test_subjects_first() -> None:
    subjects, catalogue = subjects_of(40, 20), sources(36)
    choice = select_pictures(subjects, catalogue, blank_of(subjects, 36), size=14, seed=3)
    rows = catalogue.set_index("source_id")
    morphologies = [rows.loc[name, "morphology"] for name in choice.sources]
    assert morphologies == [*MORPHOLOGIES, *MORPHOLOGIES]
    split = subjects.set_index("subject_id")["split"]
    # Each class has three or four test subjects here; those without a component are all training ones.
    assert {split[rows.loc[name, "subject_id"]] for name in choice.sources} == {"test"}
    assert len(choice.blank) == 2
    assert set(choice.blank) <= {"S036", "S037", "S038", "S039"}


def test_the_selection_does_not_depend_on_the_order_of_the_tables() -> None:
    inputs = make_inputs()
    subjects, catalogue = inputs.targets[["subject_id", "split"]], inputs.catalogue
    blank = inputs.blank
    first = select_pictures(subjects, catalogue, blank, size=10, seed=5)
    again = select_pictures(
        subjects.sample(frac=1, random_state=1),
        catalogue.sample(frac=1, random_state=2),
        blank,
        size=10,
        seed=5,
    )
    assert first == again
    assert first != select_pictures(subjects, catalogue, blank, size=10, seed=6)


def test_all_selects_everything_and_zero_selects_nothing() -> None:
    subjects, catalogue = subjects_of(5, 2), sources(3)
    blank = {"S003", "S004"}
    everything = select_pictures(subjects, catalogue, blank, size=None, seed=0)
    assert sorted(everything.sources) == sorted(catalogue["source_id"])
    assert sorted(everything.blank) == ["S003", "S004"]
    assert select_pictures(subjects, catalogue, blank, size=0, seed=0) == Choice((), ())


def test_subject_whose_components_are_no_source_is_not_blank() -> None:
    subjects, catalogue = subjects_of(3, 0), sources(1)
    choice = select_pictures(subjects, catalogue, {"S002"}, size=None, seed=0)
    assert choice.blank == ("S002",)


def test_catalogue_without_a_row_leaves_the_blank_subjects() -> None:
    subjects = subjects_of(3, 0)
    choice = select_pictures(subjects, sources(3).iloc[:0], blank_of(subjects, 0), size=2, seed=0)
    assert choice.sources == ()
    assert len(choice.blank) == 2
