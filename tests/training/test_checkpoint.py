"""Checkpoints: content is restored, and damaged or other files are ignored."""

import logging
from pathlib import Path

import pytest
import torch

from claran_core.training.checkpoint import fingerprint, read_checkpoint, write_checkpoint

CONTENT = {
    "epoch": 3,
    "losses": torch.tensor([[1.0, float("nan")]]),
    "optimizer": {"state": {0: torch.ones(2)}},
}


def test_content_is_restored(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "new" / "checkpoint.pt", CONTENT, fingerprint="abc")
    back = read_checkpoint(tmp_path / "new" / "checkpoint.pt", fingerprint="abc")
    assert back is not None and back["epoch"] == 3
    torch.testing.assert_close(back["losses"], CONTENT["losses"], equal_nan=True)
    torch.testing.assert_close(back["optimizer"], CONTENT["optimizer"])


def test_damaged_and_other_checkpoints_are_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "checkpoint.pt"
    logger = logging.getLogger("claran_core.training.checkpoint")
    logger.addHandler(caplog.handler)
    try:
        assert read_checkpoint(path, fingerprint="abc") is None and not caplog.text
        write_checkpoint(path, CONTENT, fingerprint="abc")
        assert read_checkpoint(path, fingerprint="abd") is None
        assert "made with other settings or data" in caplog.text
        path.write_bytes(path.read_bytes()[:-100])
        assert read_checkpoint(path, fingerprint="abc") is None
        assert "damaged or not a checkpoint" in caplog.text
    finally:
        logger.removeHandler(caplog.handler)


def test_fingerprint_depends_on_facts_but_not_on_their_order() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1, "b": [2]}) != fingerprint({"a": 1, "b": [3]})
