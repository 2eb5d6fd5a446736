"""The sources of one shard measured, on images whose sources are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from source_rows import METADATA, associated_row

from claran_core.catalogue.product.schema import SOURCES
from claran_core.catalogue.shard_sources import describe_shard, write_shard
from claran_core.common import tables
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.files import content_of, digest_of, read_metadata, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.subject import Subject
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.find import ComponentTables, component_tables
from claran_core.cutouts.cutout_file import cutout_writer, read_cutouts
from claran_core.survey.surveys import SURVEYS

FRAME = Frame()
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


def associated(
    components: pd.DataFrame, box: tuple[float, ...], *, subject: str = "s", **columns: Any
) -> dict[str, Any]:
    """Return a source of the components whose brightest pixels lie in a box on the frame, brightest last."""
    x, y = components["peak_x"], components["peak_y"]
    inside = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
    own = components[inside].sort_values("snr")
    return associated_row(subject, box, own["component_id"].tolist(), **columns)


def index(*names: str, flags: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"subject_id": list(names), "ra": RA, "dec": DEC, "scale": 1, "flags": flags})


def described(
    boxes: list[tuple[float, ...]],
    image: Cutout,
    *,
    infrared: dict[str, Cutout] | None = None,
    flags: int = 0,
    **columns: Any,
) -> pd.DataFrame:
    """Return the measured sources of an image: each consists of the components in a box."""
    components, noise = tables_of(image)
    rows = [associated(components, box, **columns) for box in boxes]
    return describe_shard(
        pd.DataFrame(rows, columns=tables.ASSOCIATED.names),
        index("s", flags=flags),
        components,
        dict(zip(noise["subject_id"], noise["sigma"], strict=True)),
        {"s": image},
        infrared or {},
        shard="00000",
        method="D4",
        min_probability=0.5,
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
    found = described([around(10, -20, 13)], image)
    row = found.iloc[0]
    assert list(found.columns) == SOURCES.names
    ra, dec = FRAME.frame_to_sky(RA, DEC, 66 - 10 / 1.375, 66 + 20 / 1.375)
    for name in ("centroid_", "tight_"):
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
    assert row["flags"] == 0 and row["source_probability"] == pytest.approx(0.9)
    # The position is that of the fitted peak, not the centre of the detector's box.
    assert (row["box_ra"], row["box_dec"], row["scale"], row["second_grouping"]) == (1.0, 1.0, 1, "")
    assert row["unresolved"]
    for name in ("ra", "dec", "ra_err", "dec_err"):
        assert row[name] == row[f"fitted_{name}"]
    assert abs(row["dec"] - dec) * 3600 < 4 * row["dec_err"]
    assert abs(row["ra"] - ra) * 3600 * np.cos(np.deg2rad(dec)) < 4 * row["ra_err"]
    assert 0.05 < row["dec_err"] < 0.12  # 0.05 of the survey, and a fortieth of the beam
    assert row["angular_size"] == pytest.approx(13.0)


def test_a_double_is_one_source_of_two_components() -> None:
    image = cutout((15, 15, 40), (-15, -15, 60))
    row = described([around(0, 0, 43)], image, morphology="2C_2P").iloc[0]
    assert row["rule_morphology"] == "2C_2P"
    np.testing.assert_allclose(row["component_peak_flux"], [9.0, 6.0], rtol=0.05)  # brightest first
    assert row["component_dec"][0] < row["component_dec"][1]
    assert row["position_angle"] == pytest.approx(45, abs=3)
    assert np.isnan(row["fitted_ra"]) and np.isnan(row["fitted_ra_err"])
    assert (row["ra"], row["dec_err"]) == (row["centroid_ra"], row["centroid_dec_err"])
    # The flux density is 0.2 of 30 arcsec towards the brighter lobe; its share has an error of 3 %.
    assert (row["dec"] - DEC) * 3600 == pytest.approx(-3.0, abs=4 * row["dec_err"])
    assert 0.2 < row["dec_err"] < 0.8
    assert 0.1 < row["largest_angular_size_err"] < 1.0 and 0.2 < row["position_angle_err"] < 4.0
    assert row["largest_angular_size"] == pytest.approx(np.hypot(30, 30) + 9.5, abs=2.5)
    assert sum(row["component_flux"]) == pytest.approx(row["integrated_flux"], rel=1e-5)


def test_the_next_best_grouping_numbers_components_as_the_lists_do() -> None:
    image = cutout((15, 15, 40), (-15, -15, 60), (30, -15, 20))
    box = around(0, 0, 90)
    # In the association, the components are listed from the faintest to the brightest.
    for second, text in (([0, 1, 1], "0 1|2"), ([0, 1, 0], "0 2|1"), ([-1, 1, 0], "0|1"), ([-1] * 3, "")):
        row = described([box], image, second_grouping=second, second_probability=0.25).iloc[0]
        assert (row["second_grouping"], row["second_probability"]) == (text, 0.25)


def test_peaks_of_one_component_are_counted() -> None:
    image = cutout((0, 4, 60), (0, -4, 40))
    row = described([around(0, 0, 25)], image, morphology="1C_2P").iloc[0]
    assert (row["rule_components"], row["rule_peaks"]) == (1, 2)
    assert len(row["component_ra"]) == 1


def test_flags_of_what_is_odd() -> None:
    def flags(image: Cutout, box: tuple[float, ...] = around(0, 0, 13), **more: Any) -> list[Flag]:
        return [Flag(int(value)) for value in described([box], image, **more)["flags"]]

    assert flags(cutout((0, 0, 8))) == [Flag.LOW_SNR]
    assert flags(cutout((0, 0, 40)), morphology="1C_2P") == [Flag.COUNTS_DISAGREE]
    assert flags(cutout((0, 0, 40)), flags=int(Flag.RADIO_PARTIAL)) == [Flag.RADIO_PARTIAL]
    assert Flag.BLEND in flags(cutout((0, 0, 40), (16, 0, 40)))[0]
    assert Flag.ARTEFACT | Flag.LOW_SNR in flags(cutout((0, 0, 8), (60, 0, 3000)))[0]
    assert flags(cutout((0, 0, 40)), at_edge=True) == [Flag.EDGE]
    assert flags(cutout((0, 0, 40)), views_disagree=True) == [Flag.VIEWS_DISAGREE]
    assert flags(cutout((0, 0, 40)), probability=0.49) == [Flag.DOUBTFUL]


def test_a_source_cut_by_its_subject_alone_is_not_at_the_edge() -> None:
    """The frame is 90.75 arcsec wide on each side; the association knows where the image data end."""
    row = described([(0, 56, 9, 76)], cutout((86, 0, 60))).iloc[0]
    assert not Flag(int(row["flags"])) & Flag.EDGE


def test_the_infrared_source_on_a_compact_source_is_its_host() -> None:
    rows, columns = np.indices((140, 140))
    grid = Frame(size_px=140, pixel_scale_arcsec=1.375)
    star = 30 * np.exp(-0.5 * ((columns - 69.5) ** 2 + (rows - 69.5) ** 2) / (8.36 / 1.375 / 2.3548) ** 2)
    noise = np.random.default_rng(0).normal(4.1, 0.1, star.shape)
    image = Cutout((star + noise).astype(np.float32), grid.wcs(RA, DEC), "made by hand")
    row = described([around(0, 0, 13)], cutout((0, 0, 40)), infrared={"s": image}).iloc[0]
    assert row["host_reliability"] > 0.9 and row["host_separation"] < 1.0
    assert row["host_dec"] == pytest.approx(DEC, abs=0.5 / 3600)
    assert row["host_candidate_ra"][0] == row["host_ra"]
    alone = described([around(0, 0, 13)], cutout((0, 0, 40))).iloc[0]
    assert np.isnan(alone["host_ra"]) and alone["host_reliability"] == 0 and alone["host_candidate_w1"] == []


def test_rows_follow_the_association_whatever_their_subjects() -> None:
    image = cutout((15, 15, 40), (-15, -15, 60))
    components, noise = tables_of(image)
    other, _ = tables_of(image, "t")
    rows = [
        associated(components, around(15, 15, 13)),
        associated(other, around(-15, -15, 13), subject="t"),
        associated(components, around(-15, -15, 13)),
    ]
    found = describe_shard(
        pd.DataFrame(rows, columns=tables.ASSOCIATED.names, index=[7, 3, 5]),
        index("t", "s"),
        pd.concat([components, other]),
        dict.fromkeys(["s", "t"], float(noise["sigma"].iloc[0])),
        {"s": image, "t": image},
        {},
        shard="00000",
        method="D4",
        min_probability=0.5,
        frame=FRAME,
        survey=SURVEYS["FIRST"],
        infrared_survey=SURVEYS["WISE_W1"],
    )
    assert found["subject_id"].tolist() == ["s", "t", "s"]
    np.testing.assert_allclose(found["peak_flux"], [6.0, 9.0, 9.0], rtol=0.05)


def shard_files(folder: Path, image: Cutout, n_sources: int = 1) -> dict[str, Path]:
    """Write the files of a shard with at most one source, in the middle of the image."""
    names = ("associated", "index", "components", "noise", "sources")
    files = {name: folder / f"{name}.parquet" for name in names}
    files |= {band: folder / f"{band}.arrow" for band in ("radio", "infrared")}
    for band, cutouts in (("radio", [image]), ("infrared", [])):
        with cutout_writer(files[band], survey="FIRST", unit="Jy/beam") as writer:
            for one in cutouts:
                writer.add("s", one)
    write_components(files, image)
    write_index(files)
    rows = [associated(tables_of(image).components, around(0, 0, 13))][:n_sources]
    write_associated(files, rows)
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


def write_associated(files: dict[str, Path], rows: list[dict[str, Any]]) -> None:
    made_from = {"components": digest_of(files["components"])}
    table = pd.DataFrame(rows, columns=tables.ASSOCIATED.names)
    write_table(files["associated"], table, tables.ASSOCIATED, metadata=METADATA, made_from=made_from)


def run(files: dict[str, Path]) -> None:
    paths = {f"{name}_path": path for name, path in files.items()}
    surveys = {"survey": SURVEYS["FIRST"], "infrared_survey": SURVEYS["WISE_W1"]}
    write_shard(**paths, shard="00000", min_probability=0.5, frame=FRAME, **surveys)


def test_files_of_a_shard(tmp_path: Path) -> None:
    files = shard_files(tmp_path, cutout((0, 0, 40)))
    run(files)
    assert read_table(files["sources"], SOURCES.names)["peak_flux"].iloc[0] == pytest.approx(6.0, rel=0.05)
    assert read_metadata(files["sources"]) == METADATA | {"class_names": list(MORPHOLOGIES)}


def test_a_shard_without_sources(tmp_path: Path) -> None:
    files = shard_files(tmp_path, cutout((0, 0, 40)), 0)
    run(files)
    assert len(read_table(files["sources"])) == 0


@pytest.mark.parametrize("name", ["associated", "index", "components", "noise", "radio", "infrared"])
def test_a_truncated_file_gets_one_line_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    files = shard_files(tmp_path, cutout((0, 0, 40)))
    files[name].write_bytes(files[name].read_bytes()[: -min(3000, files[name].stat().st_size // 2)])
    with pytest.raises(InputError) as error:
        run(files)
    assert str(files[name]) in str(error.value) and "\n" not in str(error.value)
    assert not files["sources"].exists()


def test_unknown_subjects_and_components_and_those_of_other_images_are_refused(tmp_path: Path) -> None:
    image, other = cutout((0, 0, 40)), cutout((0, 0, 40), (30, 0, 40))
    files = shard_files(tmp_path, image)
    source = associated(tables_of(image).components, around(0, 0, 13))
    write_associated(files, [source | {"subject_id": "x"}])
    with pytest.raises(InputError, match=r"associated.parquet: subject 'x' has sources but no fused image"):
        run(files)
    write_associated(files, [source | {"component_ids": [5]}])
    with pytest.raises(InputError, match=r"subject 's' has no component 5"):
        run(files)
    write_components(files, other)
    write_index(files)
    write_associated(files, [associated(tables_of(other).components, around(0, 0, 13))])
    with pytest.raises(InputError, match=r"'s' has 1 components in its radio image, which are not the 2 in"):
        run(files)


def test_a_source_without_an_image_is_refused(tmp_path: Path) -> None:
    components, _ = tables_of(cutout((0, 0, 40)))
    rows = pd.DataFrame([associated(components, around(0, 0, 13))])
    with pytest.raises(InputError, match="subject 's' has a source but no radio image"):
        describe_shard(
            rows,
            index("s"),
            components,
            {},
            {},
            {},
            shard="00000",
            method="D4",
            min_probability=0.5,
            frame=FRAME,
            survey=SURVEYS["FIRST"],
            infrared_survey=SURVEYS["WISE_W1"],
        )


@pytest.mark.parametrize("name", ["associated", "index", "components", "noise"])
def test_a_file_of_another_shard_is_refused(tmp_path: Path, name: str) -> None:
    files = shard_files(tmp_path / "one", cutout((0, 0, 40)))
    other = shard_files(tmp_path / "two", cutout((0, 0, 50)))
    files[name] = other[name]
    with pytest.raises(InputError, match=r"made from other \w+ than those of this run") as error:
        run(files)
    refused = "associated" if name == "components" else name
    assert str(files[refused]) in str(error.value)
    assert not files["sources"].exists()


def test_sources_say_what_they_were_made_from(tmp_path: Path) -> None:
    files = shard_files(tmp_path, cutout((0, 0, 40)))
    run(files)
    inputs = {name: digest_of(files[name]) for name in ("associated", "components")}
    assert content_of(files["sources"])[1].items() >= inputs.items()
