"""The lines of docs/catalogue_formats.md, run on a small catalogue in their order."""

import re
import shlex
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogue_rows import write_random_run

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.catalogue.product.voparquet import votable_metadata
from claran_core.cli.commands import main
from claran_core.common.paths import REPOSITORY, Results

PAGE = REPOSITORY / "docs" / "catalogue_formats.md"
# Programs that are not here, and polars, which is too large for what it would show beyond DuckDB.
LEFT_OUT = ("pip", "topcat", "stilts", "ds9")
PACKAGES = ("duckdb", "lsdb", "hats", "mocpy", "regions")

pytestmark = pytest.mark.filterwarnings("ignore")  # lsdb and what it brings warn of each other


def blocks() -> list[str]:
    """Indented blocks of the page, in order."""
    found = re.findall(r"(?:^    .*\S.*\n)+", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [textwrap.dedent(block).strip() for block in found]


def write_run(root: Path) -> str:
    """Write a run whose catalogue says how long its texts are; returns the name of a source."""
    write_random_run(root, 60)
    path = Results(root).catalogue
    table = pq.read_table(path)
    lengths = {
        name: max(map(len, table[name].to_pylist()))
        for name in CATALOGUE.names
        if pa.types.is_string(CATALOGUE.field(name).type)
    }
    described = votable_metadata(CATALOGUE, string_lengths=lengths)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **described}), path)
    return str(table["source_id"][0])


def run_command(line: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line.replace("J104556.7+243312", name), comments=True)
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code, line


def test_every_line_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in PACKAGES:
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    name = write_run(Path("results"))
    seen: dict[str, object] = {}
    ran = 0
    for block in blocks():
        if block.startswith(("import", "from")):
            if "polars" not in block:
                exec(compile(block, str(PAGE), "exec"), seen)
                ran += 1
            continue
        for line in block.splitlines():
            if line.split()[0] not in LEFT_OUT:
                run_command(line, name, monkeypatch)
                ran += 1
    assert ran > 20
    assert str(seen["table"]["peak_flux"].unit) == "mJy / beam"
    assert seen["units"]["angular_size"] == "arcsec"
    assert len(seen["shapes"]) > 60
    assert seen["area"].sky_fraction > 0
