"""Labels of a user from a table of boxes: both kinds of boxes, all formats, one line for each fault."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from claran_core.common.errors import InputError
from claran_core.common.external_tables import table_columns
from claran_core.labels.box_table import is_box_table, read_box_table

HEADER = "label_id,ra,dec,width,height,class"
GOOD = "a,180.0,60.0,36,72,FR-II"


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_corners_of_a_box_by_hand(tmp_path: Path) -> None:
    (label,) = read_box_table(write(tmp_path, GOOD))
    assert (label.label_id, label.morphology, label.subject_id) == ("a", "FR-II", "")
    # At declination 60 a degree of right ascension is half a degree of the sky.
    expected = [[180.01, 59.99], [179.99, 59.99], [179.99, 60.01], [180.01, 60.01]]
    np.testing.assert_allclose(label.corners, expected, atol=5e-6)
    assert np.isnan(label.host).all() and label.outlines == ()


def test_edges_may_enclose_right_ascension_zero(tmp_path: Path) -> None:
    header = "ra_min,ra_max,dec_min,dec_max,morphology,host_ra,host_dec,subject_id"
    first, second = read_box_table(
        write(tmp_path, "359.9,0.1,-1,1,FR-I,0.01,0.5,field", "10,11,0,1,FR-II,,,", header=header)
    )
    np.testing.assert_allclose(first.corners, [[0.1, -1], [359.9, -1], [359.9, 1], [0.1, 1]])
    assert first.host == (0.01, 0.5) and first.subject_id == "field"
    assert (first.label_id, second.label_id) == ("2", "3")  # lines of the file
    assert np.isnan(second.host).all()


@pytest.mark.parametrize("name", ["labels.fits", "labels.xml", "labels.ecsv"])
def test_units_of_other_formats_are_converted(tmp_path: Path, name: str) -> None:
    table = Table({"ra": [10.0], "dec": [0.0], "width": [0.5], "height": [1.0], "class": ["FR-I"]})
    table["width"].unit = table["height"].unit = "arcmin"
    table.write(tmp_path / name, format="votable" if name.endswith("xml") else None)
    (label,) = read_box_table(tmp_path / name)
    np.testing.assert_allclose(np.ptp(label.corners, axis=0) * 3600, [30, 60], rtol=1e-6)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("b,180,60,0,72,FR-II", "line 3: width 0 is not above zero: the box is empty"),
        ("b,180,60,36,-1,FR-II", "line 3: height -1 is not above zero"),
        ("b,180,60,36,72,", "line 3: class '' is empty"),
        ("a,180,60,36,72,FR-I", "line 3: label_id 'a' occurs twice"),
        ("b,180,91,36,72,FR-I", "line 3: dec 91.0 is outside"),
        ("b,180,60,wide,72,FR-I", "line 3: width 'wide' is not a finite number"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read_box_table(write(tmp_path, GOOD, row))
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("10,10,0,1,x", "ra_max 10 is not above ra_min: the box is empty or inverted"),
        ("11,10,0,1,x", "ra_max 10 is not above ra_min"),
        ("10,11,1,1,x", "dec_max 1 is not above dec_min"),
    ],
)
def test_inverted_edges_are_one_line(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_box_table(write(tmp_path, row, header="ra_min,ra_max,dec_min,dec_max,class"))


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("ra,dec,width,height", "no column 'class'; it has: ra, dec, width, height"),
        ("ra,dec,width,class", "no column 'height'; a box is ra, dec, width and height"),
        ("ra,width,height,class", "no column 'dec'"),
        (f"{HEADER},host_ra", "no column 'host_dec'; give both coordinates"),
    ],
)
def test_missing_columns_are_named(tmp_path: Path, header: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_box_table(write(tmp_path, header=header))


def test_a_list_of_positions_is_no_table_of_boxes(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert is_box_table(path, table_columns(path))
    path = write(tmp_path, "1,2,FR-I", header="ra,dec,class")
    assert not is_box_table(path, table_columns(path))
