"""Which images of a folder are images of the survey, where others show the same area.

Folders hold maps of noise, weights, residuals or other Stokes parameters beside the images, on the same
pixels.  They are told apart by their headers, units and names, and if these say nothing, by their pixels;
never by the order of the files.  An image in a unit of another kind is refused, and so are images of the same
pixels that contradict each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from claran_core.common.noise import noise_sigma
from claran_core.survey.fits_image import READ_ERRORS, FitsImage, read_window, scan_file
from claran_core.survey.footprint import PixelWindow
from claran_core.survey.image_content import product_named
from claran_core.survey.surveys import Survey
from claran_core.survey.units import unit_factor, unit_problem

__all__ = ["Choice", "choose_images"]

# Largest distance between the centres of images of the same area, in radii of the smaller one, and largest
# difference of their radii; the same for images on the same pixels.
SAME_AREA, SAME_RADIUS = 0.1, 0.25
SAME_PIXELS = 1e-3
# Side of the part of an image, around its middle, whose pixels are compared.
SAMPLE_PX = 1024
# Interferometers do not measure the mean: in their images about half of the pixels without source are
# negative, in a map of noise or weights none.
MAX_NEGATIVE = 0.001
# Two images contradict each other if their bright pixels differ by more than this fraction, in the median.
BRIGHT_SIGMA, MIN_BRIGHT_PX, MAX_DIFFERENCE = 10.0, 10, 0.5

# Pixels (in the survey's unit) of the middle of the image in a row; None if they cannot be read.
Sample = Callable[[int], np.ndarray | None]


@dataclass
class Choice:
    """Images that are not used, by row of the index: the reason.

    Attributes
    ----------
    refused : dict of int to str
        Images that contradict the settings or each other; a subject that only they show has failed.
    passed_over : dict of int to str
        Maps that are no images of the sky.
    """

    refused: dict[int, str] = field(default_factory=dict)
    passed_over: dict[int, str] = field(default_factory=dict)

    def remaining(self, rows: list[int]) -> list[int]:
        """Return the rows that are used so far."""
        return [row for row in rows if row not in self.refused and row not in self.passed_over]


def choose_images(rows: pd.DataFrame, folder: Path, survey: Survey) -> Choice:
    """Find out which images of a folder are not used.

    Parameters
    ----------
    rows : DataFrame
        Columns ``file, name, reason, content, unit, x, y, z, radius_deg`` of
        `claran_core.common.tables.IMAGES`.
    folder : Path
        The folder.
    survey : Survey
        Survey that the images should show.
    """
    choice = Choice()
    readable = np.flatnonzero(rows["reason"] == "").tolist()
    names, units, contents = (rows[column].tolist() for column in ("name", "unit", "content"))
    for row in readable:
        problem = unit_problem(units[row], survey)
        if contents[row]:
            choice.passed_over[row] = contents[row]
        elif problem:
            choice.refused[row] = problem
    used = choice.remaining(readable)
    if used:
        places = _Places(rows, used)
        sample = _sampler(rows, folder, survey)
        _judge_names(choice, places, names, sample, survey)
        for group in places.on_the_same_pixels(choice.remaining(used)):
            _judge_units(choice, group, names, units)
            _judge_pixels(choice, choice.remaining(group), names, sample, survey)
    return choice


class _Places:
    """Where images lie; finds those of the same area."""

    def __init__(self, rows: pd.DataFrame, used: list[int]) -> None:
        self.used = np.array(used)
        self.centres = rows[["x", "y", "z"]].to_numpy(float)
        self.radii = np.deg2rad(rows["radius_deg"].to_numpy(float))
        self.tree = cKDTree(self.centres[self.used])

    def near(self, row: int, distance: float, difference: float) -> list[int]:
        """Return the other rows whose centre and radius agree, relative to the radius."""
        radius = self.radii[row]
        found = self.used[self.tree.query_ball_point(self.centres[row], distance * radius)]
        alike = np.abs(self.radii[found] / radius - 1) <= difference
        return sorted(int(other) for other in found[alike] if other != row)

    def on_the_same_pixels(self, rows: list[int]) -> list[list[int]]:
        """Return the groups of at least two of the rows with the same footprint."""
        left, groups = set(rows), []
        for row in rows:
            if row in left:
                group = [row, *(other for other in self.near(row, SAME_PIXELS, SAME_PIXELS) if other in left)]
                left -= set(group)
                groups += [group] * (len(group) > 1)
        return groups


def _judge_names(choice: Choice, places: _Places, names: list[str], sample: Sample, survey: Survey) -> None:
    """Pass over maps that their names tell from an image of the same area.

    A map alone in its area is believed to be one if its pixels agree.
    """
    for row in places.used.tolist():
        beside = places.near(row, SAME_AREA, SAME_RADIUS)
        told = [(product_named(names[row], names[other]), names[other]) for other in beside]
        found = [f"{product}, beside {other}" for product, other in told if product]
        alone = product_named(names[row]) if not beside else ""
        if alone and survey.band == "radio" and _never_negative(sample(row)):
            found = [f"{alone}, and no pixel is negative"]
        if found:
            choice.passed_over[row] = found[0]


def _judge_units(choice: Choice, group: list[int], names: list[str], units: list[str]) -> None:
    """Pass over maps without unit on the pixels of an image that states one."""
    stating = [row for row in group if units[row].strip()]
    for row in group:
        if stating and row not in stating:
            choice.passed_over[row] = f"it states no unit, beside {names[stating[0]]}, which does"


def _judge_pixels(choice: Choice, group: list[int], names: list[str], sample: Sample, survey: Survey) -> None:
    """Pass over maps whose pixels cannot be an image; refuse images that contradict each other."""
    samples = {row: pixels for row in group if len(group) > 1 and (pixels := sample(row)) is not None}
    if survey.band == "radio":
        positive = [row for row, pixels in samples.items() if _never_negative(pixels)]
        images = [row for row in samples if row not in positive]
        for row in positive if images else []:
            choice.passed_over[row] = f"noise or weights (no pixel is negative), beside {names[images[0]]}"
            del samples[row]
    for row, pixels in list(samples.items())[1:]:
        first = next(iter(samples))
        if _contradict(samples[first], pixels):
            for one, other in ((row, first), (first, row)):
                choice.refused.setdefault(
                    one,
                    f"its pixels contradict those of {names[other]}, which shows the same area; exclude "
                    f"the one that is no image of {survey.name} with survey.{survey.role}.pattern",
                )


def _never_negative(pixels: np.ndarray | None) -> bool:
    if pixels is None:
        return False
    finite = pixels[np.isfinite(pixels)]
    return finite.size > 0 and np.count_nonzero(finite < 0) <= MAX_NEGATIVE * finite.size


def _contradict(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two images of the same pixels differ where either is bright."""
    if one.shape != other.shape:
        return False
    both = np.isfinite(one) & np.isfinite(other)
    levels = [image[both] - np.median(image[both]) for image in (one, other)] if both.any() else []
    if not levels:
        return False
    above = [np.abs(level) > BRIGHT_SIGMA * noise_sigma(level) for level in levels]
    bright = above[0] | above[1]
    if np.count_nonzero(bright) < MIN_BRIGHT_PX:
        return False
    first, second = (level[bright] for level in levels)
    difference = np.abs(first - second) / np.maximum(np.abs(first), np.abs(second))
    return bool(np.median(difference) > MAX_DIFFERENCE)


def _sampler(rows: pd.DataFrame, folder: Path, survey: Survey) -> Sample:
    """Return the function that reads the pixels to compare."""
    files, names = rows["file"].tolist(), rows["name"].tolist()

    @lru_cache(maxsize=1)  # rows are sorted by file
    def images_of(file: str) -> list[FitsImage]:
        return scan_file(folder / file, file)[0]

    def sample(row: int) -> np.ndarray | None:
        images = [image for image in images_of(files[row]) if image.name == names[row]]
        if not images:
            return None
        ny, nx = images[0].footprint.shape
        (y0, y1), (x0, x1) = _middle(ny), _middle(nx)
        try:
            pixels = read_window(images[0], PixelWindow(y0, y1, x0, x1, complete=False))
        except READ_ERRORS:  # found again, and reported, where a subject needs it
            return None
        return pixels * np.float32(unit_factor(images[0].unit, survey, images[0].beam) or 1.0)

    return sample


def _middle(size: int) -> tuple[int, int]:
    start = max(0, (size - SAMPLE_PX) // 2)
    return start, min(size, start + SAMPLE_PX)
