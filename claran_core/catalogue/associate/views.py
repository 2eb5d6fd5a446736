"""Read the views of all shards: their components and their candidates, as arrays without text.

Views are numbered by scale and name, and all rows are sorted by view.  The arrays are therefore the same
however the sky is cut into shards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.compiled import compiled
from claran_core.common.errors import InputError
from claran_core.common.files import read_arrow, read_metadata
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.morphology import classes_of, probability_columns
from claran_core.common.origins import Origin, check_together, origins_of
from claran_core.common.ragged import Ragged, starts_of
from claran_core.common.read_ahead import read_ahead
from claran_core.common.tables import NATIVE_SCALE
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.contour_rule import MIN_COMPONENT_PX

__all__ = ["Candidates", "Components", "ShardFiles", "Sky", "Views", "read_sky"]

# A secondary peak identifies its component if it rises by this many sigma above its saddle: a lower one may
# be a bump of the noise.
MIN_RISE_SIGMA = 2.0

COMPONENT_COLUMNS = [
    *("component_id", "subject_id", "scale", "level", "part_of", "ra", "dec", "snr", "n_pixels", "at_edge"),
    *("beam_arcsec", "peak_x", "peak_y", *BOX_COLUMNS),
    *("secondary_ra", "secondary_dec", "secondary_snr", "secondary_saddle"),
]
CANDIDATE_COLUMNS = ["subject_id", "p_artefact", "unit_ids", "at_edge", "room"]


class ShardFiles(NamedTuple):
    """Tables of one shard: `TARGETS`, `COMPONENTS` and `CANDIDATES` of `claran_core.common.tables`."""

    targets: Path
    components: Path
    candidates: Path

    def origins(self) -> dict[str, Origin]:
        """Return what each table was made from, by name."""
        return origins_of(targets=self.targets, components=self.components, candidates=self.candidates)


@dataclass(frozen=True)
class Views:
    """All subjects of a run, sorted by scale and name.

    Attributes
    ----------
    names : (n,) pyarrow string array
        `subject_id`.
    scale : (n,) int32 array
        Pixel of the frame in units of the finest.
    shard : (n,) int32 array
        Number of the shard, in the order of the files.
    """

    names: pa.Array
    scale: np.ndarray
    shard: np.ndarray


@dataclass(frozen=True)
class Components:
    """Components of all views at the nominal level, sorted by view.

    Attributes
    ----------
    view : (n,) int32 array
        View that shows the row.
    scale : (n,) int32 array
        Scale of the image it was found in: 1, or that of its view.
    ids : (n,) int64 array
        `component_id`.
    ra, dec : (n,) float64 arrays
        Brightest pixel, deg.
    extent : (n, 4) float32 array
        Distances (arcsec) of the edges of the contour box in the east, west, north and south from the
        brightest pixel.
    snr : (n,) float32 array
        Brightest pixel over the noise.
    usable : (n,) bool array
        Whether it has enough pixels to be part of a source.
    at_edge : (n,) bool array
        Whether it touches the border of the frame or missing pixels.
    beam_arcsec : (n,) float32 array
        FWHM of the beam that the image it was found in states, 0 if it states none.
    parent : (n,) int32 array
        For a row of scale 1 in a coarser view: row of the component whose contour contains it, or -1.
    secondary : Ragged
        Rising secondary peaks of each row: values (m, 2), right ascension and declination, deg.
    """

    view: np.ndarray
    scale: np.ndarray
    ids: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    extent: np.ndarray
    snr: np.ndarray
    usable: np.ndarray
    at_edge: np.ndarray
    beam_arcsec: np.ndarray
    parent: np.ndarray
    secondary: Ragged


@dataclass(frozen=True)
class Candidates:
    """Candidates of all views, sorted by view.

    Attributes
    ----------
    view : (n,) int32 array
        View.
    row : (n,) int32 array
        Row in the file of its shard.
    classes : (n, C) float32 array
        Probabilities of the classes.
    artefact : (n,) float32 array
        Probability of an artefact.
    units : Ragged
        Rows of `Components` that it consists of.
    at_edge : (n,) bool array
        Whether a unit touches the border of the frame or missing pixels.
    room : (n,) float32 array
        Least distance of the units from the border of the frame, arcsec.
    """

    view: np.ndarray
    row: np.ndarray
    classes: np.ndarray
    artefact: np.ndarray
    units: Ragged
    at_edge: np.ndarray
    room: np.ndarray


@dataclass(frozen=True)
class Sky:
    """Views, components and candidates of all shards."""

    views: Views
    components: Components
    candidates: Candidates


def read_sky(shards: Sequence[ShardFiles], frame: Frame) -> Sky:
    """Read the tables of all shards.

    Parameters
    ----------
    shards : sequence of ShardFiles
        Each subject is in one of them.
    frame : Frame
        Geometry of the views of scale 1.

    Raises
    ------
    InputError
        If a file is missing or truncated, lacks columns, was made from another, or contradicts another.
    """
    views, numbers = _read_views([shard.targets for shard in shards])
    classes = probability_columns(classes_of(read_metadata(shards[0].candidates)))
    components, candidates = _Columns(), _Columns()
    progress = Progress("shards read", len(shards))

    def read(shard: ShardFiles) -> tuple[pa.Table, pa.Table]:
        check_together(shard.origins())
        table = read_arrow(shard.components, COMPONENT_COLUMNS)
        nominal = pc.equal(table["level"], NOMINAL_LEVEL)
        found = table if pc.all(nominal).as_py() else table.filter(nominal)
        return found, read_arrow(shard.candidates, [*CANDIDATE_COLUMNS, *classes])

    for files, own, (found, scored) in zip(shards, numbers, read_ahead(read, shards), strict=True):
        names = views.names.take(pa.array(own))
        rows = _Rows.of(_code(found, names, files.components), found, len(own))
        part_of = found["part_of"].to_numpy()
        parent = rows.find(rows.code, part_of, is_coarse=True)
        if ((parent < 0) & (part_of >= 0)).any():
            raise InputError(
                f"{files.components}: component {part_of[(parent < 0) & (part_of >= 0)][0]}, "
                "of which others are part, is missing; remove the file and rerun the components stage"
            )
        columns = _component_columns(found, views.scale[own][rows.code], frame)
        units = _unit_columns(scored, names, rows, files)
        first = components.sizes.get("view", 0)
        parent = np.where(parent >= 0, parent + first, -1).astype(np.int32)
        components.add(columns | {"view": own[rows.code], "parent": parent})
        view = own[units.pop("code")]
        units["units"] += first
        candidates.add(_candidate_columns(scored, classes) | units | {"view": view})
        progress.step()
    return _sorted(views, components, candidates)


class _Columns:
    """Columns to which rows are added, copied so that the memory of the tables becomes free."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.sizes: dict[str, int] = {}

    def add(self, columns: dict[str, np.ndarray]) -> None:
        """Add rows to some columns."""
        for name, values in columns.items():
            size = self.sizes.get(name, 0)
            self.sizes[name] = size + len(values)
            if name not in self.arrays or len(self.arrays[name]) < self.sizes[name]:
                larger = np.empty((2 * self.sizes[name], *values.shape[1:]), values.dtype)
                larger[:size] = self.arrays[name][:size] if size else 0
                self.arrays[name] = larger
            self.arrays[name][size : self.sizes[name]] = values

    def take(self, name: str) -> np.ndarray:
        """Return one column, which is removed."""
        return self.arrays.pop(name)[: self.sizes.pop(name)]


def _read_views(targets: Sequence[Path]) -> tuple[Views, list[np.ndarray]]:
    """Return the views, and the number of the view of each target of each shard."""
    tables = [read_arrow(path, ["subject_id", "scale"]) for path in targets]
    counts = np.array([len(table) for table in tables], np.int64)
    every = pa.concat_tables(tables).combine_chunks()
    order = pc.sort_indices(every, [("scale", "ascending"), ("subject_id", "ascending")]).to_numpy()
    names = every["subject_id"].combine_chunks().take(pa.array(order))
    again = pc.equal(names.slice(1), names.slice(0, max(len(names) - 1, 0)))
    if pc.any(again).as_py():
        name = names[int(np.flatnonzero(again.to_numpy(zero_copy_only=False))[0])].as_py()
        raise InputError(
            f"{targets[0].parent}: subject {name!r} is in this run twice; rerun the targets stage"
        )
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    shard = np.repeat(np.arange(len(tables), dtype=np.int32), counts)
    views = Views(names, every["scale"].to_numpy()[order].astype(np.int32), shard[order])
    return views, np.split(number, np.cumsum(counts)[:-1])


def _code(table: pa.Table, names: pa.Array, path: Path) -> np.ndarray:
    """Return the place in `names` of the subject of each row, int32."""
    found = pc.index_in(table["subject_id"].combine_chunks(), value_set=names)
    if found.null_count:
        name = table["subject_id"].filter(pc.is_null(found))[0].as_py()
        raise InputError(f"{path}: subject {name!r} is no target of this shard; remove the file and rerun")
    return found.to_numpy().astype(np.int32)


@dataclass(frozen=True)
class _Rows:
    """The rows of a shard's components, to be found by subject and identity.

    Attributes
    ----------
    code : (n,) int32 array
        Place of the subject of each row.
    order : (n,) int64 array
        Rows by subject, fine before coarse, then by identity.
    starts : (2 k + 1,) int64 array
        Where the fine and the coarse rows of each of k subjects start in `order`.
    ids : (n,) int64 array
        Identities in that order.
    """

    code: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    ids: np.ndarray

    @classmethod
    def of(cls, code: np.ndarray, table: pa.Table, n_subjects: int) -> "_Rows":
        ids = table["component_id"].to_numpy()
        part = 2 * code.astype(np.int64) + (table["scale"].to_numpy() > NATIVE_SCALE)
        order = np.lexsort((ids, part))
        return cls(code, order, starts_of(np.bincount(part, minlength=2 * n_subjects)), ids[order])

    def find(self, code: np.ndarray, ids: np.ndarray, *, is_coarse: bool) -> np.ndarray:
        """Return the row of each identity among the fine or the coarse rows of a subject, or -1; int64."""
        place = _find(self.starts, self.ids, 2 * code.astype(np.int64) + is_coarse, ids)
        return np.where(place >= 0, self.order[place], -1) if len(self.order) else place


@compiled
def _find(starts: np.ndarray, ids: np.ndarray, part: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the place in `ids` of each wanted one, within its part ``starts[part]`` ..; -1 if it is not."""
    place = np.full(len(wanted), -1, np.int64)
    for k in range(len(wanted)):
        first, end = starts[part[k]], starts[part[k] + 1]
        at = first + np.searchsorted(ids[first:end], wanted[k])
        if at < end and ids[at] == wanted[k]:
            place[k] = at
    return place


def _component_columns(table: pa.Table, view_scale: np.ndarray, frame: Frame) -> dict[str, np.ndarray]:
    """Return the columns of `Components` that follow from each row alone, and the secondary peaks."""
    plain = {name: table[name].to_numpy() for name in COMPONENT_COLUMNS[2:-4] if name != "part_of"}
    px = frame.pixel_scale_arcsec * view_scale
    x, y = plain["peak_x"], plain["peak_y"]
    x1, y1, x2, y2 = (plain[name] for name in BOX_COLUMNS)
    lists = [table[name].combine_chunks() for name in COMPONENT_COLUMNS[-4:]]
    ra, dec, snr, saddle = (column.flatten().to_numpy() for column in lists)
    rises = snr - saddle >= MIN_RISE_SIGMA
    counts = lists[0].value_lengths().to_numpy()
    owner = np.repeat(np.arange(len(table)), counts)[rises]
    return {
        "scale": plain["scale"],
        "ids": table["component_id"].to_numpy(),
        "ra": plain["ra"],
        "dec": plain["dec"],
        "extent": (np.stack([x - x1, x2 - x, y - y1, y2 - y], axis=1) * px[:, None]).astype(np.float32),
        "snr": plain["snr"],
        "usable": plain["n_pixels"] >= MIN_COMPONENT_PX,
        "at_edge": plain["at_edge"],
        "beam_arcsec": plain["beam_arcsec"],
        "n_secondary": np.bincount(owner, minlength=len(table)).astype(np.int32),
        "places": np.stack([ra[rises], dec[rises]], axis=1),
    }


def _unit_columns(table: pa.Table, names: pa.Array, rows: _Rows, files: ShardFiles) -> dict[str, np.ndarray]:
    """Return subject (its place), number of units and units (rows of the shard) of each candidate."""
    code = _code(table, names, files.candidates)
    lists = table["unit_ids"].combine_chunks()
    counts, ids = lists.value_lengths().to_numpy(), lists.flatten().to_numpy()
    of_unit = np.repeat(code, counts)
    units = rows.find(of_unit, ids, is_coarse=True)
    units = np.where(units >= 0, units, rows.find(of_unit, ids, is_coarse=False))
    if (units < 0).any():
        lost = int(np.flatnonzero(units < 0)[0])
        raise InputError(
            f"{files.candidates}: component {ids[lost]} of subject {names[int(of_unit[lost])].as_py()!r} "
            f"is not in {files.components}; remove the file and rerun the inference stage"
        )
    return {"code": code, "n_units": counts, "units": units.astype(np.int32)}


def _candidate_columns(table: pa.Table, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the columns of `Candidates` that follow from each row; `classes` are those of the classes."""
    return {
        "row": np.arange(len(table), dtype=np.int32),
        "classes": np.stack([table[name].to_numpy() for name in classes], axis=1),
        "artefact": table["p_artefact"].to_numpy(),
        "at_edge": table["at_edge"].to_numpy(),
        "room": table["room"].to_numpy(),
    }


def _sorted(views: Views, components: _Columns, candidates: _Columns) -> Sky:
    """Join the parts and sort the rows by view."""
    view = components.take("view")
    order = np.argsort(view, kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    parent = components.take("parent")[order]
    secondary = Ragged(starts_of(components.take("n_secondary")), components.take("places")).take(order)
    plain = ("scale", "ids", "ra", "dec", "extent", "snr", "usable", "at_edge", "beam_arcsec")
    found = Components(
        view=view[order],
        parent=np.where(parent >= 0, place[parent], np.int32(-1)) if len(place) else parent,
        secondary=secondary,
        **{name: components.take(name)[order] for name in plain},
    )
    view = candidates.take("view")
    order = np.argsort(view, kind="stable")
    units = Ragged(starts_of(candidates.take("n_units")), place[candidates.take("units")]).take(order)
    names = ("row", "classes", "artefact", "at_edge", "room")
    scored = Candidates(
        view=view[order], units=units, **{name: candidates.take(name)[order] for name in names}
    )
    return Sky(views, found, scored)
