"""Sky maps of the subjects and sources of a run, for the report.

The map of the whole sky shows densities; the map of a small area shows each subject's outline and each
source.  A map is data for an SVG drawing: an image of the densities, lines, points and labels, in the units
of the drawing (x to the right, y downwards).
"""

import base64
import io
from dataclasses import dataclass
from typing import Any, TypeVar

import matplotlib
import matplotlib.image
import numpy as np
import pandas as pd

from claran_core.common.frame import Frame
from claran_core.report.projection import HALF_HEIGHT, HALF_WIDTH, Projection, centre_of, hammer, lambert

__all__ = ["MapLabel", "SkyMap", "area_map", "png_data_uri", "whole_sky_map"]

# Cells across the whole sky: 1.8 degrees wide, each 3.2 square degrees.
CELLS_ACROSS = 180

# Areas up to this radius (deg) have a map of their own.  It shows densities if it has more points than this.
MAX_RADIUS_DEG = 45.0
MAX_POINTS = 6000

# Width of the drawings, and the margin for grid labels.
WIDTH = 400.0
MARGIN = 34.0

# Grid steps (deg); the grid has the smallest step with at most this many lines.
STEPS_DEG = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
MAX_LINES = 6
LINE_SAMPLES = 121

# Slightly less than 360 deg, so that a parallel ends at the opposite edge of the map.
FULL_TURN = 360 - 1e-6

# Lightest part of the colour map in use; lighter colours are hard to distinguish from white.
LIGHTEST = 0.3


Coordinate = TypeVar("Coordinate", float, np.ndarray)


@dataclass(frozen=True)
class MapLabel:
    """A text at a position of the drawing, and its anchor."""

    x: float
    y: float
    text: str
    anchor: str


@dataclass(frozen=True)
class SkyMap:
    """A drawing of a part of the sky.

    Attributes
    ----------
    width, height : float
        Size of the drawing.
    left, top, right, bottom : float
        Edges of the map in the drawing.
    grid : str
        SVG path of meridians and parallels.
    labels : tuple of MapLabel
        Labels of the grid.
    cells : str
        Densities as a PNG (data URI) over the area of the map; empty if points are drawn.
    most : int
        Highest count of a cell; 0 if points are drawn.
    outlines : str
        SVG path of the subjects' outlines.
    points : tuple of (str, str)
        Class, and SVG path with a point for each of its sources.
    """

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float
    grid: str
    labels: tuple[MapLabel, ...]
    cells: str = ""
    most: int = 0
    outlines: str = ""
    points: tuple[tuple[str, str], ...] = ()


def whole_sky_map(ra_deg: np.ndarray, dec_deg: np.ndarray) -> SkyMap:
    """Return a map of the densities over the whole sky, in the Hammer-Aitoff projection about RA 180."""
    per_deg = WIDTH / (2 * HALF_WIDTH)
    x, y = hammer(ra_deg, dec_deg)
    counts, _, _ = np.histogram2d(
        y,
        x,
        bins=(CELLS_ACROSS // 2, CELLS_ACROSS),
        range=((-HALF_HEIGHT, HALF_HEIGHT), (-HALF_WIDTH, HALF_WIDTH)),
    )
    around, up = np.linspace(0, FULL_TURN, LINE_SAMPLES), np.linspace(-90, 90, LINE_SAMPLES)
    lines = [hammer(np.full(LINE_SAMPLES, ra), up) for ra in (0, 60, 120, 180, 240, 300, FULL_TURN)]
    lines += [hammer(around, np.full(LINE_SAMPLES, dec)) for dec in (-60, -30, 0, 30, 60)]
    height = 2 * HALF_HEIGHT * per_deg
    return SkyMap(
        width=WIDTH,
        height=height,
        left=0.0,
        top=0.0,
        right=WIDTH,
        bottom=height,
        grid="".join(_path(WIDTH / 2 + x * per_deg, height / 2 - y * per_deg) for x, y in lines),
        labels=tuple(_sky_labels(per_deg, height)),
        cells=_coloured(counts[::-1]),
        most=int(counts.max(initial=0)),
    )


def _sky_labels(per_deg: float, height: float) -> list[MapLabel]:
    places: list[tuple[float, float, str]] = [(ra, 0.0, f"{ra}°") for ra in (300, 240, 180, 120, 60)]
    places += [(180.0, dec, f"{dec:+d}°") for dec in (-60, -30, 30, 60)]
    labels = []
    for ra, dec, text in places:
        x, y = hammer(np.array(ra), np.array(dec))
        labels.append(_label(WIDTH / 2 + x * per_deg + 2, height / 2 - y * per_deg - 2, text, "start"))
    return labels


def area_map(subjects: pd.DataFrame, sources: pd.DataFrame, frame: Frame) -> SkyMap | None:
    """Return a map of the area of the subjects; None if it is larger than `MAX_RADIUS_DEG`.

    Parameters
    ----------
    subjects : DataFrame
        Columns ``ra, dec`` of their centres, and ``scale``.
    sources : DataFrame
        Columns ``ra, dec, morphology``.
    frame : Frame
        Geometry of the subjects of scale 1.
    """
    if subjects.empty:
        return None
    ra0, dec0, distance = centre_of(subjects["ra"].to_numpy(), subjects["dec"].to_numpy())
    if distance > MAX_RADIUS_DEG:
        return None
    project = lambert(ra0, dec0)
    farthest = np.abs(project(subjects["ra"].to_numpy(), subjects["dec"].to_numpy())).max()
    radius = float(farthest) + 0.75 * subjects["scale"].max() * frame.width_arcsec / 3600
    area = _Area(radius, (WIDTH - MARGIN) / (2 * radius))
    grid, labels = _area_grid(project, ra0, dec0, area)
    few = max(len(subjects), len(sources)) <= MAX_POINTS
    content = _points(subjects, sources, frame, project, area) if few else _cells(subjects, project, radius)
    return SkyMap(
        width=WIDTH,
        height=WIDTH,
        left=MARGIN,
        top=0.0,
        right=WIDTH,
        bottom=WIDTH - MARGIN,
        grid=grid,
        labels=labels,
        **content,
    )


@dataclass(frozen=True)
class _Area:
    """A square of the plane, `radius` deg to each side, drawn at `per_deg` units per degree."""

    radius: float
    per_deg: float

    def drawn(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return positions in the drawing."""
        return self.drawn_x(x), self.drawn_y(y)

    def drawn_x(self, x: Coordinate) -> Coordinate:
        """Return horizontal positions in the drawing."""
        return MARGIN + (x + self.radius) * self.per_deg

    def drawn_y(self, y: Coordinate) -> Coordinate:
        """Return vertical positions in the drawing."""
        return (self.radius - y) * self.per_deg


def _points(
    subjects: pd.DataFrame, sources: pd.DataFrame, frame: Frame, project: Projection, area: _Area
) -> dict[str, Any]:
    """Return the outlines of the subjects and the points of the sources."""
    corner = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) * frame.size_px
    ra, dec, scale = (subjects[name].to_numpy(float)[:, None] for name in ("ra", "dec", "scale"))
    x, y = area.drawn(*project(*frame.frame_to_sky(ra, dec, corner[:, 0], corner[:, 1], scale)))
    outlines = "".join(_path(*corners) for corners in zip(x, y, strict=True))
    points = []
    for name in sorted(sources["morphology"].unique()):
        part = sources[sources["morphology"] == name]
        x, y = area.drawn(*project(part["ra"].to_numpy(float), part["dec"].to_numpy(float)))
        path = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x, y, strict=True))
        points.append((name, path))
    return {"outlines": outlines, "points": tuple(points)}


def _cells(subjects: pd.DataFrame, project: Projection, radius: float) -> dict[str, Any]:
    x, y = project(subjects["ra"].to_numpy(float), subjects["dec"].to_numpy(float))
    ends = (-radius, radius)
    counts, _, _ = np.histogram2d(y, x, bins=CELLS_ACROSS // 2, range=(ends, ends))
    return {"cells": _coloured(counts[::-1]), "most": int(counts.max(initial=0))}


def _area_grid(project: Projection, ra0: float, dec0: float, area: _Area) -> tuple[str, tuple[MapLabel, ...]]:
    """Return the meridians and parallels of an area, with labels at its lower and left edge."""
    low, high = max(dec0 - 1.5 * area.radius, -90.0), min(dec0 + 1.5 * area.radius, 90.0)
    shrink = np.cos(np.deg2rad(min(max(abs(low), abs(high)), 89.0)))
    reach = min(1.5 * area.radius / shrink, 180.0)
    path, labels = "", []
    for dec in _steps(low, high):
        x, y = project(np.linspace(ra0 - reach, ra0 + reach, LINE_SAMPLES), np.full(LINE_SAMPLES, dec))
        path += _path(*area.drawn(x, y))
        at = _crossing(x, y, -area.radius)
        if at is not None and abs(at) < area.radius:
            labels.append(_label(MARGIN - 3, area.drawn_y(at) + 3, f"{dec:g}°", "end"))
    for ra in _steps(ra0 - reach, ra0 + reach):
        x, y = project(np.full(LINE_SAMPLES, ra), np.linspace(low, high, LINE_SAMPLES))
        path += _path(*area.drawn(x, y))
        at = _crossing(y, x, -area.radius)
        if at is not None and abs(at) < area.radius:
            text = f"{round(ra % 360, 6) % 360:g}°"
            labels.append(_label(area.drawn_x(at), WIDTH - MARGIN + 13, text, "middle"))
    return path, tuple(labels)


def _steps(low: float, high: float) -> np.ndarray:
    """Return at most about `MAX_LINES` round numbers between two limits."""
    step = next((step for step in STEPS_DEG if (high - low) / step <= MAX_LINES), STEPS_DEG[-1])
    return np.round(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step, 6)


def _crossing(values: np.ndarray, others: np.ndarray, level: float) -> float | None:
    """Return the interpolated value of `others` where `values` first crosses `level`."""
    above = values > level
    found = np.flatnonzero((above[1:] != above[:-1]) & np.isfinite(values[1:] + values[:-1]))
    if not len(found):
        return None
    i = int(found[0])
    share = (level - values[i]) / (values[i + 1] - values[i])
    return float(others[i] + share * (others[i + 1] - others[i]))


def _label(x: float | np.ndarray, y: float | np.ndarray, text: str, anchor: str) -> MapLabel:
    return MapLabel(round(float(x), 1), round(float(y), 1), text, anchor)


def _path(x: np.ndarray, y: np.ndarray) -> str:
    """Return an SVG path through the finite positions."""
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return ""
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x[finite], y[finite], strict=True))


def _coloured(counts: np.ndarray) -> str:
    """Return counts as an image (data URI) from light to dark blue, transparent where zero."""
    most = counts.max(initial=0) or 1
    colours = matplotlib.colormaps["Blues"](LIGHTEST + (1 - LIGHTEST) * np.sqrt(counts / most))
    colours[..., 3] = counts > 0
    return png_data_uri(np.rint(colours * 255).astype(np.uint8))


def png_data_uri(image: np.ndarray) -> str:
    """Encode an image, (ny, nx, 3 or 4) uint8, as a PNG inside a ``data:`` URI."""
    buffer = io.BytesIO()
    without_program: dict[str, Any] = {"Software": None}  # equal images have equal bytes
    matplotlib.image.imsave(buffer, image, format="png", metadata=without_program)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
