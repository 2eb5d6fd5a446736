"""Round blobs in an image, and square components at given places."""

import numpy as np

from claran_core.components.component_table import SubjectComponents

__all__ = ["blob", "components"]


def blob(shape, x, y, peak, fwhm=4.0):
    rows, columns = np.indices(shape)
    return peak * np.exp(-4 * np.log(2) * ((columns - x) ** 2 + (rows - y) ** 2) / fwhm**2)


def components(*places, half=3.0, snr=None, n_peaks=None, n_pixels=None) -> SubjectComponents:
    """Square components around these positions."""
    middles = np.array(places, np.float32).reshape(-1, 2)
    n = len(middles)
    return SubjectComponents(
        boxes=np.concatenate([middles - half, middles + half], axis=1),
        peaks=middles,
        n_peaks=np.array(n_peaks if n_peaks is not None else [1] * n, np.int64),
        snr=np.array(snr if snr is not None else [20.0] * n, np.float32),
        flux=np.full(n, 100, np.float32),
        area=np.full(n, 36, np.float32),
        prominences=np.zeros((n, 3), np.float32),
        n_pixels=np.array(n_pixels if n_pixels is not None else [20] * n, np.int64),
    )
