"""Which shards depend on which images: lists per shard, planned without writing, and written if changed."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sky_images import FRAME, write_image

from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.paths import Results
from claran_core.common.tables import TARGETS
from claran_core.cutouts.coarse import margin_arcsec
from claran_core.cutouts.shard_images import plan_images, write_images
from claran_core.settings.survey import RadioSurveyOptions
from claran_core.survey.directory.image_index import ImageIndex
from claran_core.survey.footprint import sampling_frame
from claran_core.survey.surveys import SURVEYS

# Images along a circle of declination, two of three subjects' width apart, and one across RA 0.
PLACES = {"a.fits": 359.99, "b.fits": 0.02, "c.fits": 30.0, "d.fits": 30.05}
SHARDS = ("00000", "00001", "00002")


class Folder:
    """A folder of images, and a run whose three shards are near 0, 30 and 90 deg."""

    def __init__(self, root: Path) -> None:
        self.images, self.results = root / "images", Results(root / "results")
        for name, ra in PLACES.items():
            write_image(self.images / name, ra, -5.0)
        rows = [(0.0, 1, 0), (0.01, 4, 0), (30.0, 1, 1), (30.02, 2, 1), (90.0, 1, 2)]
        table = pd.DataFrame(rows, columns=["ra", "scale", "shard"])
        table = table.assign(
            subject_id=[f"s{k}" for k in range(5)],
            dec=-5.0,
            split="none",
            shard=[SHARDS[k] for k in table["shard"]],
        )
        write_table(self.results.targets, table, TARGETS)
        self.targets = table
        self.options = RadioSurveyOptions(
            name="FIRST",
            description={},
            source="directory",
            path=str(self.images),
            pattern="**/*.fits*",
        )

    def stale(self, *, changed: tuple[str, ...] = (), frame: Frame = FRAME) -> list[str]:
        found = plan_images(self.options, frame, self.results, shards=SHARDS, changed=changed)
        return [path.stem for path in found.stale]

    def move(self, name: str, ra_deg: float) -> None:
        (self.images / name).unlink()
        write_image(self.images / name, ra_deg, -5.0)

    def write(self) -> None:
        write_images(self.options, FRAME, self.results)

    def listed(self, shard: str) -> list[str]:
        return read_table(self.results.shard_images(shard, "radio"))["file"].tolist()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_list_holds_all_that_any_subject_of_the_shard_may_need(folder: Folder) -> None:
    folder.write()
    index = ImageIndex.read(folder.results.images("radio"))
    survey = SURVEYS["FIRST"]
    for shard, own in folder.targets.groupby("shard"):
        needed = set()
        for target in own.itertuples():
            view = FRAME.at_scale(target.scale)
            width = view.width_arcsec + 2 * margin_arcsec(survey, view, target.scale)
            needed |= set(index.near(sampling_frame(width, survey), target.ra, target.dec))
        assert folder.listed(str(shard)) == sorted(needed)
    assert [folder.listed(shard) for shard in SHARDS] == [["a.fits", "b.fits"], ["c.fits", "d.fits"], []]


def test_nothing_is_planned_after_the_lists_are_written(folder: Folder) -> None:
    assert folder.stale() == list(SHARDS)
    assert not folder.results.images("radio").exists()
    folder.write()
    assert folder.stale() == []
    assert folder.stale(changed=("00001",)) == ["00001"]
    folder.results.shard_images("00002", "radio").unlink()
    assert folder.stale() == ["00002"]


def test_a_changed_image_concerns_the_shards_that_may_show_it(folder: Folder) -> None:
    folder.write()
    before = {shard: folder.results.shard_images(shard, "radio").stat().st_mtime_ns for shard in SHARDS}
    os.utime(folder.images / "b.fits", (1, 1))
    assert folder.stale() == ["00000"]
    folder.move("c.fits", 90.0)
    assert folder.stale() == list(SHARDS)
    (folder.images / "a.fits").unlink()
    folder.move("c.fits", 30.0)
    os.utime(folder.images / "b.fits", (2, 2))
    folder.write()
    after = {shard: folder.results.shard_images(shard, "radio").stat().st_mtime_ns for shard in SHARDS}
    assert [shard for shard in SHARDS if after[shard] != before[shard]] == ["00000", "00001"]
    assert folder.listed("00000") == ["b.fits"]
    assert folder.stale() == []


def test_a_file_of_unknown_position_concerns_every_shard(folder: Folder) -> None:
    folder.write()
    (folder.images / "text.fits").write_text("no FITS")
    assert folder.stale() == list(SHARDS)
    folder.write()
    assert all("text.fits" in folder.listed(shard) for shard in SHARDS)


def test_a_job_that_was_killed_before_it_wrote_the_index_is_noticed(folder: Folder) -> None:
    folder.write()
    index = folder.results.images("radio")
    earlier = index.read_bytes()
    os.utime(folder.images / "b.fits", (1, 1))
    os.utime(folder.images / "d.fits", (1, 1))
    folder.write()
    index.write_bytes(earlier)
    folder.results.shard_images("00001", "radio").unlink()
    assert folder.stale() == ["00001"]


def test_other_rules_make_all_lists_again(folder: Folder) -> None:
    folder.write()
    assert folder.stale(frame=FRAME.at_scale(2)) == list(SHARDS)


def test_subjects_all_over_the_sky_find_their_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    n = 300
    centres = rng.normal(size=(n, 3))
    centres /= np.linalg.norm(centres, axis=1)[:, None]
    table = pd.DataFrame(centres, columns=["x", "y", "z"]).assign(
        file=[f"{k:03d}" for k in range(n)], radius_deg=rng.uniform(0.1, 30.0, n), reason=""
    )
    index = ImageIndex(table)
    ra, dec, reach = rng.uniform(0, 360, 20), rng.uniform(-90, 90, 20), rng.uniform(0, 1, 20)
    east, north = np.radians(ra), np.radians(dec)
    points = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
    apart = np.degrees(np.arccos(np.clip(centres @ points, -1, 1)))
    meets = (apart <= table["radius_deg"].to_numpy()[:, None] + reach).any(axis=1)
    assert index.part(ra, dec, reach).rows["file"].tolist() == table["file"][meets].tolist()
    assert 0 < meets.sum() < n
