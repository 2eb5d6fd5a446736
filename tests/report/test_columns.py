"""Every column of the catalogue has a place in the panel of a source."""

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.flags import Flag
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.report.columns import GROUP_ORDER, OTHER, column_table, flag_table


def test_every_column_is_in_a_group_that_is_shown() -> None:
    columns = column_table(MORPHOLOGIES)
    assert [column["name"] for column in columns] == CATALOGUE.names
    assert {column["group"] for column in columns} == set(GROUP_ORDER) - {OTHER}
    assert all(column["text"] for column in columns)


def test_list_columns_share_a_group_with_lists_of_equal_length() -> None:
    groups: dict[str, set[bool]] = {}
    for column in column_table(MORPHOLOGIES):
        groups.setdefault(column["group"], set()).add(column["list"])
    assert all(len(kinds) == 1 for kinds in groups.values()), groups


def test_columns_are_in_the_expected_groups() -> None:
    group = {column["name"]: column["group"] for column in column_table(MORPHOLOGIES)}
    assert group["tight_ra"] == "Position"
    assert group["tight_width"] == group["position_angle"] == "Size"
    assert group["p_1c_1p"] == group["rule_peaks"] == "Class"
    assert group["host_w1"] == "Infrared host"


def test_every_flag_has_a_name_and_a_description() -> None:
    assert [row["bit"] for row in flag_table()] == [flag.value for flag in Flag]
