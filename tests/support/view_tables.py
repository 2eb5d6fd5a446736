"""Small tables of targets, components and candidates: a sky of points seen by some views."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.catalogue.associate.views import ShardFiles, Sky, read_sky
from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.files import digest_of, write_table
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES, probability_columns
from claran_core.common.sky import offset_to_sky
from claran_core.components.sky_identity import healpix_index

FRAME = Frame()
ZEROS = {"int32": 0, "int64": 0, "float": 0.0, "double": 0.0, "string": "", "bool": False}


def filled(rows: list[dict[str, Any]], schema: pa.Schema) -> pd.DataFrame:
    """Return rows as a table of a schema; what they leave out is zero, empty or an empty list."""
    columns = {}
    for column in schema:
        usual: Any = () if pa.types.is_list(column.type) else ZEROS[str(column.type)]
        columns[column.name] = pd.Series([row.get(column.name, usual) for row in rows], dtype=object)
    return pd.DataFrame(columns)


@dataclass
class ViewTables:
    """Views around one place on the sky, to which components and candidates are added."""

    ra: float = 180.0
    dec: float = 30.0
    targets: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    candidates: list[dict[str, Any]] = field(default_factory=list)

    def view(self, name: str, east: float = 0.0, north: float = 0.0, *, scale: int = 1) -> None:
        """Add a view whose centre is at an offset (arcsec)."""
        ra, dec = offset_to_sky(self.ra, self.dec, east, north)
        self.targets.append({"subject_id": name, "ra": float(ra), "dec": float(dec), "scale": scale})

    def component(
        self,
        view: str,
        east: float,
        north: float = 0.0,
        *,
        size: float = 12.0,
        peaks: list[tuple[float, float, float]] | None = None,
        **columns: Any,
    ) -> int:
        """Add a component and return its identity.

        Parameters
        ----------
        view : str
            Name of the view.
        east, north : float
            Brightest pixel: offset from the common place, arcsec.
        size : float
            Side of the contour box, which is centred on that pixel, arcsec.
        peaks : list of (float, float, float)
            Secondary peaks: offset, and rise in sigma.
        **columns
            Other columns, as `scale`, `snr`, `part_of`, `at_edge`, `n_pixels`.
        """
        target = next(row for row in self.targets if row["subject_id"] == view)
        px = FRAME.pixel_scale_arcsec * target["scale"]
        ra, dec = offset_to_sky(self.ra, self.dec, east, north)
        x, y = Frame(FRAME.size_px, px).sky_to_frame(target["ra"], target["dec"], ra, dec)
        half = 0.5 * size / px
        row = {"scale": 1, "level": 1.0, "part_of": -1, "snr": 20.0, "n_pixels": 30, "at_edge": False}
        row |= {"subject_id": view, "ra": float(ra), "dec": float(dec), "peak_x": x, "peak_y": y}
        row |= dict(zip(BOX_COLUMNS, (x - half, y - half, x + half, y + half), strict=True))
        other = np.array(peaks or np.empty((0, 3)), float)
        places = offset_to_sky(self.ra, self.dec, other[:, 0], other[:, 1])
        row |= dict(zip(("secondary_ra", "secondary_dec"), places, strict=True))
        row |= {"secondary_snr": 10.0 + other[:, 2], "secondary_saddle": np.full(len(other), 10.0)}
        row["component_id"] = int(healpix_index(np.array([ra]), np.array([dec]))[0])
        self.components.append(row | columns)
        return int(self.components[-1]["component_id"])

    def candidate(
        self,
        view: str,
        ids: list[int],
        probability: float,
        *,
        artefact: float = 0.0,
        room: float = 100.0,
        morphology: str = "1C_1P",
        **columns: Any,
    ) -> None:
        """Add a candidate of some units; its probability is that of one class."""
        target = next(row for row in self.targets if row["subject_id"] == view)
        own = probability_columns()[MORPHOLOGIES.index(morphology)]
        row = {"subject_id": view, "scale": target["scale"], "ra": target["ra"], "dec": target["dec"]}
        row |= {"unit_ids": ids, own: probability, "p_artefact": artefact, "room": room, "at_edge": False}
        self.candidates.append(row | columns)

    def write(self, folder: Path, shards: list[list[str]] | None = None) -> list[ShardFiles]:
        """Write the tables; `shards` lists the views of each shard, by default all in one."""
        files = []
        for number, names in enumerate(shards or [[row["subject_id"] for row in self.targets]]):
            shard = ShardFiles(
                *(
                    folder / stage / f"{number:05d}.parquet"
                    for stage in ("targets", "components", "candidates")
                )
            )
            order = {name: k for k, name in enumerate(names)}
            kinds = (
                (shard.targets, self.targets, tables.TARGETS),
                (shard.components, self.components, tables.COMPONENTS),
                (shard.candidates, self.candidates, tables.CANDIDATES),
            )
            facts = {"method": "D1", "model_id": "made up"}
            made_from: dict[str, str] = {}
            for path, rows, schema in kinds:
                own = sorted(
                    (row for row in rows if row["subject_id"] in order),
                    key=lambda row: order[row["subject_id"]],
                )
                write_table(path, filled(own, schema), schema, metadata=facts, made_from=made_from)
                made_from = made_from | {path.parent.name: digest_of(path)}
            files.append(shard)
        return files

    def sky(self, folder: Path) -> Sky:
        """Return the arrays of all views."""
        return read_sky(self.write(folder), FRAME)
