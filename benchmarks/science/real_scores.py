"""Scores of a catalogue on real radio images: large galaxies, catalogue rows, labels, and accounting.

All functions take tables with sky positions in deg (ICRS).  The *tight box* of a catalogue row is that of its
contours: ``tight_ra``, ``tight_dec`` (middle) and ``tight_width``, ``tight_height`` (arcsec).
"""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from benchmarks.science.surveys import median_and_error
from claran_core.common.sky import chord, unit_vectors
from claran_core.components.component_table import NOMINAL_LEVEL

__all__ = [
    "accounting",
    "crowd_score",
    "first_rows",
    "label_rows",
    "large_fields",
    "lines_of_first_rows",
    "lines_of_large_fields",
    "lines_of_published_rows",
    "offsets",
    "published_rows",
    "suspicious_artefacts",
    "unaccounted",
]

# A host is in a row if its tight box, extended by this, holds it.
HOST_MARGIN_ARCSEC = 6.0
# Largest angular size of a whole galaxy over that by eye; sizes of FR II galaxies are between hotspots.
WHOLE_SIZE, SIZE_BEYOND_ARCSEC = (0.75, 1.6), 25.0
PIECE_BEYOND_ARCSEC = 10.0
SIZES_ARCSEC = ((0, 60), (60, 120), (120, 300))

# Rows of the FIRST catalogue that are sources, their largest distance from the middle of a field, the margin
# of the tight box, and bins of peak over rms.
SIDELOBE_BELOW, FIRST_RADIUS_ARCSEC, FIRST_MARGIN_ARCSEC = 0.1, 100.0, 4.0
FIRST_BINS = ((5, 10), (10, 20), (20, 50), (50, 200), (200, np.inf))

# A row of a published catalogue is in one of ours if the tight box, extended by this, holds its position.
PUBLISHED_MARGIN_ARCSEC = 4.0
# Positions agree within this, or within three standard errors of the published one.
POSITION_ARCSEC = 0.5

# A row is that of a label if its tight box, extended by this, holds the labelled components.
LABEL_MARGIN_ARCSEC = 6.0

# Accounting: components at least this bright, and largest distance of the same component in two tables,
# in beams.
BRIGHT_SNR, SAME_BEAMS = 10.0, 1.0
# An artefact nearer than this to a source of the FIRST catalogue is suspicious.
FIRST_ARCSEC = 3.0

# Point sources in crowds: how far apart isolated ones are, and largest error of position and of flux density.
ISOLATED_ARCSEC, CENTROID_ARCSEC, FLUX_ERROR = 16.0, 2.0, 0.1


def offsets(ra: pd.Series, dec: pd.Series, ra0: float, dec0: float) -> tuple[pd.Series, pd.Series]:
    """Return the offsets east and north of a position, arcsec, in the plane of that position's scale."""
    return ((ra - ra0 + 180) % 360 - 180) * np.cos(np.radians(dec0)) * 3600, (dec - dec0) * 3600


def holding(catalogue: pd.DataFrame, ra: float, dec: float, margin_arcsec: float) -> np.ndarray:
    """Return which rows have a tight box, extended by a margin, that holds a position; bool ``(n,)``."""
    east, north = offsets(catalogue["tight_ra"], catalogue["tight_dec"], ra, dec)
    across = east.abs() < catalogue["tight_width"] / 2 + margin_arcsec
    return (across & (north.abs() < catalogue["tight_height"] / 2 + margin_arcsec)).to_numpy()


def large_fields(fields: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return how each galaxy in the middle of a field ends in a catalogue.

    Parameters
    ----------
    fields : DataFrame
        ``file``, ``ra``, ``dec``, ``largest_angular_size_arcsec``.
    catalogue : DataFrame
        The catalogue.

    Returns
    -------
    DataFrame
        ``file``, ``size`` (arcsec), ``rows_over_host``, ``extent`` (arcsec; of the largest of these rows),
        ``rows_inside`` (with the middle of their box inside the galaxy), and ``whole``: one row over the
        host, of about the right size.
    """
    found = []
    for field in fields.itertuples():
        size = field.largest_angular_size_arcsec
        over = holding(catalogue, field.ra, field.dec, HOST_MARGIN_ARCSEC)
        east, north = offsets(catalogue["tight_ra"], catalogue["tight_dec"], field.ra, field.dec)
        inside = np.hypot(east, north) < size / 2 + PIECE_BEYOND_ARCSEC
        extent = catalogue.loc[over, "largest_angular_size"].max() if over.any() else np.nan
        fits = WHOLE_SIZE[0] * size <= extent < WHOLE_SIZE[1] * size + SIZE_BEYOND_ARCSEC
        whole = bool(over.sum() == 1 and fits)
        found.append((field.file, size, int(over.sum()), extent, int(inside.sum()), whole))
    return pd.DataFrame(found, columns=["file", "size", "rows_over_host", "extent", "rows_inside", "whole"])


def lines_of_large_fields(found: pd.DataFrame) -> list[str]:
    """Return the result of `large_fields` by size, one line each."""
    lines = ["size, arcsec | fields | whole | host in a row | several rows over it | rows inside"]
    for low, high in SIZES_ARCSEC:
        part = found[(found["size"] >= low) & (found["size"] < high)]
        if len(part):
            several = int((part["rows_over_host"] > 1).sum())
            lines.append(
                f"{low}-{high} | {len(part)} | {part['whole'].mean():.3f} | "
                f"{(part['rows_over_host'] > 0).mean():.3f} | {several} | {part['rows_inside'].mean():.2f}"
            )
    return lines


def first_rows(first: pd.DataFrame, fields: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return the sources of the FIRST catalogue around the middles of fields.

    Returns
    -------
    DataFrame
        ``file``, ``ra``, ``dec``, ``snr`` (peak over rms) and ``inside``: whether the tight box of a row of
        the catalogue holds it.
    """
    first = first[first["p_sidelobe"] < SIDELOBE_BELOW]
    found = []
    for field in fields.itertuples():
        near = first[(first["dec"] - field.dec).abs() < 0.03]
        near = near[np.hypot(*offsets(near["ra"], near["dec"], field.ra, field.dec)) < FIRST_RADIUS_ARCSEC]
        own = catalogue[(catalogue["tight_dec"] - field.dec).abs() < 0.2]
        for row in near.itertuples():
            inside = bool(holding(own, row.ra, row.dec, FIRST_MARGIN_ARCSEC).any())
            found.append((field.file, row.ra, row.dec, row.peak_flux / row.rms, inside))
    return pd.DataFrame(found, columns=["file", "ra", "dec", "snr", "inside"])


def lines_of_first_rows(found: pd.DataFrame) -> list[str]:
    """Return the result of `first_rows` by signal to noise, one line each."""
    lines = ["FIRST rows, peak over rms | rows | inside a source"]
    for low, high in FIRST_BINS:
        part = found[(found["snr"] >= low) & (found["snr"] < high)]
        if len(part):
            lines.append(f"{low}-{high} | {len(part)} | {part['inside'].mean():.3f}")
    return lines


def published_rows(published: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return where the rows of a published catalogue of the same images are in ours.

    Parameters
    ----------
    published : DataFrame
        Columns of LoTSS DR1: ``Source_Name``, ``RA``, ``DEC`` (deg), ``E_RA``, ``E_DEC``, ``Maj`` (FWHM;
        arcsec), ``Peak_flux``, ``Isl_rms``, ``Total_flux``.
    catalogue : DataFrame
        The catalogue.

    Returns
    -------
    DataFrame
        ``name``, ``ra``, ``dec``, ``snr`` (peak over rms), ``source_id`` of the row that holds its position
        (of several the nearest; empty without one), ``sharing``: number of published rows in that row,
        ``pieces``: number of further rows of ours within its FWHM that hold no published row, ``ratio``: our
        flux density over the published one, ``offset`` and ``tolerance`` (arcsec).
    """
    places = published[["RA", "DEC"]].to_numpy()
    centroids = catalogue["centroid_ra"], catalogue["centroid_dec"]
    apart = np.array([np.hypot(*offsets(*centroids, *place)) for place in places])
    held = np.array([holding(catalogue, *place, PUBLISHED_MARGIN_ARCSEC) for place in places])
    chosen = np.where(held, apart, np.inf).argmin(axis=1)
    is_found = held.any(axis=1)
    sharing = np.bincount(chosen[is_found], minlength=len(catalogue))
    is_piece = (apart < published["Maj"].to_numpy()[:, None]) & ~held.any(axis=0)
    own = catalogue.iloc[chosen]
    at = np.arange(len(published)), chosen
    return pd.DataFrame(
        {
            "name": published["Source_Name"],
            "ra": published["RA"],
            "dec": published["DEC"],
            "snr": published["Peak_flux"] / published["Isl_rms"],
            "source_id": np.where(is_found, own["source_id"], ""),
            "sharing": np.where(is_found, sharing[chosen], 0),
            "pieces": is_piece.sum(axis=1),
            "ratio": np.where(is_found, own["integrated_flux"].to_numpy() / published["Total_flux"], np.nan),
            "offset": np.where(is_found, apart[at], np.nan),
            "tolerance": np.maximum(3 * np.hypot(published["E_RA"], published["E_DEC"]), POSITION_ARCSEC),
        }
    )


def lines_of_published_rows(found: pd.DataFrame, n_rows: int) -> list[str]:
    """Return the result of `published_rows` as lines; `n_rows` is the number of our rows."""
    lines = [
        "published rows, peak over rms | rows | found | in one row each | flux density, ours / published"
    ]
    for low in (0.0, BRIGHT_SNR):
        part = found[found["snr"] >= low]
        single = part[(part["sharing"] == 1) & (part["pieces"] == 0)]
        ratio, error = median_and_error(single["ratio"].to_numpy())
        lines.append(
            f">= {low:g} | {len(part)} | {int((part['sharing'] > 0).sum())} | {len(single)} | "
            f"{ratio:.3f} +- {error:.3f}"
        )
    single = found[(found["sharing"] == 1) & (found["pieces"] == 0)]
    within = int((single["offset"] < single["tolerance"]).sum())
    joined, split = found[found["sharing"] > 1], found[found["pieces"] > 0]
    return [
        *lines,
        f"positions of those in one row each: median offset {single['offset'].median():.2f} arcsec, largest "
        f"{single['offset'].max():.2f}; within {POSITION_ARCSEC:g} arcsec or three errors {within} of "
        f"{len(single)}",
        f"published rows that share a row: {len(joined)} in {joined['source_id'].nunique()} rows; split into "
        f"several rows: {len(split)}; our rows without a published one: "
        f"{n_rows - found.loc[found['sharing'] > 0, 'source_id'].nunique()} of {n_rows}",
    ]


def label_rows(labels: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return which labelled sources the catalogue has with their position and class.

    Parameters
    ----------
    labels : DataFrame
        ``file``, ``catalog_id``, ``component_ra``, ``component_dec`` (lists, deg), ``num_cpnts``,
        ``num_peaks``.
    catalogue : DataFrame
        The catalogue.

    Returns
    -------
    DataFrame
        ``file``, ``catalog_id``, ``expected`` class, ``classes`` of the rows with all labelled components in
        their tight box, and ``found``: whether the expected class is among them.
    """
    found = []
    for label in labels.itertuples():
        positions = zip(label.component_ra, label.component_dec, strict=True)
        own = np.ones(len(catalogue), bool)
        for ra, dec in positions:
            own &= holding(catalogue, ra, dec, LABEL_MARGIN_ARCSEC)
        classes = catalogue.loc[own, "morphology"].tolist()
        expected = f"{label.num_cpnts}C_{label.num_peaks}P"
        found.append((label.file, label.catalog_id, expected, " ".join(classes), expected in classes))
    return pd.DataFrame(found, columns=["file", "catalog_id", "expected", "classes", "found"])


def unaccounted(
    components: pd.DataFrame, catalogue: pd.DataFrame, outcomes: pd.DataFrame | None, beam_arcsec: float
) -> pd.DataFrame:
    """Return the bright components of all views with the table that has each.

    Parameters
    ----------
    components : DataFrame
        Components of all views (`claran_core.common.tables.COMPONENTS`).
    catalogue, outcomes : DataFrame
        The products; a run without a table of outcomes has None.
    beam_arcsec : float
        Width of the beam.

    Returns
    -------
    DataFrame
        ``ra``, ``dec``, ``snr``, ``where``: ``row`` of the catalogue, one of the other outcomes, or
        ``neither``.  Pieces at the border of a view, and components of coarser scales, are left out.
    """
    scale = components["scale"] if "scale" in components else 1
    used = (components["level"] == NOMINAL_LEVEL) & (components["snr"] >= BRIGHT_SNR) & (scale == 1)
    bright = components[used & ~components["at_edge"]].drop_duplicates("component_id")
    listed = catalogue[["component_ra", "component_dec"]].explode(["component_ra", "component_dec"])
    in_row = _near(bright, listed["component_ra"], listed["component_dec"], SAME_BEAMS * beam_arcsec)
    where = np.where(in_row, "row", "neither").astype(object)
    if outcomes is not None:
        for name in sorted(set(outcomes["outcome"]) - {"source"}):
            own = outcomes[outcomes["outcome"] == name]
            here = _near(bright, own["ra"], own["dec"], SAME_BEAMS * beam_arcsec)
            where[here & (where == "neither")] = name
    return bright[["subject_id", "ra", "dec", "snr"]].assign(where=where)


def _near(places: pd.DataFrame, ra: pd.Series, dec: pd.Series, within_arcsec: float) -> np.ndarray:
    """Return which places have a position within a distance; bool ``(n,)``."""
    if not len(ra) or not len(places):
        return np.zeros(len(places), bool)
    tree = cKDTree(unit_vectors(ra.to_numpy(float), dec.to_numpy(float)))
    own = unit_vectors(places["ra"].to_numpy(float), places["dec"].to_numpy(float))
    return np.isfinite(tree.query(own, distance_upper_bound=chord(within_arcsec))[0])


def accounting(found: pd.DataFrame) -> list[str]:
    """Return the result of `unaccounted` as lines."""
    counts = found["where"].value_counts()
    return [
        f"components >= {BRIGHT_SNR:g} sigma: {len(found)}; "
        + ", ".join(f"{name} {count}" for name, count in counts.items()),
        f"in neither table: {int(counts.get('neither', 0))}",
    ]


def suspicious_artefacts(outcomes: pd.DataFrame, first: pd.DataFrame) -> pd.DataFrame:
    """Return the components listed as artefact or noise, and whether each is a source of FIRST.

    Returns
    -------
    DataFrame
        Rows of `outcomes` with the column ``in_first``.
    """
    lost = outcomes[outcomes["outcome"].isin(["artefact", "noise"])]
    real = first[first["p_sidelobe"] < SIDELOBE_BELOW]
    return lost.assign(in_first=_near(lost, real["ra"], real["dec"], FIRST_ARCSEC))


def crowd_score(truth: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return which isolated point sources of crowds have a row of their own.

    Parameters
    ----------
    truth : DataFrame
        ``subject_id``, ``ra``, ``dec`` and ``flux_mjy`` of point sources.
    catalogue : DataFrame
        The catalogue.

    Returns
    -------
    DataFrame
        Isolated sources: ``subject_id``, ``found``: a row within 2 arcsec with the flux density within 10 %,
        and ``shared``: whether that row holds another source too.
    """
    found = []
    for name, own in truth.groupby("subject_id"):
        for source in own.itertuples():
            gaps = np.hypot(*offsets(own["ra"], own["dec"], source.ra, source.dec)).drop(source.Index)
            if len(gaps) and gaps.min() < ISOLATED_ARCSEC:
                continue
            apart = offsets(catalogue["centroid_ra"], catalogue["centroid_dec"], source.ra, source.dec)
            ratio = catalogue["integrated_flux"] / source.flux_mjy
            right = catalogue[(np.hypot(*apart) < CENTROID_ARCSEC) & ((ratio - 1).abs() < FLUX_ERROR)]
            shared = any(_n_held(row, own) > 1 for _, row in right.iterrows())
            found.append((name, len(right) > 0, shared))
    return pd.DataFrame(found, columns=["subject_id", "found", "shared"])


def _n_held(row: pd.Series, sources: pd.DataFrame) -> int:
    """Return the number of sources in the tight box of a row."""
    east, north = offsets(sources["ra"], sources["dec"], row["tight_ra"], row["tight_dec"])
    inside = (east.abs() < row["tight_width"] / 2) & (north.abs() < row["tight_height"] / 2)
    return int(inside.sum())
