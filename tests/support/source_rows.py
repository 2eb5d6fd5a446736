"""Rows of SOURCES made by hand, and the files of shards that hold them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.catalogue.build import ShardTables
from claran_core.catalogue.product.schema import REJECTED, SOURCES
from claran_core.common.files import write_table
from claran_core.common.frame import Frame
from claran_core.common.tables import FUSED

FRAME = Frame()
METADATA = {"model_id": "association-1", "method": "D4"}


def blank(field: pa.Field) -> Any:
    """What a column holds where nothing is said."""
    if pa.types.is_list(field.type):
        return []
    return "" if pa.types.is_string(field.type) else 0


def source_row(
    subject: str, peaks: Sequence[tuple[float, float]], *, n_components: int | None = None, **columns: Any
) -> dict[str, Any]:
    """A source with these peaks (RA, Dec in deg); all of them components if not told otherwise."""
    n = len(peaks) if n_components is None else n_components
    ra, dec = [p[0] for p in peaks], [p[1] for p in peaks]
    middle = {"ra": ra[0] if peaks else 0.0, "dec": dec[0] if peaks else 0.0}
    known = {"subject_id": subject, "method": "D4", "morphology": "1C_1P", "rule_components": n} | middle
    known |= {"peak_ra": ra, "peak_dec": dec, "component_ra": ra[:n], "component_dec": dec[:n]}
    known |= {"component_flux": [1.0] * n, "component_peak_flux": [1.0] * n}
    known |= {
        "angular_size": 15.0,
        "frame_quality": 0.9,
        "source_probability": 0.9,
        "probability": 0.9,
        "box_x2": 9.0,
    }
    return {field.name: blank(field) for field in SOURCES} | known | columns


def sources_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of the type of SOURCES."""
    return pa.Table.from_pylist(list(rows), schema=pa.schema([field.remove_metadata() for field in SOURCES]))


def write_shard_files(
    folder: Path,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    subjects: pd.DataFrame,
    rejected: Sequence[Mapping[str, Any]] = (),
    metadata: Mapping[str, Any] = METADATA,
) -> ShardTables:
    """Write one shard: its sources, what was rejected, and its subjects (subject_id, ra, dec)."""
    files = ShardTables(*(folder / part / f"{name}.parquet" for part in ("index", "sources", "rejected")))
    table = pd.DataFrame(list(rows), columns=SOURCES.names)
    write_table(files.sources, table, SOURCES, metadata=metadata)
    write_table(
        files.rejected, pd.DataFrame(list(rejected), columns=REJECTED.names), REJECTED, metadata=metadata
    )
    index = {field.name: blank(field) for field in FUSED} | {
        c: subjects[c] for c in ("subject_id", "ra", "dec")
    }
    write_table(files.index, pd.DataFrame(index, index=subjects.index), FUSED)
    return files


def grid_sky(
    seed: int, *, side: int = 9, ra_deg: float = 0.0, dec_deg: float = 0.0, n: int = 60
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return overlapping subjects (3 arcmin every 90 arcsec) and the rows of the sources in them.

    Sources have one or three components.  Each subject that shows a source has a row with the components
    that it shows.
    """
    rng = np.random.default_rng(seed)
    steps = (np.arange(side) - (side - 1) / 2) * 90.0
    east, north = (axis.ravel() for axis in np.meshgrid(steps, steps))
    wide = Frame(size_px=4 * side * 66)
    ra, dec = wide.frame_to_sky(ra_deg, dec_deg, *_in_px(wide, east, north))
    subjects = pd.DataFrame({"subject_id": [f"s{k:03d}" for k in range(len(ra))], "ra": ra, "dec": dec})
    rows = []
    for number in range(n):
        middle = rng.uniform(steps[0], steps[-1], 2)
        turn = rng.uniform(0, np.pi)
        along = np.array([-30.0, 30.0, 0.0] if number % 3 == 0 else [0.0])
        places = middle + along[:, None] * [np.cos(turn), np.sin(turn)]
        sky = wide.frame_to_sky(ra_deg, dec_deg, *_in_px(wide, *places.T))
        for subject in subjects.itertuples():
            x, y = FRAME.sky_to_frame(subject.ra, subject.dec, *sky)
            seen = (x > 0) & (x < FRAME.size_px) & (y > 0) & (y < FRAME.size_px)
            if seen.any():
                peaks = [(float(a), float(b)) for a, b in zip(sky[0][seen], sky[1][seen], strict=True)]
                quality = round(float(rng.random()) * seen.mean(), 2)
                rows.append(
                    source_row(subject.subject_id, peaks, frame_quality=quality, flags=0, host_w1=number)
                )
    return subjects, rows


def _in_px(frame: Frame, east_arcsec: np.ndarray, north_arcsec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half, scale = frame.size_px / 2, frame.pixel_scale_arcsec
    return half - east_arcsec / scale, half - north_arcsec / scale
