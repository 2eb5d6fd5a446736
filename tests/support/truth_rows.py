"""Hand-made true sources, catalogue rows and outcomes of components, for tests of the comparison."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from claran_core.catalogue.product.schema import OUTCOMES
from claran_core.common.frame import Frame
from claran_core.common.morphology import morphology_of
from claran_core.evaluation.sky_truth import SKY_TRUTH

__all__ = ["RA", "DEC", "catalogue_of", "outcome", "outcomes_of", "row", "source", "truth_of"]

RA, DEC = 150.0, 10.0

# Contour box of every true component, around its brightest pixel, arcsec.
WIDTH, HEIGHT = 20.0, 4.0

Places = Sequence[tuple[float, float]]  # east and north of RA, DEC, arcsec


def _sky(places: Places) -> tuple[list[float], list[float]]:
    east, north = np.array(places, float).reshape(-1, 2).T
    offsets = Frame(size_px=0, pixel_scale_arcsec=1.0)
    ra, dec = offsets.frame_to_sky(RA, DEC, -east, -north)
    return ra.tolist(), dec.tolist()


def _centre(places: Places) -> tuple[float, float]:
    low, high = np.min(places, axis=0), np.max(places, axis=0)
    return tuple(((low + high) / 2).tolist())


def source(name: str, *places: tuple[float, float], size: float = 12.0, **known: Any) -> dict[str, Any]:
    """Return a true source with components at these places; without places, a faint one at `at`."""
    at = known.pop("at", (0.0, 0.0))
    (ra,), (dec,) = _sky([_centre(places) if places else at])
    visible = bool(places)
    component_ra, component_dec = _sky(places)
    facts = {
        "state": "visible" if visible else "faint",
        "placement": "whole",
        "n_views": 1,
        "morphology": morphology_of(len(places), len(places))[0] if visible else None,
        "n_peaks": len(places),
        "angular_size": size if visible else np.nan,
        "largest_angular_size": size if visible else np.nan,
        "scale": 1,
        **dict.fromkeys(["box_x1", "box_y1", "box_x2", "box_y2"], np.nan),
        "snr": 50.0 if visible else 3.0,
        "flux": 8.0 if visible else 0.5,
    }
    places_on_sky = {"component_ra": component_ra, "component_dec": component_dec}
    named = {"source_id": name, "ra": ra, "dec": dec, "host_ra": ra, "host_dec": dec}
    counted = {"n_components": len(places), "component_snr": [50.0] * len(places)}
    contours = {"contour_ra": component_ra, "contour_dec": component_dec}
    sizes = {"contour_width": [WIDTH] * len(places), "contour_height": [HEIGHT] * len(places)}
    return named | facts | counted | places_on_sky | contours | sizes | known


def truth_of(*sources: dict[str, Any]) -> pd.DataFrame:
    """Return a table with the columns of `SKY_TRUTH`."""
    return pd.DataFrame(list(sources), columns=SKY_TRUTH.names)


def row(name: str, *places: tuple[float, float], **known: Any) -> dict[str, Any]:
    """Return a row of the catalogue with components at these places."""
    (ra,), (dec,) = _sky([_centre(places) if places else (0.0, 0.0)])
    component_ra, component_dec = _sky(places)
    morphology = morphology_of(max(1, len(places)), max(1, len(places)))[0]
    facts = {"morphology": morphology, "snr": 50.0, "integrated_flux": 8.0, "angular_size": 12.0, "flags": 0}
    sky = {"ra": ra, "dec": dec, "component_ra": component_ra, "component_dec": component_dec}
    return {"source_id": name} | facts | sky | known


def catalogue_of(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return a table with the columns of the catalogue that the comparison needs."""
    names = ["source_id", "ra", "dec", "morphology", "snr", "integrated_flux", "angular_size", "flags"]
    return pd.DataFrame(list(rows), columns=[*names, "component_ra", "component_dec"])


def outcome(what: str, at: tuple[float, float], snr: float = 50.0, **known: Any) -> dict[str, Any]:
    """Return the outcome of a component with its brightest pixel at a place."""
    (ra,), (dec,) = _sky([at])
    named = {"component_id": 0, "scale": 1, "source_id": "a" if what == "source" else ""}
    return (
        named | {"ra": ra, "dec": dec, "snr": snr, "n_views": 1, "outcome": what, "probability": 0.9} | known
    )


def outcomes_of(*outcomes: dict[str, Any]) -> pd.DataFrame:
    """Return a table with the columns of `OUTCOMES`."""
    return pd.DataFrame(list(outcomes), columns=OUTCOMES.names)
