"""The seal of a Parquet file: any changed bit is noticed, and other readers do not mind it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from claran_core.common.seal import MAGIC, SEAL_BYTES, is_sealed, seal

TABLE = pa.table({"x": [1.5, 2.5, 3.5], "name": ["a", "b", "c"]})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "table.parquet"
    pq.write_table(TABLE, path)
    return path


def test_a_sealed_file_is_the_same_table(path: Path) -> None:
    before = path.read_bytes()
    assert not is_sealed(pa.py_buffer(before))
    seal(path)
    after = path.read_bytes()
    assert is_sealed(pa.py_buffer(after))
    assert len(after) == len(before) + SEAL_BYTES
    assert pq.read_table(path).equals(TABLE)


def test_every_flipped_bit_is_noticed(path: Path) -> None:
    seal(path)
    whole = path.read_bytes()
    unsealed = 0
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        try:
            assert not is_sealed(pa.py_buffer(changed))
        except OSError:
            continue
        unsealed += 1  # as if it never had a seal: the magic bytes, or the length of the footer
    assert unsealed == len(MAGIC) + 4


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 20, b"\xff" * 200])
def test_other_content_has_no_seal(content: bytes) -> None:
    assert not is_sealed(pa.py_buffer(content))
