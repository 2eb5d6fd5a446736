"""Describe the shape of a source: how its brightness is distributed along two arms, and how these bend.

The line of the largest angular size is the axis.  A centre divides the source into two arms, one on each
side along the axis:

- the host, where one is reliable and between the ends; if a prominent peak is within a beam of it, this peak;
- or else a core: the prominent peak nearest to the middle, if it is near;
- or else the middle itself: half way between the ends, with the mean position across of the emission there.

`fr_ratio` follows Fanaroff & Riley (1974): the distance between the brightest regions on both sides of the
galaxy over the total extent, where a compact component at the galaxy does not count.  So a point source of
the height of the core is subtracted, and the brightest pixel of each arm taken.  An arm without a peak of its
own, as of FR I, is brightest next to the centre.  Without emission on one side the distance is that to the
centre.

Arms end at the ends of the axis, the two points that are farthest apart.  Their lengths and the bending angle
are those of the lines from host or core to these.

The limits were set before they were tried, and none was changed.  Real fields were looked at for the place of
the core and the ends of bent arms (docs/measurements/catalogue.md).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from claran_core.catalogue.measure.emission import BrightPixels, Emission, offsets
from claran_core.catalogue.measure.host import Host
from claran_core.common.flags import Flag
from claran_core.common.sky import unit_vectors
from claran_core.common.subject import Subject

__all__ = ["MIN_BEAMS", "NO_SHAPE", "Shape", "shape_columns", "shape_of"]

# Shortest source with a shape, in beams.  The contours of a bright hotspot are more than a beam from it, so a
# shorter double has a ratio below 0.5.
MIN_BEAMS = 5.0

# Lowest reliability of a host that divides the arms.
MIN_RELIABILITY = 0.5

# Largest distance of a core from the middle: this fraction of the extent (arms of a ratio of 1.9), or a beam.
# And from the host, in beams.
CORE_OF_EXTENT, CORE_BEAMS = 0.15, 1.0

# Pixels nearer to the centre than this, along the axis, are not searched for the brightest one; beams.
CENTRE_BEAMS = 0.5


@dataclass(frozen=True)
class Shape:
    """The shape of a source: the columns of `claran_core.catalogue.product.shape_fields` but the peaks."""

    shape_centre: str = "none"
    fr_ratio: float = np.nan
    bright_arm_length: float = np.nan
    faint_arm_length: float = np.nan
    arm_length_ratio: float = np.nan
    arm_flux_ratio: float = np.nan
    bending_angle: float = np.nan
    core_prominence: float = np.nan


NO_SHAPE = Shape()


@dataclass(frozen=True)
class _Centre:
    """What divides the arms: its kind and place, and the height of the core, 0 without one (mJy/beam)."""

    kind: str
    place: np.ndarray
    core: float


def shape_columns(
    subject: Subject, emission: Emission | None, measured: Mapping[str, Any], host: Host
) -> dict[str, Any]:
    """Return the columns of the shape of a source, and its ``flags``.

    Parameters
    ----------
    subject : Subject
        The subject that shows it.
    emission : Emission or None
        Where its emission lies; None if it is unresolved or shorter than `MIN_BEAMS`.
    measured : mapping
        Its measured columns and ``flags``.
    host : Host
        Its infrared host.
    """
    if emission is None:
        too_short = 0 if measured["unresolved"] else int(Flag.NO_SHAPE)
        return asdict(NO_SHAPE) | {"flags": measured["flags"] | too_short}
    place = None
    if host.reliability >= MIN_RELIABILITY:
        place = offsets(subject, unit_vectors(host.ra, host.dec)[None])[0]
    shape = shape_of(emission, measured["position_angle"], measured["integrated_flux"], place)
    return asdict(shape) | {"flags": measured["flags"]}


def shape_of(
    emission: Emission, position_angle_deg: float, integrated_flux: float, host: np.ndarray | None = None
) -> Shape:
    """Return the shape of a source of at least `MIN_BEAMS`.

    Parameters
    ----------
    emission : Emission
        Where the emission lies.
    position_angle_deg : float
        Position angle of the largest angular size, from north through east.
    integrated_flux : float
        Flux density, mJy.
    host : (2,) array, optional
        Offset of the host, if one is reliable, arcsec.

    Returns
    -------
    Shape
    """
    angle = np.deg2rad(position_angle_deg)
    axis = np.array([np.sin(angle), np.cos(angle)])
    along = emission.edge @ axis
    extent = float(np.ptp(along))
    centre = _centre(emission, axis, (along.min() + along.max()) / 2, extent, host)
    brightest = [_brightest(emission, centre, side) for side in (axis, -axis)]
    flux = np.array([_flux(emission.summed, centre, side) for side in (axis, -axis)])
    is_known = centre.kind != "middle"
    ends = emission.edge[[along.argmax(), along.argmin()]] - centre.place
    length = np.hypot(*ends.T) if is_known else np.full(2, np.nan)
    bright = int(flux.argmax())
    return Shape(
        shape_centre=centre.kind,
        fr_ratio=min(float(np.hypot(*(brightest[0] - brightest[1])) / extent), 1.0),
        bright_arm_length=float(length[bright]),
        faint_arm_length=float(length[1 - bright]),
        arm_length_ratio=float(length.min() / length.max()),
        arm_flux_ratio=float(flux.min() / flux.max()) if flux.max() > 0 else np.nan,
        bending_angle=_bending(ends) if is_known else np.nan,
        core_prominence=centre.core / integrated_flux if centre.core > 0 else np.nan,
    )


def _centre(
    emission: Emission, axis: np.ndarray, middle: float, extent: float, host: np.ndarray | None
) -> _Centre:
    """Return what divides the arms; `middle` is the place along the axis between its ends."""
    peaks = emission.peaks
    reach = CORE_BEAMS * emission.beam_arcsec
    if host is not None and abs(host @ axis - middle) <= extent / 2:
        apart = np.hypot(*(peaks[:, :2] - host).T)
        nearest = int(apart.argmin())
        if apart[nearest] <= reach:
            return _Centre("host", peaks[nearest, :2], float(peaks[nearest, 2]))
        return _Centre("host", host, 0.0)
    place = _middle(emission.finest, axis, middle, max(reach, CORE_OF_EXTENT * extent))
    apart = np.hypot(*(peaks[:, :2] - place).T)
    nearest = int(apart.argmin())
    if apart[nearest] <= max(reach, CORE_OF_EXTENT * extent):
        return _Centre("core", peaks[nearest, :2], float(peaks[nearest, 2]))
    return _Centre("middle", place, 0.0)


def _middle(pixels: BrightPixels, axis: np.ndarray, middle: float, reach: float) -> np.ndarray:
    """Return the place `middle` along the axis where the emission within `reach` of it is across, or all."""
    across = np.array([-axis[1], axis[0]])
    is_near = np.abs(pixels.places @ axis - middle) <= reach
    weights = pixels.values * (is_near if is_near.any() else 1.0)
    return middle * axis + across * np.average(pixels.places @ across, weights=weights)


def _brightest(emission: Emission, centre: _Centre, side: np.ndarray) -> np.ndarray:
    """Return the brightest place of the arm on the side of a unit vector; the centre without emission."""
    pixels = emission.finest
    along = (pixels.places - centre.place) @ side
    values = np.where(
        along > CENTRE_BEAMS * emission.beam_arcsec, pixels.without(centre.place, centre.core), -np.inf
    )
    highest = int(values.argmax())
    return pixels.places[highest] if np.isfinite(values[highest]) else centre.place


def _flux(pixels: BrightPixels, centre: _Centre, side: np.ndarray) -> float:
    """Return the sum of the pixels (mJy/beam) of the arm on one side, without the core; at least 0."""
    is_there = (pixels.places - centre.place) @ side > 0
    return max(float(pixels.without(centre.place, centre.core)[is_there].sum()), 0.0)


def _bending(ends: np.ndarray) -> float:
    """Return 180 deg minus the angle between two vectors (2, 2); NaN if one has no length."""
    length = np.hypot(*ends.T)
    if not length.all():
        return float("nan")
    return float(180.0 - np.rad2deg(np.arccos(np.clip(ends[0] @ ends[1] / length.prod(), -1.0, 1.0))))
