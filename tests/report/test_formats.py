"""Number formats of the report, and embedded figures."""

from pathlib import Path

import pytest

from claran_core.common.errors import InputError
from claran_core.report.formats import FILTERS, embedded_png


@pytest.mark.parametrize(
    ("name", "arguments", "written"),
    [
        ("fixed", (1.0049, 2), "1.00"),
        ("fixed", (None, 2), "–"),
        ("significant", (12345.6, 3), "12300"),
        ("significant", (0.00012345,), "0.000123"),
        ("significant", (2.0,), "2"),
        ("significant", (None,), "–"),
        ("percent", (0.504,), "50 %"),
        ("percent", (None,), "–"),
        ("thousands", (1234567,), "1\u202f234\u202f567"),
    ],
)
def test_number_formats(name: str, arguments: tuple[float | None, ...], written: str) -> None:
    assert FILTERS[name](*arguments) == written


def test_only_png_files_are_embedded(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    with pytest.raises(InputError, match="cannot be read"):
        embedded_png(path)
    path.write_text("<svg>")
    with pytest.raises(InputError, match="not a PNG"):
        embedded_png(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert embedded_png(path) == "data:image/png;base64,iVBORw0KGgo="
