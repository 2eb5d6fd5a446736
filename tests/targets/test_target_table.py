"""Targets read from lists of positions and label tables."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from sky_images import write_image

from claran_core.common.errors import InputError
from claran_core.targets.target_table import position_doubt, read_targets


def write_csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "targets.csv"
    path.write_text(text)
    return path


def refusal(path: Path) -> str:
    """Return the one-line error of reading a table."""
    with pytest.raises(InputError) as error:
        read_targets(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_list_of_positions(tmp_path: Path) -> None:
    targets = read_targets(write_csv(tmp_path, "subject_id,ra,dec,split\n007,10.5,-1.5,Train\nb,0,90,none\n"))
    assert targets.to_dict("list") == {
        "subject_id": ["007", "b"],
        "ra": [10.5, 0.0],
        "dec": [-1.5, 90.0],
        "scale": [1, 1],
        "split": ["train", "none"],
    }


def test_column_names_match_in_any_case_and_defaults_fill_the_rest(tmp_path: Path) -> None:
    targets = read_targets(write_csv(tmp_path, "DEC,RA,flux\n-45.5,180.0,1\n"))
    assert targets.iloc[0].to_dict() == {
        "subject_id": "J120000.00-453000.0",
        "ra": 180.0,
        "dec": -45.5,
        "scale": 1,
        "split": "none",
    }


@pytest.mark.parametrize(
    "text",
    [
        "RAJ2000;DEJ2000;Name\n07:45:36;-33:30:00;a\n",
        "Name\t_RA\t_DE\na\t116.4\t-33.5\n",
        "RA (hours),Dec (deg)\n7.76,-33.5\n",
        "RA_ICRS,DE_ICRS,RAJ2000,DEJ2000\n116.4,-33.5,1,2\n",
    ],
)
def test_names_units_and_separators_in_use(tmp_path: Path, text: str) -> None:
    targets = read_targets(write_csv(tmp_path, text))
    np.testing.assert_allclose(targets[["ra", "dec"]], [[116.4, -33.5]], rtol=0, atol=1e-9)
    assert targets["subject_id"].tolist() == ["J074536.00-333000.0"]


@pytest.mark.parametrize("suffix", ["parquet", "fits", "vot"])
def test_all_formats_give_the_same_targets(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame(
        {"subject_id": ["a", "b"], "ra": [1.0, 2.0], "dec": [3.0, 4.0], "split": ["test"] * 2}
    )
    path = tmp_path / f"targets.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path)
    else:
        Table.from_pandas(frame).write(path, format="fits" if suffix == "fits" else "votable")
    expected = read_targets(write_csv(tmp_path, frame.to_csv(index=False)))
    pd.testing.assert_frame_equal(read_targets(path), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ra,dec\n1,2\n360,2\n", "line 3: ra 360 is outside 0 <= ra < 360 deg"),
        ("ra,dec\n1,2\n-0.1,2\n", "line 3: ra -0.1 is outside"),
        ("ra,dec\n1,2\n1,-90.5\n", "line 3: dec -90.5 is outside"),
        ("ra,dec\n1,2\n1,nan\n", "line 3: dec 'nan' is not a finite number"),
        ("ra,dec\n1,2\n1,+33:57:54\n", "line 2: dec '2' is not sexagesimal, as other rows are"),
        ("ra,decl\n1,2\n", "no column 'dec' (deg, ICRS); it has: ra, decl"),
        ("lon;lat\n1;2\n", "no column 'ra' and 'dec' (deg, ICRS); it has: lon, lat"),
        ("RA,Ra,dec\n1,2,3\n", "columns RA and Ra could both be 'ra'"),
        (
            "subject_id,ra,dec\na,1,2\nb,1,2\na,3,4\n",
            "line 4: subject_id 'a' is the same as on line 2; ids must",
        ),
        ("subject_id,ra,dec\na/b,1,2\n", "line 2: subject_id 'a/b' is unsafe as a file name"),
        ("subject_id,ra,dec\n.a,1,2\n", "line 2: subject_id '.a' is unsafe"),
        ("subject_id,ra,dec\na b,1,2\n", "line 2: subject_id 'a b' is unsafe"),
        ("subject_id,ra,dec\n,1,2\n", "line 2: subject_id '' is unsafe"),
        ("subject_id,ra,dec\na\x07,1,2\n", "line 2: subject_id 'a\\x07' is unsafe"),
        ("subject_id,ra,dec\né,1,2\n", "line 2: subject_id 'é' is unsafe"),
        (f"subject_id,ra,dec\n{'x' * 101},1,2\n", f"line 2: subject_id '{'x' * 101}' is unsafe"),
        (
            "ra,dec,split\n1,2,train\n1,3,validation\n",
            "line 3: split 'validation' must be one of: train, test",
        ),
        (
            "ra,dec\n1,2\n1.0,2.0\n",
            "line 3: subject_id 'J000400.00+020000.0' is within 0.1 arcsec of line 2; remove",
        ),
        ("ra,dec,scale\n1,2,1\n1,3,3\n", "line 3: scale '3' must be one of: 1, 2, 4, 8"),
        ("ra,dec,scale\n1,2,1.5\n", "line 2: scale '1.5' must be one of: 1, 2, 4, 8"),
        ("ra,dec\n", "the table is empty"),
    ],
)
def test_invalid_list_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = write_csv(tmp_path, text)
    assert f"{path}: {message}" in refusal(path)


def test_longest_ids_and_all_permitted_characters_are_accepted(tmp_path: Path) -> None:
    ids = ["x" * 100, "A.b_c+d-e9", "-lead", "NA", "null"]
    rows = "".join(f"{name},{number},0\n" for number, name in enumerate(ids))
    assert read_targets(write_csv(tmp_path, f"subject_id,ra,dec\n{rows}"))["subject_id"].tolist() == ids


LABELS = (
    "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training\n"
    "1,FIRSTJ000230.0-003000,1,3,0.625,-0.5,30.5,0.8,1\n"
    "2,FIRSTJ120000.0+100000,1,1,180.0,10.0,12.0,0.6,0\n"
    "3,FIRSTJ000230.0-003000,1,1,0.640,-0.5,12.0,1.0,1\n"
)


def test_label_table_gives_one_target_per_subject(tmp_path: Path) -> None:
    targets = read_targets(write_csv(tmp_path, LABELS))
    assert targets["subject_id"].tolist() == ["FIRSTJ000230.0-003000", "FIRSTJ120000.0+100000"]
    assert targets["ra"].tolist() == pytest.approx([0.625, 180.0])
    assert targets["dec"].tolist() == pytest.approx([-0.5, 10.0])
    assert targets["split"].tolist() == ["train", "test"]


@pytest.mark.parametrize("text", ["subject_id,ra,dec\na,1,2\nb,3,4\n", LABELS])
def test_each_target_is_seen_at_each_scale(tmp_path: Path, text: str) -> None:
    path = write_csv(tmp_path, text)
    once, views = read_targets(path), read_targets(path, (1, 2, 8))
    first, second = once["subject_id"]
    names = [first, f"{first}_x2", f"{first}_x8", second, f"{second}_x2", f"{second}_x8"]
    assert views["subject_id"].tolist() == names
    assert views["scale"].tolist() == [1, 2, 8, 1, 2, 8]
    same = once.loc[once.index.repeat(3), ["ra", "dec", "split"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(views[["ra", "dec", "split"]], same)
    only = read_targets(path, (4,))
    pd.testing.assert_frame_equal(only, once.assign(scale=np.int32(4)))


def test_scales_of_the_table_take_precedence(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "subject_id,ra,dec,scale\na,1,2,1\nb,1,2,4\n")
    views = read_targets(path, (1, 2))
    assert views["subject_id"].tolist() == ["a", "b"] and views["scale"].tolist() == [1, 4]


def test_name_that_a_view_has_as_well_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "subject_id,ra,dec\na,1,2\na_x2,1,2\n")
    assert len(read_targets(path)) == 2
    with pytest.raises(InputError, match="'a_x2' is also the name of a view that targets.scales makes"):
        read_targets(path, (1, 2))


@pytest.mark.data
def test_published_label_table(shared_data: Path) -> None:
    targets = read_targets(shared_data / "rgz" / "full_catalogue.csv")
    assert len(targets) == 10_744 and targets["subject_id"].is_unique


@pytest.mark.data
def test_labels_without_positions_are_refused(shared_data: Path) -> None:
    message = refusal(shared_data / "wide" / "labels.csv")
    assert "no column 'ra' and 'dec'" in message and "it has: file, catalog_id, first_id" in message


def test_targets_without_ids_are_named_after_their_positions(tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    path.write_text("ra,dec\n188.736583334,-1.034277778\n0,0\n")
    assert read_targets(path)["subject_id"].tolist() == ["J123456.78-010203.4", "J000000.00+000000.0"]


def test_million_targets_are_read_within_ten_seconds(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    n = 1_000_000
    path = tmp_path / "targets.csv"
    frame = pd.DataFrame({"ra": rng.uniform(0, 360, n).round(6), "dec": rng.uniform(-90, 90, n).round(6)})
    frame.insert(0, "subject_id", np.arange(n).astype(str))
    frame.to_csv(path, index=False)
    start = time.process_time()
    targets = read_targets(path)
    assert time.process_time() - start < 10
    np.testing.assert_array_equal(targets["ra"], frame["ra"])


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ("ra,dec\n7.76,-33.5\n23.99,3\n", True),
        ("RAJ2000;DEJ2000\n7.76;-33.5\n", True),
        ("subject_id,ra,dec\na,0,-33.5\n", True),
        ("ra,dec\n7.76,-33.5\n24.01,3\n", False),
        ("ra (deg),dec\n7.76,-33.5\n", False),
        ("RA (h),dec\n0.5,-33.5\n", False),
        ("ra_deg,dec_deg\n7.76,-33.5\n", False),
        ("ra,dec\n01:02:03,-33:30:00\n", False),
        ("ra,dec,scale\n7.76,-33.5,1\n", False),
        ("_RA\t_DE\ndeg\tdeg\n---\t---\n7.76\t-33.5\n", False),
    ],
)
def test_right_ascensions_that_may_be_hours(tmp_path: Path, text: str, doubtful: bool) -> None:
    path = write_csv(tmp_path, text)
    doubt = position_doubt(path, read_targets(path)["ra"].to_numpy())
    assert doubt.startswith("targets.csv: all right ascensions are below 24") == doubtful
    assert bool(doubt) == doubtful


def test_a_unit_in_the_file_leaves_no_doubt_about_hours(tmp_path: Path) -> None:
    path = tmp_path / "targets.fits"
    table = Table({"ra": [3.0, 7.0], "dec": [1.0, 2.0]})
    table.write(path)
    assert position_doubt(path, np.array([3.0, 7.0]))
    table["ra"].unit = "deg"
    table.write(path, overwrite=True)
    assert not position_doubt(path, np.array([3.0, 7.0]))


def test_centres_of_labels_are_targets_to_train_on(tmp_path: Path) -> None:
    boxes = "ra,dec,width,height,class\n10.0,-1.5,30,30,FR-I\n359.9,0,30,30,FR-II\n"
    targets = read_targets(write_csv(tmp_path, boxes))
    assert targets["split"].tolist() == ["train", "train"]
    np.testing.assert_allclose(targets[["ra", "dec"]], [[10.0, -1.5], [359.9, 0.0]], atol=1e-9)
    edges = "ra_min,ra_max,dec_min,dec_max,class,split,subject_id\n359.9,0.3,-1,1,FR-I,test,a\n"
    targets = read_targets(write_csv(tmp_path, edges))
    assert targets[["subject_id", "split"]].values.tolist() == [["a", "test"]]
    np.testing.assert_allclose(targets[["ra", "dec"]], [[0.1, 0.0]], atol=1e-4)


def test_centres_of_coco_annotations_are_targets(tmp_path: Path) -> None:
    write_image(tmp_path / "a.fits", 30.0, 10.0, size_px=140)
    annotation = {"id": 4, "image_id": 1, "category_id": 1, "bbox": [60, 60, 20, 20]}
    content = {
        "images": [{"id": 1, "file_name": "a.fits", "width": 140, "height": 140}],
        "categories": [{"id": 1, "name": "bent"}],
        "annotations": [annotation, annotation | {"id": 5, "bbox": [0, 60, 20, 20]}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(content))
    targets = read_targets(tmp_path / "labels.json", (1, 2))
    assert targets["scale"].tolist() == [1, 2, 1, 2] and set(targets["split"]) == {"train"}
    np.testing.assert_allclose(targets.iloc[0][["ra", "dec"]].astype(float), [30.0, 10.0], atol=2e-5)
    assert targets["ra"].iloc[2] > 30.02  # the left of the image is east
