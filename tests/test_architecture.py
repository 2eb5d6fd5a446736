"""The structure of the package: folders import downwards, code stays short, real runs load no simulator."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "claran_core"
SCRIPTS = REPOSITORY / "workflow" / "scripts"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60  # without the docstring


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name; a package is named after its folder."""
    named = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def syntax_tree(path: Path) -> ast.Module:
    """Parse a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules of the package that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found & known.keys()


def folder_of(name: str, path: Path) -> str:
    """Return the dotted name of a module's folder."""
    return name if path.name == "__init__.py" else name.rpartition(".")[0]


def folder_imports() -> dict[str, set[str]]:
    """Return the other folders that each folder of the package imports."""
    known, edges = modules(), defaultdict(set)
    for name, path in known.items():
        folder = folder_of(name, path)
        edges[folder] |= {folder_of(other, known[other]) for other in imported(path, known)} - {folder}
    return edges


def test_folders_import_downwards_only() -> None:
    try:
        order = list(TopologicalSorter(folder_imports()).static_order())
    except CycleError as error:
        pytest.fail(f"folders import each other in a circle: {' -> '.join(error.args[1])}")
    assert order.index("claran_core.common") < order.index("claran_core.catalogue")


def test_a_circle_of_imports_is_detected() -> None:
    edges = {**folder_imports(), "claran_core.common": {"claran_core.report"}}
    with pytest.raises(CycleError):
        list(TopologicalSorter(edges).static_order())


def test_every_module_has_a_folder() -> None:
    assert [path.name for path in PACKAGE.glob("*.py")] == ["__init__.py"]


def function_lines(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and the number of lines, without docstring, of each function of a file."""
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            n_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node) is not None:
                n_lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield node.name, n_lines


def test_files_and_functions_are_short() -> None:
    for name, path in modules().items():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES, name
        for function, n_lines in function_lines(path):
            assert n_lines <= MAX_FUNCTION_LINES, f"{name}.{function}"


def test_tests_mirror_modules() -> None:
    packages = {path.relative_to(REPOSITORY) for path in PACKAGE.rglob("*") if path.is_dir()}
    tests = REPOSITORY / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    unmatched = [
        folder
        for folder in folders - {Path(), Path("workflow"), Path("docs")}
        if Path("claran_core") / folder not in packages and not (REPOSITORY / folder).is_dir()
    ]
    assert not unmatched


def test_real_runs_do_not_load_the_simulator() -> None:
    scripts = ("cut_out", "cut_out_second", "fuse", "infer", "measure_sources", "train", "build_catalogue")
    trees = [syntax_tree(SCRIPTS / f"{script}.py") for script in scripts]
    lines = [
        [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        for tree in trees
    ]
    assert all(lines)
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "\n".join(sum(lines, []))],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = [line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()]
    assert {"claran_core.common.log", "claran_core.training.train"} <= set(loaded)
    assert not [name for name in loaded if "simulat" in name]
