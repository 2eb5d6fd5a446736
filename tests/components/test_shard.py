"""The components of a shard: files, order, levels, and subjects without an image."""

from pathlib import Path

import numpy as np
import pandas as pd
from component_images import blob

from claran_core.common.cutout import Cutout
from claran_core.common.files import content_of, read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.tables import COMPONENTS, NOISE
from claran_core.components.component_table import (
    LEVELS,
    read_components,
    read_native_noise,
    read_noise,
)
from claran_core.components.shard import find_shard_components

FRAME = Frame(48, 1.8)
TARGETS = pd.DataFrame(
    {
        "subject_id": ["two", "missing", "trained", "blank", "quiet"],
        "ra": [10.0, 20.0, 30.0, 359.999, 50.0],
        "dec": 5.0,
        "scale": 1,
        "split": ["none", "none", "train", "test", "none"],
        "shard": "00000",
    }
)


def cutouts() -> dict[str, Cutout]:
    """Return the images of all subjects but one."""
    blobs = {"two": [(15, 20, 60), (30, 30, 40)], "trained": [(24, 24, 90)], "blank": [], "quiet": []}
    images = {}
    for name, ra in zip(TARGETS.subject_id, TARGETS.ra, strict=True):
        if name in blobs:
            noise = np.random.default_rng(1).normal(0, 0.0 if name == "blank" else 1.0, (48, 48))
            image = noise + sum(blob((48, 48), *one, 5.0) for one in blobs[name])
            images[name] = Cutout(image.astype(np.float32), FRAME.wcs(ra, 5.0), "made")
    return images


def found(folder: Path, targets: pd.DataFrame = TARGETS) -> tuple[Path, Path]:
    """Find the components of subjects; return the files of components and noise."""
    files = folder / "components.parquet", folder / "noise.parquet"
    find_shard_components(
        targets,
        cutouts(),
        FRAME,
        components_path=files[0],
        noise_path=files[1],
        made_from={"targets": "a digest"},
    )
    return files


def test_subjects_have_their_levels_in_the_order_of_the_targets(tmp_path: Path) -> None:
    components, noise = found(tmp_path)
    table = read_table(components)
    assert table.columns.tolist() == COMPONENTS.names
    assert table.subject_id.drop_duplicates().tolist() == ["two", "trained"]
    by_subject = read_components(components)
    assert {name: tuple(levels) for name, levels in by_subject.items()} == {
        "two": LEVELS["none"],
        "trained": LEVELS["train"],
    }
    assert by_subject["two"][1.0].peaks.tolist() == [[15.5, 27.5], [30.5, 17.5]]  # rows of the frame: north
    about = read_table(noise)
    assert about.columns.tolist() == NOISE.names
    assert about.subject_id.tolist() == TARGETS.subject_id.tolist()
    assert about.n_components.tolist() == [2, 0, 1, 0, 0] and (about.scale == 1).all()
    sigma = read_noise(noise)
    assert np.isnan(sigma["missing"]) and sigma["blank"] == 0.0 and 0.9 < sigma["quiet"] < 1.1
    for path in (components, noise):
        assert content_of(path)[1] == {"targets": "a digest"}


def test_noise_of_a_coarser_view_is_read_at_both_scales(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "subject_id": ["coarse", "coarse", "fine", "missing"],
            "scale": [4, 1, 1, 4],
            "sigma": [5e-4, 1e-4, 2e-4, np.nan],
            "deepest": [-4.0, np.nan, -4.5, np.nan],
            "n_components": 1,
        }
    )
    for number, order in enumerate([[0, 1, 2, 3], [3, 2, 1, 0]]):
        path = tmp_path / f"{number}.parquet"
        write_table(path, table.iloc[order], NOISE)
        sigma = read_noise(path)
        assert np.isnan(sigma.pop("missing")) and sigma == {"coarse": 5e-4, "fine": 2e-4}
        assert read_native_noise(path) == {"coarse": 1e-4, "fine": 2e-4}


def test_rows_of_a_subject_do_not_depend_on_its_shard(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    whole = read_table(found(tmp_path)[0])
    alone = read_table(found(tmp_path / "alone", TARGETS[TARGETS.subject_id == "trained"])[0])
    part = whole[whole.subject_id == "trained"].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, alone, check_exact=True)


def test_shard_without_components_has_empty_tables(tmp_path: Path) -> None:
    components, noise = found(tmp_path, TARGETS[TARGETS.subject_id.isin(["missing", "blank"])])
    assert read_table(components).empty and len(read_table(noise)) == 2
    components, noise = found(tmp_path, TARGETS.head(0))
    assert read_table(components).empty and read_table(noise).empty
