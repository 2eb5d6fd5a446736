"""Describe the results of a run as a research object (RO-Crate 1.1): products, software, settings, weights.

The file ``ro-crate-metadata.json`` lies in the results folder and makes it a crate.
Source: https://www.researchobject.org/ro-crate/specification/1.1/
"""

import datetime
import hashlib
from pathlib import Path
from typing import Any

from claran_core import __version__
from claran_core.catalogue.product.data_origin import PAPER, PAPER_DOI, data_origin
from claran_core.common.errors import InputError
from claran_core.common.files import write_json
from claran_core.common.paths import Results
from claran_core.export.source import CatalogueFile

__all__ = ["CRATE_NAME", "write_crate"]

CRATE_NAME = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILE = "https://w3id.org/ro/crate/1.1"
FORMATS = {
    ".parquet": "application/vnd.apache.parquet",
    ".yaml": "application/yaml",
    ".html": "text/html",
}
RUN, SOFTWARE, WEIGHTS, CREATOR = "#run", "#claran-survey", "#weights", "#creator"
HASH_BLOCK = 1 << 20


def write_crate(source: CatalogueFile, results: Results, path: Path) -> None:
    """Write the description of a run.

    Parameters
    ----------
    source : CatalogueFile
        Its catalogue.
    results : Results
        Its results.
    path : Path
        Output file: `CRATE_NAME` in the results folder.

    Raises
    ------
    InputError
        If `path` is another file.
    """
    if path.name != CRATE_NAME or path.absolute().parent != results.root.absolute():
        raise InputError(f"{path}: a crate is described in its folder; name {results.root / CRATE_NAME}")
    files = [_file(results, one, says) for one, says in _products(results).items() if one.exists()]
    graph = [
        {
            "@id": CRATE_NAME,
            "@type": "CreativeWork",
            "conformsTo": {"@id": PROFILE},
            "about": {"@id": "./"},
        },
        _root(source, files),
        *files,
        *_agents(source),
        _action(results, files),
    ]
    write_json(path, {"@context": CONTEXT, "@graph": graph})


def _products(results: Results) -> dict[Path, str]:
    """Return the files of the crate with their descriptions."""
    return {
        results.catalogue: "radio sources: morphology, measurements and infrared hosts; one row per source",
        results.outcomes: "components of the sky: the source of each, or why it has none",
        results.contours: "contours of the sources as polygons, on the sky and in pixels",
        results.matched_targets: "targets: the user's columns and what was found near each",
        results.catalogue_ledger: "status of each image of each subject",
        results.targets: "subjects of the run",
        results.config: "settings of the run",
        results.report: "report of the run",
    }


def _file(results: Results, path: Path, description: str) -> dict[str, Any]:
    return {
        "@id": path.relative_to(results.root).as_posix(),
        "@type": "File",
        "name": path.name,
        "description": description,
        "encodingFormat": FORMATS[path.suffix],
        "contentSize": str(path.stat().st_size),
        "sha256": _sha256(path),
    }


def _root(source: CatalogueFile, files: list[dict[str, Any]]) -> dict[str, Any]:
    origin = data_origin(source.facts)
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": "Catalogue of radio sources",
        "description": f"A run of claran-survey: {source.n_rows} radio sources with their morphology",
        "datePublished": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "license": origin.get("rights", "not stated"),
        "hasPart": [{"@id": one["@id"]} for one in files],
        "mentions": [{"@id": RUN}],
        "citation": [{"@id": PAPER_DOI}] if origin["citation"] == PAPER else origin["citation"],
    }
    return root | ({"creator": {"@id": CREATOR}} if "creator" in origin else {})


def _agents(source: CatalogueFile) -> list[dict[str, Any]]:
    """Return the software, the weights, the paper of the method, and the creator."""
    weights, origin = dict(source.facts.get("weights", {})), data_origin(source.facts)
    entities: list[dict[str, Any]] = [
        {
            "@id": SOFTWARE,
            "@type": "SoftwareApplication",
            "name": "claran-survey",
            "version": str(source.facts.get("pipeline_version", __version__)),
            "citation": {"@id": PAPER_DOI},
        },
        {"@id": PAPER_DOI, "@type": "ScholarlyArticle", "name": PAPER},
        {
            "@id": WEIGHTS,
            "@type": "CreativeWork",
            "name": str(source.facts.get("model_id", "weights")),
            "description": "weights of the detector",
            **({"sha256": weights["sha256"]} if "sha256" in weights else {}),
        },
    ]
    if "creator" in origin:
        entities.append({"@id": CREATOR, "@type": "Organization", "name": origin["creator"]})
    return entities


def _action(results: Results, files: list[dict[str, Any]]) -> dict[str, Any]:
    inputs = {one.relative_to(results.root).as_posix() for one in (results.config, results.targets)}
    return {
        "@id": RUN,
        "@type": "CreateAction",
        "name": "run of the workflow",
        "instrument": {"@id": SOFTWARE},
        "object": [{"@id": WEIGHTS}, *({"@id": one["@id"]} for one in files if one["@id"] in inputs)],
        "result": [{"@id": one["@id"]} for one in files if one["@id"] not in inputs],
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()
