"""Two runs are compared byte for byte: the catalogue and the table of outcomes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.science.same_catalogue import main
from claran_core.common.paths import Results


def written(folder: Path, flux: float, outcome: str) -> Path:
    """Write the two tables of a run."""
    results = Results(folder)
    results.catalogue.parent.mkdir(parents=True)
    pq.write_table(pa.table({"flux": [1.0, flux], "pipeline_version": [str(folder)] * 2}), results.catalogue)
    pq.write_table(pa.table({"outcome": ["source", outcome]}), results.outcomes)
    return folder


@pytest.mark.parametrize(
    ("flux", "outcome", "different"),
    [(2.0, "noise", []), (2.0 + 1e-15, "noise", ["catalogue"]), (2.0, "artefact", ["outcomes"])],
)
def test_a_difference_in_either_table_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flux: float, outcome: str, different: list[str]
) -> None:
    runs = [written(tmp_path / "a", 2.0, "noise"), written(tmp_path / "b", flux, outcome)]
    assert main([str(run) for run in runs]) == bool(different)
    printed = capsys.readouterr().out
    for name in ("catalogue", "outcomes"):
        verdict = "different" if name in different else "the same bytes"
        assert f"{name}: 2 rows: {verdict}" in printed
