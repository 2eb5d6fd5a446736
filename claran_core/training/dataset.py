"""Fused images with their true sources, for training.

The images stay on disk: shards are memory-mapped and read one batch at a time.  Subjects are ordered by their
id, so the result does not depend on the shards.  The id also seeds every random choice for a subject, so the
result does not depend on the batches.
"""

import copy
import dataclasses
import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.errors import InputError
from claran_core.common.files import read_table
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.neighbours import is_near
from claran_core.common.origins import Origin, check_run, origins_of
from claran_core.components.component_table import (
    NO_COMPONENTS,
    NOMINAL_LEVEL,
    PLAIN_COLUMNS,
    SubjectComponents,
    components_by_subject,
)
from claran_core.fusion.fused_images import check_images, has_radio, open_shard
from claran_core.model.layers.types import Ownership, Truth
from claran_core.settings.training import Augmentation
from claran_core.training.ownership import NO_UNITS, read_owners

__all__ = [
    "AUGMENTATIONS",
    "FusedDataset",
    "FusedShard",
    "TrainingBatch",
    "orient",
    "oriented",
    "subject_seed",
]

logger = logging.getLogger(__name__)

# Orientations of each augmentation, as codes of `orient`.  `flip` is that of the paper (section 4.1).  All
# eight orientations of the square are exact, because true boxes are squares (RGZ DR1).
AUGMENTATIONS: Mapping[Augmentation, tuple[int, ...]] = {
    "none": (0,),
    "flip": (0, 4),
    "dihedral": tuple(range(8)),
}

# Streams of random numbers: orientation, and contour levels.
AUGMENTATION_STREAM = 1
LEVEL_STREAM = 4


@dataclasses.dataclass(frozen=True)
class FusedShard:
    """Files of one shard: fused images, their index, the components and their true sources."""

    images: Path
    index: Path
    components: Path
    owners: Path

    def origins(self) -> dict[str, Origin]:
        """Return what each table was made from, by name."""
        return origins_of(fused=self.index, components=self.components, owners=self.owners)


class TrainingBatch(NamedTuple):
    """Images (n, ny, nx, 3) uint8 of some subjects, their true sources, their units and the units' owners."""

    images: np.ndarray
    truths: list[Truth]
    components: list[SubjectComponents]
    owners: list[Ownership]


def orient(image: np.ndarray, boxes: np.ndarray, code: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and its boxes in one of the eight orientations of a square, without resampling.

    Parameters
    ----------
    image : (ny, nx, ...) array
        An image of the frame; quarter turns swap its height and width.
    boxes : (M, 4) array
        Corners ``x1 y1 x2 y2`` in pixels.
    code : int
        0 to 7.  Codes from 4 first mirror the image in x (``x1' = W - x2, x2' = W - x1``, paper section 4.1).
        Then follow ``code % 4`` quarter turns anticlockwise.
    """
    if code >= 4:
        image = image[:, ::-1]
        x1, y1, x2, y2 = boxes.T
        boxes = np.stack([image.shape[1] - x2, y1, image.shape[1] - x1, y2], axis=1)
    for _ in range(code % 4):
        width = image.shape[1]
        x1, y1, x2, y2 = boxes.T
        boxes = np.stack([y1, width - x2, y2, width - x1], axis=1)
        image = np.rot90(image)
    return image, boxes


class FusedDataset:
    """The subjects of one split, from any number of shards, in the order of their ids.

    Subjects without a radio image are left out.  Subjects without labels are included, as examples of fields
    without a source.

    Parameters
    ----------
    shards : sequence of FusedShard
        Files of each shard.
    targets : sequence of Path
        Target tables, which give the split of each subject (`Results.shard_targets` of all shards).
    labels : Path
        True sources of all shards (`Results.labels`).
    split : str
        ``train``, ``test`` or ``none``.
    class_names : sequence of str
        Classes 1, 2, .. of the labels, in order.
    keep_apart_arcsec : float
        Subjects closer than this to a subject of the test split are left out, because they may show its
        sources.

    Attributes
    ----------
    subject_ids : (N,) object array
        Ids, in ascending order.
    positions_deg : (N, 2) array
        Right ascension and declination of the centres, deg.
    frame_px : int
        Height and width of the images, px.
    class_names : tuple of str
        Classes 1, 2, .. in order.
    n_labels : int
        Number of true sources in all subjects.

    Raises
    ------
    InputError
        If a file cannot be read, or two files contradict each other.
    """

    def __init__(
        self,
        shards: Sequence[FusedShard],
        *,
        targets: Sequence[Path],
        labels: Path,
        split: str = "train",
        class_names: Sequence[str] = MORPHOLOGIES,
        keep_apart_arcsec: float = 0.0,
    ) -> None:
        check_run(origins_of(run_labels=labels), [files.origins() for files in shards])
        self.class_names = tuple(class_names)
        self._images: list[np.ndarray] = []
        self._indexes: list[pd.DataFrame] = []
        self._paths = [files.images for files in shards]
        self._components: dict[str, dict[float, SubjectComponents]] = {}
        self._owners: dict[str, dict[float, Ownership]] = {}
        frames = [self._open(files, number) for number, files in enumerate(shards)]
        self.frame_px = _common_size(self._images, shards)
        rows = pd.concat(frames, ignore_index=True).sort_values("subject_id", ignore_index=True)
        rows = rows[_in_split(rows["subject_id"], targets, split)]
        if keep_apart_arcsec > 0:
            rows = _kept_apart(rows, targets, keep_apart_arcsec)
        self.subject_ids = rows["subject_id"].to_numpy(dtype=object)
        self.positions_deg = rows[["ra", "dec"]].to_numpy(dtype=float)
        self._shard = rows["shard"].to_numpy()
        self._row = rows["row"].to_numpy()
        self._read_labels(labels)

    def _open(self, files: FusedShard, number: int) -> pd.DataFrame:
        images, index = open_shard(files.images, files.index)
        self._images.append(images)
        self._indexes.append(index)
        components = read_table(files.components, PLAIN_COLUMNS)
        self._components |= components_by_subject(components)
        self._owners |= read_owners(files.owners, components, self.class_names)
        rows = index[["subject_id", "ra", "dec"]].assign(shard=number, row=range(len(index)))
        return rows[has_radio(index)]

    def _read_labels(self, path: Path) -> None:
        columns = ["subject_id", "label_id", *BOX_COLUMNS, "morphology"]
        labels = read_table(path, columns)
        labels = labels[labels["subject_id"].isin(self.subject_ids)]
        _check_labels(labels, path, self.frame_px, self.class_names)
        labels = labels.sort_values(["subject_id", "label_id"], kind="stable")
        owner = labels["subject_id"].to_numpy(dtype=object)
        self._first = np.searchsorted(owner, self.subject_ids, side="left")
        self._last = np.searchsorted(owner, self.subject_ids, side="right")
        self._boxes = labels[BOX_COLUMNS].to_numpy(dtype="<f4")
        classes = [self.class_names.index(name) + 1 for name in labels["morphology"]]
        self._classes = np.array(classes, dtype="<i8")
        self.n_labels = len(labels)

    def __len__(self) -> int:
        """Return the number of subjects."""
        return len(self.subject_ids)

    def subset(self, chosen: np.ndarray) -> "FusedDataset":
        """Return the subjects for which `chosen` (N,) is true."""
        part = copy.copy(self)
        part.subject_ids, part.positions_deg = self.subject_ids[chosen], self.positions_deg[chosen]
        part._shard, part._row = self._shard[chosen], self._row[chosen]
        part._first, part._last = self._first[chosen], self._last[chosen]
        part.n_labels = int((part._last - part._first).sum())
        return part

    def images(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read the images of some subjects, (n, ny, nx, 3) uint8.

        Raises
        ------
        InputError
            If an image is damaged.
        """
        read = [self._image(self._shard[i], self._row[i]) for i in indices]
        return np.stack(read) if read else np.empty((0, self.frame_px, self.frame_px, 3), np.uint8)

    def _image(self, shard: int, row: int) -> np.ndarray:
        """Return one image, after a comparison with its checksum."""
        check_images(self._images[shard], self._indexes[shard], [row], self._paths[shard])
        return self._images[shard][row]

    def truths(self, indices: Sequence[int] | np.ndarray) -> list[Truth]:
        """Return the true sources of some subjects, in the order of their label ids."""
        return [_truth(*self._truth_arrays(i)) for i in indices]

    def components(self, indices: Sequence[int] | np.ndarray) -> list[SubjectComponents]:
        """Return the units of some subjects by the contour rule."""
        return [self._units(i, NOMINAL_LEVEL)[0] for i in indices]

    def batch(
        self, indices: Sequence[int] | np.ndarray, *, augmentation: Augmentation, seed: int, epoch: int
    ) -> TrainingBatch:
        """Return some subjects, each in a random orientation of `augmentation`.

        Units are those of a random contour level, or of the nominal level without augmentation.  Orientation
        and level depend on seed, epoch and subject only, not on the batch.
        """
        codes = AUGMENTATIONS[augmentation]
        batch = TrainingBatch(self.images(indices), [], [], [])
        for position, i in enumerate(indices):
            boxes, classes = self._truth_arrays(i)
            key = {"seed": seed, "epoch": epoch, "subject_id": self.subject_ids[i]}
            code = codes[_draw(len(codes), AUGMENTATION_STREAM, **key)]
            levels, level = sorted(self._levels(i)), NOMINAL_LEVEL
            if levels and augmentation != "none":
                level = levels[_draw(len(levels), LEVEL_STREAM, **key)]
            batch.images[position], boxes = orient(batch.images[position].copy(), boxes, code)
            components, owners = self._units(i, level)
            batch.truths.append(_truth(boxes, classes))
            batch.components.append(oriented(components, self.frame_px, code))
            batch.owners.append(owners)
        return batch

    def channel_means(self) -> tuple[float, float, float]:
        """Return the mean of each channel over all subjects (paper section 4.1), from exact integer sums.

        Raises
        ------
        InputError
            If there is no subject.
        """
        if not len(self):
            raise InputError("no subject of this split has a radio image; check the ledger of the cut-outs")
        sums = np.zeros(3, dtype=np.uint64)
        for shard, row in zip(self._shard, self._row, strict=True):
            sums += self._image(shard, row).sum(axis=(0, 1), dtype=np.uint64)
        red, green, blue = (int(total) / (len(self) * self.frame_px**2) for total in sums)
        return red, green, blue

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of ids, true sources, pixels, units and owners, equal for any shards."""
        digest = hashlib.sha256()
        for i, subject_id in enumerate(self.subject_ids):
            boxes, classes = self._truth_arrays(i)
            digest.update(f"{subject_id}\n{len(boxes)}\n".encode())
            digest.update(boxes.tobytes() + classes.tobytes())
            digest.update(self._image(self._shard[i], self._row[i]).tobytes())
            for level in sorted(self._levels(i)):
                components, owners = self._units(i, level)
                digest.update(f"{level}\n{len(components)} {len(owners.classes)}\n".encode())
                for values in (*dataclasses.astuple(components), *dataclasses.astuple(owners)):
                    digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def _levels(self, i: int) -> dict[float, SubjectComponents]:
        return self._components.get(self.subject_ids[i], {})

    def _units(self, i: int, level: float) -> tuple[SubjectComponents, Ownership]:
        """Return the units of a subject at a level, and their owners."""
        if level not in self._levels(i):
            return NO_COMPONENTS, NO_UNITS
        return self._levels(i)[level], self._owners[self.subject_ids[i]][level]

    def _truth_arrays(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(self._first[i], self._last[i])
        return self._boxes[rows], self._classes[rows]


def _truth(boxes: np.ndarray, classes: np.ndarray) -> Truth:
    return Truth(
        boxes=torch.from_numpy(boxes.astype(np.float32)), classes=torch.from_numpy(classes.astype(np.int64))
    )


def oriented(components: SubjectComponents, frame_px: int, code: int) -> SubjectComponents:
    """Return the components of a square image in another orientation (`orient`)."""
    blank = np.empty((frame_px, frame_px))
    boxes = orient(blank, components.boxes, code)[1]
    peaks = orient(blank, np.tile(components.peaks, 2), code)[1][:, :2]
    return dataclasses.replace(components, boxes=boxes, peaks=peaks)


def subject_seed(subject_id: str) -> int:
    """Return the number of a subject in seeds: 64 bits of the SHA-256 of its id."""
    return int.from_bytes(hashlib.sha256(subject_id.encode()).digest()[:8], "little")


def _draw(choices: int, stream: int, *, seed: int, epoch: int, subject_id: str) -> int:
    return int(np.random.default_rng([stream, seed, epoch, subject_seed(subject_id)]).integers(choices))


def _common_size(images: list[np.ndarray], shards: Sequence[FusedShard]) -> int:
    size = images[0].shape[1]
    for shard, files in zip(images, shards, strict=True):
        if shard.shape[1:3] != (size, size):
            raise InputError(
                f"{files.images}: images of {shard.shape[1:3]} px, but {size} x {size} px expected as in "
                f"{shards[0].images}; remove it and rerun fusion"
            )
    return size


def _in_split(subject_ids: pd.Series, targets: Sequence[Path], split: str) -> np.ndarray:
    if split not in tables.SPLITS:
        raise ValueError(f"split is {split!r}, not one of {tables.SPLITS}")
    lists = [read_table(path, ["subject_id", "split"]) for path in targets]
    known = pd.concat(lists).set_index("subject_id")["split"]
    for message, wrong in (
        ("in more than one shard; remove the fused images and rerun", subject_ids.duplicated()),
        ("not among the targets; rerun from the targets stage", ~subject_ids.isin(known.index)),
    ):
        if wrong.any():
            raise InputError(f"fused images: subject {subject_ids[wrong].iloc[0]!r} is {message}")
    return (known.loc[subject_ids] == split).to_numpy()


def _kept_apart(rows: pd.DataFrame, targets: Sequence[Path], within_arcsec: float) -> pd.DataFrame:
    lists = pd.concat([read_table(path, ["ra", "dec", "split"]) for path in targets])
    tested = lists.loc[lists["split"] == "test", ["ra", "dec"]].to_numpy(dtype=float)
    near = is_near(rows[["ra", "dec"]].to_numpy(dtype=float), tested, within_arcsec)
    logger.info(
        "%d of %d subjects are left out because they are closer than %g arcsec to a test subject",
        near.sum(),
        len(rows),
        within_arcsec,
    )
    return rows[~near]


def _check_labels(labels: pd.DataFrame, path: Path, frame_px: int, class_names: Sequence[str]) -> None:
    boxes = labels[BOX_COLUMNS].to_numpy(dtype=float)
    inside = (boxes >= 0) & (boxes <= frame_px)  # false for NaN
    good_box = inside.all(axis=1) & (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
    good_class = labels["morphology"].isin(class_names).to_numpy()
    for column, good in (("box", good_box), ("morphology", good_class)):
        if not good.all():
            row = labels.iloc[int(np.argmin(good))]
            value = row["morphology"] if column == "morphology" else row[BOX_COLUMNS].tolist()
            raise InputError(
                f"{path}: label {row['label_id']!r} of {row['subject_id']!r} has {column} {value}, "
                f"not valid in a frame of {frame_px} px with classes {', '.join(class_names)}; "
                "rerun the labels stage"
            )
