"""Compare the shape columns of a catalogue with the classes that astronomers gave.

    python -m benchmarks.science.real_shapes ../shared/data/large/fields.csv CATALOGUE

FIELDS has a radio galaxy per row: ``ra`` and ``dec`` (deg), ``largest_angular_size_arcsec``, and ``fr_code``
of Miraghaei & Best (2017).  Its first digit is 1 for FR I and 2 for FR II, its second 0 if the authors were
confident, its third 0 for a standard source, 2 for a wide-angle tail and 4 for a head-tail.  The row of a
galaxy is the longest one whose tight box holds it.  Galaxies without a row, or whose row has no value, are
counted as left out.

The area under the curve is the probability that the value of a random FR II (or tail) is larger than that of
a random FR I (or straight source).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from benchmarks.science.real_scores import HOST_MARGIN_ARCSEC, holding
from claran_core.common.files import read_table

__all__ = ["area_under_curve", "lines_of_shapes", "with_rows"]

# Galaxies by size, arcsec.
SIZES = ((30, np.inf), (30, 60), (60, 120), (120, np.inf))
COLUMNS = ["largest_angular_size", "fr_ratio", "bending_angle", "shape_centre"]
BOX = ["tight_ra", "tight_dec", "tight_width", "tight_height"]
N_SAMPLES, SEED = 1000, 0


def with_rows(fields: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return the fields with the shape columns of the galaxy's row, NaN without one."""
    found = []
    for field in fields.itertuples():
        over = catalogue[holding(catalogue, field.ra, field.dec, HOST_MARGIN_ARCSEC)]
        own = over.nlargest(1, "largest_angular_size")[COLUMNS]
        found.append(own.iloc[0].to_dict() if len(own) else dict.fromkeys(COLUMNS, np.nan))
    return pd.concat([fields.reset_index(drop=True), pd.DataFrame(found, columns=COLUMNS)], axis=1)


def area_under_curve(larger: np.ndarray, smaller: np.ndarray) -> tuple[float, float, float]:
    """Return the area under the curve of two samples, and its 95 % interval by resampling both.

    NaN without a value in one of them.
    """
    if not len(larger) or not len(smaller):
        return np.nan, np.nan, np.nan
    rng = np.random.default_rng(SEED)
    tries = [
        _area(rng.choice(larger, len(larger)), rng.choice(smaller, len(smaller))) for _ in range(N_SAMPLES)
    ]
    low, high = np.quantile(tries, [0.025, 0.975])
    return _area(larger, smaller), float(low), float(high)


def _area(larger: np.ndarray, smaller: np.ndarray) -> float:
    return float(mannwhitneyu(larger, smaller).statistic / (len(larger) * len(smaller)))


def lines_of_shapes(found: pd.DataFrame) -> list[str]:
    """Return the table of `with_rows` as lines: FR I against FR II, and tails against straight sources."""
    code, size = found["fr_code"], found["largest_angular_size_arcsec"]
    kind, is_confident, form = code // 100, code // 10 % 10 == 0, code % 10
    lines = ["fr_ratio | FR I | FR II | left out | area under the curve | FR I below 0.45 | FR II above 0.55"]
    for low, high in SIZES:
        chosen = is_confident & (size >= low) & (size < high)
        one, two = (found.loc[chosen & (kind == which), "fr_ratio"] for which in (1, 2))
        lines.append(
            f"{_named(low, high)} | {_compared(two, one)} | {(one.dropna() < 0.45).mean():.2f} | "
            f"{(two.dropna() > 0.55).mean():.2f}"
        )
    lines.append("bending_angle | straight | tails | left out | area under the curve")
    long = (size >= SIZES[0][0]) & kind.isin([1, 2])
    straight, tails = (found.loc[long & form.isin(which), "bending_angle"] for which in ([0], [2, 4]))
    lines.append(f"{_named(*SIZES[0])} | {_compared(tails, straight)}")
    counts = found.loc[size >= SIZES[0][0], "shape_centre"].fillna("no row").value_counts()
    lines.append("centres: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    return lines


def _named(low: float, high: float) -> str:
    return f"{low:g} arcsec and more" if np.isinf(high) else f"{low:g}-{high:g} arcsec"


def _compared(larger: pd.Series, smaller: pd.Series) -> str:
    values = [given.dropna().to_numpy() for given in (larger, smaller)]
    area, low, high = area_under_curve(*values)
    missing = int(larger.isna().sum() + smaller.isna().sum())
    return f"{len(values[1])} | {len(values[0])} | {missing} | {area:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Print how the shape columns separate the classes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("fields", type=Path)
    parser.add_argument("catalogue", type=Path)
    options = parser.parse_args()
    catalogue = read_table(options.catalogue, [*BOX, *COLUMNS])
    print("\n".join(lines_of_shapes(with_rows(pd.read_csv(options.fields), catalogue))))


if __name__ == "__main__":
    main()
