"""Checkpoints: files from which a training resumes.

They contain only tensors and plain types, and a damaged file is never used.
"""

import hashlib
import json
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # the name only: `torch.load(weights_only=True)` raises it
from typing import Any

import torch

from claran_core.common.files import atomic_path

__all__ = ["fingerprint", "read_checkpoint", "write_checkpoint"]

logger = logging.getLogger(__name__)


def fingerprint(facts: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of all that determines a training; a checkpoint belongs to one fingerprint."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def write_checkpoint(path: Path, content: Mapping[str, Any], *, fingerprint: str) -> None:
    """Write a checkpoint, atomically.

    Parameters
    ----------
    path : Path
        File to write.
    content : mapping
        Tensors and plain types.
    fingerprint : str
        Fingerprint of the training.
    """
    with atomic_path(path) as temporary:
        torch.save({"fingerprint": fingerprint, **content}, temporary)


def read_checkpoint(path: Path, *, fingerprint: str) -> dict[str, Any] | None:
    """Return what `write_checkpoint` wrote, or None if there is no checkpoint of this training.

    A damaged checkpoint, and one of another training, gives a warning.
    """
    if not path.exists():
        return None
    checkpoint = _read(path)
    if checkpoint is None:
        logger.warning("%s: damaged or not a checkpoint; training starts from the beginning", path)
    elif checkpoint["fingerprint"] != fingerprint:
        logger.warning("%s: made with other settings or data; training starts from the beginning", path)
    else:
        return checkpoint
    return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        # `torch.load` does not verify checksums, so a flipped bit would change a weight.
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, RuntimeError, UnpicklingError, EOFError, OSError, ValueError, KeyError):
        return None
    return checkpoint if isinstance(checkpoint, dict) and "fingerprint" in checkpoint else None
