"""Fuse the cut-outs of one shard into an array of images and an index table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core.common.cutout import Cutout
from claran_core.common.files import array_writer, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.reprojection import reproject
from claran_core.common.tables import FUSED
from claran_core.fusion.fused_images import checksum
from claran_core.fusion.render import Drawing, Planes, render

__all__ = ["fuse_shard", "make_planes"]

# Flags taken over from the ledger.  All others are computed from the reprojected images.
CARRIED = Flag.SUSPECT_UNIT | Flag.COARSE_PIXELS | Flag.COADDED


def make_planes(
    radio: Cutout | None,
    infrared: Cutout | None,
    frame: Frame,
    *,
    ra_deg: float,
    dec_deg: float,
    sigma: float,
) -> Planes:
    """Reproject both cut-outs of a subject to its frame; a missing cut-out becomes a plane of NaN.

    The noise `sigma` is that of the pixels of the radio cut-out, because interpolation would lower it.
    """
    blank = np.full((frame.size_px, frame.size_px), np.nan, np.float32)
    return Planes(
        radio=blank if radio is None else reproject(radio, frame, ra_deg, dec_deg),
        infrared=blank if infrared is None else reproject(infrared, frame, ra_deg, dec_deg),
        sigma=sigma,
    )


def fuse_shard(
    targets: pd.DataFrame,
    method: str,
    radio: Mapping[str, Cutout],
    infrared: Mapping[str, Cutout],
    noise: Mapping[str, float],
    *,
    frame: Frame,
    drawing: Drawing,
    ledger_path: Path,
    images_path: Path,
    index_path: Path,
    made_from: Mapping[str, str] | None = None,
) -> None:
    """Fuse all subjects of a shard and write images and index.

    Parameters
    ----------
    targets : DataFrame
        Rows of the shard, columns of `claran_core.common.tables.TARGETS`; the images follow their order.
    method : str
        One of `claran_core.fusion.render.METHODS`.
    radio, infrared : mapping of str to Cutout
        Cut-outs of the shard by subject, such as `claran_core.cutouts.cutout_file.read_cutouts` opens.
    noise : mapping of str to float
        Noise of the radio image by subject (`claran_core.components.component_table.read_noise`).
    frame : Frame
        Geometry of the finest subjects.
    drawing : Drawing
        Contour level and fill colour.
    ledger_path : Path
        Ledger of the shard.
    images_path, index_path : Path
        Files to write: images ``(n, ny, nx, 3)`` uint8, and the index (`claran_core.common.tables.FUSED`).
    made_from : mapping of str to str, optional
        Digests of the inputs by name, recorded in the index.

    Raises
    ------
    InputError
        If an input cannot be read.
    """
    carried = _carried_flags(ledger_path)
    rows = []
    progress = Progress(f"{images_path}: subjects fused", len(targets))
    with array_writer(images_path, (len(targets), frame.size_px, frame.size_px, 3), np.uint8) as append:
        target: Any
        for target in targets.itertuples():
            name, own = target.subject_id, frame.at_scale(target.scale)
            planes = make_planes(
                radio.get(name),
                infrared.get(name),
                own,
                ra_deg=target.ra,
                dec_deg=target.dec,
                sigma=noise[name],
            )
            image, n_contours = render(planes, method, drawing)
            append(image)
            rows.append(_index_row(target, planes, n_contours, carried.get(name, Flag(0)), checksum(image)))
            progress.step()
    index = pd.DataFrame(rows, columns=FUSED.names)
    write_table(index_path, index, FUSED, metadata={"method": method}, made_from=made_from)


def _carried_flags(ledger_path: Path) -> dict[str, Flag]:
    """Return the flags that images take over from the ledger, by subject."""
    ledger = read_table(ledger_path, ["subject_id", "flags"])
    carried: dict[str, Flag] = {}
    for name, mask in zip(ledger["subject_id"], ledger["flags"], strict=True):
        carried[name] = carried.get(name, Flag(0)) | (Flag(mask) & CARRIED)
    return carried


def _index_row(target: Any, planes: Planes, n_contours: int, carried: Flag, crc32: int) -> dict[str, object]:
    """Return the row of `claran_core.common.tables.FUSED` for one subject."""
    flags = planes.flags | carried
    if n_contours == 0 and not flags & Flag.RADIO_MISSING:
        flags |= Flag.NO_CONTOUR
    return {
        "subject_id": target.subject_id,
        "ra": target.ra,
        "dec": target.dec,
        "scale": target.scale,
        "sigma": planes.sigma,
        "radio_coverage": planes.radio_coverage,
        "infrared_coverage": planes.infrared_coverage,
        "n_contours": n_contours,
        "flags": int(flags),
        "crc32": crc32,
    }
