"""Owners of units: numbers of sources in each subject, units with several owners, wrong files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fused_runs import NO_SECONDARY

from claran_core.common import tables
from claran_core.common.errors import InputError
from claran_core.common.files import write_table
from claran_core.components.component_table import components_by_subject
from claran_core.model.layers.types import ARTEFACT, MIXED, UNKNOWN
from claran_core.training.ownership import read_owners

# Components as: subject, scale, level, id, part of, pixels, source, class.
VIEW = [
    ("wide", 2, 1.0, 100, -1, 9, "b", "1C_2P"),  # b alone
    ("wide", 2, 1.0, 200, -1, 9, "b", "1C_2P"),  # a and b
    ("wide", 2, 1.0, 300, -1, 9, "c", "1C_1P"),  # c and an artefact
    ("wide", 2, 1.0, 400, -1, 9, "d", "1C_1P"),  # d; its single pixel of e does not count
    ("wide", 2, 1.0, 500, -1, 9, "", ""),  # nothing inside
    ("wide", 1, 1.0, 1, 100, 5, "b", "1C_2P"),
    ("wide", 1, 1.0, 2, 200, 5, "a", "1C_1P"),
    ("wide", 1, 1.0, 3, 200, 5, "b", "1C_2P"),
    ("wide", 1, 1.0, 4, 300, 5, "c", "1C_1P"),
    ("wide", 1, 1.0, 5, 300, 5, "", ""),
    ("wide", 1, 1.0, 6, 400, 5, "d", "1C_1P"),
    ("wide", 1, 1.0, 7, 400, 1, "e", ""),
    ("wide", 1, 1.0, 8, -1, 5, "f", ""),
    ("wide", 1, 1.0, 9, -1, 5, "a", "1C_1P"),
]
NARROW = [
    ("narrow", 1, 1.0, 5, -1, 9, "z", "3C_3P"),
    ("narrow", 1, 0.9, 5, -1, 9, "z", "3C_3P"),
    ("narrow", 1, 0.9, 6, -1, 9, "y", "1C_1P"),
    ("narrow", 1, 1.0, 7, -1, 9, "z", "3C_3P"),
    ("narrow", 1, 1.0, 8, -1, 9, "?", ""),
]


def tables_of(rows: list[tuple], path: Path) -> pd.DataFrame:
    """Write the owners of components, and return the table of the components."""
    names = ["subject_id", "scale", "level", "component_id", "part_of", "n_pixels", "source_id", "morphology"]
    table = pd.DataFrame(rows, columns=names)
    kinds = {"": "artefact", "?": "unknown"}
    table["kind"] = np.array([kinds.get(name, "source") for name in table["source_id"]], object)
    table["source_id"] = table["source_id"].replace("?", "")
    write_table(path, table[tables.OWNERS.names], tables.OWNERS)
    for name in set(tables.COMPONENTS.names) - {*names, *NO_SECONDARY}:
        table[name] = 1
    return table


def test_owners_of_each_level(tmp_path: Path) -> None:
    components = tables_of([*NARROW, *VIEW], tmp_path / "owners.parquet")
    narrow = read_owners(tmp_path / "owners.parquet", components)["narrow"]
    assert narrow[1.0].owner.tolist() == [0, 0, UNKNOWN] and narrow[1.0].classes.tolist() == [6]
    # Sources have the order of their names.
    assert narrow[0.9].owner.tolist() == [1, 0] and narrow[0.9].classes.tolist() == [1, 6]


def test_units_of_a_coarser_view(tmp_path: Path) -> None:
    components = tables_of(VIEW, tmp_path / "owners.parquet")
    owners = read_owners(tmp_path / "owners.parquet", components)["wide"][1.0]
    units = components_by_subject(components)["wide"][1.0]
    assert units.ids.tolist() == [100, 200, 300, 400, 500, 8, 9]
    # Parts of a and b are in the same unit, so no set of units is a or b.  Source f has no class.
    b, d, f, a = 1, 2, 3, 0
    assert owners.owner.tolist() == [b, MIXED, MIXED, d, ARTEFACT, f, a]
    assert owners.classes.tolist() == [0, 0, 1, -1]


def test_a_faint_neighbour_leaves_a_unit_to_its_source(tmp_path: Path) -> None:
    rows = [
        ("wide", 2, 1.0, 100, -1, 9, "b", "1C_1P"),
        ("wide", 1, 1.0, 1, 100, 5, "a", "1C_2P"),
        ("wide", 1, 1.0, 2, 100, 5, "b", "1C_1P"),
        ("wide", 1, 1.0, 3, -1, 5, "a", "1C_2P"),
    ]
    components = tables_of(rows, tmp_path / "owners.parquet")
    for faint, expected in ((9.0, [1, 0]), (12.0, [MIXED, 0])):
        components["flux"] = [99.0, faint, 100.0 - faint, 1.0]
        owners = read_owners(tmp_path / "owners.parquet", components)["wide"][1.0]
        assert owners.owner.tolist() == expected
        # A part of a is hidden in the unit of b, so that no set of units is a.
        assert owners.classes.tolist() == ([0, 1] if faint < 10 else [0])


def test_a_unit_with_an_unknown_part_is_unknown(tmp_path: Path) -> None:
    rows = [
        ("wide", 2, 1.0, 100, -1, 9, "b", "1C_1P"),
        ("wide", 1, 1.0, 1, 100, 5, "b", "1C_1P"),
        ("wide", 1, 1.0, 2, 100, 5, "?", ""),
    ]
    components = tables_of(rows, tmp_path / "owners.parquet")
    owners = read_owners(tmp_path / "owners.parquet", components)["wide"][1.0]
    assert owners.owner.tolist() == [UNKNOWN] and not len(owners.classes)


def test_shard_without_components(tmp_path: Path) -> None:
    assert read_owners(tmp_path / "o.parquet", tables_of([], tmp_path / "o.parquet")) == {}


def test_rows_of_other_components_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "owners.parquet"
    components = tables_of(NARROW, path)
    other = components.assign(component_id=[5, 5, 6, 7, 9])
    for wrong in (components.iloc[1:], other):
        with pytest.raises(InputError, match=r"owners\.parquet: its rows are not those of the components"):
            read_owners(path, wrong)


@pytest.mark.parametrize(("column", "value"), [("kind", "lobe"), ("morphology", "4C_4P")])
def test_bad_values_are_refused(tmp_path: Path, column: str, value: str) -> None:
    path = tmp_path / "owners.parquet"
    components = tables_of(NARROW, path)
    owners = pd.read_parquet(path)
    owners.loc[1, column] = value
    write_table(path, owners, tables.OWNERS)
    with pytest.raises(InputError, match=rf"component 5 of 'narrow' has {column} '{value}'"):
        read_owners(path, components)
