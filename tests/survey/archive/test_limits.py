"""Limits of a host: shared by threads and processes, released by killed ones, and the circuit breaker."""

import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from claran_core.survey.archive.limits import HostLimits, ServiceDown, forget_pauses, own_folder

PROCESSES = multiprocessing.get_context("spawn")


def limits(folder: Path, **changes: float) -> HostLimits:
    options = {
        "requests_per_s": 1000.0,
        "connections": 2,
        "breaker_failures": 3,
        "breaker_pause_s": 0.2,
        "max_pause_s": 1.0,
    }
    return HostLimits(folder, "host:80", **{**options, **changes})


def take_turns(folder: Path, count: int, rate: float, queue: Any) -> None:
    host = limits(folder, requests_per_s=rate)
    for _ in range(count):
        with host.turn():
            begun = time.time()
            time.sleep(0.03)
            queue.put((begun, time.time()))


def hold_a_turn(folder: Path, queue: Any) -> None:
    with limits(folder, connections=1).turn():
        queue.put(os.getpid())
        time.sleep(60)


def test_processes_keep_the_rate_and_the_connections_together(tmp_path: Path) -> None:
    queue = PROCESSES.Queue()
    jobs = [PROCESSES.Process(target=take_turns, args=(tmp_path, 6, 25.0, queue)) for _ in range(3)]
    for job in jobs:
        job.start()
    spans = sorted(queue.get(timeout=60) for _ in range(18))
    for job in jobs:
        job.join()
    starts = [begun for begun, _ in spans]
    # 18 requests at 25 a second: 17 pauses of 40 ms, less what a sleep may be late at the first and last.
    assert starts[-1] - starts[0] >= 17 * 0.04 - 0.02
    at_once = max(sum(begun <= start < ended for begun, ended in spans) for start in starts)
    assert at_once <= 2


def test_threads_keep_the_connections(tmp_path: Path) -> None:
    host, inside, most = limits(tmp_path), [0], [0]

    def work() -> None:
        for _ in range(5):
            with host.turn():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.002)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [2]


def test_a_killed_process_frees_its_connection(tmp_path: Path) -> None:
    queue = PROCESSES.Queue()
    job = PROCESSES.Process(target=hold_a_turn, args=(tmp_path, queue))
    job.start()
    os.kill(queue.get(timeout=60), signal.SIGKILL)
    job.join()
    with limits(tmp_path, connections=1).turn():
        pass


def test_the_breaker_opens_then_lets_one_probe_through_then_closes(tmp_path: Path) -> None:
    host, other = limits(tmp_path), limits(tmp_path)
    for reason in ("one", "two", "three"):
        with host.turn():
            host.failed(reason)
    # The other instance stands for another process.
    with pytest.raises(
        ServiceDown, match=r"host:80 is not contacted for . s: 3 requests failed .* last: three"
    ):
        with other.turn():
            pass
    time.sleep(0.25)
    with other.turn():
        with pytest.raises(ServiceDown):
            with host.turn():
                pass
        other.succeeded()
    with host.turn():
        pass


def test_a_success_between_failures_starts_the_count_again(tmp_path: Path) -> None:
    host = limits(tmp_path)
    for _ in range(4):
        for _ in range(2):
            with host.turn():
                host.failed("x")
        with host.turn():
            host.succeeded()


def test_a_requested_pause_holds_for_all_processes(tmp_path: Path) -> None:
    host, other = limits(tmp_path), limits(tmp_path)
    host.pause(0.2)
    begun = time.monotonic()
    with other.turn():
        assert time.monotonic() - begun > 0.15


def test_a_pause_above_the_limit_opens_the_breaker(tmp_path: Path) -> None:
    host, other = limits(tmp_path), limits(tmp_path)
    with other.turn():
        host.failed("busy")
        host.pause(3600)
        other.succeeded()  # was under way when the host asked for it
    with pytest.raises(ServiceDown, match="asks for a pause of 3600 s"):
        with host.turn():
            pass


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"next_start": 1',
        b'{"colour": 1}',
        b'{"next_start": 9e12, "closed_until": 9e12}',
        b'{"next_start": NaN, "closed_until": Infinity}',
        b'{"failures": "many"}',
        b'{"reason": 5}',
        b"[" * 100_000,
        b"\xff" * 100_000,
    ],
)
def test_a_damaged_state_or_a_clock_set_back_stops_no_request(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "host_80.json").write_bytes(content)
    begun = time.monotonic()
    with limits(tmp_path).turn():
        pass
    assert time.monotonic() - begun < 0.5


def test_a_clock_set_back_ends_a_pause(tmp_path: Path) -> None:
    host = limits(tmp_path)
    host.pause(3600)
    state = tmp_path / "host_80.json"
    values = json.loads(state.read_bytes())
    state.write_text(json.dumps(values | {"written": values["written"] + 7200}))
    with limits(tmp_path).turn():
        pass


def test_a_pause_is_at_most_a_day_and_can_be_forgotten(tmp_path: Path) -> None:
    host = limits(tmp_path)
    host.pause(1e30)
    with pytest.raises(
        ServiceDown, match=r"not contacted for 8\d{4} s: .*`claran archive forget` ends pauses"
    ):
        with host.turn():
            pass
    assert forget_pauses(tmp_path) == 1
    with host.turn():
        pass
    assert forget_pauses(tmp_path / "absent") == 0


def test_the_folder_and_its_files_are_those_of_the_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "limits"
    with limits(folder).turn():
        pass
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "host_80.json").stat().st_mode & 0o077 == 0


def test_a_folder_that_others_can_change_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    link, shared, file = (tmp_path / name for name in ("link", "shared", "file"))
    link.symlink_to(mine)
    shared.mkdir()
    shared.chmod(0o777)
    file.touch()
    for folder in (link, shared, file):
        with pytest.raises(PermissionError, match=f"{folder} is not a folder that only you can write to"):
            own_folder(folder)
    own_folder(mine)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a folder to another user")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 12345, -1)
    with pytest.raises(PermissionError, match="not a folder that only you"):
        own_folder(theirs)


def test_a_link_in_place_of_a_state_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    folder = tmp_path / "limits"
    folder.mkdir(mode=0o700)
    (folder / "host_80.json").symlink_to(target)
    with pytest.raises(OSError, match="host_80.json"):
        with limits(folder).turn():
            pass
    assert target.read_text() == "precious"
