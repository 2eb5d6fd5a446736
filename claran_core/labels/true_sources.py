"""A source of a sky with known truth, as the labels stage uses it."""

from typing import Protocol

import numpy as np

from claran_core.common.linear_wcs import LinearWCS

__all__ = ["LocatedSource", "TrueSource"]


class LocatedSource(Protocol):
    """A source of a sky with known truth: its name and the position of its host."""

    @property
    def source_id(self) -> str:
        """Unique name."""
        ...

    @property
    def ra_deg(self) -> float:
        """Right ascension of the host, deg, ICRS."""
        ...

    @property
    def dec_deg(self) -> float:
        """Declination of the host, deg, ICRS."""
        ...


class TrueSource(LocatedSource, Protocol):
    """A source of a sky with known truth, and its emission in a window."""

    @property
    def host_magnitude(self) -> float:
        """W1 magnitude of the host (Vega)."""
        ...

    @property
    def wcs(self) -> LinearWCS:
        """Geometry of the window, in the pixels of the survey."""
        ...

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns of the window that contain all of the emission."""
        ...

    @property
    def emission(self) -> np.ndarray:
        """Noise-free emission of this source alone in these pixels, in the unit of the survey."""
        ...
