"""Validation: a sound file is valid, and every fault is one line that names its row."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogue_rows import random_catalogue, write_random_catalogue

from claran_core.catalogue.product import validate
from claran_core.catalogue.product.row_rules import LIST_GROUPS
from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.catalogue.product.validate import validate_catalogue
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.common.errors import InputError
from claran_core.common.files import write_table
from claran_core.common.flags import Flag
from claran_core.settings.config import load_config

FACTS = {"config": load_config().as_dict()}
ROW = 7


def findings(path: Path, rows: pd.DataFrame) -> list[str]:
    schema = CATALOGUE.with_metadata(votable_metadata(CATALOGUE))
    write_table(path, rows, schema, metadata=FACTS)
    return validate_catalogue(path)


@pytest.mark.parametrize("n", [0, 1, 100])
def test_sound_files_have_no_findings(tmp_path: Path, n: int) -> None:
    write_random_catalogue(tmp_path / "c.parquet", n)
    assert validate_catalogue(tmp_path / "c.parquet") == []


def test_sound_file_in_many_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "BATCH_ROWS", 7)
    write_random_catalogue(tmp_path / "c.parquet", 100)
    assert validate_catalogue(tmp_path / "c.parquet") == []


def test_every_list_column_belongs_to_a_group() -> None:
    lists = [field.name for field in CATALOGUE if pa.types.is_list(field.type)]
    assert all(sum(name.startswith(group) for group in LIST_GROUPS) == 1 for name in lists)
    assert set(LIST_GROUPS.values()) <= set(lists)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("ra", np.nan, "not a finite number"),
        ("ra", 360.0, "must be at least 0 and below 360"),
        ("dec", -90.5, "must be at least -90 and at most 90"),
        ("box_x1", np.inf, "not a finite number"),
        ("box_x2", -1.0, "box has no area"),
        ("box_y2", 132.5, "box reaches outside its image of 132 px"),
        ("probability", 1.01, "must be at least 0 and at most 1"),
        ("probability", np.nan, "not a finite number"),
        ("p_3c_3p", -0.1, "must be at least 0 and at most 1"),
        ("angular_size", 0.0, "must be positive"),
        ("position_angle", 180.0, "must be at least 0 and below 180"),
        ("peak_flux", np.nan, "not a finite number"),
        ("scale", 3, "is not one of 1, 2, 4, 8"),
        ("scale", 2, "scale and flag SMOOTHED contradict each other"),
        ("second_grouping", "0|1,2", "is not a grouping"),
        ("shape_centre", "lobe", "is not one of host, core, middle, none"),
        ("fr_ratio", 1.2, "must be at least 0 and at most 1"),
        ("second_probability", 2.0, "must be at least 0 and at most 1"),
        ("local_rms", -0.1, "must be at least 0"),
        ("integrated_flux_err", -1.0, "must be at least 0"),
        ("host_ra", 400.0, "must be at least 0 and below 360"),
        ("morphology", "4C_4P", "is not one of the six classes"),
        ("rule_morphology", "many", "is not one of the six classes"),
        ("n_peaks", 4, "counts are not those of the class"),
        ("probability", 0.25, "probability is not that of the class"),
        ("rule_components", 5, "lists do not have one entry per component"),
        ("rule_peaks", -1, "must be at least 0"),
        ("n_merged", 0, "must be at least 1"),
        ("flags", 2 ** (len(Flag)), "has unknown bits"),
        ("flags", -1, "has unknown bits"),
        ("source_id", "J000000.0+000000", "name does not match the position"),
    ],
)
def test_a_value_that_cannot_be_names_its_row(tmp_path: Path, column: str, value: object, said: str) -> None:
    rows = random_catalogue(40)
    rows[column] = rows[column].astype(object)
    rows.at[ROW, column] = value
    rows[column] = rows[column].infer_objects()
    lines = [line for line in findings(tmp_path / "c.parquet", rows) if said in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"row {ROW} (")
    assert column in lines[0]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("component_flux", [1.0] * 9, "lists that belong together differ in length"),
        ("host_candidate_w1", [1.0] * 9, "lists that belong together differ in length"),
        ("component_peak_flux", [1.0, 2.0], "must not rise along the list"),
        ("host_candidate_reliability", [0.1, 1.5], "must be at least 0 and at most 1"),
        ("component_dec", [91.0], "must be at least -90 and at most 90"),
    ],
)
def test_lists(tmp_path: Path, column: str, value: list[float], said: str) -> None:
    rows = random_catalogue(40)
    rows.at[ROW, column] = value
    lines = [line for line in findings(tmp_path / "c.parquet", rows) if said in line]
    assert [line.startswith(f"row {ROW} (") for line in lines] == [True]


def test_nan_is_allowed_where_there_is_no_host(tmp_path: Path) -> None:
    rows = random_catalogue(40)
    assert rows["host_ra"].isna().any()
    assert findings(tmp_path / "c.parquet", rows) == []


def test_outcomes_are_checked_with_the_catalogue_of_a_run(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "catalogue.parquet", 3)
    assert validate_catalogue(tmp_path / "catalogue.parquet") == []
    outcome = {"ra": 0.0, "dec": 0.0, "snr": 9.0, "n_views": 1, "scale": 1, "probability": 0.5}
    outcome |= {"outcome": "source", "component_id": 1, "source_id": rows["source_id"][0]}
    write_table(tmp_path / "outcomes.parquet", pd.DataFrame([outcome]), OUTCOMES)
    (line,) = validate_catalogue(tmp_path / "catalogue.parquet")
    assert line.startswith("outcomes.parquet: source ") and "1 more sources" in line
    write_random_catalogue(tmp_path / "selection.parquet", 3)
    assert validate_catalogue(tmp_path / "selection.parquet") == []


def test_many_rows_are_one_line_and_counted_over_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "BATCH_ROWS", 7)
    rows = random_catalogue(40)
    rows.loc[10:, "n_merged"] = 0
    (line,) = findings(tmp_path / "c.parquet", rows)
    assert line == "row 10 (n_merged 0), and 29 more rows: must be at least 1"


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
def test_rows_out_of_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int) -> None:
    monkeypatch.setattr(validate, "BATCH_ROWS", batch_rows)
    rows = random_catalogue(40)
    order = [*range(20), 21, 20, *range(22, 40)]
    (line,) = findings(tmp_path / "c.parquet", rows.iloc[order])
    assert line.startswith("row 21 (")
    assert "out of order" in line


def test_names_within_a_pixel_are_in_order(tmp_path: Path) -> None:
    rows = random_catalogue(1)
    both = pd.concat([rows.assign(source_id=rows["source_id"] + letter) for letter in "ba"])
    (line,) = findings(tmp_path / "c.parquet", both)
    assert "row 1 (" in line
    assert "out of order" in line
    assert findings(tmp_path / "c.parquet", both.iloc[::-1]) == []


def test_repeated_names(tmp_path: Path) -> None:
    rows = random_catalogue(5)
    twice = rows.iloc[[0, 1, 1, 1, 2, 3, 3, 4]]
    (line,) = findings(tmp_path / "c.parquet", twice)
    assert line == (
        f"source_id {rows['source_id'][1]!r} appears 3 times, and 1 more names: names must be unique"
    )


def changed_schema(column: str, **changes: str) -> pa.Schema:
    place = CATALOGUE.names.index(column)
    field = CATALOGUE.field(column)
    about = field.metadata | {key.encode(): value.encode() for key, value in changes.items()}
    return CATALOGUE.set(place, field.with_metadata(about))


def test_wrong_unit_is_found_in_the_columns_and_in_the_block(tmp_path: Path) -> None:
    schema = changed_schema("peak_flux", unit="Jy/beam").with_metadata(votable_metadata(CATALOGUE))
    write_table(tmp_path / "c.parquet", random_catalogue(4), schema)
    first, second = validate_catalogue(tmp_path / "c.parquet")
    assert first == "column 'peak_flux': unit 'Jy/beam', not 'mJy/beam'"
    assert second.startswith("column 'peak_flux': unit")
    assert "VOParquet block" in second


def test_missing_columns_and_other_types(tmp_path: Path) -> None:
    rows = random_catalogue(4).drop(columns=["flags", "model_id"]).astype({"n_peaks": "int64"})
    rows.to_parquet(tmp_path / "c.parquet")
    lines = validate_catalogue(tmp_path / "c.parquet")
    assert lines[0] == "columns are missing: flags, model_id"
    assert "column 'n_peaks': type int64, not int32" in lines
    assert sum("no unit, UCD or description" in line for line in lines) == 1
    assert any("no VOParquet block" in line for line in lines)
    # pandas saves NaN as missing; rows of columns of other types are not looked at.
    assert all("missing value" in line for line in lines if line.startswith("row"))


def test_missing_values(tmp_path: Path) -> None:
    nullable = pa.schema([field.with_nullable(True) for field in CATALOGUE])
    table = pa.Table.from_pylist(random_catalogue(4).to_dict("records"), schema=nullable)
    holes = table.set_column(
        1, nullable.field("ra"), pa.array([None, *table["ra"].to_pylist()[1:]], pa.float64())
    )
    pq.write_table(holes, tmp_path / "c.parquet")
    lines = validate_catalogue(tmp_path / "c.parquet")
    assert any("row 0 (ra None): missing value" in line for line in lines)


def test_what_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    with pytest.raises(InputError, match="foreign.parquet: not a catalogue of sources"):
        validate_catalogue(tmp_path / "foreign.parquet")
    (tmp_path / "text.parquet").write_text("x")
    with pytest.raises(InputError, match="not a complete Parquet file"):
        validate_catalogue(tmp_path / "text.parquet")


def test_file_that_does_not_say_its_settings_is_not_held_to_a_frame(tmp_path: Path) -> None:
    rows = random_catalogue(4).assign(box_x2=200.0)
    write_table(tmp_path / "c.parquet", rows, CATALOGUE.with_metadata(votable_metadata(CATALOGUE)))
    assert validate_catalogue(tmp_path / "c.parquet") == []
