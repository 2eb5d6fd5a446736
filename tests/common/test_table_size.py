"""Tables that unpack to more than any table has are refused before they are read."""

import gzip
import os
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u

from claran_core.common import external_tables
from claran_core.common.errors import InputError
from claran_core.common.external_tables import read_external_table, table_columns
from claran_core.common.table_size import refuse_bomb


def test_a_gzip_bomb_is_refused_while_it_unpacks(tmp_path: Path) -> None:
    path = tmp_path / "targets.csv.gz"
    path.write_bytes(gzip.compress(bytes(5_000_000), mtime=0))
    assert path.stat().st_size < 10_000
    refuse_bomb(path)
    refuse_bomb(path, max_bytes=5_000_000)
    with pytest.raises(InputError, match=r"targets\.csv\.gz: unpacks to more than 0\.004 GB; is it a table"):
        refuse_bomb(path, max_bytes=4_000_000)


def test_a_parquet_bomb_is_refused_by_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "targets.parquet"
    pq.write_table(pa.table({"ra": pa.array([1.0] * 1_000_000)}), path, use_dictionary=False)
    refuse_bomb(path, max_rows=1_000_000)
    with pytest.raises(InputError, match="has 1000000 rows and 0.008 GB unpacked; a table has at most"):
        refuse_bomb(path, max_rows=10)
    with pytest.raises(InputError, match=r"at most .* and 0\.001 GB"):
        refuse_bomb(path, max_bytes=1_000_000)


def test_other_files_are_as_large_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    path.write_text("ra,dec\n1,2\n")
    refuse_bomb(path, max_bytes=1)


def test_readers_refuse_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "targets.csv.gz"
    path.write_bytes(gzip.compress(b"ra,dec\n" + b"1,2\n" * 100_000, mtime=0))
    columns = {column.name: column for column in table_columns(path)}
    monkeypatch.setattr(external_tables, "refuse_bomb", partial(refuse_bomb, max_bytes=9999))
    with pytest.raises(InputError, match="unpacks to more than"):
        read_external_table(path, columns, dict.fromkeys(columns, u.deg))


def test_a_file_that_was_replaced_is_unpacked_again(tmp_path: Path) -> None:
    path = tmp_path / "targets.csv.gz"
    for seconds, n_rows in ((1, 1000), (2, 100_000)):
        path.write_bytes(gzip.compress(b"ra,dec\n" + b"1,2\n" * n_rows, mtime=0))
        os.utime(path, (seconds, seconds))
        if n_rows == 1000:
            refuse_bomb(path, max_bytes=9999)
    with pytest.raises(InputError, match="unpacks to more than"):
        refuse_bomb(path, max_bytes=9999)
