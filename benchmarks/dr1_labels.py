"""How well the contour rule reproduces the labels of Radio Galaxy Zoo DR1, and which islands have none.

python benchmarks/dr1_labels.py ../shared/data/first_train
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.wcs import WCS

from claran_core.components import Components, dr1_extent, find_components
from claran_core.frame import Frame, sky_to_pixels
from claran_core.labels import Subject, components_in_frame, visible_in_frame
from claran_core.morphology import morphology_of
from claran_core.noise import noise_sigma
from claran_core.rgz import position_of_name, read_label_table
from claran_core.survey.base import Cutout


def measure(folder: Path) -> dict[str, np.ndarray]:
    """Agreement of each label row: component count, both counts, class; and ratio of the extents."""
    agreement = {"components": [], "counts": [], "class": [], "extent_ratio": []}
    for name, rows in read_label_table(folder / "labels.csv").groupby("first_id"):
        with fits.open(folder / "radio" / f"{name}.fits") as hdus:
            cutout = Cutout(hdus[0].data.astype(np.float32), WCS(hdus[0].header), name)
        components = components_in_frame(Subject(name, *position_of_name(name), "train", Frame()), cutout)
        for row in rows.itertuples():
            x, y = sky_to_pixels(cutout.wcs, np.array(row.component_ra), np.array(row.component_dec))
            own = sorted({components.at(*position) for position in zip(x, y, strict=True)} - {None})
            counts = len(own), int(components.n_peaks[own].sum()) if own else 0
            labelled = int(row.num_cpnts), int(row.num_peaks)
            agreement["components"].append(counts[0] == labelled[0])
            agreement["counts"].append(counts == labelled)
            agreement["class"].append(bool(own) and morphology_of(*counts)[0] == morphology_of(*labelled)[0])
            extent = dr1_extent(components.boxes[own]) * 1.8 if own else np.nan
            agreement["extent_ratio"].append(extent / row.ang_extent)
    return {key: np.array(values) for key, values in agreement.items()}


def strangers(folder: Path) -> np.ndarray:
    """Islands that do not belong to the source in the middle of their subject.

    Returns
    -------
    (n, 3) array
        Whether it has a label of its own, brightest pixel over the noise, area in pixels.
    """
    found = []
    for name, rows in read_label_table(folder / "labels.csv").groupby("first_id"):
        with fits.open(folder / "radio" / f"{name}.fits") as hdus:
            cutout = Cutout(hdus[0].data.astype(np.float32), WCS(hdus[0].header), name)
        ra, dec = position_of_name(name)
        visible = visible_in_frame(Subject(name, ra, dec, "train", Frame()), cutout)
        sigma = noise_sigma(visible)
        components = find_components(visible, sigma)
        owner = _owners(components, cutout, rows)
        x, y = (float(v[0]) for v in sky_to_pixels(cutout.wcs, np.array([ra]), np.array([dec])))
        middle = components.at(x, y, reach_px=4)
        main = owner[middle] if middle is not None and owner[middle] >= 0 else 0
        for k in np.flatnonzero(owner != main):
            inside = components.labels == k + 1
            found.append((owner[k] >= 0, visible[inside].max() / sigma, inside.sum()))
    return np.array(found)


def _owners(components: Components, cutout: Cutout, rows: pd.DataFrame) -> np.ndarray:
    """Row each island is labelled by, -1 for none."""
    owner = np.full(len(components), -1)
    for number, row in enumerate(rows.itertuples()):
        x, y = sky_to_pixels(cutout.wcs, np.array(row.component_ra), np.array(row.component_dec))
        own = {components.at(*position) for position in zip(x, y, strict=True)} - {None}
        owner[sorted(own)] = number
    return owner


def main() -> None:
    """Print the shares, the percentiles, and the islands beside the central sources."""
    agreement = measure(Path(sys.argv[1]))
    print(f"{len(agreement['class'])} labelled sources")
    for key in ("components", "counts", "class"):
        print(f"{key:>12} as labelled: {agreement[key].mean():.1%}")
    low, middle, high = np.nanpercentile(agreement["extent_ratio"], [5, 50, 95])
    print(f"extent measured / labelled at 5, 50, 95 %: {low:.3f} {middle:.3f} {high:.3f}")
    labelled, snr, area = strangers(Path(sys.argv[1])).T
    print("islands of no central source:")
    for text, which in (
        ("of one pixel", area == 1),
        ("larger, below 10 sigma", (area > 1) & (snr < 10)),
        ("larger, above 10 sigma", (area > 1) & (snr >= 10)),
    ):
        print(f"  {text}: {which.sum()}, of them labelled {int(labelled[which].sum())}")


if __name__ == "__main__":
    main()
