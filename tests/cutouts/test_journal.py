"""Journal of an unfinished shard: only complete records of the same subjects and services are kept."""

from pathlib import Path

import numpy as np
import pytest

from claran_core.common.cutout import Beam, Cutout
from claran_core.common.frame import Frame
from claran_core.cutouts.cutout_rows import Row, row_of, serialised
from claran_core.cutouts.journal import CutoutJournal, Entry, LedgerRow

ROW = {"subject_id": "a", "band": "radio", "status": "ok", "coverage": 1.0, "url": None}
DATA = np.random.default_rng(1).random((30, 40), np.float32)
BEAM = Beam(5.4, 5.4, 0.0)
CUTOUT = row_of("a", Cutout(DATA, Frame().wcs(1.0, 2.0), "a.fits", beam=BEAM))
OTHER = row_of("b", Cutout(-DATA, Frame().wcs(1.0, 2.0), "b.fits", beam=BEAM))


def assert_entry(entry: Entry | None, row: LedgerRow, cutout: Row) -> None:
    assert entry is not None and entry[1] is not None
    assert entry[0] == row and serialised(entry[1]) == serialised(cutout)


def fill(folder: Path, identity: str = "same") -> Path:
    with CutoutJournal(folder, identity) as journal:
        journal.add(ROW, CUTOUT)
        journal.add({**ROW, "band": "infrared", "status": "no_coverage"}, None)
    return folder / "journal"


def test_added_rows_are_read_back(tmp_path: Path) -> None:
    fill(tmp_path / "journal")
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert_entry(journal.get("a", "radio"), ROW, CUTOUT)
        assert journal.get("a", "infrared") == ({**ROW, "band": "infrared", "status": "no_coverage"}, None)
        assert journal.get("b", "radio") is None


def test_another_identity_drops_the_journal(tmp_path: Path) -> None:
    fill(tmp_path / "journal")
    with CutoutJournal(tmp_path / "journal", "other") as journal:
        assert journal.get("a", "radio") is None
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("a", "radio") is None


@pytest.mark.parametrize("lost", [1, 100, 260])
def test_a_truncated_record_is_dropped_and_overwritten(tmp_path: Path, lost: int) -> None:
    journal = fill(tmp_path / "journal")
    journal.write_bytes(journal.read_bytes()[:-lost])
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("a", "infrared") is None
        journal.add({**ROW, "subject_id": "b"}, OTHER)
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert_entry(journal.get("b", "radio"), {**ROW, "subject_id": "b"}, OTHER)


def test_a_damaged_record_and_all_after_it_are_dropped(tmp_path: Path) -> None:
    journal = fill(tmp_path / "journal")
    content = bytearray(journal.read_bytes())
    content[500] ^= 1
    journal.write_bytes(content)
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("a", "radio") is None and journal.get("a", "infrared") is None


def test_a_complete_shard_leaves_no_journal(tmp_path: Path) -> None:
    fill(tmp_path / "journal")
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        journal.finish({}, failed=False)
    assert not (tmp_path / "journal").exists()


def test_links_of_damaged_files_are_not_used(tmp_path: Path) -> None:
    (tmp_path / "ledger.parquet").write_bytes(b"no table")
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        journal.finish({"ledger.parquet": tmp_path / "ledger.parquet"}, failed=True)
    assert (tmp_path / "journal" / "ledger.parquet").stat().st_nlink == 2
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("a", "radio") is None
