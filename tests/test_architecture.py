"""The structure of the package: folders import downwards only, and real runs never load the simulator."""

import ast
import subprocess
import sys
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "claran_core"
SCRIPTS = REPOSITORY / "workflow" / "scripts"


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; a package is named after its folder."""
    named = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules of the package that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found & known.keys()


def folder_of(name: str, path: Path) -> str:
    return name if path.name == "__init__.py" else name.rpartition(".")[0]


def folder_imports() -> dict[str, set[str]]:
    known, edges = modules(), defaultdict(set)
    for name, path in known.items():
        own = folder_of(name, path)
        edges[own] |= {folder_of(other, known[other]) for other in imported(path, known)} - {own}
    return edges


def test_folders_import_downwards_only() -> None:
    try:
        order = list(TopologicalSorter(folder_imports()).static_order())
    except CycleError as error:
        pytest.fail(f"folders import each other in a circle: {' -> '.join(error.args[1])}")
    assert order.index("claran_core.common") < order.index("claran_core.catalogue")


def test_a_circle_would_be_seen() -> None:
    with pytest.raises(CycleError):
        list(
            TopologicalSorter(
                {**folder_imports(), "claran_core.common": {"claran_core.report"}}
            ).static_order()
        )


def test_every_module_has_a_folder() -> None:
    assert [path.name for path in PACKAGE.glob("*.py")] == ["__init__.py"]


def test_tests_mirror_modules() -> None:
    named = {path.relative_to(REPOSITORY) for path in PACKAGE.rglob("*") if path.is_dir()}
    folders = {
        path.parent.relative_to(REPOSITORY / "tests") for path in (REPOSITORY / "tests").rglob("test_*.py")
    }
    others = {Path(), Path("workflow"), Path("docs")}
    strange = [
        folder
        for folder in folders - others
        if Path("claran_core") / folder not in named and not (REPOSITORY / folder).is_dir()
    ]
    assert not strange


@pytest.mark.parametrize(
    "script", ["cut_out", "fuse", "infer", "measure_sources", "train", "build_catalogue"]
)
def test_real_runs_do_not_load_the_simulator(script: str) -> None:
    tree = ast.parse((SCRIPTS / f"{script}.py").read_text(encoding="utf-8"))
    lines = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert lines
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "\n".join(lines)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = [line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()]
    assert "claran_core.common.log" in loaded
    assert not [name for name in loaded if "simulat" in name]
