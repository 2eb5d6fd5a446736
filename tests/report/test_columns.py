"""Every column of the catalogue has a place in the panel of a source."""

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.flags import Flag
from claran_core.report.columns import GROUP_ORDER, OTHER, column_table, flag_table


def test_every_column_is_in_a_group_that_is_shown():
    columns = column_table()
    assert [column["name"] for column in columns] == CATALOGUE.names
    assert {column["group"] for column in columns} == set(GROUP_ORDER) - {OTHER}
    assert all(column["text"] for column in columns)


def test_lists_are_together_with_lists_of_the_same_things():
    groups: dict[str, set[bool]] = {}
    for column in column_table():
        groups.setdefault(column["group"], set()).add(column["list"])
    assert all(len(kinds) == 1 for kinds in groups.values()), groups


def test_groups_are_those_a_reader_expects():
    group = {column["name"]: column["group"] for column in column_table()}
    assert group["tight_ra"] == "Position"
    assert group["tight_width"] == group["position_angle"] == "Size"
    assert group["p_1c_1p"] == group["rule_peaks"] == "Class"
    assert group["host_w1"] == "Infrared host"


def test_every_flag_is_spelled_out():
    assert [row["bit"] for row in flag_table()] == [flag.value for flag in Flag]
