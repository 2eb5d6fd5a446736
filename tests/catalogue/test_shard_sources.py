"""One shard filtered and measured, on images whose sources are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from detection_rows import detection
from scipy import ndimage

from claran_core.catalogue.product.schema import REJECTED, SOURCES
from claran_core.catalogue.shard_sources import ShardSources, describe_shard, write_shard
from claran_core.common import tables
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.files import check_made_from, digest_of, read_metadata, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.components.component_batch import ComponentBatch
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.find import ComponentTables, component_tables
from claran_core.cutouts.cutout_file import cutout_writer, read_cutouts
from claran_core.inference.membership import component_ids_of
from claran_core.settings.config import CatalogueOptions, load_config
from claran_core.survey.surveys import SURVEYS

FRAME = Frame()
OPTIONS = load_config({"catalogue": {"min_probability": 0.8}}).catalogue
SIGMA, SCALE = 1.5e-4, 1.8
RA, DEC = 359.99, 30.0
GRID = Frame(size_px=101, pixel_scale_arcsec=SCALE)


def cutout(*gaussians: tuple[float, float, float], seed: int = 0) -> Cutout:
    """Image around (RA, DEC) with beams at (east, north arcsec, SNR)."""
    rng = np.random.default_rng(seed)
    plane = ndimage.gaussian_filter(rng.standard_normal((101, 101)), 1.3, mode="wrap")
    pixels = SIGMA * plane / plane.std()
    rows, columns = np.indices(pixels.shape)
    for east, north, snr in gaussians:
        apart = (columns - 50 + east / SCALE) ** 2 + (rows - 50 - north / SCALE) ** 2
        pixels = pixels + snr * SIGMA * np.exp(-0.5 * apart / (3.0 / 2.3548) ** 2)
    return Cutout(pixels.astype(np.float32), GRID.wcs(RA, DEC), "made by hand")


def tables_of(image: Cutout | None, subject: str = "s") -> ComponentTables:
    one = Subject(subject, RA, DEC, "none", FRAME), image, [NOMINAL_LEVEL]
    return component_tables([one], FRAME)


def with_components(rows: list[dict[str, Any]], components: pd.DataFrame) -> pd.DataFrame:
    """Return a table of detections, each of which consists of the components that fit its box."""
    found = pd.DataFrame(rows, columns=tables.DETECTIONS.names)
    names = found["subject_id"].unique()
    ids = component_ids_of(found, ComponentBatch.from_table(components, names), names, FRAME)
    return found.assign(component_ids=pd.Series(ids, dtype=object))


def index(*names: str, flags: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"subject_id": list(names), "ra": RA, "dec": DEC, "scale": 1, "flags": flags})


def described(
    rows: list[dict[str, Any]],
    image: Cutout | None,
    *,
    infrared: dict[str, Cutout] | None = None,
    flags: int = 0,
    options: CatalogueOptions = OPTIONS,
) -> ShardSources:
    components, noise = tables_of(image)
    found = with_components(rows, components)
    radio = {} if image is None else {"s": image}
    return describe_shard(
        found,
        index("s", flags=flags),
        components,
        dict(zip(noise["subject_id"], noise["sigma"], strict=True)),
        radio,
        infrared or {},
        shard="00000",
        options=options,
        frame=FRAME,
        survey=SURVEYS["FIRST"],
        infrared_survey=SURVEYS["WISE_W1"],
    )


def around(east: float, north: float, side: float) -> tuple[float, float, float, float]:
    """Box on the frame, px, from arcsec."""
    x, y, half = 66 - east / 1.375, 66 - north / 1.375, side / 1.375 / 2
    return (x - half, y - half, x + half, y + half)


def test_a_point_source_is_measured_where_it_is() -> None:
    image = cutout((10, -20, 40))
    found = described([detection("s", around(10, -20, 13))], image)
    row = found.sources.iloc[0]
    assert list(found.sources.columns) == SOURCES.names and len(found.rejected) == 0
    ra, dec = FRAME.frame_to_sky(RA, DEC, 66 - 10 / 1.375, 66 + 20 / 1.375)
    for name in ("", "centroid_", "tight_"):
        assert row[f"{name}dec"] == pytest.approx(dec, abs=1 / 3600)
        assert row[f"{name}ra"] == pytest.approx(ra, abs=1.2 / 3600)
    assert row["peak_flux"] == pytest.approx(6.0, rel=0.05)
    assert row["integrated_flux"] == pytest.approx(6.0, abs=3 * row["integrated_flux_err"])
    assert row["snr"] == pytest.approx(40, rel=0.15)
    assert (row["rule_components"], row["rule_peaks"], row["rule_morphology"]) == (1, 1, "1C_1P")
    # The contour at 5.3 of 40 sigma is where a beam of 5.4 arcsec has fallen to 0.13.
    assert row["tight_width"] == pytest.approx(9.2, abs=0.8) and row["tight_height"] == pytest.approx(
        9.2, abs=0.8
    )
    assert row["largest_angular_size"] == pytest.approx(9.5, abs=1.0)
    assert len(row["component_ra"]) == len(row["component_flux"]) == 1
    assert row["component_dec"][0] == pytest.approx(dec, abs=1.5 / 3600)
    assert row["flags"] == 0 and row["frame_quality"] == pytest.approx(0.9)


def test_a_double_is_one_source_of_two_components() -> None:
    image = cutout((15, 15, 40), (-15, -15, 60))
    rows = [
        detection("s", around(0, 0, 43), morphology="2C_2P", probability=0.95),
        detection("s", around(15, 15, 13), probability=0.9),
    ]
    found = described(rows, image)
    row = found.sources.iloc[0]
    assert len(found.sources) == 1 and row["rule_morphology"] == "2C_2P"
    np.testing.assert_allclose(row["component_peak_flux"], [9.0, 6.0], rtol=0.05)  # brightest first
    assert row["component_dec"][0] < row["component_dec"][1]
    assert row["position_angle"] == pytest.approx(45, abs=3)
    assert row["largest_angular_size"] == pytest.approx(np.hypot(30, 30) + 9.5, abs=2.5)
    assert sum(row["component_flux"]) == pytest.approx(row["integrated_flux"], rel=1e-5)
    lost = found.rejected.iloc[0]
    assert list(found.rejected.columns) == REJECTED.names
    assert (lost["outcome"], lost["winner"], lost["detection"]) == ("competing", 0, 1)


def test_peaks_of_one_component_tell_sources_apart_and_are_counted() -> None:
    image = cutout((0, 4, 60), (0, -4, 40))
    found = described([detection("s", around(0, 0, 25), morphology="1C_2P")], image)
    row = found.sources.iloc[0]
    assert (row["rule_components"], row["rule_peaks"]) == (1, 2)
    assert len(row["component_ra"]) == 1 and len(row["peak_ra"]) == 2
    assert row["peak_dec"][0] == row["component_dec"][0] and row["peak_dec"][1] < row["peak_dec"][0]


def test_flags_of_what_is_odd() -> None:
    def flags(rows: list[dict[str, Any]], image: Cutout | None, **more: Any) -> list[Flag]:
        return [Flag(int(value)) for value in described(rows, image, **more).sources["flags"]]

    point = detection("s", around(0, 0, 13))
    assert flags([point], cutout((0, 0, 8))) == [Flag.LOW_SNR]
    assert flags([point | {"morphology": "1C_2P"}], cutout((0, 0, 40))) == [Flag.COUNTS_DISAGREE]
    assert flags([point], cutout((0, 0, 40)), flags=int(Flag.RADIO_PARTIAL)) == [Flag.RADIO_PARTIAL]
    assert Flag.BLEND in flags([point], cutout((0, 0, 40), (16, 0, 40)))[0]
    assert Flag.ARTEFACT | Flag.LOW_SNR in flags([point], cutout((0, 0, 8), (60, 0, 3000)))[0]
    border = detection("s", (0, 60, 9, 72))
    assert Flag.EDGE in flags([border], cutout((86, 0, 60)))[0]
    far = detection("s", around(-40, 40, 20))
    assert flags([far], cutout((0, 0, 40))) == [Flag.NO_COMPONENT]
    assert flags([point], None) == [Flag.NO_COMPONENT]


def test_nothing_measured_says_so() -> None:
    row = described([detection("s", around(0, 0, 13))], None).sources.iloc[0]
    assert np.isnan([row["peak_flux"], row["integrated_flux_err"], row["centroid_ra"]]).all()
    assert row["rule_components"] == 0 and row["rule_morphology"] == ""
    assert len(row["component_ra"]) == len(row["peak_ra"]) == 0


def test_the_infrared_source_on_a_compact_source_is_its_host() -> None:
    rows, columns = np.indices((140, 140))
    grid = Frame(size_px=140, pixel_scale_arcsec=1.375)
    star = 30 * np.exp(-0.5 * ((columns - 69.5) ** 2 + (rows - 69.5) ** 2) / (8.36 / 1.375 / 2.3548) ** 2)
    noise = np.random.default_rng(0).normal(4.1, 0.1, star.shape)
    image = Cutout((star + noise).astype(np.float32), grid.wcs(RA, DEC), "made by hand")
    point = detection("s", around(0, 0, 13))
    row = described([point], cutout((0, 0, 40)), infrared={"s": image}).sources.iloc[0]
    assert row["host_reliability"] > 0.9 and row["host_separation"] < 1.0
    assert row["host_dec"] == pytest.approx(DEC, abs=0.5 / 3600)
    assert row["host_candidate_ra"][0] == row["host_ra"]
    alone = described([point], cutout((0, 0, 40))).sources.iloc[0]
    assert np.isnan(alone["host_ra"]) and alone["host_reliability"] == 0 and alone["host_candidate_w1"] == []


def test_a_source_near_the_border_has_a_lower_frame_quality() -> None:
    quality = []
    for east in (0.0, 60.0, 79.0):
        found = described([detection("s", around(east, 0, 13))], cutout((east, 0, 40)))
        quality.append(float(found.sources["frame_quality"].iloc[0]))
    assert quality[0] == pytest.approx(0.9) and quality[0] > quality[1] > quality[2] > 0


def test_paper_filter_keeps_the_best_of_a_blank_field() -> None:
    rows = [detection("s", around(0, 0, 13), probability=0.3)]
    assert len(described(rows, cutout()).sources) == 0
    paper = load_config({"catalogue": {"post_filter": "paper"}}).catalogue
    kept = described(rows, cutout(), options=paper).sources
    assert kept["flags"].tolist() == [int(Flag.BELOW_MIN_PROBABILITY | Flag.NO_COMPONENT)]


def shard_files(folder: Path, rows: list[dict[str, Any]], image: Cutout) -> dict[str, Path]:
    names = ("detections", "index", "components", "noise", "sources", "rejected")
    files = {name: folder / f"{name}.parquet" for name in names}
    files |= {band: folder / f"{band}.arrow" for band in ("radio", "infrared")}
    for band, cutouts in (("radio", [image]), ("infrared", [])):
        with cutout_writer(files[band], survey="FIRST", unit="Jy/beam") as writer:
            for one in cutouts:
                writer.add("s", one)
    write_components(files, image)
    write_index(files)
    write_detections(files, with_components(rows, tables_of(image).components))
    return files


def write_index(files: dict[str, Path]) -> None:
    nothing = dict.fromkeys(["sigma", "radio_coverage", "infrared_coverage"], 1.0)
    fused = index("s").assign(**nothing, n_contours=1, crc32=0)
    made_from = {band: digest_of_cutouts(files[band]) for band in ("radio", "infrared")}
    made_from |= {"components": digest_of(files["components"])}
    write_table(files["index"], fused, tables.FUSED, made_from=made_from)


def digest_of_cutouts(path: Path) -> str:
    with read_cutouts(path) as cutouts:
        return cutouts.digest


def write_components(files: dict[str, Path], image: Cutout) -> None:
    found, made_from = tables_of(image), {"radio": digest_of_cutouts(files["radio"])}
    write_table(files["components"], found.components, tables.COMPONENTS, made_from=made_from)
    write_table(files["noise"], found.noise, tables.NOISE, made_from=made_from)


def write_detections(files: dict[str, Path], found: pd.DataFrame) -> None:
    made_from = {"fused": digest_of(files["index"]), "components": digest_of(files["components"])}
    metadata = {"method": "D4", "model_id": "m"}
    write_table(files["detections"], found, tables.DETECTIONS, metadata=metadata, made_from=made_from)


def run(files: dict[str, Path]) -> None:
    paths = {f"{name}_path": path for name, path in files.items()}
    surveys = {"survey": SURVEYS["FIRST"], "infrared_survey": SURVEYS["WISE_W1"]}
    write_shard(**paths, shard="00000", options=OPTIONS, frame=FRAME, **surveys)


def test_files_of_a_shard(tmp_path: Path) -> None:
    files = shard_files(tmp_path, [detection("s", around(0, 0, 13))], cutout((0, 0, 40)))
    run(files)
    assert read_table(files["sources"], SOURCES.names)["peak_flux"].iloc[0] == pytest.approx(6.0, rel=0.05)
    assert len(read_table(files["rejected"], REJECTED.names)) == 0
    assert read_metadata(files["sources"]) == {"method": "D4", "model_id": "m"}


def test_a_shard_without_detections(tmp_path: Path) -> None:
    files = shard_files(tmp_path, [], cutout((0, 0, 40)))
    run(files)
    assert len(read_table(files["sources"])) == len(read_table(files["rejected"])) == 0


@pytest.mark.parametrize("name", ["detections", "index", "components", "noise", "radio", "infrared"])
def test_a_truncated_file_gets_one_line_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    files = shard_files(tmp_path, [detection("s", around(0, 0, 13))], cutout((0, 0, 40)))
    files[name].write_bytes(files[name].read_bytes()[: -min(3000, files[name].stat().st_size // 2)])
    with pytest.raises(InputError) as error:
        run(files)
    assert str(files[name]) in str(error.value) and "\n" not in str(error.value)
    assert not files["sources"].exists() and not files["rejected"].exists()


def test_unknown_subjects_and_components_of_other_images_are_refused(tmp_path: Path) -> None:
    files = shard_files(tmp_path, [detection("x", around(0, 0, 13))], cutout((0, 0, 40)))
    with pytest.raises(
        InputError, match=r"detections.parquet: subject 'x' has detections but no fused image"
    ):
        run(files)
    image, other = cutout((0, 0, 40)), cutout((0, 0, 40), (30, 0, 40))
    files = shard_files(tmp_path, [detection("s", around(0, 0, 13))], image)
    write_components(files, other)
    write_index(files)
    found = with_components([detection("s", around(0, 0, 13))], tables_of(other).components)
    write_detections(files, found)
    with pytest.raises(InputError, match=r"'s' has 1 components in its radio image, which are not the 2 in"):
        run(files)


@pytest.mark.parametrize("name", ["detections", "index", "components", "noise"])
def test_a_file_of_another_shard_is_refused(tmp_path: Path, name: str) -> None:
    files = shard_files(tmp_path / "one", [detection("s", around(0, 0, 13))], cutout((0, 0, 40)))
    other = shard_files(tmp_path / "two", [detection("s", around(0, 0, 13))], cutout((0, 0, 50)))
    files[name] = other[name]
    with pytest.raises(InputError, match=r"made from other \w+ than those of this run") as error:
        run(files)
    refused = "detections" if name == "components" else name
    assert str(files[refused]) in str(error.value)
    assert not files["sources"].exists()


def test_sources_say_what_they_were_made_from(tmp_path: Path) -> None:
    files = shard_files(tmp_path, [detection("s", around(0, 0, 13))], cutout((0, 0, 40)))
    run(files)
    inputs = {name: digest_of(files[name]) for name in ("detections", "components")}
    for name in ("sources", "rejected"):
        check_made_from(files[name], inputs, redo="catalogue")
