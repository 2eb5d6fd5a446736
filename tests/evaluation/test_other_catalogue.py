"""The user's catalogue: read in every format, or refused in one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from claran_core.common.errors import InputError
from claran_core.evaluation.other_catalogue import find_other_catalogue, read_other_catalogue
from claran_core.settings.config import load_config

NONE = load_config().evaluation.compare_with
OPTIONS = NONE.changed(path="x.csv", flux_column="flux", class_column="class")


@pytest.mark.parametrize("ending", ["csv", "fits", "vot", "parquet"])
def test_every_format_is_read(ending: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"RA": [10.5, 11.0], "Dec": [-1.0, 2.0], "S": [1.5, np.nan], "kind": ["FRI", "BT"]})
    path = tmp_path / f"other.{ending}"
    if ending == "csv":
        table.to_csv(path, index=False)
    elif ending == "parquet":
        table.to_parquet(path)
    else:
        Table.from_pandas(table).write(path, format="votable" if ending == "vot" else "fits")
    read = read_other_catalogue(path, OPTIONS.changed(flux_column="S", class_column="kind"))
    assert read[["ra", "dec"]].to_numpy().tolist() == [[10.5, -1.0], [11.0, 2.0]]
    np.testing.assert_array_equal(read["flux"], [1.5, np.nan])
    assert read["class"].tolist() == ["FRI", "BT"]
    bare = read_other_catalogue(path, NONE)
    assert bare["flux"].isna().all() and (bare["class"] == "").all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ra,x\n1,2\n", "no column 'dec' (deg, ICRS); it has: ra, x"),
        ("ra,dec,flux\n1,2,3\n", "no column 'class'"),
        ("ra,RA,dec,flux,class\n1,2,3,4,5\n", None),
        ("RA,Ra,dec,flux,class\n1,2,3,4,5\n", "columns RA and Ra could both be 'ra'; rename one"),
        ("ra,dec,flux,class\n361,2,3,a\n", "line 2: ra 361 is outside 0 <= ra < 360"),
        ("ra,dec,flux,class\n1,2,3,a\n1,2,<5,a\n", "line 3: flux '<5' is not a finite number"),
        ("ra,dec,flux,class\n1,91,3,a\n", "line 2: dec 91 is outside"),
    ],
)
def test_invalid_tables_are_refused_in_one_line(text: str, says: str | None, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text(text)
    if says is None:
        assert len(read_other_catalogue(path, OPTIONS)) == 1
        return
    with pytest.raises(InputError) as caught:
        read_other_catalogue(path, OPTIONS)
    assert says in str(caught.value) and "\n" not in str(caught.value) and "other.csv" in str(caught.value)


@pytest.mark.parametrize("ending", ["fits", "vot", "parquet", "ecsv"])
@pytest.mark.parametrize(("unit", "value"), [("Jy", 0.25), ("uJy", 250_000.0), ("W / (m2 Hz)", 2.5e-27)])
def test_flux_densities_are_converted_to_mjy(ending: str, unit: str, value: float, tmp_path: Path) -> None:
    path = tmp_path / f"other.{ending}"
    table = Table({"RA_ICRS": [1.0], "DE_ICRS": [2.0], "S": [value]})
    table["S"].unit = unit
    table.write(path, format={"vot": "votable", "ecsv": "ascii.ecsv"}.get(ending, ending))
    # The table decides, whatever the setting says.
    read = read_other_catalogue(path, NONE.changed(path=str(path), flux_column="S", flux_unit="uJy"))
    assert read["flux"].tolist() == pytest.approx([250.0])


@pytest.mark.parametrize("unit", ["mJy / beam", "mag", "deg"])
def test_a_column_that_is_no_flux_density_is_refused(unit: str, tmp_path: Path) -> None:
    path = tmp_path / "other.fits"
    table = Table({"ra": [1.0], "dec": [2.0], "S": [3.0]})
    table["S"].unit = unit
    table.write(path)
    with pytest.raises(InputError, match=r"other\.fits: column S is in '.*', which is not converted to mJy"):
        read_other_catalogue(path, NONE.changed(path=str(path), flux_column="S"))


@pytest.mark.parametrize(
    ("header", "unit", "flux"), [("S", "Jy", 500.0), ("S", "mJy", 0.5), ("S (Jy)", "mJy", 500.0)]
)
def test_the_setting_is_the_unit_of_a_column_without_one(
    header: str, unit: str, flux: float, tmp_path: Path
) -> None:
    path = tmp_path / "other.csv"
    path.write_text(f"ra,dec,{header}\n1,2,0.5\n")
    read = read_other_catalogue(path, NONE.changed(path=str(path), flux_column="S", flux_unit=unit))
    assert read["flux"].tolist() == pytest.approx([flux])


def test_a_missing_table_is_refused() -> None:
    with pytest.raises(InputError, match=r"absent\.csv: no such file; .*evaluation\.compare_with"):
        read_other_catalogue(Path("absent.csv"), OPTIONS)


def test_the_table_is_checked_before_the_run(tmp_path: Path) -> None:
    assert find_other_catalogue(NONE) == []
    (tmp_path / "x.csv").write_text("ra,dec,flux,class\n1,2,3,a\n")
    assert find_other_catalogue(OPTIONS, tmp_path) == [str(tmp_path / "x.csv")]
    with pytest.raises(InputError, match=r"x\.csv: no column 'S20'"):
        find_other_catalogue(NONE.changed(path="x.csv", flux_column="S20"), tmp_path)
