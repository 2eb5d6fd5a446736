"""The command `claran`: output, exit status, and one line per error."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from astropy.table import Table
from catalogue_rows import random_catalogue, write_random_catalogue, write_random_run
from click.testing import CliRunner

from claran_core import __version__
from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.cli.catalogue import FORMATS, MOC_ORDER
from claran_core.cli.commands import claran
from claran_core.cli.tile import LARGEST_ARCSEC, SCALES
from claran_core.common.files import write_table
from claran_core.common.frame import SCALES as FRAME_SCALES
from claran_core.export import formats as export
from claran_core.export import moc
from claran_core.targets.subject_grid import DEFAULT_LARGEST_ARCSEC

Run = Callable[..., tuple[int, str, str]]

COMMANDS = [
    "archive check",
    "columns",
    "convert-vgg16",
    "cutout",
    "export",
    "show",
    "simulate image",
    "simulate targets",
    "tile",
    "validate",
]


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the catalogue of a run in the working directory."""
    monkeypatch.chdir(tmp_path)
    write_random_run(tmp_path / "results", 20)
    return Path("results/catalogue/catalogue.parquet")


def error_line(status: int, out: str, err: str) -> str:
    """Check that a command failed with one line, and return the line."""
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_formats_and_defaults_equal_those_of_the_package() -> None:
    assert FORMATS == export.FORMATS
    assert MOC_ORDER == moc.DEFAULT_ORDER
    assert (LARGEST_ARCSEC, SCALES) == (DEFAULT_LARGEST_ARCSEC, FRAME_SCALES)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_examples(command: str) -> None:
    output = CliRunner().invoke(claran, [*command.split(), "--help"]).output
    assert "Example" in output
    assert f"claran {command}" in output
    assert max(map(len, output.splitlines())) <= 100


def test_help_lists_the_commands_and_every_format() -> None:
    output = CliRunner().invoke(claran, ["--help"]).output
    assert all(f"\n  {command.split()[0]} " in output for command in COMMANDS)
    output = CliRunner().invoke(claran, ["export", "--help"]).output
    assert all(f"\n    {name} " in output for name in FORMATS)


def test_no_arguments_print_the_help(run: Run) -> None:
    status, out, err = run()
    assert (status, err) == (0, "")
    assert out.startswith("Usage: claran")


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"claran, version {__version__}\n", "")


def test_help_imports_no_heavy_packages() -> None:
    heavy = "{'astropy', 'pandas', 'pyarrow', 'torch'}"
    code = f"import sys, claran_core.cli.commands; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_show(run: Run, catalogue: Path) -> None:
    name = random_catalogue(20)["source_id"][4]
    status, out, err = run("show", name)
    assert (status, err) == (0, "")
    assert out.startswith("source_id ")
    assert f" {name}\n" in out
    assert f"fused      {Path.cwd()}/results/fused/D4/0000" in out
    assert "start with it" in error_line(*run("show", "J"))


def test_validate(run: Run, catalogue: Path) -> None:
    assert run("validate") == (0, f"{catalogue}: valid\n", "")
    rows = random_catalogue(5).assign(n_merged=0)
    write_table(Path("wrong.parquet"), rows, CATALOGUE)
    status, out, err = run("validate", "wrong.parquet")
    assert (status, err) == (1, "")
    assert "wrong.parquet: row 0 (n_merged 0), and 4 more rows: must be at least 1\n" in out
    assert all(line.startswith("wrong.parquet: ") for line in out.splitlines())


def test_export(run: Run, catalogue: Path) -> None:
    status, out, err = run("export", catalogue, "--to", "fits", "out.fits")
    assert (status, out, err) == (0, f"out.fits: written from {catalogue}\n", "")
    assert len(Table.read("out.fits")) == 20
    assert "--overwrite" in error_line(*run("export", catalogue, "--to", "csv", "out.fits"))
    assert run("export", catalogue, "--to", "csv", "out.fits", "--overwrite")[0] == 0
    assert len(pd.read_csv("out.fits")) == 20
    assert run("export", catalogue, "--to", "moc", "area.fits", "--moc-order", "9")[0] == 0


def test_columns(run: Run) -> None:
    status, out, _ = run("columns")
    assert status == 0
    assert all(f"{name} " in out for name in CATALOGUE.names)


def test_missing_and_foreign_files_end_in_error_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no such file" in error_line(*run("show", "J1"))
    assert "no such file" in error_line(*run("validate"))
    pd.DataFrame({"ra": [1.0]}).to_parquet("foreign.parquet")
    for words in (
        ["show", "J1", "--catalogue", "foreign.parquet"],
        ["validate", "foreign.parquet"],
        ["export", "foreign.parquet", "--to", "ds9", "out.reg"],
    ):
        assert "foreign.parquet: not a catalogue of sources" in error_line(*run(*words))
    assert [path.name for path in tmp_path.iterdir()] == ["foreign.parquet"]


@pytest.mark.parametrize(
    "words",
    [["nothing"], ["export", "x"], ["export", "x", "y"], ["export", "x", "y", "--to", "xls"], ["show"]],
)
def test_wrong_usage_ends_in_one_line_that_names_the_help(run: Run, words: list[str]) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert err.rstrip().endswith("--help)")


def test_closed_pipe_is_no_error(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 3)
    command = f"{sys.executable} -m claran_core.cli.commands columns | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("source_id")
    assert done.stderr == ""


def test_tile_lists_subjects_for_an_area(run: Run, tmp_path: Path) -> None:
    targets, wider = tmp_path / "targets.csv", tmp_path / "wider.yaml"
    status, out, err = run("tile", "--circle", 180, 30, 0.2, targets)
    assert (status, err) == (0, "")
    counts = pd.read_csv(targets).groupby("scale").size()
    n, shown = counts.sum(), ", ".join(f"{counts[scale]} of scale {scale}" for scale in (1, 2, 4, 8))
    assert out == f"{targets}: {n} subjects ({shown})\n" and n > 200
    wider.write_text("fusion: {pixel_scale_arcsec: 2.75}")
    assert run("tile", "--circle", 180, 30, 0.2, "--configfile", wider, "--overwrite", targets)[0] == 0
    assert len(pd.read_csv(targets)) < n / 3
    assert run("tile", "--circle", 180, 30, 0.2, "--scales", "4, 1", "--overwrite", targets)[0] == 0
    assert pd.read_csv(targets).groupby("scale").size().to_dict() == {1: counts[1], 4: counts[4]}
    status, _, err = run("tile", "--circle", 180, 30, 0.2, "--scales", "1,3", "--overwrite", targets)
    assert status == 2 and "'1,3' is not a list of: 1, 2, 4, 8" in err


def test_tile_takes_one_area_and_keeps_an_existing_file(run: Run, tmp_path: Path) -> None:
    targets = tmp_path / "targets.csv"
    for given in ([], ["--circle", 180, 30, 0.1, "--moc", "area.fits"]):
        status, _, err = run("tile", *given, targets)
        assert status == 2 and "give one of --circle, --box, --moc and --images" in err
    assert run("tile", "--box", 359.9, 0.1, -0.1, 0.1, targets)[0] == 0
    before = targets.read_bytes()
    assert "already exists" in error_line(*run("tile", "--circle", 180, 30, 0.1, targets))
    assert targets.read_bytes() == before
