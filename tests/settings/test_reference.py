"""The reference page and the JSON schema are those that the models give."""

import json
import re
from typing import Any

from click.testing import CliRunner

from claran_core.cli.commands import claran
from claran_core.common.paths import REPOSITORY
from claran_core.settings.config import load_config


def printed(*arguments: str) -> str:
    """Return what the command prints."""
    done = CliRunner().invoke(claran, ["settings", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def dotted(settings: dict[str, Any], path: str = "") -> set[str]:
    """Return the dotted names of all values."""
    found = set()
    for key, value in settings.items():
        name = f"{path}.{key}".strip(".")
        free = name in ("survey.archive.order", "model.weights")  # mappings with keys of the user
        found |= dotted(value, name) if isinstance(value, dict) and value and not free else {name}
    return found


def test_the_committed_page_is_what_the_command_prints() -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == printed("--markdown") == printed(), "write it with: claran settings > docs/settings.md"


def test_the_page_lists_every_setting_once() -> None:
    listed = re.findall(r"^\| `([\w.]+)` \|", printed(), flags=re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert dotted(load_config().as_dict()) <= set(listed)


def test_rows_of_the_page() -> None:
    lines = printed().splitlines()
    for row in (
        "| `fusion.size_px` | whole number | from 32 to 4096 | `132` | width of a subject, px |",
        "| `inference.device` | text | `auto`, `cpu`, `cuda` | `auto` | "
        "where the network runs; `auto`: on a GPU if there is one |",
        "| `report.gallery_size` | whole number or text | from 0 to 1000000; `all` | `60` | "
        "number of sources shown with pictures |",
        "| `cutouts.archive.limits.<name>.connections` | whole number | from 1 to 64 |  | "
        "most simultaneous requests |",
    ):
        assert row in lines


def test_json_schema_describes_a_file_that_holds_only_changes() -> None:
    schema = json.loads(printed("--json-schema"))
    assert "required" not in json.dumps(schema)
    assert list(schema["properties"]) == list(load_config().as_dict())
    assert schema["additionalProperties"] is False
    fusion = schema["$defs"]["FusionOptions"]["properties"]
    assert fusion["contour_sigma"] == {
        "description": "base contour in units of the noise",
        "exclusiveMinimum": 0,
        "maximum": 100,
        "type": "number",
    }
