"""Run the command `claran` in the process of the tests."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from claran_core.cli.commands import main


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs `claran` and returns its exit status, output and errors."""

    def run_claran(*arguments: str | float | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["claran", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_info:
            main()
        captured = capsys.readouterr()
        return int(exit_info.value.code or 0), captured.out, captured.err

    return run_claran
