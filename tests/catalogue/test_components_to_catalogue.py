"""From the components of fine and coarse views to a valid catalogue: association, measurement, naming."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from smoothed_views import FRAME, MJY, PIXEL, SURVEY, Blob, sky_image
from view_tables import filled

from claran_core.catalogue.associate.associate import associate
from claran_core.catalogue.associate.views import ShardFiles
from claran_core.catalogue.build import ShardTables, write_catalogue
from claran_core.catalogue.product.validate import validate_catalogue
from claran_core.catalogue.shard_sources import write_shard
from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.calibration import Calibration
from claran_core.common.cutout import Cutout
from claran_core.common.files import digest_of, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.common.subject import Subject
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.find import component_tables
from claran_core.cutouts.coarse import coarse_cutout
from claran_core.cutouts.cutout_file import cutout_writer, read_cutouts
from claran_core.settings.config import load_config
from claran_core.survey.surveys import SURVEYS

# A double of 150 arcsec, which one coarse view shows whole, and a point source: east, north, SNR, beams.
LOBES: list[Blob] = [(-75, 0, 120, 1), (75, 0, 80, 1)]
POINT: Blob = (60, 55, 40, 1)
VIEWS = {"east": (75.0, 0.0, 1), "west": (-75.0, 0.0, 1), "wide": (0.0, 0.0, 2)}
FACTS = {"method": "D1", "model_id": "made up"}


def subject_and_cutout(name: str) -> tuple[Subject, Cutout]:
    """Return one view of the sky, with the pixels around its frame."""
    east, north, scale = VIEWS[name]
    sky, wcs = sky_image(500, [*LOBES, POINT])
    half = round(scale * (FRAME.width_arcsec / 2 + 3 * SURVEY.beam_arcsec) / PIXEL)
    x, y = round(wcs.x - east / PIXEL), round(wcs.y + north / PIXEL)
    window = sky[y - half : y + half, x - half : x + half]
    cutout = Cutout(window, wcs.window(x - half, y - half), "made by hand")
    ra, dec = wcs.pixels_to_sky(float(x), float(y))
    subject = Subject(name, float(ra), float(dec), "none", FRAME.at_scale(scale), scale)
    return subject, coarse_cutout(cutout, scale, SURVEY) if scale > 1 else cutout


def candidates_of(subject: Subject, components: pd.DataFrame) -> list[dict[str, object]]:
    """Each unit alone, and both lobes where the view shows them."""
    units = components[components.part_of == -1]
    north = (subject.frame.size_px / 2 - units.peak_y) * subject.frame.pixel_scale_arcsec
    lobes = units[(north.abs() < 10) & (units.snr > 20)]
    groups = [
        (units.loc[[row]], 0.05 if row in lobes.index and len(lobes) > 1 else 0.9) for row in units.index
    ]
    if len(lobes) == 2:
        groups.append((lobes, 0.95))
    rows = []
    for group, probability in groups:
        box = group[BOX_COLUMNS].agg({"box_x1": "min", "box_y1": "min", "box_x2": "max", "box_y2": "max"})
        noise = len(group) == 1 and group.snr.iloc[0] < 8
        rows.append(
            {
                "subject_id": subject.subject_id,
                "scale": subject.scale,
                **box.clip(0, 132).to_dict(),
                "p_1c_1p" if len(group) == 1 else "p_2c_2p": 0.02 if noise else probability,
                "p_artefact": 0.9 if noise else 0.03 * (len(group) == 1),
                "unit_ids": group.component_id.tolist(),
                "at_edge": bool(group.at_edge.any()),
                "room": 30.0,
            }
        )
    return rows


def write_inputs(folder: Path, shard: str, names: list[str]) -> dict[str, Path]:
    """Write all tables and images of a shard."""
    files = {
        name: folder / name / f"{shard}.parquet" for name in ("targets", "components", "noise", "candidates")
    }
    files |= {"index": folder / "index" / f"{shard}.parquet"}
    files |= {band: folder / band / f"{shard}.arrow" for band in ("radio", "infrared")}
    views = [subject_and_cutout(name) for name in names]
    for band, cutouts in (("radio", views), ("infrared", [])):
        with cutout_writer(files[band], survey="FIRST", unit="Jy/beam") as writer:
            for subject, cutout in cutouts:
                writer.add(subject.subject_id, cutout)
    digests = {}
    for band in ("radio", "infrared"):
        with read_cutouts(files[band]) as cutouts:
            digests[band] = cutouts.digest
    found = component_tables([(subject, cutout, (NOMINAL_LEVEL,)) for subject, cutout in views], FRAME)
    radio = {"radio": digests["radio"]}
    write_table(files["components"], found.components, tables.COMPONENTS, made_from=radio)
    write_table(files["noise"], found.noise, tables.NOISE, made_from=radio)
    of_components = {"components": digest_of(files["components"])}
    places = [
        {"subject_id": s.subject_id, "ra": s.ra_deg, "dec": s.dec_deg, "scale": s.scale, "split": "none"}
        for s, _ in views
    ]
    write_table(files["targets"], filled(places, tables.TARGETS), tables.TARGETS)
    write_table(files["index"], filled(places, tables.FUSED), tables.FUSED, made_from=digests | of_components)
    rows = [
        row
        for s, _ in views
        for row in candidates_of(s, found.components[found.components.subject_id == s.subject_id])
    ]
    write_table(
        files["candidates"],
        filled(rows, tables.CANDIDATES),
        tables.CANDIDATES,
        metadata=FACTS,
        made_from=of_components,
    )
    return files


def run(folder: Path, shards: list[list[str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the catalogue and the outcomes of some shards; the catalogue is valid."""
    names = [f"{number:05d}" for number in range(len(shards))]
    files = [write_inputs(folder, name, views) for name, views in zip(names, shards, strict=True)]
    associated = [folder / "associated" / f"{name}.parquet" for name in names]
    associate(
        [ShardFiles(one["targets"], one["components"], one["candidates"]) for one in files],
        associated,
        folder / "atoms.parquet",
        frame=FRAME,
        beam_arcsec=SURVEY.beam_arcsec,
        calibration=Calibration(),
    )
    measured = [folder / "sources" / f"{name}.parquet" for name in names]
    for one, given, result in zip(files, associated, measured, strict=True):
        paths = {f"{name}_path": one[name] for name in ("index", "components", "noise", "radio", "infrared")}
        write_shard(
            associated_path=given,
            **paths,
            sources_path=result,
            shard=result.stem,
            min_probability=0.5,
            frame=FRAME,
            survey=SURVEY,
            infrared_survey=SURVEYS["WISE_W1"],
        )
    parts = zip([one["index"] for one in files], associated, measured, strict=True)
    write_catalogue(
        folder / "catalogue.parquet",
        folder / "outcomes.parquet",
        folder / "contours.parquet",
        [ShardTables(*paths) for paths in parts],
        folder / "atoms.parquet",
        method="D1",
        provenance={"config": load_config().as_dict()},
    )
    assert validate_catalogue(folder / "catalogue.parquet") == []
    return read_table(folder / "catalogue.parquet"), read_table(folder / "outcomes.parquet")


def test_a_wide_double_and_a_point_source_become_two_rows(tmp_path: Path) -> None:
    catalogue, outcomes = run(tmp_path, [["east", "west", "wide"]])
    bright = catalogue[catalogue["snr"] > 20].sort_values("angular_size")
    point, double = (row for _, row in bright.iterrows())
    assert (point["subject_id"], point["scale"], point["morphology"]) == ("east", 1, "1C_1P")
    assert not point["flags"] & (Flag.SMOOTHED | Flag.DOUBTFUL | Flag.EDGE)
    assert point["integrated_flux"] == pytest.approx(40 * MJY, rel=0.1)
    assert (double["subject_id"], double["scale"], double["morphology"]) == ("wide", 2, "2C_2P")
    assert double["flags"] & Flag.SMOOTHED and not double["flags"] & (Flag.DOUBTFUL | Flag.EDGE)
    assert double["largest_angular_size"] == pytest.approx(150 + 2 * 5.5, abs=2)
    assert double["integrated_flux"] == pytest.approx(200 * MJY, rel=0.1)
    np.testing.assert_allclose(double["component_peak_flux"], [120 * MJY, 80 * MJY], rtol=0.05)
    assert double["second_grouping"] == "0|1"
    assert double["second_probability"] < 0.5 < double["source_probability"]
    members = outcomes[outcomes["source_id"] == double["source_id"]]
    assert len(members) == 2 and (members["scale"] == 1).all() and (members["n_views"] == 2).all()
    weak = outcomes[(outcomes["snr"] < 8) & (outcomes["outcome"] != "below_limit")]
    assert (weak["source_id"] == "").all() and set(weak["outcome"]) <= {"noise", "artefact"}


def test_rows_do_not_depend_on_shards(tmp_path: Path) -> None:
    whole, outcomes = run(tmp_path / "one", [["east", "west", "wide"]])
    parts, same = run(tmp_path / "three", [["wide"], ["east"], ["west"]])
    pd.testing.assert_frame_equal(parts, whole)
    pd.testing.assert_frame_equal(same, outcomes)
