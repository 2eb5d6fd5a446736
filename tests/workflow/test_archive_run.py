"""The workflow with images from archives: what failed is retried by the command the gate names."""

import pandas as pd
import pytest
from archive_server import SERVICES, ArchiveServer
from workflow_runs import Run

from claran_core.common.errors import TooManyFailures
from claran_core.cutouts.shard import check_failures

PLACES = [(150.0 + 0.05 * number, 20.0) for number in range(6)]


class Lossy(ArchiveServer):
    """Has lost the FIRST images of the first two subjects."""

    lost = True

    def _fault(self, service, key, number):
        return "error" if self.lost and any(f"{ra / 15:.6f}"[:7] in key for ra, _ in PLACES[:2]) else ""


@pytest.fixture
def run(tmp_path):
    rows = [f"s{number},{ra},{dec}" for number, (ra, dec) in enumerate(PLACES)]
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


def test_what_failed_alone_is_retried_by_the_command_of_the_gate(run):
    with Lossy() as server:
        run.settings["survey"]["archive"]["services"] = server.settings
        run("cutouts")
        ledger = run.table("catalogue/ledger.parquet")
        failed = ledger.loc[ledger["status"] == "failed", ["subject_id", "band"]].to_numpy().tolist()
        assert failed == [["s0", "radio"], ["s1", "radio"]]
        with pytest.raises(TooManyFailures) as told:
            check_failures(ledger, 0.01)
        retry = str(told.value).split("add to your snakemake command ")[1].split()
        server.lost, asked = False, len(server.asked)
        # More patience changes no pixel: nothing is made again for it.
        run.settings["cutouts"]["archive"]["tries"] = 5
        assert "cut_out" not in run.planned("cutouts")
        run("cutouts", *retry)
        assert [request.service for request in server.asked[asked:]] == ["first"] * 2
        again = run.table("catalogue/ledger.parquet")
    assert set(again["status"]) == {"ok"}
    kept = ledger["status"] == "ok"
    pd.testing.assert_frame_equal(again[kept], ledger[kept])
    assert not (run.results / "cutouts" / "00000" / ".journal").exists()
