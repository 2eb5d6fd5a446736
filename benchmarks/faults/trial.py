"""A copy of a run to which a fault is applied, and the message that the run ends with."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.planning import snakemake

__all__ = ["Trial", "error_message"]


@dataclass
class Trial:
    """A copy of the reference run in a separate folder."""

    folder: Path

    @property
    def results(self) -> Path:
        """Folder of the products."""
        return self.folder / "results"

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start the workflow."""
        return subprocess.Popen(
            snakemake(self.folder, "--cores", "1", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the workflow to its end; return exit status and output."""
        process = self.start(*arguments)
        output = process.communicate(timeout=1800)[0]
        return process.returncode, output


def error_message(trial: Trial, output: str) -> str:
    """Return the error message: of the newest log with an error, else of Snakemake."""
    logs = sorted(trial.results.rglob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in logs:
        lines = [line for line in path.read_text().splitlines() if " ERROR " in line]
        if lines:
            return lines[0].split(": ", 1)[1].replace(str(trial.folder) + "/", "")
    errors = [line for line in output.splitlines() if "rror" in line and "job execution" not in line]
    return (errors or [""])[0].replace(str(trial.folder), "FOLDER").strip()
