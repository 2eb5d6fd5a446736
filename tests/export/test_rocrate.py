"""The research object: every entity that it names is described, and every file is there with its digest."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from catalogue_rows import write_contours, write_random_catalogue, write_random_run

from claran_core.common.errors import InputError
from claran_core.common.paths import Results
from claran_core.export.formats import export_catalogue


@pytest.fixture
def crate(tmp_path: Path) -> dict[str, Any]:
    """Return the entities of the crate of a run in `tmp_path`, by id."""
    write_random_run(tmp_path, 20)
    results = Results(tmp_path)
    stated = {"creator": "A survey", "rights": "CC BY 4.0"}
    facts = {"config": {"catalogue": stated}, "method": "D4", "weights": {"sha256": "abc"}}
    write_random_catalogue(results.catalogue, 20, metadata=facts)
    write_contours(results)
    export_catalogue(results.catalogue, tmp_path / "ro-crate-metadata.json", to="rocrate")
    written = json.loads((tmp_path / "ro-crate-metadata.json").read_text())
    assert written["@context"] == "https://w3id.org/ro/crate/1.1/context"
    return {entity["@id"]: entity for entity in written["@graph"]}


def references(value: Any) -> set[str]:
    """Return the ids that a value refers to."""
    if isinstance(value, dict):
        return {value["@id"]} if set(value) == {"@id"} else set().union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_reference_is_described(crate: dict[str, Any]) -> None:
    named = references(list(crate.values()))
    assert named - set(crate) == {"https://w3id.org/ro/crate/1.1"}
    descriptor, root = crate["ro-crate-metadata.json"], crate["./"]
    assert descriptor["about"] == {"@id": "./"} and root["@type"] == "Dataset"
    assert {"name", "description", "datePublished", "license"} <= set(root)
    assert (root["license"], crate["#creator"]["name"]) == ("CC BY 4.0", "A survey")
    assert crate["#weights"]["sha256"] == "abc"


def test_files_are_there(crate: dict[str, Any], tmp_path: Path) -> None:
    files = {one["@id"] for one in crate["./"]["hasPart"]}
    wanted = {"catalogue.parquet", "contours.parquet", "ledger.parquet"}
    assert files == {f"catalogue/{name}" for name in wanted} | {"targets.parquet"}
    for name in files:
        data = (tmp_path / name).read_bytes()
        assert crate[name]["sha256"] == hashlib.sha256(data).hexdigest()
        assert crate[name]["contentSize"] == str(len(data))
    results = {one["@id"] for one in crate["#run"]["result"]}
    assert results == files - {"targets.parquet"} and {"@id": "targets.parquet"} in crate["#run"]["object"]


def test_another_name_or_place_is_refused(crate: dict[str, Any], tmp_path: Path) -> None:
    catalogue = Results(tmp_path).catalogue
    for path in (tmp_path / "crate.json", tmp_path / "catalogue" / "ro-crate-metadata.json"):
        with pytest.raises(InputError, match="a crate is described in its folder; name"):
            export_catalogue(catalogue, path, to="rocrate")
