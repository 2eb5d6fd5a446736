"""Candidate, scored, true and detected sources, as detectors take and return them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["ARTEFACT", "MIXED", "UNKNOWN", "Candidates", "Detections", "Ownership", "Regions", "Truth"]

# Owners of units that no single source owns: no source has enough of its flux, the truth does not say, or
# several sources own parts of it.
ARTEFACT, UNKNOWN, MIXED = -1, -2, -3


@dataclass(frozen=True)
class Candidates:
    """Candidate sources of N subjects, subject after subject, in frame px.

    Attributes
    ----------
    counts : (N,) int64 array
        Number of candidates of each subject; their sum is K.
    boxes : (K, 4) float32 array
        Squares ``x1 y1 x2 y2`` with the extent by the DR1 rule as side; not clipped.
    members : (K, MAX_MEMBERS) int64 array
        Indices of its components in the subject; -1 in unused columns.
    points : (K, N_POINTS, 2) float32 array
        Positions ``x y``: the brightest pixels of the members, then points between linked members.
    is_point : (K, N_POINTS) bool array
        Which points are used.
    features : (K, N_FEATURES) float32 array
        Features of the candidate and its surroundings, each of the order of one.
    """

    counts: np.ndarray
    boxes: np.ndarray
    members: np.ndarray
    points: np.ndarray
    is_point: np.ndarray
    features: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Regions:
    """Scored regions of N subjects, subject after subject, on the CPU.

    Attributes
    ----------
    counts : (N,) int64 array
        Number of regions of each subject; their sum is R.
    boxes : (R, C, 4) float32 tensor
        Box ``x1 y1 x2 y2`` of each region for each class, frame px, clipped to the frame.
    probabilities : (R, C) float32 tensor
        Probability that the region is a source of each class.
    artefact : (R,) float32 tensor
        Probability that it is an artefact or noise; 0 from a detector that does not tell.
    """

    counts: np.ndarray
    boxes: Tensor
    probabilities: Tensor
    artefact: Tensor


@dataclass(frozen=True)
class Truth:
    """True sources of one subject; it may be empty.

    Attributes
    ----------
    boxes : (M, 4) float32 tensor
        Corners ``x1 y1 x2 y2`` in frame pixels.
    classes : (M,) int64 tensor
        Class k, from 1, is ``Detector.class_names[k - 1]``.
    """

    boxes: Tensor
    classes: Tensor

    def rescaled(self, scale: Tensor) -> "Truth":
        """Return the truth on the device of `scale` (4,), with its boxes multiplied by `scale`."""
        boxes = self.boxes.to(scale.device, torch.float32).reshape(-1, 4) * scale
        return Truth(boxes, self.classes.to(scale.device, torch.int64).reshape(-1))


@dataclass(frozen=True)
class Ownership:
    """Which true source owns each unit of one subject (`ComponentBatch`), at the level of these units.

    Attributes
    ----------
    owner : (n,) int64 array
        Source of each unit, 0 to M - 1, or `ARTEFACT`, `UNKNOWN` or `MIXED`.
    classes : (M,) int64 array
        Class of each source, from 1.  0 for a source that is no set of units, because a mixed unit contains a
        part of it; -1 for a source without a class.
    """

    owner: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class Detections:
    """Detected sources of one subject: one row per box and class, most probable first.

    Attributes
    ----------
    boxes : (K, 4) float32 tensor
        Corners ``x1 y1 x2 y2`` in frame pixels, clipped to the frame.
    classes : (K,) int64 tensor
        Class of the row, from 1.
    probabilities : (K, C) float32 tensor
        Softmax over the classes for the region of the row, without the background: rows sum to at most 1.
    regions : (K,) int64 tensor
        Region of the row, from 0 in each subject.
    """

    boxes: Tensor
    classes: Tensor
    probabilities: Tensor
    regions: Tensor

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def scores(self) -> Tensor:
        """(K,) float32 tensor: probability of the class of each row."""
        return self.probabilities.gather(1, self.classes[:, None] - 1).squeeze(1)
