"""Every command of the documents runs or is marked, and every link and name in them leads somewhere."""

import argparse
import importlib
import io
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import click
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from catalogue_rows import write_contours, write_random_run
from document_blocks import LISTING, Example, documents, examples_of, listing, words_of
from snakemake.cli import get_argument_parser
from workflow_runs import demo_targets

from claran_core.catalogue.product.schema import CATALOGUE, KIND_KEY, OUTCOMES, TARGETS_KIND
from claran_core.catalogue.product.target_columns import MATCHED
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.cli.commands import claran
from claran_core.common.cutout import Cutout
from claran_core.common.files import read_table, write_table
from claran_core.common.frame import Frame
from claran_core.common.paths import REPOSITORY, Results
from claran_core.common.seal import seal
from claran_core.cutouts.cutout_file import cutout_writer
from claran_core.settings.config import load_config
from claran_core.simulation.mosaic import write_mosaic
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

EXAMPLES = [example for page in documents() for example in examples_of(page)]

# Markers in all documents together.  A new one needs a good reason.
NOT_TESTED = 13
OPTIONS_ONLY = 11

SHOWN_SOURCE = "J104556.7+243312"  # the source that the documents show
SHOWN_SUBJECT = "FIRSTJ104556.7+243312"
# Folders of images that the documents name, and the simulated survey whose images stand there.
IMAGE_FOLDERS = {
    "images/first": "FIRST",
    "images/wise": "WISE_W1",
    "mosaics": "FIRST",
    "first": "FIRST",
    "nvss": "NVSS",
    "vlass": "VLASS",
    "racs": "RACS_LOW",
    "emu": "EMU",
    "lotss": "LOTSS",
    "meerkat": "MEERKAT",
    "unwise": "UNWISE_W1",
    "deep_field": "FIRST",
    "ks": "WISE_W1",
}
PACKAGES = {"docs/catalogue_formats.md": ("duckdb", "lsdb", "hats", "mocpy", "regions")}


class _ParsedError(Exception):
    """Raised in place of the work of a program that has parsed its arguments."""


def pages_with(*treatments: str) -> list[str]:
    """Names of the documents that have an example tested in one of these ways."""
    return list(dict.fromkeys(one.document for one in EXAMPLES if one.treatment in treatments))


def chosen(document: str, *treatments: str) -> list[Example]:
    return [one for one in EXAMPLES if one.document == document and one.treatment in treatments]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder like a clone of the repository beside a user's targets and images."""
    folder = tmp_path_factory.mktemp("clone")
    for entry in REPOSITORY.iterdir():
        if not entry.name.startswith(".") and entry.name not in ("results", "weights"):
            (folder / entry.name).symlink_to(entry)
    for name, survey in IMAGE_FOLDERS.items():
        (folder / name).mkdir(parents=True)
        sky = SimulatedProvider(SURVEYS[survey], seed=20181031)
        write_mosaic(folder / name / "image.fits", sky, 150.0, 20.0, 240)
    demo_targets(folder / "targets.csv", 6, 2)
    pd.read_csv(folder / "targets.csv").to_parquet(folder / "targets.parquet")
    write_label_table(folder / "rgz_labels.csv")
    (folder / "labels.csv").write_text("ra,dec,width,height,class\n150.0,20.0,60,60,FR-II\n")
    return folder


@pytest.fixture
def clone(template: Path, tmp_path: Path) -> Path:
    """Return a copy of the template that a test may change."""
    return Path(shutil.copytree(template, tmp_path / "clone", symlinks=True))


def write_label_table(path: Path) -> None:
    """Write a Radio Galaxy Zoo label table of one row."""
    path.write_text(
        "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training\n"
        "RGZJ100000.0+200000,FIRSTJ100000.0+200000,1,1,150.0,20.0,20.0,0.9,1\n"
    )


def write_run(root: Path) -> None:
    """Write a run of random rows whose catalogue states the lengths of its texts."""
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
    seal(path)
    n = len(table)
    components = {name: table[name].to_numpy() for name in ("source_id", "ra", "dec", "snr")}
    components |= {"component_id": range(n), "outcome": ["source"] * n}
    numbers = {"scale": 1, "n_views": 1, "probability": 0.9}
    write_table(Results(root).outcomes, pd.DataFrame(components).assign(**numbers), OUTCOMES)
    write_contours(Results(root))
    targets = pd.DataFrame({name: [""] * 3 for name in MATCHED.names}).assign(found="nothing")
    numbers = {f.name: 0 for f in MATCHED if not pa.types.is_string(f.type)}
    facts = {KIND_KEY: TARGETS_KIND}
    write_table(Results(root).matched_targets, targets.assign(**numbers), MATCHED, metadata=facts)
    for shard, subjects in read_table(Results(root).targets).groupby("shard"):
        with cutout_writer(Results(root).cutouts(str(shard), "radio"), survey="FIRST") as writer:
            for subject in subjects.itertuples():
                frame = Frame(size_px=20)
                image = np.zeros((20, 20), np.float32)
                writer.add(subject.subject_id, Cutout(image, frame.wcs(subject.ra, subject.dec), "made"))


def test_list_of_commands_is_up_to_date() -> None:
    assert LISTING.read_text(encoding="utf-8") == listing(), "run: python tests/support/document_blocks.py"


def test_documents_have_this_many_markers() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in documents())
    assert len(re.findall(r"^ *<!-- not tested:", text, re.MULTILINE)) == NOT_TESTED
    assert len(re.findall(r"^ *<!-- options only:", text, re.MULTILINE)) == OPTIONS_ONLY


def test_commands_stand_in_fenced_blocks() -> None:
    """An indented block would escape the tests."""
    command = re.compile(
        r"^ {4}(?:claran|snakemake|make|python|pip|import|from|survey:|targets:)\b", re.MULTILINE
    )
    for page in documents():
        assert not command.search(re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text())), page


@pytest.mark.parametrize("document", pages_with("load"))
def test_settings_load(document: str) -> None:
    for example in chosen(document, "load"):
        settings = yaml.safe_load(example.text)
        if "config" in settings:
            check_profile(settings)
        else:
            load_config(settings)


def check_profile(settings: dict[str, Any]) -> None:
    """Check a part of a Snakemake profile: keys of the one that ships, and settings under ``config``."""
    shipped = yaml.safe_load((REPOSITORY / "slurm" / "config.yaml").read_text())
    for name, resource in settings["resources"].items():
        assert isinstance(resource, type(shipped["resources"][name]))
    for item in settings["config"]:
        section, _, value = item.partition("=")
        load_config({section: yaml.safe_load(value)})


@pytest.mark.filterwarnings("ignore")  # lsdb and its dependencies warn of each other
@pytest.mark.parametrize("document", pages_with("run"))
def test_python_and_claran_commands_run(document: str, clone: Path) -> None:
    """Run them in their order: a block sees the names and the files of those above it."""
    for package in PACKAGES.get(document, ()):
        pytest.importorskip(package)
    write_run(clone / "results")
    names: dict[str, Any] = {}
    with chdir(clone), redirect_stdout(io.StringIO()):
        for example in chosen(document, "load", "run"):
            if example.language == "yaml":
                Path("my.yaml").write_text(example.text)
            elif example.language == "python":
                exec(compile(example.text, document, "exec"), names)
            else:
                run_claran(words_of(example.text))
    if document == "docs/catalogue_formats.md":
        assert str(names["table"]["peak_flux"].unit) == "mJy / beam"
        assert names["units"]["angular_size"] == "arcsec"
        assert len(names["shapes"]) > 60
        assert names["area"].sky_fraction > 0


def run_claran(words: list[str]) -> None:
    """Run ``claran``; a list of targets may be replaced, and any source stands for the one that is shown.

    So does its subject.
    """
    rows = pq.read_table(Results().catalogue, columns=["source_id", "subject_id"]).slice(0, 1).to_pylist()
    shown = {SHOWN_SOURCE: rows[0]["source_id"], SHOWN_SUBJECT: rows[0]["subject_id"]}
    arguments = [shown.get(word, word) for word in words[1:]]
    if arguments[0] == "tile":
        Path(arguments[-1]).unlink(missing_ok=True)
    claran.main(arguments, prog_name="claran", standalone_mode=False)


@pytest.mark.parametrize("document", pages_with("dry run"))
def test_workflow_commands_plan_their_jobs(document: str, clone: Path) -> None:
    """Plan the jobs of each command; `my.yaml` holds the settings that stand last above it."""
    settings = f"targets: {{path: {clone / 'targets.csv'}}}\n"
    planned: dict[tuple[str, ...], None] = {}
    for number, example in enumerate(chosen(document, "load", "dry run")):
        if example.language == "yaml":
            settings = example.text
            continue
        overlay = clone / f"my{number}.yaml"
        overlay.write_text(settings)
        words = (str(overlay) if word == "my.yaml" else word for word in words_of(example.text))
        planned[tuple(words)] = None
    with ThreadPoolExecutor(2) as pool:
        for command, ended in zip(
            planned, pool.map(lambda given: dry_run(given, clone), planned), strict=True
        ):
            assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout[-2000:]}{ended.stderr[-3000:]}"


def dry_run(words: tuple[str, ...], clone: Path) -> subprocess.CompletedProcess[str]:
    """Run ``make`` or ``snakemake`` with ``-n``."""
    command = [words[0], "-n", *words[1:]]
    if words[0] == "snakemake":
        command = [sys.executable, "-m", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("document", pages_with("options"))
def test_options_exist(document: str, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program of each command parse the arguments."""
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser: argparse.ArgumentParser, *arguments: Any) -> NoReturn:
        parse(parser, *arguments)
        raise _ParsedError

    monkeypatch.chdir(template)
    for example in chosen(document, "options"):
        words = words_of(example.text)
        if words[0] == "python":
            module = importlib.import_module(words[2])
            monkeypatch.setattr(sys, "argv", words[2:])
            with monkeypatch.context() as patch, pytest.raises(_ParsedError):
                patch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
                module.main()
        elif words[0] == "claran":
            parse_click(claran, words[1:])
        elif words[0] == "snakemake":
            get_argument_parser().parse_args(words[1:])
        else:
            assert words[0] == "make", example
            assert re.search(rf"^{words[1]}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE), example


def parse_click(group: click.Group, words: list[str]) -> None:
    """Parse the arguments of a command below a group, without running it; a sentence may name it alone."""
    command = group.commands[words[0]]
    if isinstance(command, click.Group):
        parse_click(command, words[1:])
    elif words[1:]:
        command.make_context(words[0], words[1:])
