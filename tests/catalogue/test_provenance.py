"""The catalogue names the versions of exactly those packages that can change its numbers."""

import ast
import json
import sys
from importlib.metadata import packages_distributions

import pandas as pd

from claran_core.catalogue.provenance import PACKAGES, catalogue_provenance
from claran_core.common.paths import REPOSITORY
from claran_core.settings.config import load_config

# The scripts between the targets and the catalogue.
STAGES = (
    "assign_shards",
    "index_images",
    "cut_out",
    "cut_out_second",
    "fuse",
    "infer",
    "measure_sources",
    "build_catalogue",
)

# Imported packages that transport or store numbers, or read settings, without calculating.
NOT_CALCULATING = {
    "astroquery": "builds queries of archives",
    "filelock": "locks files",
    "pyarrow": "stores numbers exactly",
    "pydantic": "checks settings",
    "pydantic_core": "checks settings",
    "pyvo": "builds queries of archives",
    "requests": "transports bytes, whose hash is in the ledger",
    "safetensors": "stores weights exactly",
    "tenacity": "repeats requests",
    "typing_extensions": "declares types of settings",
    "urllib3": "transports bytes, whose hash is in the ledger",
    "yaml": "reads settings, which are in the provenance",
}


def imported_packages() -> set[str]:
    """Return the third-party packages that the scripts import, directly or through the package's modules."""
    pending = [REPOSITORY / "workflow" / "scripts" / f"{name}.py" for name in STAGES]
    read, packages = set(pending), set()
    while pending:
        for node in ast.walk(ast.parse(pending.pop().read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            )
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names] + [str(node.module)]
            packages |= {name.partition(".")[0] for name in names}
            files = {REPOSITORY / f"{name.replace('.', '/')}.py" for name in names}
            new = {path for path in files if path.is_file()} - read
            read |= new
            pending += new
    return packages - {"claran_core"} - sys.stdlib_module_names


def test_provenance_names_the_packages_that_calculate() -> None:
    distributions = packages_distributions()
    calculating = imported_packages() - NOT_CALCULATING.keys()
    assert {distributions[name][0].replace("_", "-") for name in calculating} == set(PACKAGES)


def test_provenance_names_no_folder_and_no_person() -> None:
    config = load_config(
        {
            "targets": {"path": "/srv/alice/targets.csv"},
            "cutouts": {"archive": {"contact": "alice@astro.example.edu", "limits_folder": "/scratch/alice"}},
        }
    )
    ledger = pd.DataFrame({"subject_id": ["a"], "band": ["radio"], "status": ["ok"]})
    weights = {"data": {"description": "labels of /srv/alice/rgz/labels.csv"}}
    facts = catalogue_provenance(config, ledger=ledger, weights=weights)
    assert facts["config"]["targets"]["path"] == "targets.csv"
    assert facts["weights"]["data"]["description"] == "labels of labels.csv"
    text = json.dumps(facts)
    assert "/srv" not in text and "@" not in text and "/scratch" not in text
