"""The house: what is written down in more than one place says the same everywhere."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import claran_core
from claran_core.common.flags import DESCRIPTIONS, Flag, describe
from claran_core.settings.config import load_config

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = [
    "targets",
    "cutouts",
    "components",
    "fusion",
    "training",
    "inference",
    "catalogue",
    "evaluation",
    "report",
]

# Packages that conda channels know under another name.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "snakemake": "snakemake-minimal"}


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))["project"]


def requirements() -> dict[str, SpecifierSet]:
    parsed = [Requirement(line) for line in project()["dependencies"]]
    return {requirement.name: requirement.specifier for requirement in parsed}


def environment() -> dict[str, SpecifierSet]:
    """Packages of the conda environment, those of its pip section under their own names."""
    lines: list[str] = []
    for entry in yaml.safe_load(read("envs/claran.yaml"))["dependencies"]:
        lines += entry["pip"] if isinstance(entry, dict) else [entry]
    parsed = [Requirement(line) for line in lines]
    return {requirement.name: requirement.specifier for requirement in parsed}


def tracked_files() -> list[Path]:
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True)
    paths = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_data_files_of_packages_are_installed_with_them() -> None:
    patterns = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["package-data"]
    package = REPOSITORY / "claran_core"
    data = [path for path in tracked_files() if path.is_relative_to(package) and path.suffix != ".py"]
    assert data
    for path in data:
        name = ".".join(path.parent.relative_to(REPOSITORY).parts)
        assert any(path.match(pattern) for pattern in patterns.get(name, [])), path


def rule_names() -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "workflow/rules").glob("*.smk")]
    return re.findall(r"^(?:rule|checkpoint) (\w+):", "\n".join(texts), flags=re.MULTILINE)


@pytest.mark.parametrize("name", sorted(requirements()))
def test_conda_environment_is_in_step_with_the_package(name: str) -> None:
    assert environment()[CONDA_NAMES.get(name, name)] == requirements()[name]


def test_conda_environment_holds_nothing_else() -> None:
    names = {CONDA_NAMES.get(name, name) for name in requirements()}
    assert set(environment()) - names == {"python", "pip"}


def test_python_of_the_conda_environment_is_one_the_package_takes() -> None:
    lower = {spec.version for spec in environment()["python"] if spec.operator == ">="}
    assert lower == {spec.version for spec in SpecifierSet(project()["requires-python"])}


def test_tested_versions_have_hashes_and_satisfy_every_direct_dependency() -> None:
    [path] = (REPOSITORY / "envs").glob("tested-versions-python*.txt")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    entries = "\n".join(lines).replace(" \\\n", "").splitlines()
    pattern = r"([A-Za-z0-9._-]+)==([0-9][0-9A-Za-z.]*)(?: +--hash=sha256:[0-9a-f]{64})+"
    found = [re.fullmatch(pattern, entry) for entry in entries]
    tested = {canonicalize_name(match[1]): match[2] for match in found if match}
    assert len(tested) == len(entries) and "torch" not in tested
    tested["torch"] = next(iter(requirements()["torch"])).version
    direct = [*project()["dependencies"], *project()["optional-dependencies"]["test"]]
    for requirement in map(Requirement, direct):
        assert tested[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_torch_is_pinned_to_one_version() -> None:
    assert [spec.operator for spec in requirements()["torch"]] == ["=="]


def test_formatters_are_the_same_before_a_commit_and_in_the_tests() -> None:
    pinned = {
        Requirement(line).name: Requirement(line) for line in project()["optional-dependencies"]["test"]
    }
    repositories = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    revisions = {
        entry["repo"].rsplit("/", 1)[1]: entry["rev"].removeprefix("v")
        for entry in repositories
        if entry["repo"] != "local"
    }
    assert f"=={revisions['ruff-pre-commit']}" == str(pinned["ruff"].specifier)
    assert f"=={revisions['snakefmt']}" == str(pinned["snakefmt"].specifier)


def test_default_settings_are_valid() -> None:
    assert load_config().as_dict() == yaml.safe_load(read("config.yaml"))


def test_settings_follow_the_stages() -> None:
    extra = {"seed", "shard_size", "survey", "labels", "model"}
    assert [key for key in yaml.safe_load(read("config.yaml")) if key not in extra] == [
        stage
        for stage in STAGES
        if stage != "components"  # it follows a fixed rule
    ]


def test_flags_are_distinct_powers_of_two_and_described() -> None:
    assert [flag.value for flag in Flag] == [2**bit for bit in range(len(Flag))]
    assert list(DESCRIPTIONS) == list(Flag)
    assert all(text == text.strip() and len(text) > 20 for text in DESCRIPTIONS.values())
    assert describe(sum(Flag)) == [flag.name for flag in Flag]


def test_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == claran_core.__version__
    assert citation["license"] == project()["license"]
    assert citation["preferred-citation"]["doi"] == "10.1093/mnras/sty2646"
    assert citation["preferred-citation"]["authors"][0]["family-names"] == "Wu"


def test_changelog_has_a_chapter_on_this_version() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0] == claran_core.__version__


def test_entry_of_the_workflow_is_short_and_in_order() -> None:
    text = read("Snakefile")
    assert len(text.splitlines()) <= 60
    included = re.findall(r'^include: "workflow/rules/(\w+)\.smk"', text, flags=re.MULTILINE)
    assert included == ["common", *STAGES]


def test_every_script_serves_the_rule_of_its_name() -> None:
    scripts = {path.stem for path in (REPOSITORY / "workflow/scripts").glob("*.py")}
    assert scripts
    assert scripts <= set(rule_names())


def test_readme_names_every_stage_and_rule() -> None:
    named = set(re.findall(r"`(\w+)`", read("README.md")))
    assert set(STAGES) <= set(rule_names()) <= named


def test_no_tracked_file_holds_a_path_of_one_machine() -> None:
    private = re.compile(r"(?<![\w./-])/(?:work|home|root|Users)/\w|" + re.escape(str(REPOSITORY)))
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found = private.search(text)
        assert not found, f"{path.relative_to(REPOSITORY)}: {found and found.group()}"


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make on a copy of the Makefile, so that nothing is installed into this checkout."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copy(REPOSITORY / "Makefile", folder)
    (folder / "pyproject.toml").touch()
    return subprocess.run(["make", "-s", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_make_alone_lists_every_verb(tmp_path: Path) -> None:
    listed = re.findall(r"^  make (\w+)", make(tmp_path).stdout, flags=re.MULTILINE)
    verbs = re.search(r"^\.PHONY: (.+)$", read("Makefile"), flags=re.MULTILINE)
    assert verbs is not None
    assert listed == verbs.group(1).split()


@pytest.mark.parametrize(
    ("interpreter", "said"),
    [("python-that-does-not-exist", "not found"), ("false", "too old")],  # `false` fails the version check
)
def test_make_says_in_one_line_which_python_it_needs(tmp_path: Path, interpreter: str, said: str) -> None:
    ended = make(tmp_path, "demo", f"PYTHON={interpreter}")
    ours = [line for line in ended.stderr.splitlines() if not line.startswith("make")]
    assert ended.returncode != 0
    assert len(ours) == 1
    assert said in ours[0]
    assert "3.11" in ours[0]
    assert not (tmp_path / ".venv").exists()
