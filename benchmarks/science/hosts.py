"""Compare hosts by likelihood ratio with the true hosts of the simulated sky, and list those of real images.

    OMP_NUM_THREADS=1 python -m benchmarks.science.hosts resources/demo/targets.csv --data ../shared/data

Only subjects of the split ``test`` count; `benchmarks/science/host_prior.py` uses the others.  The grouping
of components is the true one; on real images, without truth, components within 20 arcsec are one source.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

from benchmarks.science.host_samples import (
    FIRST,
    FRAME,
    W1,
    HostSample,
    simulated_samples,
    sky_offsets,
    subject_image_of,
)
from claran_core.catalogue.measure import host
from claran_core.catalogue.measure.host import NO_HOST, Host, RadioPosition, host_of
from claran_core.catalogue.measure.infrared_sources import find_infrared_sources
from claran_core.catalogue.measure.measure_subject import measured_columns
from claran_core.common.cutout import Cutout
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.subject import Subject
from claran_core.components.contour_rule import box_gaps
from claran_core.settings.config import load_config
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.targets.target_table import read_targets

HEADINGS = (
    "class | sources | host seen | best if seen | right of R >= 0.5 | right and R >= 0.5 if seen"
    " | unseen with R >= 0.5 | unseen | none listed, rightly | none listed"
)
BINS = (0.01, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 1.0001)
LIKELY, SURE = 0.5, 0.9

# One place of `claran_core.catalogue.measure.host.PLACES` at a time.
ONE_PLACE = {
    "likelihood ratio, centroid alone": (0.0, 1.0, 0.0, 0.0, 0.0),
    "likelihood ratio, middle of the outer peaks alone": (0.0, 0.0, 1.0, 0.0, 0.0),
    "likelihood ratio, centroid and middle": (0.0, 0.5, 0.5, 0.0, 0.0),
}

# Friends of friends on real images.
LINK_ARCSEC = 20.0

# A subject of RGZ whose host is published; it has no infrared image.
GOLDEN = ("FIRSTJ124646.7+224554", 191.6946556, 22.7615058)
TIMED_WINDOWS = 50


def is_right(sample: HostSample, ra: float, dec: float) -> bool:
    """Return whether a position is that of the detected host."""
    index = sample.seen
    return index is not None and bool(
        np.hypot(*sky_offsets(sample.infrared.ra[index], sample.infrared.dec[index], ra, dec)) < 0.1
    )


def class_row(name: str, samples: Sequence[HostSample], found: Sequence[Host]) -> str:
    """Return a row of results for the sources of a class."""
    seen = np.array([sample.seen is not None for sample in samples])
    best = np.array([is_right(sample, one.ra, one.dec) for sample, one in zip(samples, found, strict=True)])
    likely = np.array([one.reliability >= LIKELY for one in found])
    none = np.array([one is NO_HOST for one in found])
    shares = [seen.mean(), best[seen].mean(), best[likely].mean(), best[seen & likely].sum() / seen.sum()]
    said = [int(likely[~seen].sum()), int((~seen).sum()), int((none & ~seen).sum()), int(none.sum())]
    return " | ".join([name, str(len(samples)), *(f"{share:.3f}" for share in shares), *map(str, said)])


def reliability_rows(samples: Sequence[HostSample], found: Sequence[Host]) -> Iterator[str]:
    """Yield the reliability of all candidates against the fraction that is correct."""
    pairs = np.array(
        [
            (reliability, is_right(sample, ra, dec))
            for sample, one in zip(samples, found, strict=True)
            for ra, dec, reliability in zip(
                one.candidate_ra, one.candidate_dec, one.candidate_reliability, strict=True
            )
        ]
    )
    for low, high in zip(BINS[:-1], BINS[1:], strict=True):
        inside = pairs[(pairs[:, 0] >= low) & (pairs[:, 0] < high)]
        if len(inside):
            said, true = inside.mean(axis=0)
            error = np.sqrt(max(true * (1 - true), 1 / len(inside)) / len(inside))
            yield f"{low:.2f}-{min(high, 1):.2f} | {len(inside)} | {said:.3f} | {true:.3f} +- {error:.3f}"


def rules(samples: Sequence[HostSample]) -> Iterator[str]:
    """Yield the fraction of detected hosts that simpler rules find: nearest source, single place."""
    several = [sample for sample in samples if len(sample.radio.peak_ra_deg) > 1]
    for name, place in (("nearest to the centroid", "centroid"), ("nearest to the brightest peak", "peak")):
        right = [nearest(sample, place) == sample.seen for sample in several if sample.seen is not None]
        yield f"{name} | {np.mean(right):.3f} | |"
    for name, weights in ONE_PLACE.items():
        with mock.patch.dict(host.WEIGHTS, dict.fromkeys(host.WEIGHTS, weights)):
            yield f"{name} | {outcome(several)}"
    yield f"likelihood ratio, all places | {outcome(several)}"


def nearest(sample: HostSample, place: str) -> int:
    """Return the infrared source nearest to the centroid or the brightest peak of a source."""
    radio = sample.radio
    at = {
        "centroid": (radio.centroid_ra_deg, radio.centroid_dec_deg),
        "peak": (radio.peak_ra_deg[0], radio.peak_dec_deg[0]),
    }
    return int(np.hypot(*sky_offsets(*at[place], sample.infrared.ra, sample.infrared.dec)).argmin())


def outcome(samples: Sequence[HostSample]) -> str:
    """Return the fractions of correct hosts, and the number of wrong candidates of high reliability."""
    best = [(sample, host_of(sample.infrared, sample.radio)) for sample in samples]
    right = np.array([is_right(sample, one.ra, one.dec) for sample, one in best])
    sure = np.array([one.reliability >= SURE for _, one in best])
    seen = np.array([sample.seen is not None for sample in samples])
    return f"{right[seen].mean():.3f} | {(right & sure)[seen].mean():.3f} | {(sure & ~right).sum()}"


def simulated(targets: Path, seed: int) -> None:
    """Print the results for the simulated sources."""
    table = read_targets(targets)
    samples = list(simulated_samples(table[table["split"] == "test"], seed))
    found = [host_of(sample.infrared, sample.radio) for sample in samples]
    print(HEADINGS)
    for name in (*MORPHOLOGIES, "all"):
        chosen = [k for k, sample in enumerate(samples) if name in (sample.morphology, "all")]
        if chosen:
            print(class_row(name, [samples[k] for k in chosen], [found[k] for k in chosen]))
    print("\nrule, sources of several peaks | right of seen hosts | with R >= 0.9 | wrong with R >= 0.9")
    print("\n".join(rules(samples)))
    print("\nreliability | candidates | mean | right")
    print("\n".join(reliability_rows(samples, found)))
    left = np.mean([1 - sum(one.candidate_reliability) for one in found])
    unseen = np.mean([sample.seen is None for sample in samples])
    print(f"chance of none seen: mean {left:.3f}; not seen: {unseen:.3f}")


def speed(seed: int) -> None:
    """Print how long a cut-out takes."""
    sky, rng = SimulatedProvider(W1, seed=seed), np.random.default_rng(1)
    windows = [
        sky.cutout("", rng.uniform(120, 250), rng.uniform(0, 60), FRAME.width_arcsec)
        for _ in range(TIMED_WINDOWS)
    ]
    started = time.process_time()
    for window in windows:
        find_infrared_sources(window, W1)
    print(f"sources of a W1 cut-out: {(time.process_time() - started) / len(windows) * 1e3:.1f} ms")


def central_source(subject: Subject, radio: Cutout) -> RadioPosition | None:
    """Measure the components linked to the one nearest to the centre of the subject."""
    components, subject_image = subject_image_of(subject, radio)
    boxes = components.boxes
    if not len(boxes):
        return None
    linked = box_gaps(boxes) * FRAME.pixel_scale_arcsec < LINK_ARCSEC
    middle = FRAME.size_px / 2
    members = np.zeros(len(boxes), bool)
    members[np.hypot(*(components.peaks - middle).T).argmin()] = True
    while (grown := members | linked[members].any(axis=0)).sum() > members.sum():
        members = grown
    ids = components.ids[members].tolist()
    columns = measured_columns(subject_image, ids, ids)
    return RadioPosition.from_columns(columns, FIRST.beam_arcsec)


def real(data: Path) -> None:
    """Print the hosts of the real pairs, and the offset of the published host of another subject."""
    targets = pd.read_csv(Path(__file__).parents[2] / "tests/workflow/real/pairs_targets.csv")
    skies = [DirectoryProvider(survey, data / "pairs" / survey.band) for survey in (FIRST, W1)]
    print(
        "\nsubject | components, peaks, extent | host RA, Dec | W1 | from centroid | reliability | candidates"
    )
    for target in targets.itertuples():
        window = target.subject_id, target.ra, target.dec, FRAME.width_arcsec
        radio, infrared = (sky.cutout(*window) for sky in skies)
        source = central_source(Subject(*window[:3], "none", FRAME), radio)
        best = host_of(find_infrared_sources(infrared, W1), source)
        size = f"{source.largest_angular_size_arcsec:.0f} arcsec"
        shown = f"{source.n_components}, {len(source.peak_ra_deg)}, {size}"
        others = ", ".join(f"{value:.2f}" for value in best.candidate_reliability)
        place = f"{best.ra:.5f}, {best.dec:+.5f} | {best.w1:.2f} +- {best.w1_err:.2f} | {best.separation:.1f}"
        print(f"{target.subject_id} | {shown} | {place} | {best.reliability:.3f} | {others}")
    golden(data)


def golden(data: Path) -> None:
    """Print the offset of the published host of a subject without infrared image."""
    name, ra, dec = GOLDEN
    subject = Subject(name, ra, dec, "none", FRAME)
    radio = DirectoryProvider(FIRST, data / "golden", pattern=f"{name}.fits")
    source = central_source(subject, radio.cutout(name, ra, dec, FRAME.width_arcsec))
    apart = np.hypot(*sky_offsets(ra, dec, source.centroid_ra_deg, source.centroid_dec_deg))
    to_peaks = np.hypot(*sky_offsets(ra, dec, source.peak_ra_deg, source.peak_dec_deg))
    peaks = ", ".join(f"{value:.1f}" for value in to_peaks)
    print(f"{name}: no infrared image; published host {apart:.1f} from centroid, {peaks} arcsec from peaks")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", type=Path, help="subjects of the simulated sky")
    parser.add_argument("--data", type=Path, help="folder with pairs and golden")
    parser.add_argument("--seed", type=int, default=load_config().seed)
    args = parser.parse_args()
    simulated(args.targets, args.seed)
    speed(args.seed)
    if args.data:
        real(args.data)


if __name__ == "__main__":
    main()
