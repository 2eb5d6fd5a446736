"""Phrases that readers must decode do not come back."""

import re
import subprocess
from pathlib import Path

import pytest

from claran_core.common.paths import REPOSITORY

# Each once stood in the project in place of a plain sentence.
PHRASES = (
    r"[Nn]obody (?:knows|asks|else|reads|voted|waits)",
    r"[Tt]hat (?:are|is) none",
    r"\b(?:is|are) none\b",
    r"[Ss]tand-in",
    r"\b[Mm]anners\b",
    r"\b[Ww]hoever\b",
    r"\b[Ss]trangers\b",
    r"\b[Aa]s it (?:is|was) asked\b",
    r"\b[Ff]ates?\b",
    r"\b[Pp]atience towards\b",
    r"\bin a room of its own\b",
)
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".smk", ".js", ".j2", ".css", ".toml", ".cff", ".def"}
THIS = Path(__file__).resolve()


def tracked_texts() -> list[Path]:
    """Return the text files under version control, without this one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.suffix in SUFFIXES and path != THIS and path.is_file()]


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_text_has_this_phrase(phrase: str) -> None:
    pattern = re.compile(phrase)
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in tracked_texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)
