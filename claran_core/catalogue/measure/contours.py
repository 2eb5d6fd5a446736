"""The closed contours of a source, which bound its mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claran_core.catalogue.measure.contour_trace import ring_areas, trace_rings
from claran_core.catalogue.measure.layer import Layer
from claran_core.catalogue.measure.radio_image import JY_TO_MJY
from claran_core.common.linear_wcs import sky_of_vectors
from claran_core.common.subject import Subject

__all__ = ["Rings"]

# Digits to which points are rounded: 0.01 pixel, and 0.4 milliarcsec.
FRAME_DIGITS, SKY_DIGITS = 2, 7


@dataclass(frozen=True)
class Rings:
    """Closed contours.

    Attributes
    ----------
    vectors : (n, 3) float array
        Vectors towards their points, ring by ring; the first point of a ring is not repeated.
    counts : (k,) int array
        Number of points of each ring.
    level : (k,) float array
        Brightness at each ring, mJy/beam.
    is_hole : (k,) bool array
        Whether the ring bounds a hole of the mask.
    """

    vectors: np.ndarray
    counts: np.ndarray
    level: np.ndarray
    is_hole: np.ndarray

    @classmethod
    def of(cls, layer: Layer, members: np.ndarray) -> "Rings":
        """Return the contours of components of an image; there may be none."""
        if not len(members):
            return cls(np.empty((0, 3)), np.empty(0, np.int64), np.empty(0), np.empty(0, bool))
        image = layer.image
        points, ends = trace_rings(image.pixels, image.labels, layer.pixels_of(members), image.base)
        level = np.full(len(ends), image.base * JY_TO_MJY)
        return cls(layer.vectors(points), np.diff(ends, prepend=0), level, ring_areas(points, ends) < 0)

    @classmethod
    def joined(cls, parts: "Sequence[Rings]") -> "Rings":
        """Return the contours of several images."""
        names = ("vectors", "counts", "level", "is_hole")
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def columns(self, subject: Subject) -> dict[str, Any]:
        """Return the columns `claran_core.catalogue.product.contour_columns.CONTOUR_FIELDS`."""
        x, y = subject.frame.vectors_to_frame(subject.ra_deg, subject.dec_deg, self.vectors)
        ra, dec = sky_of_vectors(self.vectors)
        return {
            "ring_points": self.counts,
            "ring_level": self.level,
            "ring_is_hole": self.is_hole,
            "contour_x": np.round(x, FRAME_DIGITS),
            "contour_y": np.round(y, FRAME_DIGITS),
            "contour_ra": np.round(ra, SKY_DIGITS),
            "contour_dec": np.round(dec, SKY_DIGITS),
        }
