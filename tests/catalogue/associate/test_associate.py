"""From the tables of all shards to sources and outcomes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from view_tables import FRAME, ViewTables

from claran_core.catalogue.associate.associate import associate
from claran_core.catalogue.associate.views import ShardFiles
from claran_core.common.calibration import Calibration
from claran_core.common.errors import InputError
from claran_core.common.files import content_of, digest_of, read_metadata, read_table, write_table
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.sky import sky_to_offset
from claran_core.common.tables import ASSOCIATED, ATOMS, CANDIDATES


def run(folder: Path, files: list[ShardFiles]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the sources of all shards, and the atoms."""
    outputs = [folder / "associated" / shard.candidates.name for shard in files]
    n = associate(
        files,
        outputs,
        folder / "atoms.parquet",
        frame=FRAME,
        beam_arcsec=5.4,
        calibration=Calibration(),
    )
    sources = pd.concat([read_table(path, ASSOCIATED.names) for path in outputs], ignore_index=True)
    assert len(sources) == n
    return sources, read_table(folder / "atoms.parquet", ATOMS.names)


def wide_double(scale_of_wide: int = 2) -> tuple[ViewTables, list[int], list[int]]:
    """Return a double of 150 arcsec: each fine view shows one lobe, a coarse one shows both."""
    tables = ViewTables()
    for name, east, scale in (("a", -75.0, 1), ("b", 75.0, 1), ("wide", 0.0, scale_of_wide)):
        tables.view(name, east, scale=scale)
    fine = [tables.component(view, east) for view, east in (("a", -75.0), ("b", 75.0))]
    coarse = [tables.component("wide", east, 1.0, size=30.0, scale=scale_of_wide) for east in (-75.0, 75.0)]
    for east, unit in zip((-75.0, 75.0), coarse, strict=True):
        tables.component("wide", east, part_of=unit)
    return tables, fine, coarse


def test_a_double_that_only_a_coarse_view_shows_whole_is_one_source(tmp_path: Path) -> None:
    tables, fine, coarse = wide_double()
    for view, own in zip("ab", fine, strict=True):
        tables.candidate(view, [own], 0.6, artefact=0.02)
    for unit in coarse:
        tables.candidate("wide", [unit], 0.05, artefact=0.02)
    tables.candidate("wide", coarse, 0.9, morphology="2C_2P")
    sources, atoms = run(tmp_path, tables.write(tmp_path, [["a", "b"], ["wide"]]))
    assert len(sources) == 1
    source = sources.iloc[0]
    assert (source["subject_id"], source["scale"], source["morphology"]) == ("wide", 2, "2C_2P")
    assert list(source["unit_ids"]) == coarse and sorted(source["component_ids"]) == sorted(fine)
    assert source["source_probability"] > 0.6
    assert sorted(source["second_grouping"]) == [0, 1]
    # The two lobes are one source, or two; that one is an artefact is hardly possible.
    both = source["source_probability"] + source["second_probability"]
    assert both == pytest.approx(1.0, abs=0.02) and both <= 1.0
    assert (source["n_merged"], source["views_disagree"], source["at_edge"]) == (1, False, False)
    assert atoms["source"].tolist() == [0, 0] and atoms["outcome"].tolist() == ["source"] * 2
    assert atoms["n_views"].tolist() == [2, 2] and set(atoms["shard"]) == {"00000"}
    assert sorted(atoms["component_id"]) == sorted(fine)


def test_two_sources_stay_two_and_an_artefact_is_none(tmp_path: Path) -> None:
    tables, fine, coarse = wide_double()
    tables.candidate("a", fine[:1], 0.9, artefact=0.02)
    tables.candidate("b", fine[1:], 0.2, artefact=0.7)
    tables.candidate("wide", coarse[:1], 0.9, artefact=0.05)
    tables.candidate("wide", coarse[1:], 0.2, artefact=0.6)
    tables.candidate("wide", coarse, 0.04, morphology="2C_2P")
    sources, atoms = run(tmp_path, tables.write(tmp_path))
    assert sources["subject_id"].tolist() == ["a"] and list(sources["unit_ids"][0]) == fine[:1]
    assert sources["n_merged"].tolist() == [2]
    assert [list(one) for one in sources["second_grouping"]] == [[-1]]
    outcome = atoms.set_index("component_id")["outcome"]
    assert [outcome[one] for one in fine] == ["source", "artefact"]


def test_a_coarse_source_without_fine_components_lists_itself(tmp_path: Path) -> None:
    tables = ViewTables()
    tables.view("wide", scale=4)
    unit = tables.component("wide", 30.0, size=100.0, scale=4)
    tables.candidate("wide", [unit], 0.6)
    sources, atoms = run(tmp_path, tables.write(tmp_path))
    assert list(sources["component_ids"][0]) == [unit] and atoms["scale"].tolist() == [4]


def grid(steps: np.ndarray) -> np.ndarray:
    """Return all pairs (k, 2) of some offsets."""
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)


def random_sky(seed: int) -> ViewTables:
    """Return overlapping views of two scales of random sources of one to three components."""
    rng = np.random.default_rng(seed)
    tables = ViewTables(ra=0.01, dec=float(rng.choice([0.0, 60.0])))
    sources = [
        rng.uniform(-300, 300, 2) + rng.uniform(-30, 30, (int(rng.integers(1, 4)), 2)) for _ in range(60)
    ]
    for k, (east, north) in enumerate(grid(np.arange(-270.0, 271.0, 90.0))):
        tables.view(f"f{(5 * k) % 49:02d}", east, north)  # names in another order than positions
    for k, (east, north) in enumerate(grid(np.array([-180.0, 0.0, 180.0]))):
        tables.view(f"c{k}", east, north, scale=2)
    for target in tables.targets:
        for parts in sources:
            show(tables, target, parts, rng)
    return tables


def show(tables: ViewTables, target: dict[str, Any], parts: np.ndarray, rng: np.random.Generator) -> None:
    """Add to a view the components of a source (k, 2; arcsec) inside its frame, and their candidates."""
    view, scale = target["subject_id"], target["scale"]
    middle = sky_to_offset(tables.ra, tables.dec, target["ra"], target["dec"])
    room = 0.5 * FRAME.width_arcsec * scale - 6.0 - np.abs(parts - middle).max(axis=1)
    units = []
    for east, north in parts[room > 0]:
        part_of = -1
        if scale > 1:
            part_of = tables.component(view, east + 1.0, north, size=20.0, scale=2)
        fine = tables.component(view, east, north, part_of=part_of)
        units.append(fine if scale == 1 else part_of)
    is_whole = len(units) == len(parts)
    for unit in units:
        chance = rng.uniform(0.5, 0.9) if len(parts) == 1 else rng.uniform(0.0, 0.4)
        tables.candidate(view, [unit], chance, artefact=0.05, room=float(room[room > 0].min()))
    if len(units) > 1:
        kind, chance = MORPHOLOGIES[3 if len(units) == 2 else 5], rng.uniform(0.5, 0.9) if is_whole else 0.1
        tables.candidate(view, units, chance, room=float(room[room > 0].min()), morphology=kind)


@pytest.mark.parametrize("seed", [1, 2])
def test_sources_do_not_depend_on_shards_or_their_order(tmp_path: Path, seed: int) -> None:
    tables = random_sky(seed)
    names = [target["subject_id"] for target in tables.targets]
    expected = None
    for n in (1, 7, 58):
        shuffled = np.random.default_rng(n).permutation(names).tolist() if n > 1 else names
        folder = tmp_path / str(n)
        files = tables.write(folder, [list(part) for part in np.array_split(shuffled, n)])
        sources, atoms = run(folder, files)
        assert (atoms.groupby("source").size().drop(-1, errors="ignore") > 0).all()
        listed = np.concatenate(sources["atoms"].to_list())
        assert len(listed) == len(set(listed)) == (atoms["source"] >= 0).sum()
        for number, own in enumerate(sources["atoms"]):
            assert (atoms["source"].to_numpy()[own] == number).all()
        # Rows of `ATOMS` are the same for any shards; sources are listed shard by shard.
        atoms = atoms.drop(columns=["shard", "source"])
        sources = sources.sort_values("subject_id", kind="stable").reset_index(drop=True)
        sources = sources.iloc[np.argsort([own[0] for own in sources["atoms"]])].reset_index(drop=True)
        if expected is None:
            expected = sources, atoms
        pd.testing.assert_frame_equal(sources, expected[0], check_exact=True)
        pd.testing.assert_frame_equal(atoms, expected[1], check_exact=True)
    assert len(sources) > 40


def test_files_record_what_they_were_made_from(tmp_path: Path) -> None:
    tables, fine, _ = wide_double()
    tables.candidate("a", fine[:1], 0.9)
    files = tables.write(tmp_path, [["a", "wide"], ["b"]])
    run(tmp_path, files)
    path = tmp_path / "associated" / "00000.parquet"
    assert read_metadata(path) == {
        "method": "D1",
        "model_id": "made up",
        "class_names": list(MORPHOLOGIES),
    }
    digests = {name: digest_of(getattr(files[0], name)) for name in ("components", "candidates")}
    assert content_of(path)[1].items() >= digests.items()
    together = content_of(tmp_path / "atoms.parquet")[1]
    assert content_of(path)[1].items() >= together.items() and "all_candidates" in together


def test_candidates_of_two_models_are_refused(tmp_path: Path) -> None:
    files = wide_double()[0].write(tmp_path, [["a", "wide"], ["b"]])
    table = read_table(files[1].candidates)
    write_table(files[1].candidates, table, CANDIDATES, metadata={"method": "D1", "model_id": "other"})
    with pytest.raises(InputError, match="made with weights 'other'"):
        run(tmp_path, files)
