"""The outcomes of components: each listed once, each source with some."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from claran_core.catalogue.product.schema import OUTCOMES
from claran_core.catalogue.product.validate_outcomes import validate_outcomes
from claran_core.common.errors import InputError
from claran_core.common.files import write_table

NAMES = pa.chunked_array([["J0", "J1"], ["J2"]])


def outcome(component_id: int, source_id: str = "", **columns: Any) -> dict[str, Any]:
    return {
        "component_id": component_id,
        "scale": 1,
        "ra": 0.0,
        "dec": 0.0,
        "snr": 9.0,
        "n_views": 1,
        "outcome": "source" if source_id else "noise",
        "probability": 0.5,
        "source_id": source_id,
        **columns,
    }


SOUND = [
    outcome(5, "J1"),
    outcome(9),
    outcome(3, "J0"),
    outcome(4, "J0"),
    outcome(7, "J2", scale=2),
    outcome(7, "J2"),
]


def findings(folder: Path, rows: list[dict[str, Any]]) -> list[str]:
    write_table(folder / "o.parquet", pd.DataFrame(rows, columns=OUTCOMES.names), OUTCOMES)
    return validate_outcomes(folder / "o.parquet", NAMES)


def test_sound_outcomes(tmp_path: Path) -> None:
    assert findings(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({1: {"outcome": "dust"}}, "row 1: unknown outcome"),
        ({1: {"outcome": "source"}}, "row 1: a source has a source_id, and nothing else has one"),
        ({3: {"outcome": "noise"}}, "row 3: a source has a source_id, and nothing else has one"),
        ({3: {"source_id": "J9"}}, "row 3: source_id is not in the catalogue"),
        ({2: {"probability": float("nan")}}, "row 2: probability must be at least 0 and at most 1"),
        ({1: {"probability": 1.5}, 3: {"probability": -1.0}}, "row 1, and 1 more rows: probability must be"),
        ({3: {"component_id": 5}}, "row 3: component is listed twice"),
    ],
)
def test_faults_name_their_rows(tmp_path: Path, change: dict[int, dict[str, Any]], told: str) -> None:
    rows = [row | change.get(number, {}) for number, row in enumerate(SOUND)]
    (line,) = findings(tmp_path, rows)
    assert line.startswith(f"o.parquet: {told}")


def test_sources_without_components_are_named(tmp_path: Path) -> None:
    assert findings(tmp_path, SOUND[1:]) == ["o.parquet: source J1: no component is listed"]
    assert findings(tmp_path, []) == ["o.parquet: source J0, and 2 more sources: no component is listed"]


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "o.parquet")
    with pytest.raises(InputError, match="column 'component_id' is missing"):
        validate_outcomes(tmp_path / "o.parquet", NAMES)
