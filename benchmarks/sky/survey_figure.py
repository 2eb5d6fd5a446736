"""Draw one source of the simulated sky as each radio survey sees it: docs/simulated_surveys.png.

python -m benchmarks.sky.survey_figure docs/simulated_surveys.png
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np

from benchmarks.science.surveys import MADE_UP, config_of
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.noise import noise_sigma
from claran_core.common.reprojection import reproject
from claran_core.simulation.geometry import cells_near
from claran_core.simulation.population import RADIO_NSIDE, RadioSource
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.description import survey_names

matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402 - after the choice of the backend

CENTRE, RADIUS_ARCSEC = (150.0, 25.0), 6000.0
# Width of the pictures, and limits of the stretch, in units of the noise.
WIDTH_ARCSEC, WIDTH_PX, BRIGHTEST = 240.0, 240, 200.0
COLUMNS = 4


def shown_source(seed: int) -> RadioSource:
    """Return the brightest source near `CENTRE` of three components, at most a frame of VLASS in size."""
    sky = SimulatedProvider(config_of("FIRST", seed).survey.radio.survey, seed=seed)
    sources = [
        cell[number]
        for cell in (sky.population.cell(one) for one in cells_near(*CENTRE, RADIUS_ARCSEC, RADIO_NSIDE))
        for number in np.flatnonzero(~cell.is_compact).tolist()
    ]
    triples = [one for one in sources if one.n_components == 3 and one.peak_reach_arcsec < 90]
    return max(triples, key=lambda one: one.peak_jy)


def main() -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="picture to write")
    parser.add_argument("--seed", type=int, default=20181031, help="seed of the sky")
    options = parser.parse_args()
    names = [*survey_names("radio"), MADE_UP]
    source = shown_source(options.seed)
    rows = -(-len(names) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(2.4 * COLUMNS, 2.6 * rows), squeeze=False)
    frame = Frame(WIDTH_PX, WIDTH_ARCSEC / WIDTH_PX)
    for axis, name in zip(axes.ravel(), names, strict=True):
        survey = config_of(name, options.seed).survey.radio.survey
        sky = SimulatedProvider(survey, seed=options.seed)
        cutout = sky.cutout("", source.ra_deg, source.dec_deg, WIDTH_ARCSEC)
        assert isinstance(cutout, Cutout)
        snr = reproject(cutout, frame, source.ra_deg, source.dec_deg) / noise_sigma(cutout.data)
        stretched = np.arcsinh(snr) / np.arcsinh(BRIGHTEST)
        axis.imshow(stretched, cmap="inferno", vmin=-0.15, vmax=1, extent=(120, -120, -120, 120))
        peak_mjy = 1e3 * float(np.nanmax(cutout.data))
        axis.set_title(f"{name}: {peak_mjy:.3g} mJy/beam", fontsize=8)
        axis.set_xticks([])
        axis.set_yticks([])
    figure.tight_layout()
    figure.savefig(options.path, dpi=65)


if __name__ == "__main__":
    main()
