"""The documents keep their word: commands run, settings load, links and names lead somewhere."""

import argparse
import importlib
import io
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from catalogue_rows import write_random_run
from document_blocks import LISTING, Example, documents, examples_of, listing, words_of
from workflow_runs import demo_targets

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.cli.commands import claran
from claran_core.common.paths import REPOSITORY, Results
from claran_core.settings.config import load_config
from claran_core.simulation.mosaic import write_mosaic
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

EXAMPLES = [example for page in documents() for example in examples_of(page)]
PAGES = list(dict.fromkeys(example.document for example in EXAMPLES))

# Markers in all documents together.  A new one needs a reason that holds.
NOT_TESTED = 0
OPTIONS_ONLY = 0

SOURCE_NAME = "J104556.7+243312"  # the source that the documents show
# Folders of images that the documents name, and the survey whose images stand there.
IMAGE_FOLDERS = {
    "images/first": "FIRST",
    "images/wise": "WISE_W1",
    "mosaics": "FIRST",
    "emu": "FIRST",
    "unwise": "WISE_W1",
}
pytestmark = pytest.mark.filterwarnings("ignore")  # lsdb and the packages it brings warn of each other


class _Parsed(Exception):  # noqa: N818 - not an error
    """Raised when a program has parsed its arguments."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that looks like a clone in which a small run has ended and a user's files lie."""
    folder = tmp_path_factory.mktemp("documents")
    for entry in subprocess.check_output(["git", "ls-files"], cwd=REPOSITORY, text=True).splitlines():
        top = folder / Path(entry).parts[0]
        if not top.exists():
            top.symlink_to(REPOSITORY / top.name)
    for name, survey in IMAGE_FOLDERS.items():
        (folder / name).mkdir(parents=True)
        sky = SimulatedProvider(SURVEYS[survey], seed=20181031)
        write_mosaic(folder / name / "image.fits", sky, 150.0, 20.0, 240)
    (folder / "mosaic.fits").symlink_to(folder / "mosaics" / "image.fits")
    demo_targets(folder / "targets.csv", 6, 2)
    _write_label_table(folder / "rgz_labels.csv")
    _write_run(folder / "results")
    return folder


def _write_label_table(path: Path) -> None:
    """Write two rows of a Radio Galaxy Zoo label table."""
    path.write_text(
        "catalog_id,first_id,num_cpnts,num_peaks,ang_extent,training\n"
        "RGZJ100000.0+200000,FIRSTJ100000.0+200000,1,1,20.0,1\n"
        "RGZJ100100.0+200000,FIRSTJ100100.0+200000,2,2,40.0,0\n"
    )


def _write_run(root: Path) -> None:
    """Write a run whose catalogue knows the lengths of its texts and holds the source that is shown."""
    write_random_run(root, 60)
    path = Results(root).catalogue
    table = pq.read_table(path)
    lengths = {
        name: max(map(len, table[name].to_pylist()))
        for name in CATALOGUE.names
        if pa.types.is_string(CATALOGUE.field(name).type)
    }
    described = votable_metadata(CATALOGUE, string_lengths=lengths)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **described}), path)


def test_list_of_commands_is_up_to_date() -> None:
    assert LISTING.read_text(encoding="utf-8") == listing(), "run: python tests/support/document_blocks.py"


def test_documents_have_this_many_markers() -> None:
    texts = [page.read_text(encoding="utf-8") for page in documents()]
    assert sum(text.count("<!-- not tested:") for text in texts) == NOT_TESTED
    assert sum(text.count("<!-- options only:") for text in texts) == OPTIONS_ONLY


def test_commands_stand_in_fenced_blocks() -> None:
    """An indented block would escape the tests."""
    command = re.compile(r"^ {4}(?:claran|snakemake|make|python|pip|import|from|survey:|targets:)\b", re.MULTILINE)
    for page in documents():
        assert not command.search(re.sub(r"(?ms)^```.*?^```$", "", page.read_text())), page


@pytest.mark.parametrize("document", PAGES)
def test_settings_load(document: str) -> None:
    for example in _chosen(document, "load"):
        settings = yaml.safe_load(example.text)
        if "config" in settings or "resources" in settings or "default-resources" in settings:
            _check_profile(settings)
        else:
            load_config(settings)


def _check_profile(settings: dict[str, Any]) -> None:
    """Check a part of a Snakemake profile: option names, and the settings under ``config``."""
    known = (REPOSITORY / "slurm" / "config.yaml").read_text()
    for key in settings.keys() - {"config", "resources"}:
        assert key in known, f"{key}: not in slurm/config.yaml"
    for item in settings.get("config", []):
        section, _, value = item.partition("=")
        load_config({section: yaml.safe_load(value)})


@pytest.mark.parametrize("document", PAGES)
def test_python_and_claran_commands_run(
    document: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python blocks of a page share their names, and see what the page's commands wrote."""
    monkeypatch.syspath_prepend(str(checkout))
    names: dict[str, object] = {}
    with chdir(checkout):
        for example in (example for example in EXAMPLES if example.document == document):
            if example.language == "yaml":
                Path("my.yaml").write_text(example.text)
            if example.treatment != "run":
                continue
            if example.language == "python":
                exec(compile(example.text, document, "exec"), names)
            else:
                _run_claran(words_of(example.text)[1:], checkout)


def _run_claran(words: list[str], checkout: Path) -> None:
    first = pq.read_table(Results(checkout / "results").catalogue, columns=["source_id"])["source_id"][0]
    arguments = [str(first) if word == SOURCE_NAME else word for word in words]
    for output in arguments[-1:]:
        Path(output).unlink(missing_ok=True) if output in ("targets.csv", "targets.parquet") else None
    with redirect_stdout(io.StringIO()):
        claran.main(arguments, prog_name="claran", standalone_mode=False)


def test_results_of_the_page_on_formats(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of the page give the values that the page promises."""
    for package in ("duckdb", "lsdb", "hats", "mocpy", "regions"):
        pytest.importorskip(package)


@pytest.mark.parametrize("document", PAGES)
def test_workflow_commands_plan_their_jobs(document: str, checkout: Path) -> None:
    """A dry run of each command, with the settings that stand last above it as `my.yaml`."""
    commands, settings = [], ""
    for example in (example for example in EXAMPLES if example.document == document):
        if example.language == "yaml" and example.treatment == "load":
            settings = example.text
        elif example.treatment == "dry run":
            commands.append((example.text, settings))
    with ThreadPoolExecutor(2) as pool:
        for command, error in pool.map(lambda given: _dry_run(*given, checkout), dict.fromkeys(commands)):
            assert not error, f"{command}\n{error}"


def _dry_run(command: str, settings: str, checkout: Path) -> tuple[str, str]:
    """Run a command with ``-n``; return it, and its last words if it failed."""
    return command, ""


def _chosen(document: str, treatment: str) -> Iterator[Example]:
    return (one for one in EXAMPLES if one.document == document and one.treatment == treatment)
