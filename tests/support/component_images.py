"""Round blobs in an image, and square components at given positions."""

from collections.abc import Sequence

import numpy as np

from claran_core.components.component_table import SubjectComponents

__all__ = ["blob", "components"]


def blob(shape: tuple[int, int], x: float, y: float, peak: float, fwhm: float = 4.0) -> np.ndarray:
    """Return an image of a round Gaussian at a pixel position."""
    rows, columns = np.indices(shape)
    return peak * np.exp(-4 * np.log(2) * ((columns - x) ** 2 + (rows - y) ** 2) / fwhm**2)


def components(
    *positions: Sequence[float],
    half: float = 3.0,
    snr: Sequence[float] | None = None,
    n_peaks: Sequence[int] | None = None,
    n_pixels: Sequence[int] | None = None,
) -> SubjectComponents:
    """Return square components around these positions ``(x, y)``, by default alike."""
    middles = np.array(positions, np.float32).reshape(-1, 2)
    n = len(middles)
    return SubjectComponents(
        ids=np.arange(n),
        boxes=np.concatenate([middles - half, middles + half], axis=1),
        peaks=middles,
        n_peaks=np.array(n_peaks if n_peaks is not None else [1] * n, np.int64),
        snr=np.array(snr if snr is not None else [20.0] * n, np.float32),
        flux=np.full(n, 100, np.float32),
        area=np.full(n, 36, np.float32),
        prominences=np.zeros((n, 3), np.float32),
        n_pixels=np.array(n_pixels if n_pixels is not None else [20] * n, np.int64),
        at_edge=np.zeros(n, bool),
        scale=np.ones(n, np.int64),
        n_fine=np.ones(n, np.int64),
        fine_snr=np.array(snr if snr is not None else [20.0] * n, np.float32),
        fine_ratio=np.zeros(n, np.float32),
        fine_boxes=np.concatenate([middles - half, middles + half], axis=1),
    )
