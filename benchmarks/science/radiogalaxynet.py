"""The benchmark RadioGalaxyNET (Gupta et al. 2024): boxes, classes and hosts that others annotated.

    python -m benchmarks.science.radiogalaxynet ../shared/data/radiogalaxynet --fold 0
    python -m benchmarks.science.radiogalaxynet ../shared/data/radiogalaxynet --validation

The first command trains on four fifths of the training images and scores the rest; choices are made by it.
The second trains on all training images and scores the validation images.  Both use the association network
from the weights of D1, trained further on the islands of the images, and a small network of plain shape
numbers; boxes are those of the islands.  Results are with and without the distance from the middle of the
image, on which most annotated sources are centred.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.science.galaxy_hosts import HIT_PX, HostModel, host_options, train_hosts
from benchmarks.science.galaxy_islands import read_images
from benchmarks.science.galaxy_models import (
    combined,
    network_probabilities,
    shape_probabilities,
    train_network,
    train_shapes,
)
from benchmarks.science.galaxy_scores import GalaxyDetections, confusion, exclusive, read_truth, score_boxes
from benchmarks.science.galaxy_shapes import CENTRE_NUMBERS
from benchmarks.science.galaxy_subjects import CLASSES, GalaxySubjects, box_ious, read_subjects
from claran_core.common.errors import ClaranError
from claran_core.common.paths import resolve_path
from claran_core.model.weights import load_weights
from claran_core.model.weights_header import read_info
from claran_core.survey.surveys import SURVEYS

__all__ = ["main", "measure", "measure_hosts"]

# Weights that the association network starts from.
START = "resources/models/D1.safetensors"

# Folds of the cross-validation, weights of the association network against the shape numbers that are
# compared in it, and the one that is used.
N_FOLDS, WEIGHTS, WEIGHT = 5, (0.0, 0.3, 0.5, 0.7, 1.0), 0.3

# Total probability from which a detection counts in the table of confusion.
COUNTED = 0.4

# A keypoint farther than this from the middle of the image is not known from the image's position.
CENTRE_PX, OFF_CENTRE_PX = (225.0, 225.0), 10.0


@dataclass(frozen=True)
class _Part:
    """Subjects of which some are used: (n,) indices of subjects, and the rows of their candidates."""

    data: GalaxySubjects
    subjects: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        return np.flatnonzero(np.isin(self.data.subject_of, self.subjects))

    @property
    def names(self) -> list[str]:
        return [self.data.image_names[k] for k in np.unique(self.data.image_of[self.subjects])]


def measure(
    train: _Part, test: _Part, annotations: Path, *, epochs: int, seed: int
) -> tuple[dict[str, GalaxyDetections], list[str]]:
    """Train and score.

    Parameters
    ----------
    train, test : _Part
        Subjects to train on, and to score.
    annotations : Path
        Annotations of the second.
    epochs : int
        Passes of the association network; 0 leaves it out.
    seed : int
        Seed of everything random.

    Returns
    -------
    detections : dict of str to GalaxyDetections
        With the weight `WEIGHT`; keys ``with the middle``, ``without the middle``.
    lines : list of str
        The scores.
    """
    lines, network, detections = [], None, {}
    truth = read_truth(annotations)
    if epochs:
        began = time.process_time(), time.monotonic()
        start = resolve_path(Path(START))
        info = read_info(start)
        survey = SURVEYS["FIRST"]
        begun, _ = load_weights(start, method="D1", fusion_options=info.fusion_options, survey=survey)
        detector = train_network(
            train.data, train.subjects, epochs=epochs, seed=seed, start=begun, start_path=start
        )
        lines.append(f"association network: {epochs} epochs, {_since(began)}")
        network = network_probabilities(detector, test.data, test.subjects)
    for name, used in (
        ("without the middle", slice(None, -CENTRE_NUMBERS)),
        ("with the middle", slice(None)),
    ):
        began = time.process_time(), time.monotonic()
        rows = train.rows
        model = train_shapes(train.data.numbers[rows][:, used], train.data.labels[rows], seed=seed)
        lines.append(f"shape numbers {name}: {_since(began)}")
        shapes = np.full((len(test.data.labels), 1 + len(CLASSES)), np.nan)
        shapes[test.rows] = shape_probabilities(model, test.data.numbers[test.rows][:, used])
        for weight in WEIGHTS if network is not None else (0.0,):
            both = shapes if network is None else combined((network, shapes), (weight, 1 - weight))
            found = exclusive(test.data, both)
            with_class, without = (
                score_boxes(truth, found, test.names, by_class=by_class) for by_class in (True, False)
            )
            lines.append(
                f"{name}, weight {weight}: 4 classes AP50 {with_class.ap50:.3f} AP {with_class.ap:.3f}, "
                f"one class AP50 {without.ap50:.3f} AP {without.ap:.3f}"
            )
            if weight == WEIGHT or network is None:
                detections[name] = found
    return detections, lines


def _since(began: tuple[float, float]) -> str:
    return f"{time.process_time() - began[0]:.0f} s of one core ({time.monotonic() - began[1]:.0f} s elapsed)"


def measure_hosts(
    folder: Path, split: str, model: HostModel, names: list[str], found: GalaxyDetections | None
) -> str:
    """Return a line on the hosts off the middle, in those images of a split that have one of the names.

    The box of a source is that of the detection that has it (IoU above 0.5), or the annotated one without
    `found`.
    """
    hits, n_hosts, seen = 0, 0, 0
    for image in read_images(folder, split, names):
        for one in image.annotations:
            if not _is_off_centre(one.host):
                continue
            n_hosts += 1
            box = one.box
            if found is not None:
                rows = np.flatnonzero(found.names == image.name)
                ious = box_ious(one.box, found.boxes[rows])
                total = np.where(ious > 0.5, found.probabilities[rows].sum(axis=1), 0.0)
                if not len(rows) or total.max() == 0:
                    continue
                box = found.boxes[rows[total.argmax()]]
            seen += 1
            hits += bool(np.hypot(*(model.choose(*host_options(image, box)) - one.host)) <= HIT_PX)
    boxes = "annotated boxes" if found is None else "detected boxes"
    return f"hosts off the middle, {boxes}: {hits} of {n_hosts} within {HIT_PX:g} px ({seen} with a box)"


def _is_off_centre(host: tuple[float, float]) -> bool:
    return bool(np.hypot(host[0] - CENTRE_PX[0], host[1] - CENTRE_PX[1]) > OFF_CENTRE_PX)


def _host_model(folder: Path, names: list[str], seed: int) -> HostModel:
    options, hosts = [], []
    for image in read_images(folder, "train", names):
        options += [host_options(image, one.box) for one in image.annotations]
        hosts += [one.host for one in image.annotations]
    return train_hosts(options, np.array(hosts), seed=seed)


def _parts(folder: Path, fold: int | None, limit: int | None) -> tuple[_Part, _Part]:
    data = read_subjects(folder, "train", limit=limit)
    everything = np.arange(len(data))
    if fold is None:
        held = read_subjects(folder, "val", limit=limit)
        return _Part(data, everything), _Part(held, np.arange(len(held)))
    # Images in the order of their names, which begin with their place on the sky: a fold is a part of it.
    is_held = data.image_of * N_FOLDS // len(data.image_names) == fold
    return _Part(data, everything[~is_held]), _Part(data, everything[is_held])


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with train/, val/, train.json and val.json")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--fold", type=int, choices=range(N_FOLDS), help="held-out fifth of the training images"
    )
    which.add_argument("--validation", action="store_true", help="score the validation images")
    parser.add_argument("--epochs", type=int, default=3, help="of the association network; 0: without it")
    parser.add_argument("--limit", type=int, help="read only this many images of each split")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    split = "val" if options.validation else "train"
    torch.set_num_threads(2)
    try:
        train, test = _parts(options.folder, options.fold, options.limit)
        annotations = options.folder / f"{split}.json"
        found, lines = measure(train, test, annotations, epochs=options.epochs, seed=options.seed)
        hosts = _host_model(options.folder, train.names, options.seed)
    except (ClaranError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    own = {image.name: image.annotations for image in read_images(options.folder, split, test.names)}
    for name, detections in found.items():
        print(f"confusion {name} ({', '.join(CLASSES)}, none):")
        print(confusion(own, detections, COUNTED))
    for detections in (None, found["without the middle"]):
        print(measure_hosts(options.folder, split, hosts, test.names, detections))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
