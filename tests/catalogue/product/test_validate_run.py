"""Validation of a run: damage of any kind of file is a line, and so is a table of another run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from claran_core.catalogue.product.schema import CATALOGUE, CONTOURS, OUTCOMES
from claran_core.catalogue.product.target_columns import MATCHED
from claran_core.catalogue.product.validate_run import validate_run
from claran_core.common.cutout import Cutout
from claran_core.common.files import array_writer, parquet_writer, write_table
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.paths import Results
from claran_core.common.tables import ATOMS, FUSED, LEDGER, TARGETS
from claran_core.cutouts.cutout_file import cutout_writer
from claran_core.fusion.fused_images import checksum

IMAGE = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)


def tan_image() -> Cutout:
    wcs = LinearWCS("TAN", 30.0, 5.0, 2.0, 2.0, (-0.0005, 0.0, 0.0, 0.0005))
    return Cutout(data=np.ones((5, 5), np.float32), wcs=wcs, origin="a.fits")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Write a run of one subject, without rows where validation reads none."""
    results = Results(tmp_path / "results")
    of_run = {"settings": "s", "method": "D4"}
    write_table(results.targets, pd.DataFrame(columns=TARGETS.names), TARGETS, made_from={"all_targets": "t"})
    write_table(results.catalogue_ledger, pd.DataFrame(columns=LEDGER.names), LEDGER, made_from=of_run)
    write_table(results.atoms, pd.DataFrame(columns=ATOMS.names), ATOMS, made_from=of_run)
    write_table(results.matched_targets, pd.DataFrame(columns=MATCHED.names), MATCHED, made_from=of_run)
    products = {results.catalogue: CATALOGUE, results.outcomes: OUTCOMES, results.contours: CONTOURS}
    for path, schema in products.items():
        with parquet_writer(path, schema, metadata={"method": "D4"}, made_from=of_run):
            pass
    row = {field.name: "" if str(field.type) == "string" else 0 for field in FUSED}
    index = pd.DataFrame([row | {"subject_id": "one", "crc32": checksum(IMAGE)}])
    write_table(results.fused_index("D4", "00000"), index, FUSED)
    with array_writer(results.fused("D4", "00000"), (1, 4, 4, 3), np.uint8) as append:
        append(IMAGE)
    with cutout_writer(results.cutouts("00000", "radio")) as writer:
        writer.add("one", tan_image())
    return results


def place_of_data(path: Path, whole: bytes) -> int:
    """Return a place that matters: every byte of a table does, and the pixels of images."""
    if path.suffix == ".arrow":
        return whole.index(np.ones(8, np.float32).tobytes())
    return len(whole) - 20 if path.suffix == ".npy" else len(whole) // 2


def test_a_sound_run_has_no_findings(results: Results) -> None:
    assert validate_run(results) == []


def test_damage_is_one_line_that_names_the_file(results: Results) -> None:
    files = [path for path in results.root.rglob("*") if path.is_file()]
    assert len(files) == 10
    for path in files:
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[place_of_data(path, whole)] ^= 2
        path.write_bytes(changed)
        found = validate_run(results)
        assert found and all("\n" not in line for line in found)
        assert str(path) in found[0]
        path.write_bytes(whole)


def test_a_table_of_another_run_is_a_finding(results: Results) -> None:
    other = {"settings": "other", "method": "D4"}
    write_table(results.atoms, pd.DataFrame(columns=ATOMS.names), ATOMS, made_from=other)
    [found] = validate_run(results)
    assert "made from other settings" in found
