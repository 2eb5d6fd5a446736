"""Hosts of the sources of RadioGalaxyNET: a learned choice among maxima of W1 and places of the radio source.

A host may be invisible in W1 or blended with a brighter source there, so places of the radio source are
options too.  The place returned is the option with the largest probability of hosts within `HIT_PX`.
"""

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from benchmarks.science.galaxy_islands import COCO_SHIFT_PX, GalaxyImage

__all__ = ["HIT_PX", "KEYPOINT_SHIFT_PX", "HostModel", "host_options", "train_hosts"]

# A host is right within this distance of the keypoint.
HIT_PX = 3.0

# Keypoints lie this much to the right of, and below the maxima of W1 (fitted to the training images).
KEYPOINT_SHIFT_PX = 1.0

# Faintest maximum of W1, and distance beyond the box of a source in which maxima are options.
FAINTEST, MARGIN_PX = 8, 4.0

# Numbers of an option, neurons, and passes over the sources.
N_NUMBERS, WIDTH, EPOCHS = 13, 48, 150


def host_options(image: GalaxyImage, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the options for the host of a source.

    Parameters
    ----------
    image : GalaxyImage
        Its image.
    box : (4,) array
        Edges of the source, pixels of the annotations.

    Returns
    -------
    places : (k, 2) float64 array
        Positions ``x y`` of the options in pixels of the keypoints, the middle of the box first.
    numbers : (k, N_NUMBERS) float64 array
        What is known of each.
    """
    x1, y1, x2, y2 = box + COCO_SHIFT_PX
    columns, rows = (slice(max(int(a - MARGIN_PX), 0), int(b + MARGIN_PX)) for a, b in ((x1, x2), (y1, y2)))
    corner = np.array([columns.start, rows.start])
    infrared = image.infrared[rows, columns].astype(float)
    smooth = ndimage.gaussian_filter(infrared, 0.6)
    is_maximum = (smooth == ndimage.maximum_filter(smooth, 3)) & (infrared > FAINTEST)
    maxima = np.argwhere(is_maximum)[:, ::-1] + corner
    y, x = np.nonzero(image.radio[rows, columns])
    weight = image.radio[rows, columns][y, x]
    pixels = np.stack([x, y], axis=1) + corner
    brightest = pixels[weight.argmax()].astype(float)
    centroid = np.average(pixels, axis=0, weights=weight)
    middle = np.array([x1 + x2 - 1, y1 + y2 - 1]) / 2
    places = np.concatenate([[middle, centroid, brightest], maxima])
    extent = float(np.hypot(x2 - x1, y2 - y1))
    at = np.clip(np.rint(places).astype(int), 0, np.array(image.infrared.shape[::-1]) - 1)
    numbers = np.zeros((len(places), N_NUMBERS))
    numbers[np.arange(3), np.arange(3)] = 1.0
    numbers[3:, 3] = 1.0
    numbers[:, 4] = image.infrared[at[:, 1], at[:, 0]] / 255.0
    numbers[:, 5] = image.radio[at[:, 1], at[:, 0]]
    for column, place in ((6, middle), (7, centroid), (8, brightest)):
        apart = np.hypot(*(places - place).T)
        numbers[:, column], numbers[:, column + 3] = apart / extent, np.minimum(apart, 20.0) / 10
    numbers[:, 12] = np.log(extent) - 3.5
    return places + KEYPOINT_SHIFT_PX, numbers


class HostModel(nn.Module):
    """Scores options one by one; their softmax is the probability that each is the host."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(N_NUMBERS, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 1)
        )

    def forward(self, numbers: torch.Tensor, source: torch.Tensor, count: int) -> torch.Tensor:
        """Return the logarithms of the probabilities of options (k,) of `count` sources."""
        scores = self.layers(numbers)[:, 0]
        total = torch.zeros(count).index_add(0, source, scores.exp())
        return scores - total.log()[source]

    @torch.inference_mode()
    def choose(self, places: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the place (2,) that most probably has the host within `HIT_PX`."""
        values = torch.tensor(numbers, dtype=torch.float32)
        chance = self(values, torch.zeros(len(values), dtype=torch.int64), 1).exp().numpy()
        near = np.hypot(*(places[:, None] - places).transpose(2, 0, 1)) <= HIT_PX
        return places[int((near @ chance).argmax())]


def train_hosts(options: list[tuple[np.ndarray, np.ndarray]], hosts: np.ndarray, *, seed: int) -> HostModel:
    """Train on the options of sources (`host_options`) and their keypoints (n, 2).

    The probability that an option within `HIT_PX` of the keypoint is chosen is maximised; sources without
    such an option have no influence.
    """
    hits = [np.hypot(*(places - host).T) <= HIT_PX for (places, _), host in zip(options, hosts, strict=True)]
    used = [k for k, own in enumerate(hits) if own.any()]
    source = torch.tensor(np.repeat(np.arange(len(used)), [len(hits[k]) for k in used]))
    numbers = torch.tensor(np.concatenate([options[k][1] for k in used]), dtype=torch.float32)
    right = torch.tensor(np.concatenate([hits[k] for k in used]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = HostModel()
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.05)
        for _ in range(EPOCHS):
            logs = model(numbers, source, len(used))
            chance = torch.zeros(len(used)).index_add(0, source, logs.exp() * right)
            loss = -chance.clamp(min=1e-9).log().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model
