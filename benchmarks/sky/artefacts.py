"""Islands and negative pixels around bright sources, on real and on simulated images.

    python -m benchmarks.sky.artefacts ../shared/data --seed 1 --per-bin 60 --gallery artefacts.png

Islands are groups of at least two pixels above 5.3 times the noise of the field.  Those with the position of
a source of the FIRST catalogue (p_sidelobe < 0.1) within 4 arcsec are real.  On simulated images, those with
emission of a source above the limit of that catalogue (1 mJy) are.  Counts are per bright source; where
a ring lies partly outside the image, they are divided by the fraction inside.  The last table counts rows of
the FIRST catalogue itself (p_sidelobe > 0.1, or > 0.5) around all its bright sources, less the counts around
random positions.
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
RINGS_ARCSEC = ((0, 30), (30, 60), (60, 120), (120, 300))
BINS = ((100, 300), (300, 1000), (1000, 20000))
LIMIT_JY, WITHIN_ARCSEC, REAL_BELOW, SUSPECTED_ABOVE = 1e-3, 4.0, 0.1, 0.5

# A bright source is measured if no brighter one is nearer than this.
APART_ARCSEC = 180.0

FIELD_PX, CATALOGUE_RMS_MJY, CATALOGUE_DEC_DEG = 300, 0.15, 5.0


@dataclass(frozen=True)
class Field:
    """An image with the places of real and of suspected sources.

    Attributes
    ----------
    name : str
    image : (ny, nx) float64 array
        Jy/beam.
    pixel_arcsec : float
    listed, suspected : (ny, nx) bool arrays
        Pixels near real sources, and near rows that the catalogue suspects to be sidelobes.
    """

    name: str
    image: np.ndarray
    pixel_arcsec: float
    listed: np.ndarray
    suspected: np.ndarray


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
    x, y = wcs.wcs_world2pix(near["ra"], near["dec"], 0)
    inside = (x > 0) & (y > 0) & (x < image.shape[1] - 1) & (y < image.shape[0] - 1)
    places = np.rint(np.stack([y, x])).astype(int)

    def around(chosen: np.ndarray) -> np.ndarray:
        at = np.ones(image.shape, bool)
        at[tuple(places[:, inside & chosen])] = False
        return np.asarray(ndimage.distance_transform_edt(at)) * pixel <= WITHIN_ARCSEC

    listed = around(near["p_sidelobe"] < REAL_BELOW)
    return Field(path.name, image, pixel, listed, around(near["p_sidelobe"] > SUSPECTED_ABOVE))


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
            none = np.zeros(window.shape, bool)
            yield Field(f"{number}-{k}", sky.render(tile, window), 1.8, true > LIMIT_JY, none)


def measured(field: Field) -> list[dict[str, float | str]]:
    """Return one row per bright source of a field: islands per ring, and the deepest pixel over its peak."""
    image = np.nan_to_num(field.image)
    sigma = noise_sigma(field.image)
    islands, n = ndimage.label(image > ISLAND_SIGMA * sigma)
    if not n:
        return []
    index = np.arange(1, n + 1)
    peaks, area = ndimage.maximum(image, islands, index), ndimage.sum(islands > 0, islands, index)
    places = np.array(ndimage.maximum_position(image, islands, index))
    real = np.asarray(ndimage.maximum(field.listed, islands, index), bool)
    suspected = np.asarray(ndimage.maximum(field.suspected, islands, index), bool)
    rows: list[dict[str, float | str]] = []
    used: list[int] = []
    rings, pixels = np.indices(image.shape), np.isfinite(field.image)
    for k in np.argsort(-peaks):
        apart = np.hypot(*(places[used] - places[k]).T) * field.pixel_arcsec if used else np.inf
        if peaks[k] < BINS[0][0] * sigma or np.min(apart) < APART_ARCSEC:
            continue
        used.append(int(k))
        row: dict[str, float | str] = {"field": field.name, "snr": float(peaks[k] / sigma)}
        row |= {"x": float(places[k][1]), "y": float(places[k][0])}
        distance = np.hypot(*(places - places[k]).T) * field.pixel_arcsec
        lag = np.hypot(*(rings - places[k][:, None, None])) * field.pixel_arcsec
        for low, high in RINGS_ARCSEC:
            ring = (lag >= low) & (lag < high) & pixels
            inside = ring.sum() * field.pixel_arcsec**2 / (np.pi * (high**2 - low**2))
            there = (distance >= low) & (distance < high) & (area >= MIN_AREA) & (index != k + 1)
            row[f"islands_{high}"] = float((there & ~real).sum() / max(inside, 0.1))
            row[f"suspected_{high}"] = float((there & suspected).sum() / max(inside, 0.1))
            row[f"deepest_{high}"] = float(image[ring].min() / peaks[k]) if ring.any() else np.nan
            row[f"deepest_sigma_{high}"] = float(image[ring].min() / sigma) if ring.any() else np.nan
        rows.append(row)
    return rows


def table(name: str, rows: pd.DataFrame) -> str:
    """Return the statistics of a sample as lines of text."""
    lines = [name]
    for low, high in BINS:
        part = rows[(rows["snr"] >= low) & (rows["snr"] < high)]
        if part.empty:
            continue
        lines.append(f"  {low}-{high} sigma: {len(part)} sources")
        for what, digits in (("islands", 2), ("suspected", 2), ("deepest", 4), ("deepest_sigma", 1)):
            values = [part[f"{what}_{ring[1]}"].dropna() for ring in RINGS_ARCSEC]
            if what in ("islands", "suspected"):
                found = [
                    f"{v.mean():.{digits}f} +- {v.std() / np.sqrt(len(v)):.{digits}f} "
                    f"(p84 {v.quantile(0.84):.0f}, p95 {v.quantile(0.95):.0f})"
                    for v in values
                ]
            else:
                found = ["/".join(f"{v.quantile(q):.{digits}f}" for q in (0.1, 0.5, 0.9)) for v in values]
            lines.append(f"    {what:14s} " + "   ".join(found))
    return "\n".join(lines)


def excess_in_catalogue(first: pd.DataFrame, seed: int, n: int = 2000) -> str:
    """Return the number of suspected rows of the FIRST catalogue in rings around its bright sources."""
    first = first[first["dec"] > CATALOGUE_DEC_DEG]
    places, rng = unit_vectors(first["ra"].to_numpy(), first["dec"].to_numpy()), np.random.default_rng(seed)
    snr, sidelobe = first["peak_flux"].to_numpy() / CATALOGUE_RMS_MJY, first["p_sidelobe"].to_numpy()
    random = places[rng.choice(len(first), 3 * n)] + rng.normal(0, np.radians(0.3), (3 * n, 3))
    random /= np.linalg.norm(random, axis=1)[:, None]
    lines = ["rows of the FIRST catalogue around its sources, less those around random positions"]
    edges = [0, *(high for _, high in RINGS_ARCSEC)]
    for above in (REAL_BELOW, SUSPECTED_ABOVE):
        tree = cKDTree(places[sidelobe > above])

        def rings(points: np.ndarray, tree: cKDTree = tree) -> np.ndarray:
            chords = 2 * np.sin(np.radians(np.array(edges[1:]) / 3600) / 2)
            counts = [tree.query_ball_point(points, chord, return_length=True) for chord in chords]
            return np.diff(np.stack(counts), axis=0, prepend=0)

        expected = rings(random).mean(axis=1)
        for low, high in BINS:
            bright = np.flatnonzero((snr >= low) & (snr < high) & (sidelobe < REAL_BELOW))
            bright = rng.permutation(bright)[:n]
            found = rings(places[bright]).mean(axis=1) - expected
            lines.append(f"  p_sidelobe > {above}, {low}-{high}: " + "  ".join(f"{v:.2f}" for v in found))
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
            options.data / "hostile/bright_3C192.fits",
        ],
        "VLASS Quick Look": sorted((options.data / "vlass/radio").glob("*.fits*")),
    }
    samples = {
        name: _sample([field for path in paths if (field := real_field(path, first)) is not None])
        for name, paths in files.items()
    }
    samples["simulated"] = _sample(list(simulated_fields(options.seed, options.per_bin)))
    for name, (rows, _) in samples.items():
        print(table(name, rows))
    print(excess_in_catalogue(first, options.seed))
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
