"""Cut-outs kept from an unfinished shard: whole records alone, of the same subjects and services."""

import pytest

from claran_core.cutouts.journal import CutoutJournal

ROW = {"subject_id": "a", "band": "radio", "status": "ok", "coverage": 1.0, "url": None}
PIXELS = bytes(range(256)) * 20


def fill(folder, identity="same"):
    with CutoutJournal(folder, identity) as journal:
        journal.add(ROW, PIXELS)
        journal.add({**ROW, "band": "infrared", "status": "no_coverage"}, b"")
    return folder / "journal"


def test_what_was_added_is_there_next_time(tmp_path):
    fill(tmp_path / "journal")
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("a", "radio") == (ROW, PIXELS)
        assert journal.get("a", "infrared")[1] == b""
        assert journal.get("b", "radio") is None


def test_of_another_identity_nothing_is_kept(tmp_path):
    fill(tmp_path / "journal")
    with CutoutJournal(tmp_path / "journal", "other") as journal:
        assert journal.get("a", "radio") is None
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("a", "radio") is None


@pytest.mark.parametrize("lost", [1, 100, 260])
def test_a_record_cut_off_is_dropped_and_the_next_takes_its_place(tmp_path, lost):
    journal = fill(tmp_path / "journal")
    journal.write_bytes(journal.read_bytes()[:-lost])
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("a", "infrared") is None
        journal.add({**ROW, "subject_id": "b"}, PIXELS[::-1])
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("b", "radio") == ({**ROW, "subject_id": "b"}, PIXELS[::-1])


def test_a_damaged_record_and_what_follows_is_dropped(tmp_path):
    journal = fill(tmp_path / "journal")
    content = bytearray(journal.read_bytes())
    content[500] ^= 1
    journal.write_bytes(content)
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("a", "radio") is None and journal.get("a", "infrared") is None


def test_a_complete_shard_leaves_nothing(tmp_path):
    fill(tmp_path / "journal")
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        journal.finish({}, failed=False)
    assert not (tmp_path / "journal").exists()


def test_links_of_damaged_files_are_not_used(tmp_path):
    (tmp_path / "ledger.parquet").write_bytes(b"no table")
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        journal.finish({"ledger.parquet": tmp_path / "ledger.parquet"}, failed=True)
    assert (tmp_path / "journal" / "ledger.parquet").stat().st_nlink == 2
    with CutoutJournal(tmp_path / "journal", "same") as journal:
        assert journal.get("a", "radio") is None
