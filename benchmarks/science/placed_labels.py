"""Compare the sky of a label table with the table, without noise and with it.

    OMP_NUM_THREADS=1 python -m benchmarks.science.placed_labels TABLE --rows 600

Prints per class of the table the fraction of sources with the labelled number of components, both counts and
class; the extent over the label's at 5, 50 and 95 %; and the median distance of brightest pixels from the
label's.  Without noise the contour rule measures each source alone, with noise the subject of the row.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core.common.frame import Frame
from claran_core.common.morphology import morphology_of
from claran_core.common.sky import offset_to_sky, sky_to_offset
from claran_core.common.subject import Subject
from claran_core.components.contour_rule import dr1_extent, find_components
from claran_core.labels.dr1_labels import label_simulated
from claran_core.labels.rgz_table import read_label_table
from claran_core.simulation.label_table_sky import LabelTablePopulation, relative_noise
from claran_core.simulation.labelled_sources import noise_free
from claran_core.simulation.population import RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.source_models import PIXEL_ARCSEC
from claran_core.survey.surveys import SURVEYS

SEED = 20181031

# A frame of zero size and 1 arcsec pixels: its coordinates are arcsec.

Seen = tuple[int, int, float, np.ndarray, np.ndarray]  # components, peaks, extent, brightest pixels (deg)


def without_noise(source: RadioSource) -> Seen | None:
    """Measure a source alone by the contour rule, at the noise of its position."""
    image, origin = noise_free(source.model.gaussians)
    found = find_components(image, relative_noise(SEED, source.ra_deg, source.dec_deg))
    if not len(found):
        return None
    brightest = offset_to_sky(source.ra_deg, source.dec_deg, *(origin + PIXEL_ARCSEC * found.brightest).T)
    return len(found), int(found.n_peaks.sum()), dr1_extent(found.boxes) * PIXEL_ARCSEC, *brightest


def with_noise(sky: SimulatedProvider, row: Any) -> Seen | None:
    """Measure the source of a row in the subject of the row, with noise."""
    frame = Frame()
    subject = Subject(row.first_id, row.ra, row.dec, "none", frame)
    window = row.ra, row.dec, frame.width_arcsec
    labels = label_simulated(subject, sky.cutout(row.first_id, *window), sky.truth(*window))
    own = labels[labels["label_id"] == row.catalog_id]
    if not len(own):
        return None
    label = own.iloc[0]
    brightest = np.array(label.component_ra), np.array(label.component_dec)
    return int(label.n_components), int(label.n_peaks), float(label.angular_size), *brightest


def compared(row: Any, seen: Seen | None) -> dict[str, Any]:
    """Compare the label of a row with the measurement of its source."""
    morphology = morphology_of(row.num_cpnts, row.num_peaks)[0]
    if seen is None:
        return {"morphology": morphology, "seen": 0}
    n_components, n_peaks, extent, ra, dec = seen
    places = [
        np.column_stack(sky_to_offset(row.ra, row.dec, np.array(r), np.array(d)))
        for r, d in ((row.component_ra, row.component_dec), (ra, dec))
    ]
    apart = np.hypot(*(places[0][:, None] - places[1][None]).T).min(axis=0)
    return {
        "morphology": morphology,
        "seen": 1,
        "components": n_components == row.num_cpnts,
        "both": (n_components, n_peaks) == (row.num_cpnts, row.num_peaks),
        "class": morphology_of(n_components, n_peaks)[0] == morphology,
        "extent": extent / row.ang_extent,
        "position": float(np.median(apart)),
    }


def summary(rows: pd.DataFrame) -> str:
    """Return fractions and quantiles per class and for all sources."""
    lines = {}
    for name, group in [*rows.groupby("morphology"), ("all", rows)]:
        lines[name] = {"rows": len(group), "seen": group["seen"].mean()}
        for column in ("components", "both", "class"):
            lines[name][column] = group[column].fillna(False).astype(float).mean()
        for level in (5, 50, 95):
            lines[name][f"extent {level} %"] = np.nanpercentile(group["extent"].astype(float), level)
        lines[name]["position"] = group["position"].median()
    return pd.DataFrame(lines).T.round(3).to_string()


def main() -> None:
    """Compare a random part of a label table with its sky."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="RGZ label table")
    parser.add_argument("--rows", type=int, default=600, help="number of rows, chosen at random")
    options = parser.parse_args()
    table = read_label_table(options.table)
    start = time.perf_counter()
    population = LabelTablePopulation(SEED, table, name=options.table.name)
    print(f"{population}: {time.perf_counter() - start:.1f} s")
    sources = {source.source_id: source for source in population.sources()}
    table = table[table["catalog_id"].isin(list(sources))]
    rows = list(table.sample(min(options.rows, len(table)), random_state=1).itertuples())
    sky = SimulatedProvider(SURVEYS["FIRST"], seed=SEED, population=population)
    start = time.perf_counter()
    clean = [compared(row, without_noise(sources[row.catalog_id])) for row in rows]
    print(f"built: {(time.perf_counter() - start) / len(rows) * 1e3:.0f} ms per source\n")
    print("without noise", summary(pd.DataFrame(clean)), sep="\n", end="\n\n")
    print(
        "with noise", summary(pd.DataFrame([compared(row, with_noise(sky, row)) for row in rows])), sep="\n"
    )


if __name__ == "__main__":
    main()
