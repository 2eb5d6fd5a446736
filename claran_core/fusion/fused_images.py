"""Read the fused images of one shard and their index."""

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common import tables
from claran_core.common.errors import InputError
from claran_core.common.files import read_array, read_table
from claran_core.common.flags import Flag

__all__ = ["check_images", "checksum", "has_radio", "open_shard"]


def open_shard(fused_path: Path, index_path: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Memory-map the fused images of one shard and read their index.

    Returns
    -------
    images : (N, ny, nx, 3) uint8 array
        RGB images, read-only, row 0 in the north.
    index : DataFrame
        N rows of `claran_core.common.tables.FUSED`, in the order of the images.

    Raises
    ------
    InputError
        If a file cannot be read, or the files disagree.
    """
    images = read_array(fused_path)
    index = read_table(index_path, tables.FUSED.names)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise InputError(
            f"{fused_path}: holds {images.dtype} {images.shape}, not uint8 RGB images (n, ny, nx, 3); "
            "remove it and rerun fusion"
        )
    if len(images) != len(index):
        raise InputError(
            f"{fused_path}: {len(images)} images, but {len(index)} rows in {index_path.name}; "
            "remove both and rerun fusion"
        )
    return images, index


def checksum(image: np.ndarray) -> int:
    """Return the CRC-32 of the bytes of an image, as the index has it."""
    return zlib.crc32(np.ascontiguousarray(image).data)


def check_images(images: np.ndarray, index: pd.DataFrame, rows: Iterable[int], path: Path) -> None:
    """Refuse images whose pixels differ from those that fusion wrote.

    Parameters
    ----------
    images, index
        Result of `open_shard`.
    rows : iterable of int
        Images to compare with their checksums.
    path : Path
        File of the images, for the message.

    Raises
    ------
    InputError
        If a checksum differs.
    """
    expected = index["crc32"].to_numpy()
    for row in rows:
        if checksum(images[row]) != expected[row]:
            raise InputError(
                f"{path}: the image of {index['subject_id'].iloc[row]} is damaged (its checksum differs); "
                "remove the file and rerun fusion"
            )


def has_radio(index: pd.DataFrame) -> np.ndarray:
    """Return which images (N,) of an index contain radio data."""
    return (index["flags"].to_numpy() & int(Flag.RADIO_MISSING)) == 0
