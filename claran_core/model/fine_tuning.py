"""Start a training from the weights of another one, which may have other classes."""

from pathlib import Path

import torch

from claran_core.common.errors import WeightsError
from claran_core.model.layers.detector import Detector

__all__ = ["start_from"]


@torch.no_grad()
def start_from(detector: Detector, start: Detector, path: Path) -> None:
    """Copy the weights of `start` to a detector.

    In the layers that score classes, the rows of the classes that both have are copied, and those of what is
    no class (background, artefacts).  The rows of other classes stay as they are.

    Parameters
    ----------
    detector : Detector
        A new detector.
    start : Detector
        One of the same architecture, with weights.
    path : Path
        Its file, for messages.

    Raises
    ------
    WeightsError
        If another layer has another size.
    """
    rows = _shared_columns(start, detector)
    wanted = detector.state_dict()
    for name, values in start.state_dict().items():
        target = wanted[name]
        if name.rpartition(".")[0] in detector.head_layers:
            _copy_rows(values, target, rows, len(start.class_names) + 1 + start.last_scores)
        elif values.shape != target.shape:
            raise WeightsError(
                f"{path}: tensor {name!r} has shape {tuple(values.shape)}, not {tuple(target.shape)}; "
                f"write model.options: {start.options}, as in its training"
            )
        else:
            target.copy_(values)


def _shared_columns(start: Detector, detector: Detector) -> list[tuple[int, int]]:
    """Return the columns of scores of `start` that `detector` has, and their places there."""
    columns = [
        ["", *one.class_names, *(f"last {k}" for k in range(one.last_scores))] for one in (start, detector)
    ]
    return [(place, columns[1].index(name)) for place, name in enumerate(columns[0]) if name in columns[1]]


def _copy_rows(
    values: torch.Tensor, target: torch.Tensor, columns: list[tuple[int, int]], n_columns: int
) -> None:
    """Copy the rows of some columns of scores."""
    each = len(values) // n_columns
    for source, place in columns:
        target[place * each : (place + 1) * each] = values[source * each : (source + 1) * each]
