"""Compare the contour rule with the labels of Radio Galaxy Zoo DR1, and list islands without a label.

python -m benchmarks.science.dr1_labels ../shared/data/first_train
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.science.real_cutouts import components_at, real_subjects
from claran_core.common.morphology import morphology_of
from claran_core.common.noise import noise_sigma
from claran_core.common.subject import visible_in_frame
from claran_core.components.contour_rule import dr1_extent, find_components
from claran_core.labels.dr1_labels import components_in_frame


def measure(folder: Path) -> dict[str, np.ndarray]:
    """Agreement of each label row: component count, both counts, class; and ratio of the extents."""
    agreement = {"components": [], "counts": [], "class": [], "extent_ratio": []}
    for real in real_subjects(folder):
        components = components_in_frame(real.subject, real.cutout)
        for row in real.rows.itertuples():
            own = components_at(components, real.cutout, row.component_ra, row.component_dec)
            counts = len(own), int(components.n_peaks[own].sum()) if own else 0
            labelled = int(row.num_cpnts), int(row.num_peaks)
            agreement["components"].append(counts[0] == labelled[0])
            agreement["counts"].append(counts == labelled)
            agreement["class"].append(bool(own) and morphology_of(*counts)[0] == morphology_of(*labelled)[0])
            extent = dr1_extent(components.boxes[own]) * 1.8 if own else np.nan
            agreement["extent_ratio"].append(extent / row.ang_extent)
    return {key: np.array(values) for key, values in agreement.items()}


def unrelated_islands(folder: Path) -> np.ndarray:
    """Return the islands that do not belong to the central source of their subject.

    Returns
    -------
    (n, 3) array
        Whether it has a label, brightest pixel over the noise, area in pixels.
    """
    found = []
    for real in real_subjects(folder):
        subject, cutout = real.subject, real.cutout
        visible = visible_in_frame(subject, cutout)
        sigma = noise_sigma(visible)
        components = find_components(visible, sigma)
        owner = np.full(len(components), -1)
        for number, row in enumerate(real.rows.itertuples()):
            owner[components_at(components, cutout, row.component_ra, row.component_dec)] = number
        x, y = cutout.wcs.sky_to_pixels(subject.ra_deg, subject.dec_deg)
        middle = components.at(float(x), float(y), reach_px=4)
        main = owner[middle] if middle is not None and owner[middle] >= 0 else 0
        for k in np.flatnonzero(owner != main):
            inside = components.labels == k + 1
            found.append((owner[k] >= 0, visible[inside].max() / sigma, inside.sum()))
    return np.array(found)


def main() -> None:
    """Print the agreement, the percentiles, and the islands beside the central sources."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of labelled FIRST cut-outs")
    folder = parser.parse_args().folder
    agreement = measure(folder)
    print(f"{len(agreement['class'])} labelled sources")
    for key in ("components", "counts", "class"):
        print(f"{key:>12} as labelled: {agreement[key].mean():.1%}")
    low, middle, high = np.nanpercentile(agreement["extent_ratio"], [5, 50, 95])
    print(f"extent measured / labelled at 5, 50, 95 %: {low:.3f} {middle:.3f} {high:.3f}")
    labelled, snr, area = unrelated_islands(folder).T
    print("islands of no central source:")
    for text, which in (
        ("of one pixel", area == 1),
        ("larger, below 10 sigma", (area > 1) & (snr < 10)),
        ("larger, above 10 sigma", (area > 1) & (snr >= 10)),
    ):
        print(f"  {text}: {which.sum()}, of them labelled {int(labelled[which].sum())}")


if __name__ == "__main__":
    main()
