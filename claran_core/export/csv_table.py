"""Export the catalogue as CSV: a line of column names, then the rows; lists are ``[1.5, 2.5]``.

CSV cannot store units: ``claran columns`` prints them.  Spreadsheets run a text that starts like a formula;
it gets an apostrophe in front.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from claran_core.common.files import atomic_path
from claran_core.export.source import CatalogueFile, items

__all__ = ["write_csv"]

# First characters of texts that spreadsheets take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(source: CatalogueFile, path: Path) -> None:
    """Write a catalogue as CSV (UTF-8); NaN is an empty field.

    Parameters
    ----------
    source : CatalogueFile
        The catalogue.
    path : Path
        Output file.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
        pd.DataFrame(columns=source.schema.names).to_csv(out, index=False)
        for batch in source.batches():
            columns = {name: _plain(batch.column(name)) for name in batch.schema.names}
            pd.DataFrame(columns).to_csv(out, index=False, header=False)


def _plain(column: pa.Array) -> object:
    """Return a column that pandas can write; lists become text."""
    if pa.types.is_string(column.type):
        return [f"'{text}" if text.startswith(FORMULA) else text for text in column.to_pylist()]
    if not pa.types.is_list(column.type):
        return column.to_pandas()
    entries, offsets = items(column)
    texts = [str(value) for value in entries.to_numpy(zero_copy_only=False)]
    edges = offsets.tolist()
    return [f"[{', '.join(texts[edges[row] : edges[row + 1]])}]" for row in range(len(column))]
