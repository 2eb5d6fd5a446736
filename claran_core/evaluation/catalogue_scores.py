"""Completeness and reliability of the catalogue against flux density, size and class, as JSON and as a table.

Two criteria are kept apart: whether a row is exactly one whole source, and whether its class is right as
well.  Intervals are 95 % Wilson intervals, which are valid for few sources and for fractions near 0 and 1.
"""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.tables import NATIVE_SCALE
from claran_core.evaluation.accounting import component_accounts
from claran_core.evaluation.area import subjects_at
from claran_core.evaluation.by_size import completeness_by_size
from claran_core.evaluation.catalogue_truth import (
    REASONS,
    SOURCE_OUTCOMES,
    STATUSES,
    Comparison,
)
from claran_core.evaluation.close_pairs import close_pairs
from claran_core.labels.dr1_labels import LABELLED_SNR

__all__ = [
    "BINS",
    "binned_shares",
    "catalogue_metrics",
    "catalogue_summary",
    "field_ratios",
    "wilson_interval",
]

BINS = pa.schema(
    [
        pa.field("measure", pa.string(), nullable=False),
        pa.field("against", pa.string(), nullable=False),
        pa.field("bin", pa.string(), nullable=False),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("n_right", pa.int64(), nullable=False),
        pa.field("n_class_right", pa.int64(), nullable=False),
        pa.field("share", pa.float64()),
        pa.field("share_low", pa.float64()),
        pa.field("share_high", pa.float64()),
        pa.field("class_share", pa.float64()),
        pa.field("class_share_low", pa.float64()),
        pa.field("class_share_high", pa.float64()),
    ]
)

# Lower edges of the bins; the last bin has no upper edge.
FLUX_EDGES_MJY = (0.0, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
SNR_EDGES = (0.0, 5.3, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)
SIZE_EDGES_ARCSEC = (0.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0)

NORMAL_95 = 1.959964
DECIMALS = 6


def wilson_interval(n_right: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a fraction; NaN if `n` is 0 (Wilson 1927, JASA 22, 209)."""
    if n == 0:
        return float("nan"), float("nan")
    share, z2 = n_right / n, NORMAL_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    # Rounding must not move the interval off a fraction of 0 or 1.
    return min(max(0.0, middle - half), share), max(min(1.0, middle + half), share)


def catalogue_metrics(
    comparison: Comparison,
    catalogue: pd.DataFrame,
    truth: pd.DataFrame,
    outcomes: pd.DataFrame,
    subjects: pd.DataFrame,
    frame: Frame,
) -> dict[str, Any]:
    """Return the scores of a catalogue whose truth is known, as a dictionary ready for JSON.

    Parameters
    ----------
    comparison : Comparison
        Result of `claran_core.evaluation.catalogue_truth.compare_with_truth`.
    catalogue, truth : DataFrame
        The catalogue and the truth that were compared.
    outcomes : DataFrame
        Columns of `claran_core.catalogue.product.schema.OUTCOMES`.
    subjects : DataFrame
        Columns ``ra``, ``dec`` (deg) and ``scale``: the subjects of the catalogue.
    frame : Frame
        Geometry of the subjects of scale 1.

    Returns
    -------
    dict
        ``counts`` of rows by status, and of true sources by outcome and by reason; ``labelled``: the same
        for the sources that are labelled (brightest pixel of 10 sigma or more, centre in a subject), with
        ``completeness``; ``reliability``; ``without_doubtful``: both without the rows flagged `DOUBTFUL`;
        ``by_size``: `claran_core.evaluation.by_size.completeness_by_size` of the labelled sources;
        ``components``: `claran_core.evaluation.accounting.component_accounts`; ``per_1000_sources``:
        duplicates, fragments, blends and losses per 1000 labelled sources; ``neighbours``: close pairs
        within an arcminute; ``completeness_ratio``.
    """
    sources, rows = comparison.sources, comparison.rows
    labelled = sources[_labelled(sources)]
    pairs = close_pairs(sources)
    class_right = _class_right(rows["true_morphology"], catalogue["morphology"])
    doubtful = catalogue["flags"].to_numpy(int) & int(Flag.DOUBTFUL) != 0
    return {
        "counts": {
            "n_rows": len(rows),
            "n_doubtful": int(doubtful.sum()),
            "rows": _counted(rows["status"], STATUSES),
            "n_duplicates": comparison.n_duplicates,
            "n_rows_without_component": int((rows["n_components"] == 0).sum()),
            **_accounts(sources),
        },
        "labelled": {
            **_accounts(labelled),
            "completeness": _share(labelled["outcome"] == "found"),
            "completeness_with_class": _share(_found_with_class(labelled)),
        },
        "reliability": _share(rows["status"] == "true"),
        "reliability_with_class": _share((rows["status"] == "true").to_numpy(bool) & class_right),
        "without_doubtful": _without(doubtful, labelled, rows),
        "by_size": completeness_by_size(labelled),
        "components": component_accounts(truth, outcomes),
        "per_1000_sources": _rates(comparison, len(labelled)),
        "neighbours": {
            "n_pairs": len(pairs),
            "n_lost": int(pairs["lost"].sum()),
            "n_blended": int(pairs["blended"].sum()),
            "lost": _share(pairs["lost"]),
        },
        "completeness_ratio": field_ratios(catalogue, truth, subjects, frame),
    }


def _without(doubtful: np.ndarray, labelled: pd.DataFrame, rows: pd.DataFrame) -> dict[str, Any]:
    """Return completeness and reliability of the rows that are not doubtful."""
    sure = rows[~doubtful]
    true = set(sure.loc[sure["status"] == "true", "source_id"])
    found = np.array([not true.isdisjoint(names) for names in labelled["row_ids"]], bool)
    return {"completeness": _share(found), "reliability": _share(sure["status"] == "true")}


def catalogue_summary(metrics: dict[str, Any]) -> str:
    """Return one line with completeness, reliability and number of duplicates of a catalogue."""
    shares = ", ".join(
        f"{name} {_short(share)}"
        for name, share in (
            ("completeness", metrics["labelled"]["completeness"]),
            ("reliability", metrics["reliability"]),
        )
    )
    n_duplicates = metrics["counts"]["n_duplicates"]
    return (
        f"catalogue: {shares}, from {metrics['labelled']['n_sources']} sources of {LABELLED_SNR:g} sigma "
        f"or more and {metrics['counts']['n_rows']} rows; {n_duplicates or 'no'} duplicates"
    )


def binned_shares(comparison: Comparison, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return completeness and reliability against flux density, signal-to-noise ratio, size and class.

    Completeness is the fraction of true sources with their centre in a subject that are found.  Against flux
    density it counts all of them, visible or not; against signal-to-noise ratio the visible ones; against
    size and class those of 10 sigma or more.  Reliability is the fraction of the catalogue's rows that are
    true, against the values in the catalogue.

    Parameters
    ----------
    comparison : Comparison
        Result of `claran_core.evaluation.catalogue_truth.compare_with_truth`.
    catalogue : DataFrame
        Columns ``morphology``, ``integrated_flux``, ``snr`` and ``angular_size`` of
        `claran_core.catalogue.product.schema.CATALOGUE`.

    Returns
    -------
    DataFrame
        Columns of `BINS`; ``class_share`` also requires the right class.
    """
    sources = comparison.sources[(comparison.sources["placement"] != "outside").to_numpy(bool)]
    visible = sources[(sources["state"] == "visible").to_numpy(bool)]
    labelled = sources[_labelled(sources)]
    rows = catalogue.reset_index(drop=True).assign(
        right=(comparison.rows["status"] == "true").to_numpy(bool),
        class_right=_class_right(comparison.rows["true_morphology"], catalogue["morphology"]),
    )
    tables = []
    for against, edges, sample, column, other in (
        ("flux", FLUX_EDGES_MJY, sources, "flux", "integrated_flux"),
        ("snr", SNR_EDGES, visible, "snr", "snr"),
        ("angular_size", SIZE_EDGES_ARCSEC, labelled, "angular_size", "angular_size"),
        ("morphology", None, labelled, "morphology", "morphology"),
    ):
        found = sample["outcome"] == "found"
        tables += _bins("completeness", against, sample[column], edges, found, _found_with_class(sample))
        tables += _bins("reliability", against, rows[other], edges, rows["right"], rows["class_right"])
    return pd.DataFrame(tables, columns=BINS.names)


def field_ratios(
    catalogue: pd.DataFrame, truth: pd.DataFrame, subjects: pd.DataFrame, frame: Frame
) -> dict[str, dict[str, Any]]:
    """Return the fractions of subjects with as many, fewer and more true sources than rows (Tables 10, 11).

    The paper counts the classifications of each subject.  Here a subject of scale 1 has all true sources and
    all rows of the catalogue with their centre in its frame, from whichever subject they were measured.  Both
    are counted down to 10 sigma, the limit of the labels.

    Returns
    -------
    dict
        Per sample (``all`` subjects with truth, ``multi_source``: two or more true sources) the number of
        subjects ``n_subjects`` and the fractions ``equal``, ``fewer_true`` and ``more_true`` (None for an
        empty sample).
    """
    subjects = subjects[subjects["scale"] == NATIVE_SCALE]
    bright = ~(
        catalogue["snr"].to_numpy(float) < LABELLED_SNR
    )  # keeps rows without a component, whose snr is NaN
    visible = (truth["state"] == "visible").to_numpy(bool) & (truth["snr"].to_numpy(float) >= LABELLED_SNR)
    n_rows, n_true = (_per_subject(table, subjects, frame) for table in (catalogue[bright], truth[visible]))
    kinds = {"equal": n_true == n_rows, "fewer_true": n_true < n_rows, "more_true": n_true > n_rows}
    samples = {"all": n_true > 0, "multi_source": n_true > 1}
    return {
        name: {
            "n_subjects": int(chosen.sum()),
            **{
                kind: _number(is_so[chosen].mean()) if chosen.any() else None for kind, is_so in kinds.items()
            },
        }
        for name, chosen in samples.items()
    }


def _per_subject(table: pd.DataFrame, subjects: pd.DataFrame, frame: Frame) -> np.ndarray:
    _, subject = subjects_at(table["ra"].to_numpy(float), table["dec"].to_numpy(float), subjects, frame)
    return np.bincount(subject, minlength=len(subjects))


def _labelled(sources: pd.DataFrame) -> np.ndarray:
    """Return which sources lie in a subject and are bright enough to be labelled."""
    inside = (sources["placement"] != "outside") & (sources["state"] == "visible")
    return inside.to_numpy(bool) & (sources["snr"].to_numpy(float) >= LABELLED_SNR)


def _found_with_class(sources: pd.DataFrame) -> np.ndarray:
    right = _class_right(sources["listed_as"], sources["morphology"])
    return (sources["outcome"] == "found").to_numpy(bool) & right


def _class_right(first: pd.Series, second: pd.Series) -> np.ndarray:
    pairs = zip(first, second, strict=True)
    return np.array([one is not None and one == other for one, other in pairs], dtype=bool)


def _accounts(sources: pd.DataFrame) -> dict[str, Any]:
    return {
        "n_sources": len(sources),
        "sources": _counted(sources["outcome"], SOURCE_OUTCOMES),
        "missed": _counted(sources["reason"], REASONS),
    }


def _counted(values: pd.Series, words: dict[str, str]) -> dict[str, int]:
    return {word: int((values == word).sum()) for word in words}


def _rates(comparison: Comparison, n_labelled: int) -> dict[str, float | None]:
    sources, rows = comparison.sources, comparison.rows
    lost = _labelled(sources) & (sources["outcome"] == "missed").to_numpy(bool)
    counts = {
        "duplicates": comparison.n_duplicates,
        "fragments": int((rows["status"] == "fragment").sum()),
        "fragmented_sources": int((sources["outcome"] == "fragmented").sum()),
        "blends": int((rows["status"] == "blend").sum()),
        "false_rows": int((rows["status"] == "false").sum()),
        "losses": int(lost.sum()),
    }
    return {name: _number(1000 * n / n_labelled) if n_labelled else None for name, n in counts.items()}


def _share(right: pd.Series | np.ndarray) -> dict[str, Any]:
    """Return number and fraction of the right ones, with its interval."""
    n, n_right = len(right), int(np.sum(right))
    low, high = wilson_interval(n_right, n)
    interval = [_number(low), _number(high)] if n else None
    return {"n": n, "n_right": n_right, "share": _number(n_right / n) if n else None, "interval_95": interval}


def _short(share: dict[str, Any]) -> str:
    if share["share"] is None:
        return "not measurable"
    low, high = share["interval_95"]
    return f"{share['share']:.3f} ({low:.3f}-{high:.3f}, 95 %)"


def _number(value: float) -> float:
    return round(float(value), DECIMALS)


def _bins(
    measure: str,
    against: str,
    values: pd.Series,
    edges: tuple[float, ...] | None,
    right: pd.Series | np.ndarray,
    class_right: pd.Series | np.ndarray,
) -> list[dict[str, Any]]:
    """Return the rows of `BINS` of one measure, in the bins of `edges` or, without edges, by class."""
    chosen: list[tuple[str, float | None, float | None, np.ndarray]]
    if edges is None:
        chosen = [(name, None, None, (values == name).to_numpy(bool)) for name in MORPHOLOGIES]
    else:
        place = np.digitize(values.to_numpy(float), edges) - 1  # NaN is put beyond the last edge
        place = np.where(np.isnan(values.to_numpy(float)), -1, place)
        upper = [*edges[1:], None]
        chosen = [
            (_bin_name(low, high), low, high, place == k)
            for k, (low, high) in enumerate(zip(edges, upper, strict=True))
        ]
    rows = []
    for name, low, high, is_in in chosen:
        n = int(is_in.sum())
        counts = [int(np.asarray(each, bool)[is_in].sum()) for each in (right, class_right)]
        shares = [(k / n if n else None, *wilson_interval(k, n)) for k in counts]
        cells = (measure, against, name, low, high, n, *counts, *shares[0], *shares[1])
        rows.append(dict(zip(BINS.names, cells, strict=True)))
    return rows


def _bin_name(low: float, high: float | None) -> str:
    return f">= {low:g}" if high is None else f"{low:g}-{high:g}"
