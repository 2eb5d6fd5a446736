"""Links, files, modules, functions, flags and settings that the documents name exist."""

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from document_blocks import documents

from claran_core.common.flags import Flag
from claran_core.common.paths import REPOSITORY, Results

DOCUMENTS = [*documents(), REPOSITORY / "CHANGELOG.md", REPOSITORY / "docs" / "tested_commands.md"]
FOLDERS = "claran_core|benchmarks|tests|docs|resources|workflow|slurm|envs"
IDS = [page.relative_to(REPOSITORY).as_posix() for page in DOCUMENTS]


def spans(text: str) -> set[str]:
    """Return the words in backticks of a document."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^ *```.*?^ *```$", "", text)))


def functions_of(path: Path) -> set[str]:
    """Return the names of all functions, methods and classes of a module."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


@pytest.mark.parametrize("page", DOCUMENTS, ids=IDS)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", DOCUMENTS, ids=IDS)
def test_named_files_and_modules_exist(page: Path) -> None:
    for span in spans(page.read_text(encoding="utf-8")):
        if re.fullmatch(rf"(?:{FOLDERS})/[\w./-]*", span):
            assert (REPOSITORY / span).exists(), span
        elif re.fullmatch(r"claran_core(?:\.\w+)+", span):
            assert resolves(span), span


def resolves(dotted: str) -> bool:
    """Return whether a dotted name is a module, or an attribute of one."""
    try:
        importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        return hasattr(importlib.import_module(module), name)
    return True


@pytest.mark.parametrize("page", DOCUMENTS, ids=IDS)
def test_named_results_exist(page: Path) -> None:
    """A file below `results/` is one that `Results` names."""
    names = {pattern_of(getattr(Results(), name)) for name in dir(Results) if not name.startswith("_")}
    for span in spans(page.read_text(encoding="utf-8")):
        if re.fullmatch(r"results/[\w{}./-]*[\w}]\.(?:parquet|npy|html|yaml|fits)", span):
            name = re.sub(r"\b\d{5}\b", "S", span.format(shard="S", method="M", band="B"))
            assert re.sub(r"/(?:D4|D1)/", "/M/", name) in names, span


def pattern_of(member: Any) -> str:
    """Return a file name of a run with the letters S, M and B for shard, method and band."""
    if not callable(member):
        return str(member)
    values = {"shard": "S", "method": "M", "band": "B", "name": "N"}
    given = member.__func__.__code__.co_varnames[1 : member.__func__.__code__.co_argcount]
    return str(member(*(values[name] for name in given)))


@pytest.mark.parametrize("page", DOCUMENTS, ids=IDS)
def test_named_flags_and_settings_exist(page: Path) -> None:
    defaults = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    known = flags_and_other_capitals()
    for span in spans(page.read_text(encoding="utf-8")):
        section, *keys = span.split(".")
        if section in defaults and keys and re.fullmatch(r"[a-z_.]+(?<!\.md)(?<!\.yaml)(?<!\.html)", span):
            value = defaults[section]
            for key in keys:
                assert value is None or value == {} or key in value, span
                value = (value or {}).get(key)
        elif re.fullmatch(r"[A-Z]{3,}(?:_[A-Z]+)+", span):
            assert span in known, span


def flags_and_other_capitals() -> set[str]:
    """Return the flags of the catalogue, and the names in capitals that other programs define."""
    surveys = {"WISE_W1", "UNWISE_W1", "RACS_LOW"}
    return {
        *Flag.__members__,
        *surveys,
        "NCCL_SOCKET_IFNAME",
        "GLOO_SOCKET_IFNAME",
        "SLURM_CONF",
        "GOMP_SPINCOUNT",
    }


def test_the_walk_names_functions_of_its_files() -> None:
    """Each function in "From targets.csv to a catalogue row" is in a file that the same step names."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    walk = text.partition("## From targets.csv")[2].partition("\n## ")[0]
    steps = re.split(r"^\d+\. ", walk, flags=re.MULTILINE)[1:]
    assert len(steps) == 14
    for step in steps:
        paths = [REPOSITORY / path for path in re.findall(r"`((?:claran_core|workflow)/[\w/]+\.py)`", step)]
        known = set().union(*(functions_of(path) for path in paths))
        named = re.findall(r"`(\w+)\(\)`", step) + re.findall(r"`([A-Z][a-z]+[A-Z]\w+)`", step)
        assert set(named) <= known | {"NoImage"}, set(named) - known
        assert paths
