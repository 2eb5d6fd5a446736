"""Measure weights on the simulated sky of each radio survey that ships, and of a made-up one.

    OMP_NUM_THREADS=1 python -m benchmarks.science.surveys FOLDER --fields 150 --jobs 2
    OMP_NUM_THREADS=1 python -m benchmarks.science.surveys FOLDER --surveys LOTSS --weights new.safetensors

Subjects surround the sources above 12 sigma that are nearest to a position, half of them of several
components.  They are as many beams wide in each survey, without infrared images (D1).  The table has, for
sources of 10 sigma that lie whole in a subject: completeness, and with the right class, of all and of those
with several components; reliability of the rows; and the median of measured over true flux density of sources
of one component, with its standard error.  FOLDER keeps the drawn images, which other weights search again.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.science.blind_sky import draw, read_owners
from benchmarks.science.blind_survey import build, runner
from benchmarks.science.blind_targets import in_shards
from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.common.files import read_table, write_json, write_table
from claran_core.common.paths import Results
from claran_core.common.sky import offset_to_sky, sky_to_offset
from claran_core.common.tables import NATIVE_SCALE, TARGETS
from claran_core.evaluation.accounting import COMPONENT_COLUMNS, unaccounted
from claran_core.evaluation.catalogue_truth import Comparison, compare_with_truth
from claran_core.evaluation.component_links import LINK_BEAMS
from claran_core.evaluation.metrics import json_ready
from claran_core.evaluation.sky_truth import SKY_TRUTH, sky_truth_over
from claran_core.labels.dr1_labels import LABELLED_SNR
from claran_core.model.weights_choice import given_weights
from claran_core.settings.config import Config, load_config
from claran_core.simulation.geometry import cells_near
from claran_core.simulation.population import RADIO_NSIDE, RadioCell
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.survey_image import frame_of
from claran_core.survey.description import survey_names

METHOD, SHARDS, CENTRE = "D1", 4, (150.0, 25.0)
# Least peak of the sources that are chosen, in units of the noise; distance of subjects from them along each
# axis, in widths of the frame.
BRIGHT, OFF_CENTRE = 12.0, 0.15
# Half of the radius within which sources are looked for first.
FIRST_RADIUS_ARCSEC = 600.0

# A survey that only the settings describe: an elliptical beam, smooth noise, a low frequency.
MADE_UP = "MADE_UP"
DESCRIPTION: dict[str, Any] = {
    "beam_arcsec": [14.0, 9.0, 35.0],
    "pixel_scale_arcsec": 2.5,
    "rms": 60.0,
    "unit": "uJy/beam",
    "frequency_hz": 6.5e8,
    "noise_correlation": [[0.7, 14.0], [0.3, 50.0]],
    "dynamic_range": 300,
}


def config_of(name: str, seed: int | None) -> Config:
    """Return the settings of a run on the simulated sky as a survey sees it."""
    description = DESCRIPTION if name == MADE_UP else {}
    radio = {"name": name, "description": description, "source": "simulated"}
    settings: dict[str, Any] = {
        "survey": {"radio": radio, "infrared": {"source": "none"}},
        "fusion": {"methods": [METHOD]},
        "catalogue": {"method": METHOD},
    }
    config = load_config(settings if seed is None else {**settings, "seed": seed})
    frame = frame_of(config.survey.radio.survey)
    return config.changed(fusion=config.fusion.changed(pixel_scale_arcsec=frame.pixel_scale_arcsec))


def targets_of(config: Config, n_fields: int) -> pd.DataFrame:
    """Return subjects at sources, half of them of several components, which are not quite in the middle."""
    survey, frame = config.survey.radio.survey, config.fusion.frame
    sky = SimulatedProvider(survey, seed=config.seed)
    n_several = n_fields // 2
    ra, dec = np.concatenate(
        [_nearest(sky, n_fields - n_several, several=False), _nearest(sky, n_several, several=True)]
    ).T
    aside = np.random.default_rng(config.seed).uniform(-OFF_CENTRE, OFF_CENTRE, (2, n_fields))
    ra, dec = offset_to_sky(ra, dec, *(aside * frame.width_arcsec))
    names = [f"{survey.name}-{number:04d}" for number in range(n_fields)]
    table = pd.DataFrame({"subject_id": names, "ra": ra, "dec": dec, "split": "none", "scale": NATIVE_SCALE})
    return in_shards(table, SHARDS)


def _nearest(sky: SimulatedProvider, n: int, *, several: bool) -> np.ndarray:
    """Return RA and Dec (deg) of the `n` bright sources of a kind nearest to `CENTRE`; ``(n, 2)``."""
    faintest, radius_arcsec = BRIGHT * sky.survey.rms, FIRST_RADIUS_ARCSEC
    places = np.empty((0, 3))
    while len(places) < n or places[n - 1, 0] > radius_arcsec:
        radius_arcsec *= 2
        cells = [sky.population.cell(cell) for cell in cells_near(*CENTRE, radius_arcsec, RADIO_NSIDE)]
        chosen = [_is_kind(cell, faintest, several=several) for cell in cells]
        ra, dec = (
            np.concatenate([getattr(cell, name)[own] for cell, own in zip(cells, chosen, strict=True)])
            for name in ("ra_deg", "dec_deg")
        )
        distance = np.hypot(*sky_to_offset(*CENTRE, ra, dec))
        places = np.stack([distance, ra, dec], axis=1)[np.argsort(distance, kind="stable")]
    return places[:n, 1:]


def _is_kind(cell: RadioCell, faintest_jy: float, *, several: bool) -> np.ndarray:
    """Return which sources are bright, and compact or, if `several`, of several components but not large."""
    chosen = (cell.peak_jy >= faintest_jy) & (cell.is_compact != several)
    for number in np.flatnonzero(chosen).tolist() if several else ():
        chosen[number] = cell[number].n_components > 1 and cell[number].kind != "large"
    return np.asarray(chosen)


def measured(folder: Path, config: Config, weights: Path, n_fields: int, jobs: int) -> dict[str, Any]:
    """Draw, search, catalogue and compare one survey; return its row of the table."""
    results, run, survey = Results(folder), runner(jobs), config.survey.radio.survey
    start = time.perf_counter()
    if not results.targets.exists():
        targets = targets_of(config, n_fields)
        for shard, rows in targets.groupby("shard"):
            write_table(results.shard_targets(str(shard)), rows, TARGETS)
        write_table(results.targets, targets, TARGETS)
    targets = read_table(results.targets, TARGETS.names)
    run(partial(draw, results, config, METHOD, weights), targets["shard"].unique().tolist())
    build(results, results, config, METHOD, weights, SHARDS, run)
    truth_path = folder / "truth.parquet"
    if not truth_path.exists():
        sky = SimulatedProvider(survey, seed=config.seed)
        write_table(truth_path, sky_truth_over(sky, targets, config.fusion.frame), SKY_TRUTH)
    truth = read_table(truth_path, SKY_TRUTH.names)
    catalogue, outcomes = (
        read_table(results.catalogue, CATALOGUE.names),
        read_table(results.outcomes, OUTCOMES.names),
    )
    link_arcsec = LINK_BEAMS * survey.beam_arcsec
    comparison = compare_with_truth(catalogue, truth, outcomes, read_owners(results), link_arcsec=link_arcsec)
    components = pd.concat(
        [read_table(results.components(shard), COMPONENT_COLUMNS) for shard in targets["shard"].unique()]
    )
    return {
        "survey": survey.name,
        "subjects": len(targets),
        **scores(comparison, catalogue),
        "duplicates": comparison.n_duplicates,
        "unaccounted": unaccounted(components, outcomes, link_arcsec)["n_missing"],
        "seconds": round(time.perf_counter() - start),
    }


def scores(comparison: Comparison, catalogue: pd.DataFrame) -> dict[str, Any]:
    """Return completeness, reliability and flux bias of a catalogue."""
    sources = comparison.sources
    bright = (sources["state"] == "visible") & (sources["snr"] >= LABELLED_SNR)
    own = sources[bright & (sources["placement"] == "whole")]
    found = own["outcome"] == "found"
    with_class = found & (own["listed_as"] == own["morphology"])
    several = own["n_components"] > 1
    is_true = (comparison.rows["status"] == "true").to_numpy(bool)
    strong = catalogue["snr"].to_numpy(float) >= LABELLED_SNR
    flux = pd.Series(catalogue["integrated_flux"].to_numpy(float), catalogue["source_id"])
    rows = own.loc[found, "row_ids"].map(lambda names: names[0])
    ratio = flux.reindex(rows).to_numpy(float) / own.loc[found, "flux"].to_numpy(float)
    single = np.isfinite(ratio) & ~several[found].to_numpy(bool)
    median, error = median_and_error(ratio[single])
    return {
        "sources": len(own),
        "completeness": found.mean(),
        "with_class": with_class.mean(),
        "several": int(several.sum()),
        "several_completeness": found[several].mean(),
        "several_with_class": with_class[several].mean(),
        "rows": int(strong.sum()),
        "reliability": is_true[strong].mean() if strong.any() else np.nan,
        "flux_ratio": median,
        "flux_ratio_err": error,
    }


def median_and_error(values: np.ndarray) -> tuple[float, float]:
    """Return the median of values and its standard error, from their absolute deviations."""
    if not len(values):
        return float("nan"), float("nan")
    median = float(np.median(values))
    scatter = 1.4826 * float(np.median(np.abs(values - median)))
    return median, 1.2533 * scatter / float(np.sqrt(len(values)))


def options_of() -> argparse.Namespace:
    """Return the options of the command line."""
    names = (*survey_names("radio"), MADE_UP)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of all files")
    parser.add_argument("--surveys", nargs="+", choices=names, default=list(names))
    parser.add_argument("--fields", type=int, default=150, help="subjects of each survey, about (150)")
    parser.add_argument("--weights", type=Path, help="weights of D1; default those that ship")
    parser.add_argument("--seed", type=int, help="seed of the sky; default that of config.yaml")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    return parser.parse_args()


def main() -> None:
    """Measure each survey and print the table."""
    options = options_of()
    rows = []
    for name in options.surveys:
        config = config_of(name, options.seed)
        weights = options.weights or given_weights(config)[0][METHOD].path
        rows.append(measured(options.folder / name, config, weights, options.fields, options.jobs))
        print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False))
        write_json(options.folder / "surveys.json", json_ready({"weights": weights.name, "surveys": rows}))
    print(pd.DataFrame(rows).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
