"""Small catalogues for tests: random rows that a run could have made, and files of them.

Every row obeys what the schema says of it: its position is the middle of its box, its names and counts
agree, its lists have one entry per component, brightest first, and the rows are in the catalogue's order.
Columns this module does not know say that nothing is known: NaN, 0, no text, an empty list.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from astropy import units as u
from astropy_healpix import HEALPix

from claran_core import __version__
from claran_core.catalogue.product.schema import CATALOGUE, CONTOURS
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.common.files import write_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES, probability_columns
from claran_core.common.names import source_names
from claran_core.common.paths import Results
from claran_core.common.tables import FUSED, LEDGER, TARGETS
from claran_core.settings.config import load_config

__all__ = [
    "random_catalogue",
    "random_subjects",
    "write_contours",
    "write_random_catalogue",
    "write_random_run",
]

FRAME = Frame()
HEALPIX_ORDER = 10  # of the catalogue's order
POSITION_ERRORS = ("ra_err", "dec_err", "centroid_ra_err", "centroid_dec_err")
MEASUREMENTS = [
    "peak_flux",
    "peak_flux_err",
    "integrated_flux",
    "integrated_flux_err",
    "snr",
    "centroid_ra",
    "centroid_dec",
    "tight_ra",
    "tight_dec",
    "tight_width",
    "tight_height",
    "largest_angular_size",
    "position_angle",
]


def random_subjects(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Subjects all over the sky (subject_id, ra, dec); the first two lie at RA 0 and near the pole."""
    ra = rng.uniform(0, 360, n)
    dec = np.rad2deg(np.arcsin(rng.uniform(-1, 1, n)))
    ra[:2], dec[:2] = [0.0, 123.4][:n], [-10.0, 89.9][:n]
    return pd.DataFrame({"subject_id": [f"s{row:04d}" for row in range(n)], "ra": ra, "dec": dec})


def random_catalogue(n: int, seed: int = 1) -> pd.DataFrame:
    """Return `n` rows of `CATALOGUE`, in its order."""
    rng = np.random.default_rng(seed)
    subjects = random_subjects(max(1, n), rng).iloc[np.sort(rng.integers(0, max(1, n), n))]
    kind = rng.integers(0, len(MORPHOLOGIES), n)
    counts = np.array([[int(name[0]), int(name[3])] for name in MORPHOLOGIES])[kind]
    rows = {
        **_boxes(subjects, rng),
        **_probabilities(kind, rng),
        "subject_id": subjects["subject_id"].to_numpy(),
        "method": "D4",
        "morphology": np.array(MORPHOLOGIES, dtype=object)[kind],
        "n_components": counts[:, 0],
        "n_peaks": counts[:, 1],
        "scale": 1,
        "n_merged": rng.integers(1, 4, n),
        "model_id": "association-1",
        "pipeline_version": __version__,
    }
    table = pd.DataFrame(rows).assign(source_id=source_names(rows["ra"], rows["dec"]))
    table = _hosts(_measured(table, counts, rng), rng)
    unknown = {field.name: _unknown(field.type, n) for field in CATALOGUE if field.name not in table}
    return _ordered(table.assign(**unknown))


def write_random_catalogue(
    path: Path, n: int = 40, seed: int = 1, *, metadata: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Write `random_catalogue` as the file of a run, VOParquet block included; returns its rows."""
    table = random_catalogue(n, seed)
    facts = {"pipeline": "claran-survey", "method": "D4", "n_sources": n, "config": load_config().as_dict()}
    schema = CATALOGUE.with_metadata(votable_metadata(CATALOGUE))
    write_table(path, table, schema, metadata=facts | dict(metadata or {}))
    return table


def write_random_run(root: Path, n: int = 40, seed: int = 1) -> pd.DataFrame:
    """Write the results of a run around `random_catalogue`: two shards, every fourth subject without radio.

    Subjects of sources always have radio.  Returns the subjects: subject_id, ra, dec, shard, radio.
    """
    results = Results(root)
    rows = write_random_catalogue(results.catalogue, n, seed)
    subjects = random_subjects(max(1, n), np.random.default_rng(seed))
    number = np.arange(len(subjects))
    subjects["shard"] = np.where(number % 2, "00001", "00000")
    subjects["radio"] = (number % 4 != 3) | subjects["subject_id"].isin(rows["subject_id"])
    write_table(
        results.targets, subjects[["subject_id", "ra", "dec", "shard"]].assign(scale=1, split="none"), TARGETS
    )
    write_table(results.catalogue_ledger, _ledger(subjects), LEDGER)
    for shard, part in subjects.groupby("shard"):
        nothing = {name: 0 for name in FUSED.names if name not in part}
        write_table(
            results.fused_index("D4", str(shard)), part[["subject_id", "ra", "dec"]].assign(**nothing), FUSED
        )
        np.save(results.fused("D4", str(shard)), np.zeros((len(part), 1, 1, 3), np.uint8))
    return subjects


def write_contours(results: Results) -> dict[str, np.ndarray]:
    """Write contours of a run's catalogue: a ring of 12 points around the middle of each box, by source.

    The first source has a hole of half the width; the second a second ring of another level, moved by 1 px.
    Returns the points of the first ring of each source, px.
    """
    rows = pd.read_parquet(results.catalogue)
    subjects = pd.read_parquet(results.targets).set_index("subject_id")
    turn = np.arange(12) / 12 * 2 * np.pi
    circle, first, table = np.stack([np.cos(turn), np.sin(turn)], axis=1), {}, []
    for number, row in enumerate(rows.to_dict("records")):
        low, high = (np.array([row[f"box_{axis}{end}"] for axis in "xy"], float) for end in (1, 2))
        points = (low + high) / 2 + circle * (high - low) / 2
        rings = [points, (low + high) / 2 + circle[::-1] * (high - low) / 4] if number == 0 else [points]
        rings += [points + 1] if number == 1 else []
        every, place = np.concatenate(rings), subjects.loc[row["subject_id"]]
        ra, dec = FRAME.frame_to_sky(place["ra"], place["dec"], every[:, 0], every[:, 1])
        first[row["source_id"]] = points
        lists = {"ring_points": [12] * len(rings), "ring_level": [1.0, 2.0][: len(rings)]}
        lists |= {"contour_x": every[:, 0], "contour_y": every[:, 1], "contour_ra": ra, "contour_dec": dec}
        if number == 0:
            lists["ring_level"] = [1.0, 1.0]
        holes = [k == 1 and number == 0 for k in range(len(rings))]
        table.append({name: row[name] for name in ("source_id", "subject_id", "scale")} | lists)
        table[-1]["ring_is_hole"] = holes
    write_table(results.contours, pd.DataFrame(table, columns=CONTOURS.names), CONTOURS)
    return first


def _ledger(subjects: pd.DataFrame) -> pd.DataFrame:
    rows = subjects[["subject_id", "shard"]].assign(reason="", coverage=1.0, flags=0, origin="")
    status = np.where(subjects["radio"], np.where(subjects.index % 2, "ok", "partial"), "no_coverage")
    radio = rows.assign(band="radio", survey="FIRST", status=status)
    ledger = pd.concat([radio, rows.assign(band="infrared", survey="WISE_W1", status="ok")])
    return ledger.reindex(columns=LEDGER.names)


def _boxes(subjects: pd.DataFrame, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Boxes inside the frame, and the positions and sizes that follow from them."""
    n = len(subjects)
    size = rng.uniform(6, 50, (n, 2))
    corner = rng.uniform(0, FRAME.size_px - size)
    x, y = (corner + size / 2).T
    ra, dec = FRAME.frame_to_sky(subjects["ra"].to_numpy(), subjects["dec"].to_numpy(), x, y)
    box = np.hstack([corner, corner + size]).astype(np.float32)
    return {
        **dict.fromkeys(("ra", "box_ra"), ra),
        **dict.fromkeys(("dec", "box_dec"), dec),
        **dict(zip(("box_x1", "box_y1", "box_x2", "box_y2"), box.T, strict=True)),
        "angular_size": size.mean(axis=1) * FRAME.pixel_scale_arcsec,
    }


def _probabilities(kind: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Probabilities of the classes, greatest for `kind`, and of a source of any class."""
    each = rng.uniform(0, 0.02, (len(kind), len(MORPHOLOGIES)))
    each[np.arange(len(kind)), kind] = rng.uniform(0.5, 0.9, len(kind))
    return {
        **dict(zip(probability_columns(), each.T, strict=True)),
        "probability": each.max(axis=1, initial=0),
        "source_probability": each.sum(axis=1),
    }


def _measured(table: pd.DataFrame, counts: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Measurements of every row, whose counts are those of its class."""
    n = len(table)
    peak, rms, size = rng.lognormal(1.5, 1, n), rng.uniform(0.1, 0.2, n), table["angular_size"].to_numpy()
    values = [peak, 0.1 * peak, 1.5 * peak, 0.2 * peak, peak / rms]
    values += [table["ra"], table["dec"]] * 2 + [0.8 * size, 0.7 * size, 0.75 * size, rng.uniform(0, 180, n)]
    lists = _components(table, counts[:, 0], peak, rng)
    return table.assign(
        **dict(zip(MEASUREMENTS, values, strict=True)),
        **{name: pd.Series(value, dtype=object) for name, value in lists.items()},
        **dict.fromkeys(POSITION_ERRORS, 0.3),
        largest_angular_size_err=0.4,
        position_angle_err=3.0,
        local_rms=rms,
        rule_components=counts[:, 0],
        rule_peaks=counts[:, 1],
        rule_morphology=table["morphology"],
        flags=rng.choice([0, Flag.EDGE, Flag.LOW_SNR | Flag.EDGE], n),
        n_prominent_peaks=counts[:, 1],
        shape_centre="none",
        second_grouping=np.where(counts[:, 0] > 1, "0|1", ""),
        second_probability=rng.uniform(0, 0.5, n),
    )


def _components(
    table: pd.DataFrame, number: np.ndarray, peak: np.ndarray, rng: np.random.Generator
) -> dict[str, list[np.ndarray]]:
    """List columns, `number` entries a row, brightest first, within a quarter of the box of its middle."""
    reach = table["angular_size"].to_numpy() / 4 / 3600
    offsets = [rng.uniform(-1, 1, (count, 2)) * far for count, far in zip(number, reach, strict=True)]
    fluxes = [bright / np.arange(1, count + 1) for count, bright in zip(number, peak, strict=True)]
    places = list(zip(offsets, table["ra"], table["dec"], strict=True))
    return {
        "component_ra": [(ra + by[:, 0] / np.cos(np.deg2rad(dec))) % 360 for by, ra, dec in places],
        "component_dec": [dec + by[:, 1] for by, _, dec in places],
        "component_peak_flux": fluxes,
        "component_flux": [1.2 * flux for flux in fluxes],
    }


def _hosts(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Infrared counterparts: none, one or two candidates each, most reliable first."""
    number = rng.integers(0, 3, len(table))
    ra, dec = table["ra"].to_numpy(), table["dec"].to_numpy()
    reliability = [np.array([0.9, 0.05])[:count] for count in number]
    magnitude = [np.array([14.5, 16.25])[:count] for count in number]
    lists = {
        "host_candidate_ra": [np.repeat(value, count) for value, count in zip(ra, number, strict=True)],
        "host_candidate_dec": [np.repeat(value, count) for value, count in zip(dec, number, strict=True)],
        "host_candidate_w1": magnitude,
        "host_candidate_reliability": reliability,
    }
    seen = number > 0
    return table.assign(
        **{name: pd.Series(value, dtype=object) for name, value in lists.items()},
        host_ra=np.where(seen, ra, np.nan),
        host_dec=np.where(seen, dec, np.nan),
        host_w1=np.where(seen, 14.5, np.nan),
        host_w1_err=np.where(seen, 0.03, np.nan),
        host_separation=np.where(seen, 1.5, np.nan),
        host_reliability=np.where(seen, 0.9, 0.0),
    )


def _unknown(kind: pa.DataType, n: int) -> pd.Series:
    """Column of a type that says nothing."""
    if pa.types.is_boolean(kind):
        return pd.Series(np.zeros(n, bool))
    if pa.types.is_list(kind):
        return pd.Series([[] for _ in range(n)], dtype=object)
    if pa.types.is_string(kind):
        return pd.Series([""] * n, dtype=object)
    return pd.Series(np.full(n, np.nan if pa.types.is_floating(kind) else 0))


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    grid = HEALPix(nside=2**HEALPIX_ORDER, order="nested")
    pixel = grid.lonlat_to_healpix(table["ra"].to_numpy() * u.deg, table["dec"].to_numpy() * u.deg)
    order = np.lexsort((table["source_id"].to_numpy(str), pixel))
    return table.iloc[order][CATALOGUE.names].reset_index(drop=True)
