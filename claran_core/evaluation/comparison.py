"""Compare the catalogue with one of the user's: positions, flux densities and classes (paper section 5.8).

Two entries match when each is the other's nearest within a radius.  The number of chance matches is measured
by matching again with the user's positions shifted.
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.spatial import cKDTree

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.frame import Frame
from claran_core.common.sky import chord, chord_angle, offset_to_sky, sky_to_offset, unit_vectors
from claran_core.evaluation.area import count_subjects
from claran_core.settings.evaluation import ComparisonOptions

__all__ = [
    "MATCHES",
    "UNMATCHED",
    "compare_catalogues",
    "nearest_pairs",
]

logger = logging.getLogger(__name__)


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


MATCHES = pa.schema(
    [
        _column("source_id", pa.string(), "row of the catalogue"),
        _column("other_row", pa.int64(), "row of the other table (line of a CSV file), from 1"),
        _column("ra", pa.float64(), "right ascension in the catalogue, deg, ICRS"),
        _column("dec", pa.float64(), "declination in the catalogue, deg, ICRS"),
        _column("other_ra", pa.float64(), "right ascension in the other table, deg"),
        _column("other_dec", pa.float64(), "declination in the other table, deg"),
        _column("separation", pa.float64(), "distance, arcsec"),
        _column("east", pa.float64(), "catalogue minus other, towards east, arcsec"),
        _column("north", pa.float64(), "catalogue minus other, towards north, arcsec"),
        _column("centroid_east", pa.float64(), "east of the flux-weighted centroid, arcsec", nullable=True),
        _column("centroid_north", pa.float64(), "north of the flux-weighted centroid, arcsec", nullable=True),
        _column("flux", pa.float64(), "integrated_flux of the catalogue, mJy", nullable=True),
        _column("other_flux", pa.float64(), "flux density in the other table, mJy", nullable=True),
        _column("morphology", pa.string(), "class in the catalogue"),
        _column("other_class", pa.string(), "class in the other table; empty without", nullable=True),
    ]
)

# Label in place of a class, for entries without a counterpart.
UNMATCHED = "unmatched"

# Number of directions in which the other catalogue is shifted, and the shift: in units of the match radius,
# and a minimum in arcsec.  It exceeds the size of a source and keeps the local density of sources.
N_SHIFTS = 8
SHIFT_RADII, MIN_SHIFT_ARCSEC = 10.0, 120.0

# Lower edges of the bins of the other catalogue's flux density, mJy; the last bin has no upper edge.
FLUX_EDGES_MJY = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)

# A median flux density ratio beyond this factor suggests a wrong unit.
SUSPECT_RATIO = 50.0

MAD_TO_SIGMA = 1.4826
DECIMALS = 6


@dataclass(frozen=True)
class _Pairs:
    """Matching rows of two tables, and their separations in arcsec."""

    first: np.ndarray
    second: np.ndarray
    separation: np.ndarray


def compare_catalogues(
    catalogue: pd.DataFrame,
    other: pd.DataFrame,
    subjects: pd.DataFrame,
    frame: Frame,
    options: ComparisonOptions,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Match two catalogues and measure their differences.

    Parameters
    ----------
    catalogue : DataFrame
        Columns of `claran_core.catalogue.product.schema.CATALOGUE`.
    other : DataFrame
        Result of `claran_core.evaluation.other_catalogue.read_other_catalogue`.
    subjects : DataFrame
        Columns ``ra``, ``dec`` (deg) and ``scale`` of the searched subjects.  Entries of `other` count as
        unmatched only inside their frames.
    frame : Frame
        Geometry of the subjects.
    options : ComparisonOptions
        Radius of a match.

    Returns
    -------
    metrics : dict
        JSON-serialisable; values that cannot be measured are None.  ``counts``; ``chance`` (mean number of
        matches after shifting, and its fraction of the matches); ``offsets`` of the catalogue's positions
        and of its ``centroids`` (median and scatter of catalogue minus other, arcsec); ``flux`` (ratio of
        catalogue to other, for all matches and in bins of the other's flux density); ``classes`` (number
        per class of the catalogue and of the other table).
    matches : DataFrame
        Columns of `MATCHES`, by separation.
    """
    radius = options.radius_arcsec
    pairs = nearest_pairs(catalogue, other, radius)
    matches = _match_table(catalogue, other, pairs)
    places = other["ra"].to_numpy(float), other["dec"].to_numpy(float)
    inside = count_subjects(*places, subjects, frame) > 0
    free = inside.copy()
    free[pairs.second] = False
    chance = _chance_matches(catalogue, other, radius)
    flux = _flux_ratios(matches)
    _warn_of_units(flux["all"]["median_ratio"])
    metrics = {
        "radius_arcsec": radius,
        "counts": {
            "n_catalogue": len(catalogue),
            "n_other": len(other),
            "n_other_in_area": int(inside.sum()),
            "n_matched": len(matches),
            "n_catalogue_unmatched": len(catalogue) - len(matches),
            "n_other_unmatched": int(free.sum()),
            "n_other_unmatched_inside_a_source": _inside_sources(other[free], catalogue, radius),
        },
        "chance": {
            "n_shifts": N_SHIFTS,
            "shift_arcsec": _shift_arcsec(radius),
            "n_matched": _number(chance),
            "share_of_matches": _number(chance / len(matches)) if len(matches) else None,
        },
        "offsets": _offsets(matches["east"], matches["north"]),
        "centroids": _offsets(matches["centroid_east"], matches["centroid_north"]),
        "flux": flux,
        "classes": _classes(catalogue, other[inside | _is_in(other, pairs.second)], matches),
    }
    return metrics, matches


def nearest_pairs(first: pd.DataFrame, second: pd.DataFrame, radius_arcsec: float) -> _Pairs:
    """Return the entries that are each other's nearest within a radius, in order of separation."""
    if not len(first) or not len(second):
        return _Pairs(np.empty(0, int), np.empty(0, int), np.empty(0))
    one, two = (unit_vectors(*table[["ra", "dec"]].to_numpy(float).T) for table in (first, second))
    reach = chord(radius_arcsec)
    distance, nearest = cKDTree(two).query(one, distance_upper_bound=reach)
    _, back = cKDTree(one).query(two)
    rows = np.flatnonzero(np.isfinite(distance))
    rows = rows[back[nearest[rows]] == rows]
    rows = rows[np.argsort(distance[rows], kind="stable")]
    separation = chord_angle(distance[rows])
    return _Pairs(rows, nearest[rows], separation)


def _match_table(catalogue: pd.DataFrame, other: pd.DataFrame, pairs: _Pairs) -> pd.DataFrame:
    ours, theirs = catalogue.iloc[pairs.first], other.iloc[pairs.second]
    east, north = _apart(ours["ra"], ours["dec"], theirs)
    centroid_east, centroid_north = _apart(ours["centroid_ra"], ours["centroid_dec"], theirs)
    columns = {
        "source_id": ours["source_id"],
        "other_row": theirs["row"],
        "ra": ours["ra"],
        "dec": ours["dec"],
        "other_ra": theirs["ra"],
        "other_dec": theirs["dec"],
        "separation": pairs.separation,
        "east": east,
        "north": north,
        "centroid_east": centroid_east,
        "centroid_north": centroid_north,
        "flux": ours["integrated_flux"].astype(float),
        "other_flux": theirs["flux"],
        "morphology": ours["morphology"],
        "other_class": theirs["class"],
    }
    return pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})


def _apart(ra_deg: pd.Series, dec_deg: pd.Series, other: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets east and north (arcsec) of positions from those of `other`, row by row."""
    places = (axis.to_numpy(float) for axis in (other["ra"], other["dec"], ra_deg, dec_deg))
    return sky_to_offset(*places)


def _shift_arcsec(radius_arcsec: float) -> float:
    return max(MIN_SHIFT_ARCSEC, SHIFT_RADII * radius_arcsec)


def _chance_matches(catalogue: pd.DataFrame, other: pd.DataFrame, radius_arcsec: float) -> float:
    """Return the mean number of matches over `N_SHIFTS` shifts of the other positions."""
    counts = []
    for angle in np.arange(N_SHIFTS) * 2 * np.pi / N_SHIFTS:
        west, south = _shift_arcsec(radius_arcsec) * np.array([np.sin(angle), np.cos(angle)])
        ra, dec = offset_to_sky(other["ra"].to_numpy(), other["dec"].to_numpy(), -west, -south)
        shifted = pd.DataFrame({"ra": ra, "dec": dec})
        counts.append(len(nearest_pairs(catalogue, shifted, radius_arcsec).first))
    return float(np.mean(counts))


def _inside_sources(places: pd.DataFrame, catalogue: pd.DataFrame, margin_arcsec: float) -> int:
    """Return how many positions lie in the tight box of a source, enlarged by a margin."""
    boxes = catalogue[["tight_ra", "tight_dec", "tight_width", "tight_height"]].to_numpy(float)
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(boxes) or not len(places):
        return 0
    half = boxes[:, 2:] / 2 + margin_arcsec
    place = places[["ra", "dec"]].to_numpy(float)
    near = cKDTree(unit_vectors(*place.T)).query_ball_point(
        unit_vectors(*boxes[:, :2].T), np.deg2rad(np.hypot(*half.T) / ARCSEC_PER_DEG)
    )
    box = np.repeat(np.arange(len(boxes)), [len(one) for one in near])
    other = np.concatenate([np.empty(0, int), *[np.asarray(one, int) for one in near]])
    offset = sky_to_offset(*boxes[box, :2].T, *place[other].T)
    inside = (np.abs(np.stack(offset, axis=1)) <= half[box]).all(axis=1)
    return len(np.unique(other[inside]))


def _offsets(east: pd.Series, north: pd.Series) -> dict[str, Any]:
    """Return median and scatter of offsets (arcsec)."""
    found: dict[str, float | None] = {"n": int(east.notna().sum())}
    for name, values in (("east", east), ("north", north)):
        known = values.to_numpy(float)[np.isfinite(values.to_numpy(float))]
        found[f"{name}_median"] = _number(np.median(known)) if len(known) else None
        found[f"{name}_scatter"] = _number(_scatter(known)) if len(known) else None
    return found


def _flux_ratios(matches: pd.DataFrame) -> dict[str, Any]:
    """Return the flux density ratios, catalogue to other, of all matches and in bins of the other's."""
    known = matches[(matches["flux"] > 0) & (matches["other_flux"] > 0)]
    theirs = known["other_flux"].to_numpy(float)
    ratio = known["flux"].to_numpy(float) / theirs
    bins = []
    for low, high in zip(FLUX_EDGES_MJY, [*FLUX_EDGES_MJY[1:], np.inf], strict=True):
        chosen = (theirs >= low) & (theirs < high)
        upper = high if np.isfinite(high) else None
        bins.append({"low_mjy": low, "high_mjy": upper, **_ratio(ratio[chosen])})
    return {"all": _ratio(ratio), "bins": bins}


def _ratio(ratio: np.ndarray) -> dict[str, Any]:
    """Return median and scatter (1.4826 x MAD of the natural logarithm) of ratios."""
    if not len(ratio):
        return {"n": 0, "median_ratio": None, "scatter": None}
    return {
        "n": len(ratio),
        "median_ratio": _number(np.median(ratio)),
        "scatter": _number(_scatter(np.log(ratio))),
    }


def _classes(
    catalogue: pd.DataFrame, other: pd.DataFrame, matches: pd.DataFrame
) -> dict[str, dict[str, int]] | None:
    """Return the number of entries per pair of classes; None if the other catalogue has no classes."""
    if not (other["class"] != "").any():
        return None
    ours = [*sorted(catalogue["morphology"].unique()), UNMATCHED]
    theirs = [*sorted(other["class"].unique()), UNMATCHED]
    table = {one: dict.fromkeys(theirs, 0) for one in ours}
    for one, two in zip(matches["morphology"], matches["other_class"], strict=True):
        table[one][two] += 1
    lost = catalogue.loc[~catalogue["source_id"].isin(matches["source_id"]), "morphology"]
    for one, n in lost.value_counts().items():
        table[one][UNMATCHED] = int(n)
    for two, n in other.loc[~other["row"].isin(matches["other_row"]), "class"].value_counts().items():
        table[UNMATCHED][two] = int(n)
    return table


def _is_in(table: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    return np.isin(np.arange(len(table)), rows)


def _scatter(values: np.ndarray) -> float:
    return float(MAD_TO_SIGMA * np.median(np.abs(values - np.median(values))))


def _number(value: float) -> float:
    return round(float(value), DECIMALS)


def _warn_of_units(median_ratio: float | None) -> None:
    if median_ratio is not None and not 1 / SUSPECT_RATIO < median_ratio < SUSPECT_RATIO:
        logger.warning(
            "flux densities differ by a factor of %g: set evaluation.compare_with.flux_unit, "
            "or correct the unit that the other table states",
            median_ratio,
        )
