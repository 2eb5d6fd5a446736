"""Reading and writing the RGZ label table."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from claran_core.common.errors import InputError
from claran_core.common.external_tables import table_columns
from claran_core.common.table_column import TableColumn
from claran_core.labels import rgz_table

HEADER = "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training"
GOOD = [
    "1,FIRSTJ000230.0-003000,2,3,0.625;0.630,-0.5;-0.51,30.5,0.8,1",
    "2,FIRSTJ000230.0-003000,1,1,0.640,-0.5,12.0,1.0,1",
    "3,FIRSTJ120000.0+100000,1,1,180.0,10.0,12.0,0.6,0",
]


def write(tmp_path: Path, rows: list[str], header: str = HEADER) -> Path:
    """Write a label table of some rows."""
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_position_of_name_by_hand() -> None:
    ra, dec = rgz_table.position_of_name("FIRSTJ074535.0+335754")
    assert ra == pytest.approx(15 * (7 + 45 / 60 + 35.0 / 3600), abs=1e-12)
    assert dec == pytest.approx(33 + 57 / 60 + 54 / 3600, abs=1e-12)


def test_position_of_name_just_south_of_the_equator_keeps_its_sign() -> None:
    assert rgz_table.position_of_name("FIRSTJ000000.0-000030") == (0.0, pytest.approx(-30 / 3600))


@pytest.mark.parametrize(
    "name", ["FIRSTJ0745+3357", "FIRSTJ250000.0+000000", "FIRSTJ006000.0+000000", "x", ""]
)
def test_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="contains no position"):
        rgz_table.position_of_name(name)


def test_columns_are_typed(tmp_path: Path) -> None:
    labels = rgz_table.read_label_table(write(tmp_path, GOOD))
    assert labels["first_id"].tolist()[0] == "FIRSTJ000230.0-003000"
    assert labels["component_ra"].tolist() == [[0.625, 0.63], [0.64], [180.0]]
    assert labels["component_dec"].tolist() == [[-0.5, -0.51], [-0.5], [10.0]]
    assert labels["num_peaks"].tolist() == [3, 1, 1]
    assert labels["ra"].tolist() == pytest.approx([0.625, 0.625, 180.0])
    assert labels["source_ra"].isna().all() and labels["source_dec"].isna().all()


def test_optional_source_positions_may_have_gaps(tmp_path: Path) -> None:
    rows = [f"{GOOD[0]},0.626,-0.505", f"{GOOD[1]},,", f"{GOOD[2]},180.0,10.0"]
    labels = rgz_table.read_label_table(write(tmp_path, rows, f"{HEADER},source_ra,source_dec"))
    np.testing.assert_array_equal(labels["source_ra"], [0.626, np.nan, 180.0])
    np.testing.assert_array_equal(labels["source_dec"], [-0.505, np.nan, 10.0])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("4,FIRSTJ12,1,1,180.0,10.0,12.0,0.6,0", "line 5: first_id 'FIRSTJ12' is not of the form"),
        ("3,FIRSTJ120001.0+100000,1,1,180.0,10.0,12.0,0.6,0", "line 5: catalog_id '3' occurs twice"),
        ("4,FIRSTJ120001.0+100000,0,1,180.0,10.0,12.0,0.6,0", "line 5: num_cpnts '0' is not a whole number"),
        ("4,FIRSTJ120001.0+100000,1,1.5,180.0,10.0,12.0,0.6,0", "line 5: num_peaks '1.5' is not a whole"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0;,10.0,12.0,0.6,0", "line 5: cpnts_ras '180.0;' is not a"),
        ("4,FIRSTJ120001.0+100000,1,1,nan,10.0,12.0,0.6,0", "line 5: cpnts_ras 'nan' is not a"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,95,12.0,0.6,0", "line 5: cpnts_decs '95' is not a"),
        ("4,FIRSTJ120001.0+100000,2,2,180.0,10.0,12.0,0.6,0", "line 5: cpnts_ras '180.0' does not have"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,-3,0.6,0", "line 5: ang_extent -3.0 is not above zero"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,12.0,1.2,0", "line 5: cl '1.2' is not between"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,12.0,0.6,2", "line 5: training '2' must be"),
        ("4,FIRSTJ120000.0+100000,1,1,180.0,10.0,12.0,0.6,1", "line 5: training '1' differs from another"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,wide,0.6,0", "line 5: ang_extent 'wide' is not a finite"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,0,0.6,0", "line 5: ang_extent 0.0 is not above zero"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,inf,0.6,0", "line 5: ang_extent inf is not a finite"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,,0.6,0", "line 5: ang_extent '' is not a finite"),
        ("4,FIRSTJ120001.0+100000,one,1,180.0,10.0,12.0,0.6,0", "line 5: num_cpnts 'one' is not a finite"),
        ("4,FIRSTJ120001.0+100000,1,,180.0,10.0,12.0,0.6,0", "line 5: num_peaks '' is not a finite"),
        ("4,FIRSTJ120001.0+100000,-1,1,180.0,10.0,12.0,0.6,0", "line 5: num_cpnts '-1' is not a whole"),
        ("4,FIRSTJ120001.0+100000,1,1,a,10.0,12.0,0.6,0", "line 5: cpnts_ras 'a' is not a"),
        ("4,FIRSTJ120001.0+100000,1,1,-1.0,10.0,12.0,0.6,0", "line 5: cpnts_ras '-1.0' is not a"),
        ("4,FIRSTJ120001.0+100000,1,1,,10.0,12.0,0.6,0", "line 5: cpnts_ras '' is not a"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,9;10,12.0,0.6,0", "line 5: cpnts_decs '9;10' does not have"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,12.0,high,0", "line 5: cl 'high' is not a finite"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,12.0,-0.1,0", "line 5: cl '-0.1' is not between"),
        ("4,FIRSTJ120001.0+100000,1,1,180.0,10.0,12.0,0.6,yes", "line 5: training 'yes' is not a finite"),
        (",FIRSTJ120001.0+100000,1,1,180.0,10.0,12.0,0.6,0", "line 5: catalog_id '' is empty"),
    ],
)
def test_invalid_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, [*GOOD, row])
    with pytest.raises(InputError) as error:
        rgz_table.read_label_table(path)
    assert f"{path}: {message}" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        (("361.0,10.0,,"), "line 3: source_ra '361.0' is outside 0 to 360 deg"),
        (("180.0,-91,,"), "line 3: source_dec '-91' is outside -90 to 90 deg"),
        (("180.0,,,"), "line 3: source_dec '' is missing; give both coordinates or neither"),
        ((",,,10.0"), "line 3: host_ra '' is missing; give both coordinates or neither"),
        ((",,x,10.0"), "line 3: host_ra 'x' is not a finite number"),
    ],
)
def test_invalid_optional_position_is_named(tmp_path: Path, ends: str, message: str) -> None:
    header = f"{HEADER},source_ra,source_dec,host_ra,host_dec"
    path = write(tmp_path, [f"{GOOD[0]},,,,", f"{GOOD[1]},{ends}"], header)
    with pytest.raises(InputError) as error:
        rgz_table.read_label_table(path)
    assert str(error.value) == f"{path}: {message}"


def labels_table(**changes: Any) -> pd.DataFrame:
    """Return the labels of two sources of one subject, with `changes` in the second."""
    first = {
        "subject_id": "FIRSTJ000230.0-003000",
        "label_id": "sim-000001-002",
        "split": "train",
        "ra": 0.1 + 0.2,
        "dec": -1 / 3,
        "morphology": "2C_3P",
        "n_components": 2,
        "n_peaks": 3,
        "angular_size": 100 / 7,
        "consensus": 0.7,
        "host_ra": 1 / 7,
        "host_dec": -0.5,
        "flags": 0,
        "component_ra": [2 / 3, 0.63],
        "component_dec": [-0.5, -0.1 - 0.2],
    }
    second = first | {"label_id": "sim-000001-003", "host_ra": np.nan, "host_dec": np.nan} | changes
    return pd.DataFrame([first, second])


def test_labels_are_read_back_to_the_last_digit(tmp_path: Path) -> None:
    path, labels = tmp_path / "labels.csv", labels_table()
    rgz_table.write_label_table(path, labels)
    back = rgz_table.read_label_table(path)
    assert rgz_table.is_label_table(table_columns(path))
    same = {
        "catalog_id": "label_id",
        "first_id": "subject_id",
        "num_cpnts": "n_components",
        "num_peaks": "n_peaks",
        "component_ra": "component_ra",
        "component_dec": "component_dec",
        "ang_extent": "angular_size",
        "cl": "consensus",
        "source_ra": "ra",
        "source_dec": "dec",
        "host_ra": "host_ra",
        "host_dec": "host_dec",
    }
    expected = labels[list(same.values())].set_axis(list(same), axis=1)
    pd.testing.assert_frame_equal(back[list(same)], expected, check_exact=True, check_dtype=False)
    assert back.training.tolist() == [1, 1]
    assert (back.ra[0], back.dec[0]) == rgz_table.position_of_name("FIRSTJ000230.0-003000")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subject_id": "here"}, "label row 2: subject_id 'here' contains no position"),
        ({"label_id": "sim-000001-002"}, "label row 2: label_id 'sim-000001-002' occurs twice"),
        ({"consensus": None}, "label row 2: consensus 'nan' is not a consensus level"),
        ({"split": "none"}, "label row 2: split 'none' is neither train nor test"),
    ],
)
def test_labels_that_the_format_cannot_represent_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "labels.csv"
    with pytest.raises(InputError) as error:
        rgz_table.write_label_table(path, labels_table(**change))
    assert str(error.value).startswith(f"{path}: {message}") and "\n" not in str(error.value)
    assert not path.exists()


def test_another_table_is_not_a_label_table(tmp_path: Path) -> None:
    path = write(tmp_path, ["1,2"], "ra,dec")
    assert not rgz_table.is_label_table([TableColumn("ra"), TableColumn("dec")])
    with pytest.raises(InputError, match="no column 'catalog_id'; it has: ra, dec"):
        rgz_table.read_label_table(path)


@pytest.mark.data
def test_published_table(shared_data: Path) -> None:
    labels = rgz_table.read_label_table(shared_data / "rgz" / "full_catalogue.csv")
    # Tables 2 and 3 of the paper.
    assert len(labels) == 11_836 and labels["first_id"].nunique() == 10_744
    assert labels["training"].value_counts().to_dict() == {1: 6_978, 0: 4_858}
    assert [len(ras) for ras in labels["component_ra"]] == labels["num_cpnts"].tolist()
    # A subject is centred on one of its FIRST components: the name is truncated to 1.5" and 1".
    near = [
        min(np.hypot((np.array(r) - ra) * np.cos(np.radians(dec)), np.array(d) - dec)) * 3600
        for r, d, ra, dec in zip(
            labels["component_ra"], labels["component_dec"], labels["ra"], labels["dec"], strict=True
        )
    ]
    assert pd.Series(near).median() < 10
