"""Small hand-made runs as inputs of the report, and a parser that checks its page."""

import dataclasses
from collections.abc import Collection, Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from catalogue_rows import random_catalogue

from claran_core.catalogue.product.schema import CATALOGUE, OUTCOMES
from claran_core.common.cutout import Cutout
from claran_core.common.files import write_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.paths import Results
from claran_core.common.tables import FUSED, LABELS, LEDGER, LOSSES, NOISE, TARGETS
from claran_core.cutouts.cutout_file import cutout_writer
from claran_core.evaluation.draw import plot_figures
from claran_core.evaluation.figures import plot_losses
from claran_core.evaluation.metrics import choose_sample, evaluate, evaluate_sources
from claran_core.evaluation.published import published_values
from claran_core.fusion.fused_images import checksum
from claran_core.fusion.render import Planes
from claran_core.report.inputs import ReportInputs
from claran_core.report.pictures import SubjectImages
from claran_core.settings.config import load_config

__all__ = [
    "SIZE",
    "Page",
    "outcomes_of",
    "make_inputs",
    "make_labels",
    "planes_of",
    "sources",
    "with_truth",
    "write_run",
]

SIZE = 48
FRAME = Frame(SIZE, 1.375)
SPLITS = ("test", "train")


def box_of(i: int) -> dict[str, float]:
    """Return the box of source `i`."""
    x, y = 4 + 3 * (i % 7), 6 + 4 * (i % 5)
    return {"box_x1": float(x), "box_y1": float(y), "box_x2": x + 16.0, "box_y2": y + 14.0}


def sources(n: int) -> pd.DataFrame:
    """Return one source in each of the subjects 0 .. n - 1, cycling through classes and probabilities."""
    number = np.arange(n)
    boxes = pd.DataFrame([box_of(i) for i in number], columns=["box_x1", "box_y1", "box_x2", "box_y2"])
    table = random_catalogue(n).assign(
        source_id=[f"J10{i // 60:02d}{i % 60:02d}.0+300000" for i in number],
        ra=150.0 + number / 10,
        dec=30.0,
        subject_id=[f"S{i:03d}" for i in number],
        morphology=[MORPHOLOGIES[i % 6] for i in number],
        n_components=[int(MORPHOLOGIES[i % 6][0]) for i in number],
        n_peaks=[int(MORPHOLOGIES[i % 6][3]) for i in number],
        probability=0.99 - 0.3 * (number % 4) / 4,
        flags=0,
        n_merged=1,
        **boxes,
    )
    # Through Arrow: numbers have the precision of a file.
    columns = [pa.array(table[field.name], field.type, from_pandas=False) for field in CATALOGUE]
    return pa.Table.from_arrays(columns, schema=CATALOGUE).to_pandas()


def outcomes_of(catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return outcomes in which each row of the catalogue is one component, and one more is noise."""
    return pd.DataFrame({"outcome": ["source"] * len(catalogue) + ["noise"]})


def planes_of(subject_id: str) -> Planes:
    """Return a radio image with noise and three blobs, and an infrared one with one, for each subject."""
    rng = np.random.default_rng(int.from_bytes(subject_id.encode()[-4:], "little"))
    y, x = np.mgrid[:SIZE, :SIZE]
    radio, infrared = rng.normal(0, 1, (2, SIZE, SIZE))
    for _ in range(3):
        cx, cy = rng.uniform(10, SIZE - 10, 2)
        radio += 40 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 20)
    infrared += 9 * np.exp(-((x - 20) ** 2 + (y - 30) ** 2) / 8)
    return Planes(radio.astype(np.float32), infrared.astype(np.float32), 1.0)


def fused_of(subject_id: str) -> np.ndarray:
    """Return the blobs of `planes_of` in red."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[..., 0] = np.clip(planes_of(subject_id).radio * 6, 0, 255)
    return image


def images_of(subject_ids: Collection[str]) -> Iterator[SubjectImages]:
    """Yield the images of subjects, sorted by name."""
    return (SubjectImages(name, planes_of(name), fused_of(name)) for name in sorted(subject_ids))


def make_ledger(ids: list[str]) -> pd.DataFrame:
    """Return a ledger in which one radio image failed and two infrared images are outside the survey."""
    unknown = {field.name: "" if pa.types.is_string(field.type) else 0 for field in LEDGER}
    rows = []
    for i, subject in enumerate(ids):
        for band, survey in (("infrared", "WISE_W1"), ("radio", "FIRST")):
            failed = band == "radio" and i == len(ids) - 1
            outside = band == "infrared" and i in (1, 2)
            status = "failed" if failed else "no_coverage" if outside else "ok"
            rows.append(
                {
                    **unknown,
                    "subject_id": subject,
                    "shard": "00000",
                    "band": band,
                    "survey": survey,
                    "status": status,
                    "reason": {"failed": "table_not_image.fits: no image", "ok": ""}.get(status, "outside"),
                    "coverage": float(status == "ok"),
                    "origin": "simulated",
                }
            )
    return pd.DataFrame(rows, columns=LEDGER.names)


def make_labels(n: int) -> pd.DataFrame:
    """Return labels that agree with `sources`."""
    """Return one label for each of the first `n` subjects."""
    rows = [
        {
            "subject_id": f"S{i:03d}",
            "label_id": f"L{i:03d}",
            "split": SPLITS[i % 2],
            "ra": 150.0 + i / 10,
            "dec": 30.0,
            **box_of(i),
            "morphology": MORPHOLOGIES[i % 6],
            "n_components": 1,
            "n_peaks": 1,
            "angular_size": 20.0,
            "consensus": np.nan,
            "host_ra": np.nan,
            "host_dec": np.nan,
            "flags": 0,
            "component_ra": [150.0],
            "component_dec": [30.0],
        }
        for i in range(n)
    ]
    return pd.DataFrame(rows, columns=LABELS.names)


def make_inputs(n: int = 24, *, gallery_size: int | str = 12) -> ReportInputs:
    """Return the tables of a run of `n` subjects, the last two without a component."""
    ids = [f"S{i:03d}" for i in range(n)]
    targets = pd.DataFrame(
        {
            "subject_id": ids,
            "ra": 150.0 + np.arange(n) / 10,
            "dec": 30.0,
            "scale": 1,
            "split": [SPLITS[i % 2] for i in range(n)],
            "shard": ["00000"] * 3 + ["00001"] * (n - 3),
        }
    )
    flags = np.zeros(n, int)
    flags[1:3] = Flag.INFRARED_MISSING
    fused = targets[["subject_id", "scale", "ra", "dec"]].assign(flags=flags)
    catalogue = sources(n - 2)
    return ReportInputs(
        config=load_config({"report": {"gallery_size": gallery_size}, "fusion": {"size_px": SIZE}}),
        targets=targets,
        ledger=make_ledger(ids),
        fused=fused,
        images_of=images_of,
        catalogue=catalogue,
        outcomes=outcomes_of(catalogue),
        blank=frozenset(ids[-2:]),
        date="2026-01-31T12:00:00+00:00",
    )


def with_truth(inputs: ReportInputs, folder: Path) -> ReportInputs:
    """Return the same run with labels, measured metrics and figures."""
    labels = make_labels(len(inputs.catalogue))
    sample = choose_sample(inputs.targets, labels)
    options = inputs.config.evaluation
    published = published_values("D4")
    least = inputs.config.catalogue.min_probability
    detections = inputs.catalogue.assign(component_ids=[()] * len(inputs.catalogue))
    metrics = evaluate(
        detections, labels, sample, options, min_probability=least, method="D4", seed=1, published=published
    )
    sources = evaluate_sources(detections, labels, sample, options, min_probability=least)
    figures, losses = Results(folder).evaluation_figures("D4"), folder / "losses.png"
    plot_figures(figures, metrics, sources)
    steps = pd.DataFrame({name: np.linspace(2, 1, 20) for name in LOSSES.names})
    plot_losses(losses, steps.assign(iteration=np.arange(1, 21)))
    return dataclasses.replace(
        inputs,
        labels=labels,
        metrics={"D4": metrics},
        figures={"D4": figures},
        loss_curves={"D4": losses},
    )


def write_run(root: Path, inputs: ReportInputs) -> Results:
    """Write the tables and images of a run at their places in the results, in two shards."""
    results = Results(root)
    write_table(results.targets, inputs.targets, TARGETS)
    write_table(results.catalogue_ledger, inputs.ledger, LEDGER)
    write_table(results.catalogue, inputs.catalogue, CATALOGUE)
    unknown = {field.name: "" if pa.types.is_string(field.type) else 0 for field in OUTCOMES}
    write_table(results.outcomes, pd.DataFrame({**unknown, **inputs.outcomes}), OUTCOMES)
    filler = {"sigma": 1e-4, "radio_coverage": 1.0, "infrared_coverage": 1.0, "n_contours": 1}
    for shard, ids in inputs.targets.groupby("shard")["subject_id"]:
        rows = inputs.fused[inputs.fused["subject_id"].isin(ids)]
        images = np.stack([fused_of(name) for name in rows["subject_id"]])
        index = rows.assign(**filler, crc32=[checksum(image) for image in images])
        write_table(results.fused_index("D4", str(shard)), index[FUSED.names], FUSED)
        np.save(results.fused("D4", str(shard)), images)
        noise = rows[["subject_id", "scale"]].assign(sigma=1e-4, deepest=-4.0)
        noise = noise.assign(n_components=(~noise["subject_id"].isin(inputs.blank)).astype(int))
        write_table(results.noise(str(shard)), noise[NOISE.names], NOISE)
        for band in ("radio", "infrared"):
            _write_cutouts(results.cutouts(str(shard), band), rows, band)
    return results


def _write_cutouts(path: Path, subjects: pd.DataFrame, band: str) -> None:
    """Write the images of `planes_of`; the first subject has no infrared image."""
    with cutout_writer(path, survey=band) as writer:
        for row in subjects.itertuples():
            if band == "infrared" and row.subject_id == "S000":
                continue
            data = getattr(planes_of(row.subject_id), band)[::-1]
            writer.add(row.subject_id, Cutout(data, FRAME.wcs(row.ra, row.dec), "made", Flag(0)))


class Page(HTMLParser):
    """Parser that checks that every element is closed and collects links, sources and names."""

    VOID = {"meta", "img", "br", "link", "hr", "input"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.sections: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the attributes of an element."""
        values = dict(attrs)
        self.tags.append(tag)
        self.attributes |= set(values)
        self.sources += [values[name] or "" for name in ("src", "srcset", "data") if name in values]
        links = [values["href"] or ""] if "href" in values else []
        self.sources += links if tag == "image" else []
        self.links += links if tag != "image" else []
        self.ids += [values["id"] or ""] if "id" in values else []
        self.sections += [values.get("id") or ""] if tag == "section" else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element without content."""
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Check that the element closed is the last one opened."""
        assert self.open.pop() == tag
