"""Radio spectra of the simulated sources: one spectral index per part of a source.

Flux densities follow ``S ~ nu^-alpha``.  Cores are flat, lobes are steep, and the more so the more extended
they are: plasma ages as it expands.  Compact sources are a mixture of steep and flat ones.  The mean of field
sources is 0.7, as between the surveys of 0.144 and 1.4 GHz (de Gasperin et al. 2018, MNRAS 474, 5008).
"""

from dataclasses import dataclass

import numpy as np

from claran_core.simulation.random_streams import Stream, generator

__all__ = ["REFERENCE_HZ", "Spectra", "drawn_spectra"]

# Frequency at which the sky is drawn, that of FIRST.
REFERENCE_HZ = 1.4e9

# Mean and scatter of the spectral index of compact sources, of cores, and of lobes of `USUAL_ARCSEC`.
COMPACT, CORE, LOBE = (0.72, 0.25), (0.1, 0.25), (0.78, 0.12)
# Share of compact sources that are flat like cores.
FLAT_SHARE = 0.08
# Increase of the index with the logarithm (base 10) of the size of a lobe's parts, and its limits.
STEEPER, USUAL_ARCSEC, MOST_STEEPER = 0.3, 8.0, 0.25
# Limits of the index, so that no source is brighter by orders of magnitude at another frequency.
LIMITS = (-0.5, 1.6)

# A core is a part that is this close to the host and this small, arcsec.
CORE_OFFSET_ARCSEC, CORE_SIZE_ARCSEC = 1.0, 2.0


@dataclass(frozen=True)
class Spectra:
    """Spectral indices of the sources of a cell; all fields are (n,) float64 arrays.

    Attributes
    ----------
    compact : array
        Index of the source if it is compact.
    core, lobe : array
        Index of its core, and of parts of `USUAL_ARCSEC`, if it is extended.
    """

    compact: np.ndarray
    core: np.ndarray
    lobe: np.ndarray

    def of_parts(self, number: int, offset_arcsec: np.ndarray, size_arcsec: np.ndarray) -> np.ndarray:
        """Return the spectral index of each part of an extended source.

        Parameters
        ----------
        number : int
            Number of the source.
        offset_arcsec, size_arcsec : (n,) float64 arrays
            Distance of each part from the host, and its FWHM before the beam.
        """
        aged = STEEPER * np.log10(np.maximum(size_arcsec, 1.0) / USUAL_ARCSEC)
        lobe = self.lobe[number] + np.clip(aged, -MOST_STEEPER, MOST_STEEPER)
        is_core = (offset_arcsec <= CORE_OFFSET_ARCSEC) & (size_arcsec <= CORE_SIZE_ARCSEC)
        return np.clip(np.where(is_core, self.core[number], lobe), *LIMITS)


def drawn_spectra(seed: int, cell: int, n: int) -> Spectra:
    """Draw the spectra of the `n` sources of a cell; those of the first ones do not depend on `n`."""
    drawn = generator(seed, Stream.RADIO_SPECTRA, cell).standard_normal((n, 4))
    is_flat = generator(seed, Stream.RADIO_SPECTRA, cell, 1).random(n) < FLAT_SHARE
    compact, core, lobe = (
        mean + scatter * drawn[:, k] for k, (mean, scatter) in enumerate((COMPACT, CORE, LOBE))
    )
    flat = CORE[0] + CORE[1] * drawn[:, 3]
    return Spectra(np.clip(np.where(is_flat, flat, compact), *LIMITS), core, lobe)
