"""Measure matched flux densities and spectral indices of a run on the simulated sky against the truth.

    OMP_NUM_THREADS=1 python -m benchmarks.science.spectral_indices --targets targets.csv --fields 240
    snakemake --cores 2 --configfile my.yaml --directory FOLDER catalogue
    OMP_NUM_THREADS=1 python -m benchmarks.science.spectral_indices FOLDER

The first command writes subjects at sources that the first survey shows, half of them of several components.
The settings of the run name these targets and two simulated surveys.

Each row of the catalogue belongs to the true source that is brightest at its centroid.  Rows near others
(flags) are left out, and those where other sources have more than 1 % of its brightness there, in either
survey.  The table has, of unresolved sources and of others: the number, the median of measured over true flux
density in both surveys, and of the spectral index the median difference, its scatter, and median and width of
the difference in units of the error (width: half the distance of the percentiles 15.9 and 84.1); and the last
two of the second flux density of sources below 10 sigma there.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.science.surveys import config_of, targets_of
from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.constants import GAUSSIAN_AREA
from claran_core.common.files import read_table
from claran_core.common.flags import Flag
from claran_core.common.log import Progress
from claran_core.common.paths import Results
from claran_core.settings.config import Config, load_config
from claran_core.simulation.provider import RenderedSource, SimulatedProvider

# Width of the window of true emission around a source, in beams of the first survey.
WINDOW_BEAMS = 34.0
# Highest brightness of other sources at the centroid, as a fraction.
MOST_OTHERS = 0.01
NEAR = int(Flag.SECOND_RADIO_BLEND | Flag.BLEND | Flag.EDGE)
# Sources below this significance in the second survey test its noise; brighter ones test sizes.
FAINT = 10.0
SIGMA_PERCENTILES = (15.87, 84.13)


def at_place(source: RenderedSource, ra_deg: float, dec_deg: float) -> float:
    """Return the noise-free brightness of a source at a position; 0 outside its pixels."""
    x, y = (int(np.rint(float(value))) for value in source.wcs.sky_to_pixels(ra_deg, dec_deg))
    rows, columns = source.part
    inside = rows.start <= y < rows.stop and columns.start <= x < columns.stop
    return float(source.emission[y - rows.start, x - columns.start]) if inside else 0.0


def true_flux(sky: SimulatedProvider, source: RenderedSource) -> float:
    """Return the flux density of a source, mJy."""
    survey = sky.survey
    pixels = GAUSSIAN_AREA * survey.beam_arcsec**2 / source.wcs.pixel_scale_arcsec**2
    return 1e3 * float(source.emission.sum(dtype=float)) / pixels


def truth_of(
    skies: list[SimulatedProvider], ra_deg: float, dec_deg: float, width_arcsec: float
) -> list[float]:
    """Return the true flux density (mJy) in both surveys of the only source at a position; else nothing."""
    name, fluxes = "", []
    for sky in skies:
        sources = sky.truth(ra_deg, dec_deg, width_arcsec)
        levels = np.array([at_place(source, ra_deg, dec_deg) for source in sources])
        if not len(levels) or levels.max() <= 0:
            return []
        best = int(levels.argmax())
        if levels.sum() - levels[best] > MOST_OTHERS * levels[best] or name not in (
            "",
            sources[best].source_id,
        ):
            return []
        name = sources[best].source_id
        fluxes.append(true_flux(sky, sources[best]))
    return fluxes


def compared(results: Results, config: Config) -> pd.DataFrame:
    """Return the rows of the catalogue that belong to one true source, with its flux densities and index."""
    surveys = [config.survey.radio.survey, config.survey.second_radio.survey]
    skies = [SimulatedProvider(survey, seed=config.seed) for survey in surveys]
    catalogue = read_table(results.catalogue, CATALOGUE.names)
    rows = catalogue[catalogue["second_radio_flux"].notna() & (catalogue["flags"] & NEAR == 0)]
    progress = Progress("rows compared", len(rows))
    found = []
    for row in rows.itertuples():
        width_arcsec = WINDOW_BEAMS * surveys[0].beam_arcsec
        found.append(truth_of(skies, row.centroid_ra, row.centroid_dec, width_arcsec) or [np.nan, np.nan])
        progress.step()
    first, second = np.array(found, float).reshape(-1, 2).T
    ratio = np.log(surveys[1].frequency_hz / surveys[0].frequency_hz)
    table = rows.assign(true_first=first, true_second=second, true_index=np.log(second / first) / ratio)
    return table[np.isfinite(first)]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of the unresolved sources, of those above 10 sigma, and of the others."""
    compact = table["unresolved"].to_numpy(bool)
    bright = table["snr"].to_numpy(float) >= 10
    kinds = {"unresolved": compact, "unresolved, 10 sigma": compact & bright, "resolved": ~compact}
    return pd.DataFrame([{"sources": kind, **_figures(table[chosen])} for kind, chosen in kinds.items()])


def _figures(rows: pd.DataFrame) -> dict[str, Any]:
    difference = rows["spectral_index"] - rows["true_index"]
    pulls = difference / rows["spectral_index_err"]
    forced = (rows["second_radio_flux"] - rows["true_second"]) / rows["second_radio_flux_err"]
    faint = rows["true_second"] < FAINT * rows["second_radio_flux_err"]
    return {
        "n": len(rows),
        "n_index": int(rows["spectral_index"].notna().sum()),
        "first_ratio": (rows["matched_flux"] / rows["true_first"]).median(),
        "second_ratio": (rows["second_radio_flux"] / rows["true_second"]).median(),
        "index_difference": difference.median(),
        "index_scatter": _width(difference),
        "index_pull": pulls.median(),
        "index_pull_width": _width(pulls),
        "n_faint": int(faint.sum()),
        "faint_pull": forced[faint].median(),
        "faint_pull_width": _width(forced[faint]),
    }


def _width(values: pd.Series) -> float:
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, SIGMA_PERCENTILES) if len(known) else (np.nan, np.nan)
    return float(high - low) / 2


def options_of() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="folder of the run")
    parser.add_argument("--targets", type=Path, help="write subjects to this table instead")
    parser.add_argument("--fields", type=int, default=240, help="number of subjects, about (240)")
    parser.add_argument("--survey", default="FIRST", help="first survey, for the subjects (FIRST)")
    return parser.parse_args()


def main() -> None:
    """Write the subjects, or compare a run and print the table."""
    options = options_of()
    if options.targets:
        targets = targets_of(config_of(options.survey, None), options.fields)
        targets[["subject_id", "ra", "dec"]].to_csv(options.targets, index=False)
        return
    results = Results(options.folder / "results")
    config = load_config(results.config)
    print(summary(compared(results, config)).round(3).T.to_string(header=False))


if __name__ == "__main__":
    main()
