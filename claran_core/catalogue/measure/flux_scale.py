"""Flux densities on the scale that the settings ask for: a factor, and the clean bias of the survey.

CLEAN takes part of the flux density of every source for noise.  In snapshots such as those of FIRST and NVSS
each peak is too low by the same amount, whatever its height (Becker, White & Helfand 1995, ApJ 450, 559,
section 7.2; Condon et al. 1998, AJ 115, 1693).  A component that is larger than the beam loses as much per
beam in proportion to its brightness, as the catalogue of FIRST corrects it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from claran_core.survey.surveys import Survey

__all__ = ["on_flux_scale"]

# Columns in mJy or mJy/beam of the survey, those with an entry per component last.
_NUMBERS = ("peak_flux", "peak_flux_err", "integrated_flux", "integrated_flux_err", "local_rms")
_LISTS = ("component_peak_flux", "component_flux")


def on_flux_scale(columns: Mapping[str, Any], survey: Survey) -> dict[str, Any]:
    """Return the measured columns of a source with the corrections of its survey.

    Peaks get `Survey.clean_bias_mjy`; the flux density of a component is multiplied by the same factor as its
    peak, and that of the source by the factor of all its components together.  Then flux densities, their
    errors and the noise are multiplied by `Survey.flux_scale`.  Without corrections nothing changes.  ``snr``
    stays that of the image, in which the source was found.

    Parameters
    ----------
    columns : mapping
        Columns of `claran_core.catalogue.product.schema`, mJy and mJy/beam.
    survey : Survey
        The radio survey.
    """
    bias, scale = survey.clean_bias_mjy, survey.flux_scale
    changed = dict(columns)
    if bias:
        peaks, fluxes = (np.array(columns[name], float) for name in _LISTS)
        factors = 1 + bias / peaks
        whole = factors[0] if columns["unresolved"] else (factors @ fluxes) / fluxes.sum()
        changed |= {
            "peak_flux": columns["peak_flux"] + bias,
            "integrated_flux": columns["integrated_flux"] * float(whole),
            "component_peak_flux": (peaks + bias).tolist(),
            "component_flux": (factors * fluxes).tolist(),
        }
    if scale != 1:
        changed |= {name: changed[name] * scale for name in _NUMBERS}
        changed |= {name: [scale * value for value in changed[name]] for name in _LISTS}
    return changed
