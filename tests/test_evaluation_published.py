"""The paper's values stand beside those of the same method, named as another data set's."""

from claran_core.evaluation.published import published_values


def test_values_as_printed() -> None:
    values = published_values("D4")
    assert values["ap"]["1C_2P"] == 0.7074  # Table 5
    assert values["by_components"] == {"1C": 0.9054, "2C": 0.8946, "3C": 0.9269, "mean": 0.909}  # Table 6
    assert values["data_set"].startswith("another data set")


def test_tables_without_the_method_are_left_out() -> None:
    assert set(published_values("D1")) == {"data_set", "ap"}  # Table 6 has D3 and D4 only
    assert set(published_values("D9")) == {"data_set"}
