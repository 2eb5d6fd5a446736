"""The paper's values are those of the same method, and named as another data set's."""

from claran_core.evaluation.published import published_values


def test_values_are_as_printed() -> None:
    values = published_values("D4")
    assert values["ap"]["1C_2P"] == 0.7074  # Table 5
    assert values["by_components"] == {"1C": 0.9054, "2C": 0.8946, "3C": 0.9269, "mean": 0.909}  # Table 6
    assert values["multi_source"]["2C"] == 0.3892  # Table 7
    assert values["box_width"]["3C_3P"] == 0.9927  # Table 8
    assert values["completeness_ratio"]["fewer_true"] == 0.122  # Table 10
    assert values["completeness_ratio_multi_source"]["equal"] == 0.668  # Table 11
    assert values["data_set"].startswith("another data set")


def test_tables_without_the_method_are_left_out() -> None:
    assert set(published_values("D1")) == {"data_set", "ap"}  # the others have D3 and D4 only
    assert set(published_values("D9")) == {"data_set"}
