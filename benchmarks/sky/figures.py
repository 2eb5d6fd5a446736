"""Figures of the comparison of the two skies: distributions of measurements, and images of subjects."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image

from benchmarks.sky.samples import FRAME, WIDTH_PX, SubjectFacts
from benchmarks.sky.statistics import (
    BRIGHT_SNR,
    DIRECTIONS_DEG,
    MAX_LAG_PX,
    REAL_ISLANDS,
    RINGS_ARCSEC,
    ImageStatistics,
    Samples,
    Values,
    of_blind,
    of_catalogue,
    of_main,
    of_subjects,
    quantile,
)
from claran_core.common.files import atomic_path
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.noise import noise_sigma
from claran_core.common.reprojection import reproject
from claran_core.fusion.contours import contour_lines
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

# Okabe & Ito's blue and vermilion.
COLOURS = {"real": "#0072B2", "simulated": "#D55E00"}
DPI = 100

DOUBLES, TRIPLES = ("2C_2P", "2C_3P"), ("3C_3P",)
MULTIPLE = (*DOUBLES, *TRIPLES)

# Subjects of each class in the gallery, at these parts of the range of brightness.
GALLERY_PARTS = (0.1, 0.3, 0.55, 0.85)

# The same of real subjects beside simulated ones, and how many of these to each.
BESIDE_PARTS, BESIDE_SIMULATED = (0.125, 0.375, 0.625, 0.875), 2

# Both: contours from this many sigma, and what the arcsinh stretch shows of radio and infrared images.
CONTOUR_SIGMA = 5.0
RADIO_RANGE, INFRARED_RANGE = (-1.5, 300.0), (-2.0, 300.0)

# Galleries: pixels of the screen between panels, and for the text above them.
GAP_PX, LABEL_PX = 4, 18

# Colours of a PNG, and steps of the scale of an image: noise in more of them would make large files.
N_COLOURS, N_STEPS = 128, 24


def draw_statistics(path: Path, samples: Samples, real: ImageStatistics, simulated: ImageStatistics) -> None:
    """Draw the distributions that the table condenses.

    Parameters
    ----------
    path : Path
        PNG to write, 1800 px wide.
    samples : Samples
        What is compared.
    real, simulated : ImageStatistics
        Measured on the pixels of ``samples.real`` and ``samples.chosen``.
    """
    figure = Figure(figsize=(18, 15.5), dpi=DPI, layout="constrained")
    axes = figure.subplots(4, 4)
    both = {"real": samples.real, "simulated": samples.chosen}
    measured = {"real": real, "simulated": simulated}
    _noise_panels(axes[0], both, measured)
    _background_panels(axes[1], samples, both, measured)
    _shape_panels(axes[2], both)
    _size_panels(axes[3], samples, both)
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    _save(figure, path)


Subjects = dict[str, Sequence[SubjectFacts]]


def _noise_panels(axes: Sequence[Axes], both: Subjects, measured: dict[str, ImageStatistics]) -> None:
    for name, subjects in both.items():
        noise = of_subjects([1e3 * subject.sigma for subject in subjects], subjects)
        _cumulative(axes[0], noise, name, label=f"{name}, {len(subjects)} subjects")
    axes[0].set(title="Noise of a subject", xlabel="mJy/beam", xlim=(0.1, 0.3), ylabel="part below")
    axes[0].set_xticks([0.1, 0.15, 0.2, 0.25, 0.3])
    axes[0].legend(loc="lower right", frameon=False)
    lags = np.arange(MAX_LAG_PX + 1)
    names = tuple(DIRECTIONS_DEG)
    panels = (names[:1], names[1:2], names[2:])
    for panel, directions in zip(axes[1:], panels, strict=True):
        columns = [names.index(direction) for direction in directions]
        for name, one in measured.items():
            _band(panel, lags, one.autocorrelation[:, columns].mean(axis=1), both[name], name)
        panel.axhline(0, color="0.6", lw=0.8)
        title = f"Autocorrelation along {' and '.join(name.removesuffix(' deg') for name in directions)}"
        panel.set(title=title, xlabel="lag, px of 1.8 arcsec", xlim=(0, MAX_LAG_PX), ylim=(-0.25, 1.0))


def _background_panels(
    axes: Sequence[Axes], samples: Samples, both: Subjects, measured: dict[str, ImageStatistics]
) -> None:
    middles = 0.5 * (np.array(RINGS_ARCSEC[1:]) + np.array(RINGS_ARCSEC[:-1]))
    for name, one in measured.items():
        subjects = both[name]
        _band(axes[0], middles, one.rings, subjects, name)
        bright = np.flatnonzero([np.nanmax(subject.image) > BRIGHT_SNR for subject in subjects])
        _band(axes[1], middles, one.stripes[bright], [subjects[k] for k in bright], name)
    axes[0].set(title="Background off sources", ylabel="units of the noise")
    axes[1].set(title=f"Stripes around peaks above {BRIGHT_SNR:g} sigma")
    for panel in axes[:2]:
        panel.axhline(0, color="0.6", lw=0.8)
        panel.set(xlabel="distance from the brightest pixel, arcsec")
    counts = {name: of_subjects([s.n_islands for s in subjects], subjects) for name, subjects in both.items()}
    _bars(axes[2], counts, "Islands in a subject")
    windows = Values(samples.windows.astype(float), np.ones(len(samples.windows)))
    _bars(axes[3], {"simulated": windows}, "Islands in a random 3' x 3' of sky")
    most = np.arange(4)
    axes[3].plot(most - 0.2, REAL_ISLAND_PARTS, "s", color=COLOURS["real"], label="real, 1,255 fields")
    axes[3].set(yscale="log", ylim=(1e-3, 1.5))
    axes[3].text(0.97, 0.8, f"mean {windows.values.mean():.3f}\nreal {REAL_ISLANDS:.3f}", **_corner(axes[3]))


# Parts of 3' x 3' of 1,255 FIRST fields that hold 0, 1, 2 and 3 islands.
REAL_ISLAND_PARTS = (0.794, 0.166, 0.031, 0.007)


def _shape_panels(axes: Sequence[Axes], both: Subjects) -> None:
    for panel, quantity, title in (
        (axes[0], "peak_snr", "Brightest pixel, units of the noise"),
        (axes[1], "area_px", "Area in the contours, px"),
        (axes[2], "mean_over_peak", "Mean over brightest pixel"),
        (axes[3], "sharpness", "Sharpness of the sharpest peak"),
    ):
        _boxes(panel, MORPHOLOGIES, lambda name, kind, q=quantity: of_main(both[name], q, [kind]), title)
    for panel in axes[:2]:
        _logarithmic(panel)


def _size_panels(axes: Sequence[Axes], samples: Samples, both: Subjects) -> None:
    for panel, quantity, kinds, title in (
        (axes[0], "extent_arcsec", MORPHOLOGIES, "Extent, arcsec (label table, blind sample)"),
        (axes[1], "peaks_apart_arcsec", MULTIPLE, "Brightest pixels apart, arcsec (the same)"),
    ):

        def values(name: str, kind: str, quantity: str = quantity) -> Values:
            if name == "real":
                return of_catalogue(samples.catalogue, quantity, [kind])
            return of_blind(samples.blind, quantity, [kind])

        _boxes(panel, kinds, values, title)
        _logarithmic(panel)
    ratios = {
        "2nd/1st, 2C": ("second_flux", DOUBLES),
        "2nd/1st, 3C": ("second_flux", TRIPLES),
        "3rd/1st, 3C": ("third_flux", TRIPLES),
    }
    _boxes(axes[2], tuple(ratios), lambda name, kind: of_main(both[name], *ratios[kind]), "Flux ratios")
    offsets = {"1C": MORPHOLOGIES[:3], "2C": DOUBLES, "3C": TRIPLES}

    def offset(name: str, kind: str) -> Values:
        return of_main(both[name], "centre_offset_arcsec", offsets[kind])

    _boxes(axes[3], tuple(offsets), offset, "Subject's centre to source's, arcsec")


def _cumulative(axes: Axes, values: Values, name: str, label: str) -> None:
    order = np.argsort(values.values)
    part = np.cumsum(values.weights[order]) / values.weights.sum()
    axes.step(values.values[order], part, where="post", color=COLOURS[name], lw=1.8, label=label)


def _band(axes: Axes, x: np.ndarray, curves: np.ndarray, subjects: Sequence[SubjectFacts], name: str) -> None:
    """Median of curves ``(n, len(x))`` as a line, and the range of two thirds of them."""
    low, middle, high = (
        [quantile(of_subjects(column, subjects), part) for column in curves.T] for part in (0.16, 0.5, 0.84)
    )
    axes.fill_between(x, low, high, color=COLOURS[name], alpha=0.18, lw=0)
    axes.plot(x, middle, color=COLOURS[name], lw=2)


def _bars(axes: Axes, counts: dict[str, Values], title: str) -> None:
    for name, values in counts.items():
        number = np.arange(7)
        part = [values.weights[values.values == n].sum() / values.weights.sum() for n in number]
        shift = -0.2 if name == "real" else 0.2
        axes.bar(number + shift, part, width=0.38, color=COLOURS[name])
    axes.set(title=title, ylabel="part", xlabel="number")


def _boxes(axes: Axes, kinds: Sequence[str], values: Callable[[str, str], Values], title: str) -> None:
    """Median, the middle half and the middle nine tenths of real and simulated values of each kind."""
    for k, kind in enumerate(kinds):
        for name, shift in (("real", -0.17), ("simulated", 0.17)):
            own = values(name, kind)
            if not len(own.values):
                continue
            low, first, middle, third, high = (quantile(own, part) for part in (0.05, 0.25, 0.5, 0.75, 0.95))
            axes.plot([k + shift] * 2, [low, high], color=COLOURS[name], lw=1.5)
            axes.plot([k + shift] * 2, [first, third], color=COLOURS[name], lw=9, solid_capstyle="butt")
            axes.plot(k + shift, middle, "o", color="white", mec=COLOURS[name], ms=7)
    axes.set_xticks(range(len(kinds)), kinds)
    axes.set(title=title, xlim=(-0.6, len(kinds) - 0.4))


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _corner(axes: Axes) -> dict:
    return {"transform": axes.transAxes, "ha": "right", "va": "top"}


def draw_gallery(path: Path, subjects: Sequence[SubjectFacts], seed: int) -> None:
    """Draw simulated subjects of each class: radio, and W1 with the radio's contours.

    Parameters
    ----------
    path : Path
        PNG to write.
    subjects : sequence of SubjectFacts
        Subjects to choose from, each centred on its own source.
    seed : int
        Sky they are from.
    """
    skies = [SimulatedProvider(SURVEYS[name], seed=seed) for name in ("FIRST", "WISE_W1")]
    figure, axes = _tiles(len(MORPHOLOGIES), 2 * len(GALLERY_PARTS), FRAME.size_px)
    for row, morphology in zip(axes, MORPHOLOGIES, strict=True):
        own = [s for s in subjects if s.own.morphology == morphology and not s.own.is_beyond_three]
        chosen = _spread(own, GALLERY_PARTS, lambda subject: subject.own.peak_snr)
        for panels, subject in zip(row.reshape(-1, 2), chosen, strict=False):
            place = subject.ra_deg, subject.dec_deg
            radio, infrared = (
                reproject(sky.cutout("", *place, FRAME.width_arcsec), FRAME, *place) for sky in skies
            )
            _show(panels[0], radio, RADIO_RANGE, "inferno")
            _show(panels[1], infrared, INFRARED_RANGE, "gray")
            for level in contour_lines(radio, CONTOUR_SIGMA * noise_sigma(radio)):
                for line in level:
                    panels[1].plot(line[:, 1], line[:, 0], color="#56B4E9", lw=0.8)
            _label(panels[0], f"{morphology}, {subject.own.peak_snr:.0f} sigma")
    _save(figure, path)


def _spread(items: Sequence[Any], parts: Sequence[float], brightness: Callable[[Any], float]) -> list[Any]:
    """The items at these parts of the way from the faintest to the brightest."""
    ordered = sorted(items, key=brightness)
    return [ordered[int(part * len(ordered))] for part in parts] if ordered else []


def draw_beside(path: Path, samples: Samples) -> None:
    """Draw real subjects, each with simulated ones like it at its right.

    Parameters
    ----------
    path : Path
        PNG to write.  It shows real images: for the eye of people who have them, not for publication.
    samples : Samples
        What is compared.
    """
    columns = 1 + BESIDE_SIMULATED
    figure, axes = _tiles(len(MORPHOLOGIES), len(BESIDE_PARTS) * columns, 2 * WIDTH_PX)
    pairs = list(zip(samples.real, samples.matched, strict=True))
    for row, morphology in zip(axes, MORPHOLOGIES, strict=True):
        own = [pair for pair in pairs if pair[0].main.morphology == morphology]
        chosen = _spread(own, BESIDE_PARTS, lambda pair: pair[0].main.peak_snr)
        for panels, (real, group) in zip(row.reshape(-1, columns), chosen, strict=False):
            for panel, subject in zip(panels, (real, *group), strict=False):
                what = "real" if subject is real else "simulated"
                _show(panel, subject.image[::-1], RADIO_RANGE, "inferno")
                text = f"{what} {morphology}, {subject.main.peak_snr:.0f} sigma"
                _label(panel, text, colour=COLOURS[what])
    _save(figure, path)


def _tiles(n_rows: int, n_columns: int, size_px: int) -> tuple[Figure, np.ndarray]:
    """Figure of square panels, each of so many pixels of the screen, with a line of text above each."""
    width, height = n_columns * (size_px + GAP_PX) + GAP_PX, n_rows * (size_px + LABEL_PX) + GAP_PX
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    panels = np.empty((n_rows, n_columns), object)
    for row, column in np.ndindex(panels.shape):
        left, bottom = GAP_PX + column * (size_px + GAP_PX), height - (row + 1) * (size_px + LABEL_PX)
        panels[row, column] = figure.add_axes(
            (left / width, bottom / height, size_px / width, size_px / height),
            frame_on=False,
            xticks=[],
            yticks=[],
        )
    return figure, panels


def _label(axes: Axes, text: str, colour: str = "black") -> None:
    axes.set_title(text, loc="left", fontsize=8.5, pad=3, color=colour)


def _show(axes: Axes, image: np.ndarray, limits: tuple[float, float], colours: str) -> None:
    """Show an image (row 0 north) with an arcsinh stretch between limits in units of its noise."""
    scaled = np.arcsinh((image - np.nanmedian(image)) / noise_sigma(image))
    low, high = np.arcsinh(limits)
    steps = colormaps[colours].resampled(N_STEPS)
    axes.imshow(scaled, vmin=low, vmax=high, cmap=steps, interpolation="nearest", aspect="auto")
    axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))


def _save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG of few colours, which is a fraction of the size."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    few = Image.open(buffer).convert("RGB").quantize(N_COLOURS, Image.Quantize.MAXCOVERAGE)
    with atomic_path(path) as temporary:
        few.save(temporary, format="png", optimize=True)
