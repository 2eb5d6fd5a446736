"""Islands and negative pixels around bright sources, on real and on simulated images.

    OMP_NUM_THREADS=1 python -m benchmarks.sky.artefacts ../shared/data --seed 1 --gallery artefacts.png

Islands are groups of at least two pixels above 5.3 times the noise of the field; dark ones are below -5.3
times.  Islands with the position of a source of the FIRST catalogue (p_sidelobe < 0.1) within 4 arcsec are
real and do not count.  On simulated images, those with emission of a source above the limit of that catalogue
(1 mJy) do not.  Rates are islands per bright source, in rings around it: counts over the parts of the rings
that are inside the images.  The first numbers, "in FIRST", are rows of the FIRST catalogue itself
(p_sidelobe > 0.1) around all its bright sources, less those around random positions; it lists about every
second island.
"""

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from scipy import ndimage
from scipy.spatial import cKDTree

from claran_core.common.noise import noise_sigma
from claran_core.common.sky import unit_vectors
from claran_core.simulation.field_sources import crowding
from claran_core.simulation.geometry import TileWindow
from claran_core.simulation.population import RADIO_NSIDE, radio_cell
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.radio import emission
from claran_core.simulation.recipes import SNR_UNIT_JY
from claran_core.survey.surveys import SURVEYS

ISLAND_SIGMA, MIN_AREA = 5.3, 2
RINGS_ARCSEC = ((0, 30), (30, 60), (60, 120), (120, 180))
BINS = ((100, 300), (300, 1000), (1000, 3000), (3000, 30000))
LIMIT_JY, WITHIN_ARCSEC, REAL_BELOW = 1e-3, 4.0, 0.1

# A bright source is measured if no brighter one is nearer than this.
APART_ARCSEC = 180.0

FIELD_PX, CATALOGUE_RMS_MJY, CATALOGUE_DEC_DEG = 300, 0.15, 5.0


@dataclass(frozen=True)
class Field:
    """An image with the places of real sources.

    Attributes
    ----------
    name : str
    image : (ny, nx) float64 array
        Jy/beam.
    pixel_arcsec : float
    listed : (ny, nx) bool array
        Pixels near real sources.
    """

    name: str
    image: np.ndarray
    pixel_arcsec: float
    listed: np.ndarray


def real_field(path: Path, first: pd.DataFrame) -> Field | None:
    """Return a real image with the places of the FIRST catalogue; None for an image without data."""
    with fits.open(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        image, wcs = np.squeeze(file[-1].data).astype(float), WCS(file[-1].header).celestial
    if not np.isfinite(image).any():
        return None
    pixel = float(np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600)
    ra, dec = wcs.wcs_pix2world(image.shape[1] / 2, image.shape[0] / 2, 0)
    near = first[(first["dec"] - dec).abs() < 0.12]
    near = near[((near["ra"] - ra + 180) % 360 - 180).abs() < 1]
    near = near[near["p_sidelobe"] < REAL_BELOW]
    x, y = wcs.wcs_world2pix(near["ra"], near["dec"], 0)
    inside = (x > 0) & (y > 0) & (x < image.shape[1] - 1) & (y < image.shape[0] - 1)
    away = np.ones(image.shape, bool)
    away[tuple(np.rint(np.stack([y, x])[:, inside]).astype(int))] = False
    distance_px = np.asarray(ndimage.distance_transform_edt(away))
    return Field(path.name, image, pixel, distance_px * pixel <= WITHIN_ARCSEC)


def simulated_fields(seed: int, per_bin: int) -> Iterator[Field]:
    """Yield windows of 9 arcmin around bright sources, `per_bin` for each of the `BINS`, off crowded sky."""
    sky, rng = SimulatedProvider(SURVEYS["FIRST"], seed=seed), np.random.default_rng(seed)
    left = dict.fromkeys(BINS, per_bin)
    while any(left.values()):
        number = int(rng.integers(12 * RADIO_NSIDE**2))
        if crowding(number, RADIO_NSIDE) > 1:
            continue
        cell = radio_cell(seed, number)
        for k in np.flatnonzero(cell.peak_jy > BINS[0][0] * SNR_UNIT_JY):
            snr = cell.peak_jy[k] / SNR_UNIT_JY
            bin_of = next((one for one in BINS if one[0] <= snr < one[1]), BINS[0])
            if not left[bin_of]:
                continue
            left[bin_of] -= 1
            tile = sky.grid.tile_at(cell.ra_deg[k], cell.dec_deg[k])
            x, y = (
                int(np.rint(one)) - FIELD_PX // 2
                for one in tile.sky_to_pixel(cell.ra_deg[k], cell.dec_deg[k])
            )
            window = TileWindow(x, y, FIELD_PX, FIELD_PX)
            true = np.zeros(window.shape)
            for _, part, image in emission(sky.population, tile, window):
                true[window.overlap(part)[0]] += image
            yield Field(f"{number}-{k}", sky.render(tile, window), 1.8, true > LIMIT_JY)


@dataclass(frozen=True)
class Islands:
    """Islands of an image: peaks in units of the noise, places ``y x`` (px), and whether they are real."""

    peaks: np.ndarray
    places: np.ndarray
    is_real: np.ndarray

    @classmethod
    def of(cls, image: np.ndarray, listed: np.ndarray) -> "Islands":
        """Find the islands of an image in units of its noise."""
        islands, n = ndimage.label(np.nan_to_num(image) > ISLAND_SIGMA)
        large = 1 + np.flatnonzero(np.bincount(islands.ravel(), minlength=n + 1)[1:] >= MIN_AREA)
        return cls(
            np.asarray(ndimage.maximum(image, islands, large), float),
            np.array(ndimage.maximum_position(image, islands, large)).reshape(-1, 2),
            np.asarray(ndimage.maximum(listed, islands, large), bool),
        )


def measured(field: Field) -> list[dict[str, float | str]]:
    """Return one row per bright source of a field: islands in each ring, and its share in the image."""
    image = field.image / noise_sigma(field.image)
    bright, dark = Islands.of(image, field.listed), Islands.of(-image, np.zeros_like(field.listed))
    rows: list[dict[str, float | str]] = []
    used: list[np.ndarray] = []
    pixels = np.argwhere(np.isfinite(image))
    for k in np.argsort(-bright.peaks):
        place = bright.places[k]
        if bright.peaks[k] < BINS[0][0] or any(
            np.hypot(*(other - place)) * field.pixel_arcsec < APART_ARCSEC for other in used
        ):
            continue
        used.append(place)
        row: dict[str, float | str] = {"field": field.name, "snr": float(bright.peaks[k])}
        row |= {"x": float(place[1]), "y": float(place[0])}
        false = ~bright.is_real
        false[k] = False
        groups = {"islands": bright.places[false], "dark": dark.places, "inside": pixels}
        for what, places in groups.items():
            distance = np.hypot(*(places - place).T) * field.pixel_arcsec
            for low, high in RINGS_ARCSEC:
                row[f"{what}_{high}"] = float(np.count_nonzero((distance >= low) & (distance < high)))
        for low, high in RINGS_ARCSEC:
            row[f"inside_{high}"] = float(row[f"inside_{high}"]) / (
                np.pi * (high**2 - low**2) / field.pixel_arcsec**2
            )
        rows.append(row)
    return rows


def rate(counts: pd.Series, inside: pd.Series) -> tuple[float, float]:
    """Return the islands per bright source, and the error from the scatter between sources."""
    if not inside.sum():
        return np.nan, np.nan
    mean = counts.sum() / inside.sum()
    n = len(counts)
    scatter = ((counts - mean * inside) ** 2).sum() * n / max(n - 1, 1)
    return float(mean), float(np.sqrt(scatter) / inside.sum())


def table(name: str, rows: pd.DataFrame) -> str:
    """Return the rates of a sample as lines of text."""
    lines = [name]
    for low, high in BINS:
        part = rows[(rows["snr"] >= low) & (rows["snr"] < high)]
        if part.empty:
            continue
        lines.append(f"  {low}-{high} sigma: {len(part)} sources")
        for what in ("islands", "dark"):
            rates = [rate(part[f"{what}_{ring[1]}"], part[f"inside_{ring[1]}"]) for ring in RINGS_ARCSEC]
            lines.append(f"    {what:8s}" + "  ".join(f"{mean:5.2f} +- {error:.2f}" for mean, error in rates))
    return "\n".join(lines)


def excess_in_catalogue(first: pd.DataFrame, seed: int, n: int = 3000) -> str:
    """Return the rates of suspected rows of the FIRST catalogue in rings around its bright sources."""
    first = first[first["dec"] > CATALOGUE_DEC_DEG]
    places, rng = unit_vectors(first["ra"].to_numpy(), first["dec"].to_numpy()), np.random.default_rng(seed)
    snr, sidelobe = first["peak_flux"].to_numpy() / CATALOGUE_RMS_MJY, first["p_sidelobe"].to_numpy()
    random = places[rng.choice(len(first), 2 * n)] + rng.normal(0, np.radians(0.3), (2 * n, 3))
    random /= np.linalg.norm(random, axis=1)[:, None]
    tree = cKDTree(places[sidelobe > REAL_BELOW])
    chords = 2 * np.sin(np.radians(np.array([high for _, high in RINGS_ARCSEC]) / 3600) / 2)

    def rings(points: np.ndarray) -> np.ndarray:
        counts = [tree.query_ball_point(points, chord, return_length=True) for chord in chords]
        return np.diff(np.stack(counts), axis=0, prepend=0)

    expected = rings(random).mean(axis=1)
    lines = ["in FIRST"]
    for low, high in BINS:
        bright = np.flatnonzero((snr >= low) & (snr < high) & (sidelobe < REAL_BELOW))
        if not len(bright):
            continue
        bright = rng.permutation(bright)[:n]
        found = rings(places[bright]).mean(axis=1) - expected
        lines.append(f"  {low}-{high} sigma: {len(bright)} sources")
        lines.append("    rows    " + "  ".join(f"{value:5.2f}        " for value in found).rstrip())
    return "\n".join(lines)


def gallery(path: Path, fields: list[tuple[str, Field, dict[str, float | str]]]) -> None:
    """Write pictures of fields around bright sources, side by side."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(-(-len(fields) // 6), 6, figsize=(18, 3.2 * -(-len(fields) // 6)))
    for axis in axes.flat:
        axis.axis("off")
    for axis, (kind, field, row) in zip(axes.flat, fields, strict=False):
        stretched = np.arcsinh(field.image / noise_sigma(field.image) / 2)
        axis.imshow(stretched, origin="lower", cmap="gray", vmin=-2.5, vmax=3)
        axis.set_title(f"{kind} {row['snr']:.0f} sigma", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=60)
    plt.close(figure)


def _sample(fields: list[Field]) -> tuple[pd.DataFrame, list[tuple[Field, dict[str, float | str]]]]:
    found = [(field, row) for field in fields for row in measured(field)]
    return pd.DataFrame([row for _, row in found]), found


def main() -> None:
    """Print the tables, and write the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the real data")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-bin", type=int, default=60, help="simulated fields per bin of brightness (60)")
    parser.add_argument("--gallery", type=Path, help="write pictures of the brightest sources here")
    options = parser.parse_args()
    first = pd.read_parquet(options.data / "first_catalogue.parquet")
    files = {
        "FIRST": [
            *sorted((options.data / "large/radio").glob("*.fits*")),
            *sorted((options.data / "wide").glob("*.fits")),
            *sorted((options.data / "first_train/radio").glob("*.fits*")),
            options.data / "hostile/bright_3C192.fits",
        ],
        "VLASS Quick Look": sorted((options.data / "vlass/radio").glob("*.fits*")),
    }
    samples = {
        name: _sample([field for path in paths if (field := real_field(path, first)) is not None])
        for name, paths in files.items()
    }
    real = pd.concat([rows for rows, _ in samples.values()])
    samples["simulated"] = _sample(list(simulated_fields(options.seed, options.per_bin)))
    print(excess_in_catalogue(first, options.seed))
    print(table("FIRST and VLASS", real))
    for name, (rows, _) in samples.items():
        print(table(name, rows))
    if options.gallery:
        shown = []
        for (name, (_, found)), number in zip(samples.items(), (12, 6, 18), strict=True):
            brightest = sorted(found, key=lambda one: -float(one[1]["snr"]))
            if name == "simulated":
                brightest = brightest[:: max(1, len(brightest) // 2 // number)]
            shown += [(name, *one) for one in brightest[:number]]
        gallery(options.gallery, shown)


if __name__ == "__main__":
    main()
