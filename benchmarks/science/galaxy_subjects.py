"""Subjects of RadioGalaxyNET for the association network: the surroundings of each large island.

A group of islands is a candidate of one subject, that of its largest island.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.science.galaxy_islands import (
    COCO_SHIFT_PX,
    FRAME_PX,
    Seed,
    find_seeds,
    frame_of,
    read_images,
    seed_components,
)
from benchmarks.science.galaxy_shapes import shape_numbers
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_table import SubjectComponents
from claran_core.labels.coco_file import CocoAnnotation
from claran_core.model.association.candidates import find_candidates
from claran_core.model.layers.types import ARTEFACT, Ownership, Truth
from claran_core.settings.training import Augmentation
from claran_core.training.dataset import AUGMENTATIONS, TrainingBatch, orient, oriented, subject_seed

__all__ = ["CLASSES", "GalaxySubjects", "box_ious", "read_subjects"]

# The classes of the data set.
CLASSES = ("FR-I", "FR-X", "FR-II", "R")

# A candidate shows an annotated source if the IoU of their boxes is above this.
SAME_IOU = 0.8

# Stream of random orientations (`numpy.random.default_rng`).
_STREAM = 11

# The association network needs no boxes.
_NO_TRUTH = Truth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


@dataclass(frozen=True)
class GalaxySubjects:
    """N subjects of some images, and the K candidates of which their seeds are the largest member.

    Attributes
    ----------
    image_names : list of str
        Files of all images.
    image_of : (N,) int64 array
        Image of each subject, an index in `image_names`.
    subject_ids : (N,) object array
        Names of the subjects.
    frames : (N, FRAME_PX, FRAME_PX, 3) uint8 array
        Radio image, its deconvolution, and W1.
    components : list of SubjectComponents
        Islands of each subject; the seed is the first.
    owners : list of Ownership
        Annotation of each.
    subject_of : (K,) int64 array
        Subject of each candidate.
    places : (K,) int64 array
        Its place among all candidates of the subject (`find_candidates`).
    boxes : (K, 4) float64 array
        Edges ``x1 y1 x2 y2`` in pixels of the annotations.
    numbers : (K, N_NUMBERS) float64 array
        Its shape (`shape_numbers`).
    labels : (K,) int64 array
        Its class, from 1; 0 if its box is not that of an annotation.
    """

    image_names: list[str]
    image_of: np.ndarray
    subject_ids: np.ndarray
    frames: np.ndarray
    components: list[SubjectComponents]
    owners: list[Ownership]
    subject_of: np.ndarray
    places: np.ndarray
    boxes: np.ndarray
    numbers: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.subject_ids)

    def part(self, chosen: np.ndarray) -> "GalaxySubjects":
        """Return some subjects (n,), without their candidates."""
        none = slice(0)
        return dataclasses.replace(
            self,
            image_of=self.image_of[chosen],
            subject_ids=self.subject_ids[chosen],
            frames=self.frames[chosen],
            components=[self.components[i] for i in chosen],
            owners=[self.owners[i] for i in chosen],
            subject_of=self.subject_of[none],
            places=self.places[none],
            boxes=self.boxes[none],
            numbers=self.numbers[none],
            labels=self.labels[none],
        )

    def batch(
        self, indices: Sequence[int] | np.ndarray, *, augmentation: Augmentation, seed: int, epoch: int
    ) -> TrainingBatch:
        """Return some subjects in random orientations, as `FusedDataset.batch`."""
        codes = AUGMENTATIONS[augmentation]
        drawn = [
            np.random.default_rng([_STREAM, seed, epoch, subject_seed(self.subject_ids[i])]).integers(
                len(codes)
            )
            for i in indices
        ]
        each = [self.oriented([i], codes[int(one)]) for i, one in zip(indices, drawn, strict=True)]
        return TrainingBatch(
            np.concatenate([one.images for one in each]),
            [one.truths[0] for one in each],
            [one.components[0] for one in each],
            [one.owners[0] for one in each],
        )

    def oriented(self, indices: Sequence[int] | np.ndarray, code: int) -> TrainingBatch:
        """Return some subjects in one orientation (`claran_core.training.dataset.orient`)."""
        nothing = np.zeros((0, 4))
        return TrainingBatch(
            np.stack([orient(self.frames[i], nothing, code)[0] for i in indices]),
            [_NO_TRUTH] * len(indices),
            [oriented(self.components[i], FRAME_PX, code) for i in indices],
            [self.owners[i] for i in indices],
        )


def read_subjects(folder: Path, split: str, *, limit: int | None = None) -> GalaxySubjects:
    """Read the subjects of the images of a split, of the first `limit` only if given."""
    names, image_of, ids, frames, components, owners = [], [], [], [], [], []
    subject_of, places, boxes, numbers, labels = [], [], [], [], []
    for number, image in enumerate(read_images(folder, split)):
        if number == limit:
            break
        names.append(image.name)
        for seed in find_seeds(image):
            own = seed_components(seed)
            members = find_candidates(ComponentBatch.of([own])).members
            for place in np.flatnonzero(members[:, 0] == 0):
                units = seed.units[members[place][members[place] >= 0]]
                box = _union(image.islands.boxes[units]) - COCO_SHIFT_PX
                subject_of.append(len(ids))
                places.append(place)
                boxes.append(box)
                numbers.append(shape_numbers(image, units))
                labels.append(_label(box, image.annotations))
            image_of.append(number)
            ids.append(seed.name)
            frames.append(_frame(seed))
            components.append(own)
            owners.append(_ownership(seed))
    return GalaxySubjects(
        names,
        np.array(image_of, np.int64),
        np.array(ids, object),
        np.array(frames, np.uint8).reshape(-1, FRAME_PX, FRAME_PX, 3),
        components,
        owners,
        np.array(subject_of, np.int64),
        np.array(places, np.int64),
        np.array(boxes).reshape(-1, 4),
        np.array(numbers),
        np.array(labels, np.int64),
    )


def box_ious(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union (n,) of a box (4,) and others (n, 4), edges ``x1 y1 x2 y2``."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = np.maximum(sides, 0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return common / (areas - common)


def _union(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _label(box: np.ndarray, annotations: Sequence[CocoAnnotation]) -> int:
    """Return the class of the annotation with the box of a candidate, 0 without one."""
    ious = box_ious(box, np.array([one.box for one in annotations]))
    best = int(ious.argmax())
    return 1 + CLASSES.index(annotations[best].category) if ious[best] > SAME_IOU else 0


def _ownership(seed: Seed) -> Ownership:
    """Return the annotations of the units of a seed.

    One whose largest island is not among the units has no class: none of its groups is a candidate here.
    """
    owner, annotations = seed.image.owners, seed.image.annotations
    sizes = seed.image.islands.sizes
    classes = np.zeros(len(annotations), np.int64)
    for number, annotation in enumerate(annotations):
        own = np.flatnonzero(owner == number)
        if len(own) and own[sizes[own].argmax()] in seed.units:
            classes[number] = 1 + CLASSES.index(annotation.category)
    own = owner[seed.units].astype(np.int64)
    return Ownership(np.where(own < 0, ARTEFACT, own), classes)


def _frame(seed: Seed) -> np.ndarray:
    """Return the image of a seed: the radio image, its deconvolution, and W1."""
    image = seed.image
    radio, sharp = (np.rint(255 * np.clip(one, 0, 1)) for one in (image.radio, image.islands.sharp / 1.5))
    layers = (radio.astype(np.uint8), sharp.astype(np.uint8), image.infrared)
    return np.stack([frame_of(layer, seed.corner) for layer in layers], axis=-1)
