"""One pass over the shards: rows must not depend on how the sky was cut, nor on the order of the files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from source_rows import FRAME, grid_sky, source_row, write_shard_files

from claran_core.catalogue import assemble as module
from claran_core.catalogue.assemble import assemble, batches_of, check_subjects_once, healpix_pixels
from claran_core.catalogue.coverage import Coverage
from claran_core.errors import InputError
from claran_core.files import read_arrow
from claran_core.flags import Flag


def cut(folder: Path, subjects: pd.DataFrame, rows: list[dict], n: int, order: np.ndarray) -> list:
    """Files of `n` shards along the sky, in an order."""
    shards = []
    for number, part in enumerate(np.array_split(np.arange(len(subjects)), n)):
        own = subjects.iloc[part]
        named = set(own["subject_id"])
        shard_rows = [row for row in rows if row["subject_id"] in named]
        numbered = [row | {"detection": at} for at, row in enumerate(shard_rows)]
        shards.append(write_shard_files(folder, f"{number:05d}", numbered, own))
    return [shards[k] for k in order if k < n]


def assembled(folder: Path, shards: list) -> pd.DataFrame:
    indexes = [read_arrow(shard.index).to_pandas() for shard in shards]
    centres = pd.concat([pd.DataFrame({"ra": [], "dec": []}, dtype=float), *indexes])
    found = assemble(
        [shard.sources for shard in shards],
        [index[["ra", "dec"]].to_numpy() for index in indexes],
        coverage=Coverage.of(centres["ra"].to_numpy(), centres["dec"].to_numpy(), FRAME),
        tolerance_arcsec=2.7,
        scratch=folder / "rows.arrow",
    )
    parts = [table.to_pandas() for table in found.rows(50)]
    assert found.is_row.sum() == len(found.names)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (10.0, 89.95)])
def test_shards_and_their_order_do_not_matter(tmp_path, monkeypatch, ra, dec):
    subjects, rows = grid_sky(5, ra_deg=ra, dec_deg=dec)
    whole = assembled(tmp_path, cut(tmp_path / "1", subjects, rows, 1, np.arange(1)))
    assert 50 < len(whole) < 75  # 60 sources, some triples nowhere shown whole
    monkeypatch.setattr(module, "BATCH_ROWS", 40)  # otherwise all is one batch
    for n in (7, 64):
        for seed in (0, 1):
            order = np.random.default_rng(seed).permutation(n)
            folder = tmp_path / f"{n}-{seed}"
            parts = assembled(tmp_path, cut(folder, subjects, rows, n, order))
            pd.testing.assert_frame_equal(parts, whole)


def test_nothing_is_kept_in_memory_longer_than_needed(tmp_path, monkeypatch):
    fields = [grid_sky(6, side=3, n=9, ra_deg=3.0 * k) for k in range(6)]
    monkeypatch.setattr(module, "BATCH_ROWS", 1)
    waiting = []
    close = module._close

    def spied(window, *rest):
        left = close(window, *rest)
        waiting.append(len(left))
        return left

    monkeypatch.setattr(module, "_close", spied)
    shards = []
    for k, (subjects, rows) in enumerate(fields):
        names = {name: f"{k}-{name}" for name in subjects["subject_id"]}
        rows = [row | {"subject_id": names[row["subject_id"]]} for row in rows]
        subjects = subjects.assign(subject_id=subjects["subject_id"].map(names))
        half = subjects["subject_id"].isin(subjects["subject_id"][:5])
        for part, own in enumerate((subjects[half], subjects[~half])):
            named = set(own["subject_id"])
            shard_rows = [row for row in rows if row["subject_id"] in named]
            shards.append(write_shard_files(tmp_path, f"{2 * k + part:05d}", shard_rows, own))
    assembled(tmp_path, shards)
    # The first half of each field waits for the second, and is let go with it.
    assert min(waiting[0::2]) > 0 and waiting[1::2] == [0] * 6


def test_views_are_counted_and_disagreement_is_flagged(tmp_path):
    places = [(10.0, 5.0), (10.0, 5.01)]
    subjects = pd.DataFrame({"subject_id": ["a", "b", "c"], "ra": 10.0, "dec": 5.0})
    rows = [
        source_row("a", places, view=0.9, detection=0),
        source_row("b", places, view=0.8, detection=1),
        source_row("c", places[:1], view=0.7, detection=2),
    ]
    table = assembled(tmp_path, [write_shard_files(tmp_path, "0", rows, subjects)])
    assert table["n_merged"].tolist() == [2] and table["subject_id"].tolist() == ["a"]
    assert table["flags"].tolist() == [int(Flag.VIEWS_DISAGREE)]


def test_what_a_border_cuts_is_left_to_a_subject_that_shows_it_better(tmp_path):
    # The frames are 3 arcmin wide: the source at 5.0 lies on the border of b, and in the middle of a.
    subjects = pd.DataFrame({"subject_id": ["a", "b"], "ra": 10.0, "dec": [5.0, 5.0 + 85 / 3600]})
    cut = {"flags": int(Flag.EDGE), "view": 0.0}
    inside = source_row("a", [(10.0, 5.0)], view=0.9, room=90.0)
    border = source_row("b", [(10.0, 5.0 + 6 / 3600)], room=11.0, detection=1, **cut)
    table = assembled(tmp_path / "1", [write_shard_files(tmp_path / "1", "0", [inside, border], subjects)])
    assert table["subject_id"].tolist() == ["a"] and table["n_merged"].tolist() == [1]
    # The better subject saw no source there: nothing is listed.  Without that subject the piece is.
    table = assembled(tmp_path / "2", [write_shard_files(tmp_path / "2", "0", [border], subjects)])
    assert len(table) == 0
    table = assembled(tmp_path / "3", [write_shard_files(tmp_path / "3", "0", [border], subjects[1:])])
    assert table["subject_id"].tolist() == ["b"]
    # A source without peaks goes by the middle of its box.
    bare = source_row("b", [], ra=10.0, dec=5.0 + 6 / 3600, room=11.0, **cut)
    table = assembled(tmp_path / "4", [write_shard_files(tmp_path / "4", "0", [bare], subjects)])
    assert len(table) == 0


def test_a_source_larger_than_every_subject_is_kept_where_its_peak_is_shown_best(tmp_path):
    subjects = pd.DataFrame({"subject_id": ["a", "b"], "ra": 10.0, "dec": [5.0, 5.0 + 60 / 3600]})
    rows = [
        source_row(name, [(10.0, 5.0)], flags=int(Flag.EDGE), view=0.0, room=room, detection=k)
        for k, (name, room) in enumerate((("a", 90.0), ("b", 30.0)))
    ]
    table = assembled(tmp_path, [write_shard_files(tmp_path, "0", rows, subjects)])
    assert table["subject_id"].tolist() == ["a"]


def test_rows_are_named_and_in_the_order_of_the_sky(tmp_path):
    subjects, rows = grid_sky(7)
    table = assembled(tmp_path, cut(tmp_path, subjects, rows, 3, np.arange(3)))
    assert table["source_id"].is_unique
    pixel = healpix_pixels(table["ra"].to_numpy(), table["dec"].to_numpy())
    assert list(zip(pixel, table["source_id"], strict=True)) == sorted(
        zip(pixel, table["source_id"], strict=True)
    )


def test_a_shard_without_sources_and_no_shard_at_all(tmp_path):
    subjects = pd.DataFrame({"subject_id": ["a"], "ra": 10.0, "dec": 5.0})
    assert len(assembled(tmp_path, [write_shard_files(tmp_path, "0", [], subjects)])) == 0
    assert len(assembled(tmp_path, [])) == 0


def test_batches_hold_at_most_so_many_rows_or_one_shard():
    assert batches_of(np.array([3, 3, 3, 9, 1]), 6) == [[0, 1], [2], [3], [4]]
    assert batches_of(np.array([], int), 6) == []


def test_a_subject_twice_is_refused_with_its_file(tmp_path):
    names = [pd.DataFrame({"subject_id": part}) for part in (["a", "b"], ["c", "b"])]
    paths = [tmp_path / "x", tmp_path / "y"]
    for path, part in zip(paths, names, strict=True):
        part.to_parquet(path)
    tables = [read_arrow(path)["subject_id"] for path in paths]
    with pytest.raises(InputError, match=r"y: subject 'b' is in this run twice"):
        check_subjects_once(tables, paths)
    check_subjects_once(tables[:1], paths[:1])
