"""The catalogue as a file: shard by shard, with provenance; faulty shards leave nothing behind."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_catalogue_build import FRAME, OPTIONS, build, random_run

from claran_core import tables
from claran_core.catalogue import CATALOGUE, catalogue_provenance, write_catalogue
from claran_core.config import load_config
from claran_core.errors import InputError
from claran_core.files import read_metadata, read_table, write_table
from claran_core.flags import Flag

METADATA = {"model_id": "compact-1", "method": "D4"}


def ledger(index: pd.DataFrame) -> pd.DataFrame:
    radio = pd.DataFrame({"subject_id": index["subject_id"], "band": "radio", "status": "ok"})
    return pd.concat([radio, radio.assign(band="infrared", status="no_coverage")])


def write_shards(
    folder: Path, detections: pd.DataFrame, index: pd.DataFrame, n: int
) -> tuple[list[Path], list[Path]]:
    """Cut a run into `n` shards on disk; returns the detections and the index files."""
    found_paths, index_paths = [], []
    nothing = dict.fromkeys(["sigma", "radio_coverage", "infrared_coverage"], 1.0) | {"n_contours": 1}
    for number in range(n):
        part = index.iloc[number::n]
        found_paths.append(folder / f"detections-{number}.parquet")
        index_paths.append(folder / f"index-{number}.parquet")
        found = detections[detections["subject_id"].isin(part["subject_id"])]
        write_table(found_paths[-1], found, tables.DETECTIONS, metadata=METADATA)
        write_table(index_paths[-1], part.assign(**nothing), tables.FUSED)
    return found_paths, index_paths


def write(path: Path, shards: tuple[list[Path], list[Path]], provenance: dict | None = None) -> pd.DataFrame:
    return write_catalogue(path, *shards, options=OPTIONS, frame=FRAME, provenance=provenance or {})


@pytest.mark.parametrize("n_shards", [1, 4])
def test_file_holds_the_catalogue_of_all_shards(tmp_path: Path, n_shards: int) -> None:
    detections, index = random_run(3)
    path = tmp_path / "catalogue.parquet"
    write(path, write_shards(tmp_path, detections, index, n_shards))
    expected = build(detections.astype({"probability": "float32"}), index)
    pd.testing.assert_frame_equal(read_table(path), expected, check_dtype=False, atol=1e-5)
    assert read_table(path)["source_id"].tolist() == expected["source_id"].tolist()


def test_file_explains_itself(tmp_path: Path) -> None:
    detections, index = random_run(4)
    path = tmp_path / "catalogue.parquet"
    facts = catalogue_provenance(load_config(), ledger=ledger(index), weights={"sha256": "abc"})
    catalogue = write(path, write_shards(tmp_path, detections, index, 2), facts)
    schema = pq.read_schema(path)
    assert schema.names == CATALOGUE.names
    assert schema.field("angular_size").metadata[b"unit"] == b"arcsec"
    stored = read_metadata(path)
    json.dumps(stored, allow_nan=False)
    assert stored["config"]["catalogue"]["min_probability"] == 0.8
    assert stored["ledger"] == {"infrared": {"no_coverage": 40}, "radio": {"ok": 40}}
    assert (stored["n_subjects"], stored["n_subjects_searched"]) == (40, 40)
    assert stored["n_sources"] == len(catalogue)
    assert (stored["model_id"], stored["weights"]["sha256"]) == ("compact-1", "abc")
    assert stored["versions"]["astropy"]
    assert {facts["bit"] for facts in stored["flags"].values()} == {int(flag) for flag in Flag}


def test_no_sources_at_all(tmp_path: Path) -> None:
    detections, index = random_run(5)
    path = tmp_path / "catalogue.parquet"
    write(path, write_shards(tmp_path, detections.iloc[:0], index, 3))
    assert len(read_table(path)) == 0
    assert pq.read_schema(path).equals(CATALOGUE)
    write(path, ([], []))
    assert read_metadata(path)["n_subjects_searched"] == 0


def refused(tmp_path: Path, shards: tuple[list[Path], list[Path]]) -> str:
    """One-line message; and no catalogue, whole or partial."""
    with pytest.raises(InputError) as caught:
        write(tmp_path / "out" / "catalogue.parquet", shards)
    assert not list(tmp_path.glob("out/*"))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_truncated_shard(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, *random_run(6), 3)
    whole = shards[0][1].read_bytes()
    shards[0][1].write_bytes(whole[: len(whole) // 2])
    assert "detections-1.parquet: not a complete Parquet file" in refused(tmp_path, shards)


def test_missing_shard(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, *random_run(6), 3)
    shards[0][2].unlink()
    assert "detections-2.parquet: no such file" in refused(tmp_path, shards)


def test_table_of_another_program(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, *random_run(6), 2)
    pd.DataFrame({"a": [1]}).to_parquet(shards[0][1])
    assert "detections-1.parquet: does not hold detections of method 'D4'" in refused(tmp_path, shards)


def test_shards_of_two_models(tmp_path: Path) -> None:
    detections, index = random_run(6)
    shards = write_shards(tmp_path, detections, index, 2)
    found = read_table(shards[0][1])
    write_table(shards[0][1], found, tables.DETECTIONS, metadata=METADATA | {"model_id": "other"})
    assert "made with weights 'other', but" in refused(tmp_path, shards)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("morphology", "4C_4P", "morphology 4C_4P"),
        ("probability", 1.5, "probability 1.5"),
        ("p_2c_2p", float("nan"), "p_2c_2p nan"),
        ("box_x2", 140.0, "box_x2 140,"),
        ("box_x1", 131.9, "box_x1 131.9,"),
    ],
)
def test_impossible_value(tmp_path: Path, column: str, value: object, said: str) -> None:
    shards = write_shards(tmp_path, *random_run(6), 2)
    found = read_table(shards[0][1])
    found.loc[3, column] = value
    nullable = pa.schema([column.with_nullable(True) for column in tables.DETECTIONS])
    write_table(shards[0][1], found, nullable, metadata=METADATA)
    message = refused(tmp_path, shards)
    assert "detections-1.parquet: row 3:" in message
    assert said in message


def test_subject_without_image_names_the_shard(tmp_path: Path) -> None:
    found, index = write_shards(tmp_path, *random_run(6), 2)
    assert "detections-0.parquet: subject 's" in refused(tmp_path, (found, index[::-1]))


def test_subject_in_two_shards(tmp_path: Path) -> None:
    found, index = write_shards(tmp_path, *random_run(6), 2)
    message = refused(tmp_path, ([*found, found[0]], [*index, index[0]]))
    assert "index-0.parquet: subject 's00' is in this run twice" in message
