"""Time of exact non-maximum suppression: 12,000 boxes, stopped at 2,000 kept, on one core.

OMP_NUM_THREADS=1 python -m benchmarks.speed.nms
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from claran_core.model.layers.boxes import box_iou, nms

N_BOXES, N_KEPT, MAX_IOU = 12_000, 2_000, 0.7


def scattered(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return random boxes of 16..300 px in the 600 px image of the paper; few overlap."""
    centres = torch.rand(N_BOXES, 2, generator=generator) * 600
    halves = torch.rand(N_BOXES, 1, generator=generator) * 142 + 8
    return torch.cat([centres - halves, centres + halves], dim=1), torch.rand(N_BOXES, generator=generator)


def clustered(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return boxes jittered around 300 centres, like those of a trained network; most are suppressed."""
    boxes, scores = scattered(generator)
    centres = boxes[torch.randint(0, 300, (N_BOXES,), generator=generator)]
    jitter = torch.randn(N_BOXES, 4, generator=generator) * 0.06 * (centres[:, 2:3] - centres[:, :1])
    return centres + jitter, scores


def plain_loop(boxes: Tensor, scores: Tensor) -> Tensor:
    """Return the boxes kept by the textbook algorithm, one box at a time."""
    order = torch.sort(scores, descending=True, stable=True).indices
    kept = []
    while len(order) and len(kept) < N_KEPT:
        kept.append(order[0])
        rest = order[1:]
        order = rest[box_iou(boxes[order[:1]], boxes[rest])[0] <= MAX_IOU]
    return torch.stack(kept)


def best_of(repeats: int, function: Callable[..., Tensor], *arguments: Tensor) -> tuple[float, Tensor]:
    """Return the shortest time of several calls, s, and the result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times), result


def main() -> None:
    """Print both times and their ratio, and check that both keep the same boxes."""
    argparse.ArgumentParser(description=str(__doc__).splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    for make in (scattered, clustered):
        boxes, scores = make(torch.Generator().manual_seed(1))
        ours, kept = best_of(7, lambda b, s: nms(b, s, max_iou=MAX_IOU, limit=N_KEPT), boxes, scores)
        plain, expected = best_of(2, plain_loop, boxes, scores)
        assert torch.equal(kept, expected)
        print(
            f"{make.__name__:>10}: {len(kept)} kept, {ours * 1e3:.0f} ms; "
            f"plain loop {plain * 1e3:.0f} ms, ratio {plain / ours:.1f}"
        )


if __name__ == "__main__":
    main()
