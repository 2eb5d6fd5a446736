"""Shards whose images come from archives: faults, killed runs, and retries of what failed."""

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from archive_server import HASTY, ArchiveServer, open_archive, patient

from claran_core.common.files import read_table
from claran_core.common.frame import Frame
from claran_core.common.paths import Results
from claran_core.common.tables import LEDGER
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.cutouts.providers import open_provider
from claran_core.cutouts.shard import cut_shard
from claran_core.settings.config import load_config

SEED = 7
FRAME = Frame()
SHARD = "00000"
# The port is in the first, how it was packed in the second.
PROVENANCE = ["url", "sha256", "fetched_at"]


def covers(band: str, ra: float, dec: float) -> bool:
    return band == "infrared" or dec < 20.2


@pytest.fixture(scope="module")
def targets() -> pd.DataFrame:
    """Twenty subjects close together, some of them north of the radio survey's end."""
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(150.0, 150.3, 20), rng.uniform(20.0, 20.25, 20)
    names = [f"s{number:02d}" for number in range(20)]
    columns = {"subject_id": names, "ra": ra, "dec": dec, "scale": 1}
    table = pd.DataFrame({**columns, "split": "none", "shard": SHARD})
    assert 0 < (dec >= 20.2).sum() < 10
    return table


def cut(server: ArchiveServer, folder: Path, targets: pd.DataFrame, **changes: object) -> pd.DataFrame:
    """Take the shard's cut-outs; returns its ledger."""
    fetch = patient(folder, **{"tries": 30, **changes})
    sources = [open_archive(server, name, fetch, **{name: [first]}) for name, first in SOURCES.items()]
    results = Results(folder / "results")
    try:
        cut_shard(targets, *sources, FRAME, results=results, shard=SHARD)
    finally:
        for source in sources:
            source.close()
    return read_table(results.ledger(SHARD), LEDGER.names)


SOURCES = {"FIRST": "first", "WISE_W1": "irsa"}


def shard_bytes(folder: Path) -> list[bytes]:
    results = Results(folder / "results")
    return [results.cutouts(SHARD, band).read_bytes() for band in ("radio", "infrared")]


@pytest.fixture(scope="module")
def clean(
    targets: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pd.DataFrame, list[bytes]]:
    """What comes of a run without faults."""
    folder = tmp_path_factory.mktemp("clean")
    with ArchiveServer(SEED, covers=covers) as server:
        ledger = cut(server, folder, targets)
    return ledger, shard_bytes(folder)


def test_every_row_has_a_status_and_a_provenance(
    clean: tuple[pd.DataFrame, list[bytes]], targets: pd.DataFrame
) -> None:
    ledger, _ = clean
    radio, infrared = (rows for _, rows in sorted(ledger.groupby("band"), reverse=True))
    outside = targets["dec"] >= 20.2
    assert radio["status"].tolist() == np.where(outside, "no_coverage", "ok").tolist()
    assert set(infrared["status"]) == {"ok"}
    assert set(radio["service"]) == {"first"} and set(infrared["service"]) == {"irsa"}
    assert ledger["url"].str.startswith("http://127.0.0.1:").all() and ledger["sha256"].str.len().ge(64).all()
    assert pd.to_datetime(ledger["fetched_at"]).notna().all()


def test_faults_delay_a_shard_but_do_not_change_it(
    clean: tuple[pd.DataFrame, list[bytes]], targets: pd.DataFrame, tmp_path: Path
) -> None:
    with ArchiveServer(SEED, covers=covers, fraction=0.3, stuck_s=1.0) as server:
        ledger = cut(server, tmp_path, targets, **HASTY)
        assert len({asked.fault for asked in server.asked}) > 8
    expected, files = clean
    pd.testing.assert_frame_equal(ledger.drop(columns=PROVENANCE), expected.drop(columns=PROVENANCE))
    assert shard_bytes(tmp_path) == files
    assert not Results(tmp_path / "results").journal(SHARD).exists()


def test_requests_keep_to_the_limit_of_the_host(targets: pd.DataFrame, tmp_path: Path) -> None:
    limits = {name: {"requests_per_s": 40.0, "connections": 3} for name in SOURCES.values()}
    with ArchiveServer(SEED, covers=covers) as server:
        cut(server, tmp_path, targets, limits=limits)
        for service in SOURCES.values():
            times = np.sort([asked.time for asked in server.asked if asked.service == service])
            # Seven requests take at least six pauses; one may be late and the next in time.
            assert (times[6:] - times[:-6]).min() > 6 / 40 - 0.03


def test_a_rerun_requests_only_failed_rows(
    clean: tuple[pd.DataFrame, list[bytes]], targets: pd.DataFrame, tmp_path: Path
) -> None:
    expected, files = clean
    lost = {f"{ra / 15}" for ra in targets["ra"][:4]}

    class Lossy(ArchiveServer):
        def _fault(self, service: str, key: str, number: int) -> str:
            return "error" if service == "first" and any(ra[:8] in key for ra in lost) else ""

    with Lossy(SEED, covers=covers) as server:
        ledger = cut(server, tmp_path, targets, tries=2, breaker_failures=1000)
        failed = ledger["status"] == "failed"
        assert failed.sum() == 4 and ledger["reason"][failed].str.startswith("first: HTTP 500").all()
    results = Results(tmp_path / "results")
    for path in (results.ledger(SHARD), *(results.cutouts(SHARD, band) for band in ("radio", "infrared"))):
        path.unlink()  # as the workflow does before a job runs again
    with ArchiveServer(SEED, covers=covers) as server:
        ledger = cut(server, tmp_path, targets)
        assert len(server.asked) == 4 and {asked.service for asked in server.asked} == {"first"}
    pd.testing.assert_frame_equal(ledger.drop(columns=PROVENANCE), expected.drop(columns=PROVENANCE))
    assert shard_bytes(tmp_path) == files
    assert not results.journal(SHARD).exists()


def test_a_service_that_is_down_ends_the_shard_soon_as_failed_rows(
    clean: tuple[pd.DataFrame, list[bytes]], targets: pd.DataFrame, tmp_path: Path
) -> None:
    expected, files = clean
    with ArchiveServer(SEED, covers=covers) as server:
        server.down.add("first")
        ledger = cut(server, tmp_path, targets, breaker_failures=5)
        radio = ledger[ledger["band"] == "radio"]
        assert set(radio["status"]) == {"failed"} and len(server.images_asked("first")) <= 5 + 2
        assert radio["reason"].str.contains("is not contacted for").all()
        # What could be had is kept for the next run.
        server.down.clear()
        (tmp_path / "limits").rename(tmp_path / "forgotten")
        before = len(server.images_asked("irsa"))
        cut(server, tmp_path, targets)
        assert len(server.images_asked("irsa")) == before
    assert shard_bytes(tmp_path) == files


def _cut_with(settings: dict, folder: Path, targets: pd.DataFrame) -> None:
    """What the process does that is killed."""
    fast = {"requests_per_s": 30.0, "connections": 2}
    order = {name: [first] for name, first in SOURCES.items()}
    limits = {"limits_folder": str(folder / "limits"), "limits": dict.fromkeys(SOURCES.values(), fast)}
    config = load_config(
        {
            "survey": {
                "radio": {"source": "archive"},
                "infrared": {"source": "archive"},
                "archive": {"services": settings, "order": order},
            },
            "cutouts": {"archive": limits},
        }
    )
    survey, fetch = config.survey, config.cutouts.archive
    sources = [
        open_provider(options, seed=0, archive=survey.archive, fetch=fetch)
        for options in (survey.radio, survey.infrared)
    ]
    cut_shard(targets, *sources, FRAME, results=Results(folder / "results"), shard=SHARD)


def test_a_killed_run_resumes(
    clean: tuple[pd.DataFrame, list[bytes]], targets: pd.DataFrame, tmp_path: Path
) -> None:
    _, files = clean
    with ArchiveServer(SEED, covers=covers) as server:
        job = multiprocessing.get_context("spawn").Process(
            target=_cut_with, args=(server.settings, tmp_path, targets)
        )
        job.start()
        deadline = time.monotonic() + 60
        while len(server.asked) < 20 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(job.pid, signal.SIGKILL)
        job.join()
        assert not Results(tmp_path / "results").ledger(SHARD).exists()
        in_flight = len(server.asked)
        cut(server, tmp_path, targets)
        twice = [key for key, count in Counter(asked.key for asked in server.asked).items() if count > 1]
    # Two workers of each band were at work, and the list of tiles is asked for by each process.
    assert 20 <= in_flight < 40
    assert sum("/SIA" not in key for key in twice) <= 4
    assert shard_bytes(tmp_path) == files


def test_other_subjects_invalidate_the_journal(targets: pd.DataFrame, tmp_path: Path) -> None:
    with ArchiveServer(SEED, covers=covers) as server:
        server.down.add("first")
        cut(server, tmp_path, targets, tries=1, breaker_failures=1000)
        moved = targets.assign(dec=targets["dec"] + 1e-4)
        before = len(server.images_asked("irsa"))
        cut(server, tmp_path, moved, tries=1, breaker_failures=1000)
        assert len(server.images_asked("irsa")) >= before + len(targets)


def test_cutouts_can_be_read(
    clean: tuple[pd.DataFrame, list[bytes]], targets: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "radio.arrow"
    path.write_bytes(clean[1][0])
    with read_cutouts(path) as cutouts:
        assert list(cutouts) == targets.loc[targets["dec"] < 20.2, "subject_id"].tolist()


def test_an_interrupted_job_does_not_wait_for_slow_servers(
    targets: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(ArchiveServer):
        def _fault(self, service: str, key: str, number: int) -> str:
            return "error" if f"{targets['ra'][1] / 15}"[:8] in key else ""

    def interrupted(progress: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("claran_core.common.log.Progress.step", interrupted)
    begun = time.monotonic()
    with Stuck(SEED, covers=covers) as server, pytest.raises(KeyboardInterrupt):
        cut(server, tmp_path, targets, tries=50, pause_s=60.0, max_pause_s=120.0, breaker_failures=1000)
    assert time.monotonic() - begun < 15
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]
