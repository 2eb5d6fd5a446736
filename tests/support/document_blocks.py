"""Commands and settings in the documents, and how each one is tested.

`python tests/support/document_blocks.py` writes the list of all of them into `docs/tested_commands.md`;
`tests/docs/test_documents.py` runs them.

A document holds its commands in fenced blocks (```bash, ```yaml, ```python).  A comment above a block says
that it is not run, or that only its options are checked, and why:

    <!-- not tested: needs internet -->
    <!-- options only: takes minutes -->
"""

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from claran_core.common.paths import REPOSITORY

__all__ = ["LISTING", "Example", "documents", "examples_of", "listing", "words_of"]

LISTING = REPOSITORY / "docs" / "tested_commands.md"

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"<!-- (not tested|options only): (.+?) -->\s*\Z")
_INLINE = re.compile(r"`((?:claran|snakemake|make|python -m) [^`]+)`")

# How a command is tested, by its first words.
_TREATMENTS = {
    ("claran",): "run",
    ("snakemake",): "dry run",
    ("make",): "dry run",
    ("python", "-m", "benchmarks"): "options",
    ("python", "-m", "pytest"): "options",
}
_LANGUAGES = {"bash", "python", "yaml", "text"}


@dataclass(frozen=True)
class Example:
    """One command, or one block of settings or Python, of a document."""

    document: str
    language: str
    text: str
    #: ``run``, ``dry run``, ``options``, ``load`` or ``not tested``.
    treatment: str
    #: Why it is not run, where a marker says so.
    reason: str = ""


def documents() -> list[Path]:
    """Return every document that shows commands, in reading order."""
    folders = [REPOSITORY / "docs", REPOSITORY / "resources"]
    pages = [page for folder in folders for page in sorted(folder.rglob("*.md")) if page != LISTING]
    return [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *pages]


def words_of(command: str) -> list[str]:
    """Split a command into words, without environment variables in front and comments behind."""
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)
    return words


def examples_of(page: Path) -> Iterator[Example]:
    """Yield the examples of a document in their order: fenced blocks, then commands inside sentences.

    Raises
    ------
    ValueError
        For a block without a known language, or a command that no rule and no marker covers.
    """
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(REPOSITORY).as_posix()
    for block in _FENCE.finditer(text):
        language, body = block[2], textwrap.dedent(block[3])
        if language not in _LANGUAGES:
            raise ValueError(f"{name}: the block {body[:40]!r} needs one of the languages {_LANGUAGES}")
        marker = _MARKER.search(text[: block.start()])
        if language == "bash":
            yield from (_command(name, line, marker) for line in _commands(body))
        elif language != "text":
            usual = "load" if language == "yaml" else "run"
            yield _example(name, language, body, marker, usual)
    for command in dict.fromkeys(_INLINE.findall(_FENCE.sub("", text))):
        yield Example(name, "bash", " ".join(command.split()), "options")


def listing() -> str:
    """Return the text of `docs/tested_commands.md`."""
    lines = [
        "# How every command of the documents is tested",
        "",
        "`tests/docs/test_documents.py` tests every command and every block of settings or Python.",
        "The script `tests/support/document_blocks.py` writes this list.",
        "",
        "- *run*: executed on a small prepared folder.",
        "- *dry run*: `snakemake -n` or `make -n` with these arguments; `tests/workflow` runs the jobs.",
        "- *options*: the program parses the arguments and then stops.",
        "- *load*: checked as settings of a run, or as a profile.",
        "",
    ]
    for page in documents():
        rows = [_row(example) for example in examples_of(page)]
        if rows:
            title = page.relative_to(REPOSITORY).as_posix()
            lines += [f"## {title}", "", "| Command or block | Test |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _commands(body: str) -> Iterator[str]:
    """Yield the commands of a block of shell lines, continued lines joined."""
    for line in body.replace("\\\n", " ").splitlines():
        if words_of(line):
            yield " ".join(line.split("  #")[0].split())


def _command(name: str, command: str, marker: re.Match[str] | None) -> Example:
    words = words_of(command)
    usual = next((how for start, how in _TREATMENTS.items() if _starts(words, start)), None)
    if usual is None and marker is None:
        raise ValueError(
            f"{name}: no test for {command!r}; write <!-- not tested: REASON --> above its block"
        )
    return _example(name, "bash", command, marker, usual or "not tested")


def _starts(words: list[str], start: tuple[str, ...]) -> bool:
    """Return whether a command begins with these words; a dot ends the last one."""
    return " ".join(words).replace(".", " ").split()[: len(start)] == list(start)


def _example(name: str, language: str, text: str, marker: re.Match[str] | None, usual: str) -> Example:
    if marker is None:
        return Example(name, language, text, usual)
    kind, reason = marker.groups()
    return Example(name, language, text, "options" if kind == "options only" else kind, reason)


def _row(example: Example) -> str:
    shown = example.text if example.language == "bash" else example.text.strip().splitlines()[0] + " ..."
    test = f"{example.treatment}: {example.reason}" if example.reason else example.treatment
    return f"| `{shown}` | {test} |".replace("``", "`")


if __name__ == "__main__":
    LISTING.write_text(listing(), encoding="utf-8")
