"""Files from which a training goes on: tensors and plain types only, and never a damaged one."""

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
    """SHA-256 (hex) of all that decides a training; a checkpoint serves the training of its own alone."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def write_checkpoint(path: Path, content: Mapping[str, Any], *, fingerprint: str) -> None:
    """Write a checkpoint, atomically.

    Parameters
    ----------
    path : Path
        Where it ends up.
    content : mapping
        Tensors and plain types.
    fingerprint : str
        Of the training it belongs to.
    """
    with atomic_path(path) as temporary:
        torch.save({"fingerprint": fingerprint, **content}, temporary)


def read_checkpoint(path: Path, *, fingerprint: str) -> dict[str, Any] | None:
    """Read what `write_checkpoint` wrote; None, with a warning where there is a file, if it is of no use."""
    if not path.exists():
        return None
    checkpoint = _read(path)
    if checkpoint is None:
        logger.warning("%s: damaged or not a checkpoint; training starts afresh", path)
    elif checkpoint["fingerprint"] != fingerprint:
        logger.warning("%s: made with other settings or data; training starts afresh", path)
    else:
        return checkpoint
    return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        # torch does not look at the checksums it wrote; a flipped bit would pass as a weight.
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, RuntimeError, UnpicklingError, EOFError, OSError, ValueError, KeyError):
        return None
    return checkpoint if isinstance(checkpoint, dict) and "fingerprint" in checkpoint else None
