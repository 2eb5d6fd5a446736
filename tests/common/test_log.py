"""Logging, and the end of a workflow job."""

import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from claran_core.common.errors import InputError
from claran_core.common.log import Progress, job


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Remove the handlers that a test has added."""
    yield
    root = logging.getLogger("claran_core")
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.propagate = True


def test_bad_input_ends_in_one_line_without_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, job(tmp_path / "logs" / "rule.log"):
        raise InputError("stars.csv: line 3: ra is 'x'")
    assert ended.value.code == 1
    text = (tmp_path / "logs" / "rule.log").read_text()
    assert text.count("\n") == 1 and text.endswith("stars.csv: line 3: ra is 'x'\n")
    assert "Traceback" not in capsys.readouterr().err


def test_program_error_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(SystemExit), job(tmp_path / "rule.log"):
        raise ZeroDivisionError("unlucky")
    text = (tmp_path / "rule.log").read_text()
    assert "Traceback" in text and "unlucky" in text and "bug in the program" in text


def test_successful_job_logs_and_returns(tmp_path: Path) -> None:
    with job(tmp_path / "rule.log"):
        logging.getLogger("claran_core.x").info("hello")
    assert "hello" in (tmp_path / "rule.log").read_text()


def test_progress_is_logged_at_intervals_and_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="claran_core")
    quiet = Progress("steps", 1000, interval_s=1000)
    for _ in range(1000):
        quiet.step()
    assert len(caplog.records) == 1 and "1000 of 1000" in caplog.text
    caplog.clear()
    chatty = Progress("steps", 3, interval_s=0)
    for _ in range(3):
        chatty.step()
    assert len(caplog.records) == 3


def test_full_disk_ends_in_one_line(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    with pytest.raises(SystemExit), job(log):
        raise OSError(errno.ENOSPC, "No space left on device", "results/fused/D4/00000.npy")
    assert "results/fused/D4/00000.npy: No space left on device; correct this" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_text_from_outside_neither_forges_lines_nor_controls_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "x\x1b]0;owned\x07\n2026 INFO claran: all is well \udce9"
    with pytest.raises(SystemExit), job(tmp_path / "rule.log"):
        logging.getLogger("claran_core.x").warning("%s: left out", hostile)
        raise InputError(f"{hostile}: line 3")
    text = (tmp_path / "rule.log").read_text()
    assert text.count("\n") == 2 and text.count("x\\x1b]0;owned\\x07\\n2026 INFO") == 2
    assert "\x1b" not in text and "\x1b" not in capsys.readouterr().err


def test_messages_of_tracebacks_are_escaped_line_by_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit), job(tmp_path / "rule.log"):
        raise ValueError("bell\a")
    text = (tmp_path / "rule.log").read_text()
    assert "Traceback" in text and text.endswith("ValueError: bell\\x07\n")
