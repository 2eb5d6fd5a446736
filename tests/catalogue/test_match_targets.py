"""The user's targets with what was found near each: columns of the user, separations, what is missing."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import votable
from astropy.table import Table
from catalogue_rows import random_catalogue

from claran_core.catalogue.match_targets import CataloguedSources, find_near, match_targets
from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.catalogue.product.target_columns import MATCHED
from claran_core.catalogue.product.voparquet import mismatches
from claran_core.common.errors import InputError
from claran_core.common.files import digest_of, write_table
from claran_core.common.frame import Frame
from claran_core.common.paths import Results
from claran_core.common.sky import unit_vectors
from claran_core.common.tables import LEDGER
from claran_core.export.formats import export_catalogue
from claran_core.settings.config import Config, load_config
from claran_core.targets.shards import write_targets

# Sources at 10 deg east on the equator, in arcsec east of there: position, and components.
PLACES = {"J0A": (0.0, [-20.0, 20.0]), "J0B": (70.0, [70.0]), "J0C": (4000.0, [4000.0])}


def write_run(
    folder: Path, table: Path, *, statuses: tuple[str, ...] = (), scales: tuple[int, ...] = (1,)
) -> Results:
    """Write targets, ledger and catalogue of a run with the targets of a table."""
    results = Results(folder / "results")
    config = load_config().as_dict()
    config["targets"] |= {"path": str(table), "scales": list(scales)}
    write_targets(Config.from_dict(config), table, results)
    subjects = pd.read_parquet(results.targets)["subject_id"].sort_values().tolist()
    given = [*statuses, *["ok"] * len(subjects)][: len(subjects)]
    blank = {name: "" if str(LEDGER.field(name).type) == "string" else 0 for name in LEDGER.names}
    rows = [
        blank
        | {"subject_id": name, "band": band, "status": status, "reason": "" if status == "ok" else "why"}
        for band in ("radio", "infrared")
        for name, status in zip(subjects, given, strict=True)
    ]
    write_table(results.catalogue_ledger, pd.DataFrame(rows), LEDGER)
    catalogue = random_catalogue(len(PLACES)).assign(source_id=list(PLACES), dec=0.0)
    east = {name: [10 + x / 3600 for x in parts] for name, (_, parts) in PLACES.items()}
    catalogue["ra"] = [10 + place / 3600 for place, _ in PLACES.values()]
    catalogue["component_ra"] = pd.Series(list(east.values()))
    catalogue["component_dec"] = pd.Series([[0.0] * len(parts) for parts in east.values()])
    made_from = {"run_targets": digest_of(results.targets), "run_ledger": digest_of(results.catalogue_ledger)}
    write_table(results.catalogue, catalogue, CATALOGUE, made_from=made_from, metadata={"method": "D4"})
    return results


def match(results: Results, table: Path, **options: Any) -> pd.DataFrame:
    options = {"scales": (1,), "frame": Frame(), "radius_arcsec": 30.0, **options}
    match_targets(
        results.matched_targets,
        table,
        targets_path=results.targets,
        catalogue_path=results.catalogue,
        ledger_path=results.catalogue_ledger,
        **options,
    )
    return pd.read_parquet(results.matched_targets)


def write_csv(folder: Path, *places: tuple[float, float], header: str = "name,ra,dec,z,Found") -> Path:
    path = folder / "targets.csv"
    lines = [f"007,{10 + x / 3600!r},{y / 3600!r},{k}.5,yes" for k, (x, y) in enumerate(places)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_nearest_source_and_component_and_what_is_missing(tmp_path: Path) -> None:
    places = [(3.0, 4.0), (-21.0, 0.0), (160.0, 0.0), (9000.0, 0.0), (40.0, 0.0), (9500.0, 0.0)]
    table = write_csv(tmp_path, *places, header="subject_id,ra,dec,z,Found")
    table.write_text(table.read_text().replace("007", "t%d"))
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(line % k for k, line in enumerate(lines[1:]))]) + "\n")
    statuses = ("ok", "partial", "ok", "ok", "ok", "no_coverage")
    rows = match(write_run(tmp_path, table, statuses=statuses), table)
    assert rows["subject_id"].tolist() == [f"t{k}" for k in range(6)]
    assert rows["found"].tolist() == ["source", "source", "in_image", "nothing", "source", "not_searched"]
    assert rows["source_id"].tolist() == ["J0A", "J0A", "J0B", "", "J0B", ""]
    np.testing.assert_allclose(rows["separation"], [5, 21, 90, np.nan, 30, np.nan], atol=1e-3)
    assert rows["component_source_id"].tolist() == ["J0A", "J0A", "J0B", "", "J0A", ""]
    # From (3, 4) to the component 20 arcsec east, then from the lobe at -20.
    np.testing.assert_allclose(
        rows["component_separation"], [np.hypot(17, 4), 1, 90, np.nan, 20, np.nan], atol=1e-3
    )
    assert rows["n_sources_near"].tolist() == [1, 1, 0, 0, 2, 0]
    assert rows["n_sources_in_image"].tolist() == [2, 1, 1, 0, 2, 0]
    assert rows["radio_status"].tolist() == list(statuses)
    assert rows["radio_reason"].tolist() == ["", "why", "", "", "", "why"]
    assert rows["target_row"].tolist() == [2, 3, 4, 5, 6, 7]
    assert rows["own_Found"].tolist() == ["yes"] * 6 and rows["z"].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]


def test_columns_of_every_format_come_through(tmp_path: Path) -> None:
    """The same targets in four formats, with text, numbers, lists, units and missing values."""
    own = Table(
        {
            "RAJ2000": [10.0, 10.5] * u.deg,
            "DEJ2000": [0.0, 0.25] * u.deg,
            "name": ["3C 1", "Cyg A"],
            "flux": np.array([1.25, np.nan], np.float32) * u.mJy,
            "n": np.array([7, 8], np.int64),
            "seen": [True, False],
            "spectrum": np.array([[1.0, 2.0], [3.0, 4.0]]),
        }
    )
    own["name"].info.description = "usual name"
    own.write(tmp_path / "t.fits")
    own.write(tmp_path / "t.vot", format="votable")
    frame = own[[name for name in own.colnames if name != "spectrum"]].to_pandas()
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.assign(spectrum=own["spectrum"].tolist()).to_parquet(tmp_path / "t.parquet")
    for name in ("t.fits", "t.vot", "t.csv", "t.parquet"):
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        results = write_run(folder, tmp_path / name)
        rows = match(results, tmp_path / name)
        schema = pq.read_schema(results.matched_targets)
        assert schema.names[: len(MATCHED)] == MATCHED.names
        assert schema.names[len(MATCHED) :] == [n for n in own.colnames if n in rows]
        assert rows["name"].tolist() == ["3C 1", "Cyg A"] and rows["n"].tolist() == [7, 8]
        np.testing.assert_array_equal(rows["flux"].astype(np.float32), [np.float32(1.25), np.nan])
        assert rows["seen"].astype(str).tolist() == ["True", "False"]
        if name != "t.csv":
            assert [list(one) for one in rows["spectrum"]] == [[1, 2], [3, 4]]
        if name in ("t.fits", "t.vot"):
            assert schema.field("flux").metadata[b"unit"] == b"mJy"
        if name == "t.vot":
            assert schema.field("name").metadata[b"description"] == b"usual name"
        assert mismatches(schema) == []


def test_exports_of_targets(tmp_path: Path) -> None:
    table = write_csv(tmp_path, (0.0, 0.0), (4000.0, 0.0), header="The Name,ra,dec,z,Found")
    results = write_run(tmp_path, table)
    rows = match(results, table)
    export_catalogue(results.matched_targets, tmp_path / "t.vot", to="votable")
    export_catalogue(results.matched_targets, tmp_path / "t.fits", to="fits")
    export_catalogue(results.matched_targets, tmp_path / "t.csv", to="csv")
    read = votable.parse(tmp_path / "t.vot", verify="exception").get_first_table()
    assert [field.name for field in read.fields] == list(rows.columns)
    assert read.to_table(use_names_over_ids=True)["The Name"].tolist() == ["007"] * 2
    for other in (Table.read(tmp_path / "t.fits"), pd.read_csv(tmp_path / "t.csv")):
        assert list(other["source_id"]) == ["J0A", "J0C"]
        assert list(other["target_row"]) == [2, 3] and list(other["z"]) == [0.5, 1.5]
    for to in ("ds9", "hats", "coco", "moc"):
        with pytest.raises(InputError, match="holds targets; export them to one of fits, votable, csv"):
            export_catalogue(results.matched_targets, tmp_path / f"t.{to}", to=to)


def test_one_row_per_target_whatever_the_number_of_views(tmp_path: Path) -> None:
    table = write_csv(tmp_path, (0.0, 0.0), (9000.0, 0.0))
    rows = match(write_run(tmp_path, table, scales=(2, 1)), table, scales=(2, 1))
    assert rows["name"].tolist() == ["007", "007"]
    assert rows["n_sources_in_image"].tolist() == [2, 0]  # as the view of scale 2 shows it


def test_a_table_that_has_changed_is_refused(tmp_path: Path) -> None:
    table = write_csv(tmp_path, (0.0, 0.0))
    results = write_run(tmp_path, table)
    table.write_text(table.read_text().replace("007", "008"))
    with pytest.raises(InputError, match="has changed since .*; rerun the stage targets"):
        match(results, table)


def brute_force(targets: pd.DataFrame, sources: SkyCoord) -> tuple[np.ndarray, np.ndarray]:
    """Return separation and number of the nearest source of each target, by astropy."""
    place = SkyCoord(targets["ra"], targets["dec"], unit="deg")
    nearest, apart, _ = place.match_to_catalog_sky(sources)
    return apart.arcsec, nearest


def random_sky(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return positions in a field of 10 deg across RA 0."""
    return pd.DataFrame({"ra": rng.uniform(-5, 5, n) % 360, "dec": rng.uniform(-5, 5, n)})


def test_nearest_sources_are_those_of_astropy(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    targets, places = random_sky(500, rng).assign(scale=1), random_sky(40_000, rng)
    catalogue = places.assign(source_id=[f"s{k}" for k in range(len(places))])
    sources = _sources(catalogue)
    found = find_near(targets, sources, Frame(), 20.0)
    apart, nearest = brute_force(targets, SkyCoord(places["ra"], places["dec"], unit="deg"))
    near = apart <= Frame().width_arcsec / np.sqrt(2)
    assert 100 < near.sum() < 500
    np.testing.assert_allclose(found["separation"], np.where(near, apart, np.nan), rtol=1e-6)
    wanted = np.where(near, catalogue["source_id"].to_numpy()[nearest], "")
    assert found["source_id"].to_pylist() == wanted.tolist()
    monkeypatch.setattr("claran_core.catalogue.match_targets.BLOCK", 7)
    again = find_near(targets, sources, Frame(), 20.0)
    for name, values in found.items():
        np.testing.assert_array_equal(np.asarray(again[name]), np.asarray(values))


def _sources(catalogue: pd.DataFrame) -> CataloguedSources:
    vectors = unit_vectors(catalogue["ra"].to_numpy(), catalogue["dec"].to_numpy())
    rows = np.arange(len(catalogue))
    names = pa.chunked_array([pa.array(catalogue["source_id"])])
    return CataloguedSources(names, np.concatenate([vectors] * 2), np.concatenate([rows] * 2))


def test_no_source_at_all() -> None:
    names = pa.chunked_array([pa.array([], pa.string())])
    nothing = CataloguedSources(names, np.empty((0, 3)), np.empty(0, int))
    found = find_near(pd.DataFrame({"ra": [1.0], "dec": [2.0], "scale": [1]}), nothing, Frame(), 30.0)
    assert found["source_id"].to_pylist() == [""] and found["n_sources_near"].tolist() == [0]
    assert np.isnan(found["separation"]).all()


def test_a_hundred_thousand_targets_take_seconds() -> None:
    rng = np.random.default_rng(3)
    targets, places = random_sky(100_000, rng).assign(scale=1), random_sky(100_000, rng)
    sources = _sources(places.assign(source_id=[f"s{k}" for k in range(len(places))]))
    start = time.process_time()
    find_near(targets, sources, Frame(), 30.0)
    assert time.process_time() - start < 5
