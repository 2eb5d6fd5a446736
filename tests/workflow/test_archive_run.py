"""The workflow with images from archives: the command that the gate names retries what failed."""

from pathlib import Path

import pandas as pd
import pytest
from archive_server import SERVICES, ArchiveServer
from workflow_runs import Run

from claran_core.common.errors import TooManyFailures
from claran_core.cutouts.shard import check_failures

POSITIONS = [(150.0 + 0.05 * number, 20.0) for number in range(6)]


class LossyServer(ArchiveServer):
    """A server without the FIRST images of the first two subjects."""

    lossy = True

    def _fault(self, service: str, key: str, number: int) -> str:
        lost = self.lossy and any(f"{ra / 15:.6f}"[:7] in key for ra, _ in POSITIONS[:2])
        return "error" if lost else ""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Prepare a run that fetches both surveys, each from one service."""
    rows = [f"s{number},{ra},{dec}" for number, (ra, dec) in enumerate(POSITIONS)]
    (tmp_path / "targets.csv").write_text("\n".join(["subject_id,ra,dec", *rows]) + "\n")
    fast = {"requests_per_s": 1000, "connections": 2}
    fetch = {"limits_folder": "limits", "limits": dict.fromkeys(SERVICES, fast), "tries": 2, "pause_s": 0.01}
    settings = {
        "targets": {"path": "targets.csv"},
        "survey": {
            "radio": {"source": "archive"},
            "infrared": {"source": "archive"},
            "archive": {"order": {"FIRST": ["first"], "WISE_W1": ["irsa"]}},
        },
        "cutouts": {"archive": fetch},
    }
    return Run(tmp_path, settings)


def test_the_command_of_the_gate_retries_only_what_failed(run: Run) -> None:
    with LossyServer() as server:
        run.settings["survey"]["archive"]["services"] = server.settings
        run("cutouts")
        ledger = run.table("catalogue/ledger.parquet")
        failed = ledger.loc[ledger["status"] == "failed", ["subject_id", "band"]].to_numpy().tolist()
        assert failed == [["s0", "radio"], ["s1", "radio"]]
        with pytest.raises(TooManyFailures) as gate:
            check_failures(ledger, 0.01)
        retry = str(gate.value).split("add to your snakemake command ")[1].split()
        server.lossy, n_requests = False, len(server.asked)
        # The number of tries changes no pixel, so it makes no cut-out again.
        run.settings["cutouts"]["archive"]["tries"] = 5
        assert "cut_out" not in run.planned("cutouts")
        run("cutouts", *retry)
        assert [request.service for request in server.asked[n_requests:]] == ["first"] * 2
        retried = run.table("catalogue/ledger.parquet")
    assert set(retried["status"]) == {"ok"}
    kept = ledger["status"] == "ok"
    pd.testing.assert_frame_equal(retried[kept], ledger[kept])
    assert not (run.results / "cutouts" / "00000" / ".journal").exists()
