"""The reader of catalogues: flags in words, units and facts."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from catalogue_rows import write_random_catalogue

import claran_core
from claran_core.catalogue.product.read_catalogue import read_catalogue
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag


def words(mask: int) -> str:
    return " ".join(str(flag.name) for flag in Flag if mask & flag)


def test_pandas(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 40)
    read = claran_core.read_catalogue(tmp_path / "c.parquet")
    assert read["flag_names"].tolist() == [words(mask) for mask in rows["flags"]]
    assert {"", "EDGE", "EDGE LOW_SNR"} == set(read["flag_names"])
    assert list(read)[list(read).index("flags") + 1] == "flag_names"
    assert read["source_id"].tolist() == rows["source_id"].tolist()
    assert read.attrs["units"]["peak_flux"] == "mJy/beam" and read.attrs["facts"]["method"] == "D4"
    # The attribute of pandas is another thing, which is why the reader and the manual name the column.
    assert read.iloc[0].flags is not read.iloc[0]["flags"]


def test_astropy(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 40)
    table = read_catalogue(str(tmp_path / "c.parquet"), to="astropy")
    assert table["peak_flux"].unit == u.mJy / u.beam and "peak" in table["peak_flux"].description
    np.testing.assert_array_equal(table["flags"], rows["flags"])
    assert list(table["flag_names"]) == [words(mask) for mask in rows["flags"]]
    assert table.meta["facts"]["method"] == "D4"
    for mine, theirs in zip(table["component_ra"], rows["component_ra"], strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_some_columns_and_no_rows(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 0)
    assert list(read_catalogue(tmp_path / "c.parquet", ["ra", "flags"])) == ["ra", "flags", "flag_names"]
    assert list(read_catalogue(tmp_path / "c.parquet", ["ra"])) == ["ra"]
    with pytest.raises(InputError, match="column 'nothing' is missing"):
        read_catalogue(tmp_path / "c.parquet", ["nothing"])
