"""Text from outside is shown without control characters."""

import pytest

from claran_core.common.text import has_control, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Perseus 3C 84 \u2013 \u00b5Jy", "Perseus 3C 84 \u2013 \u00b5Jy"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("one\ntwo\ttab", "one\\ntwo\\ttab"),
        ("right\u202eleft", "right\\u202eleft"),
        ("caf\udce9", "caf\\udce9"),
        ("", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
    shown.encode("utf-8")  # no lone surrogate is left


def test_control_characters_and_bytes_outside_utf8() -> None:
    assert not has_control("na\u00efve \u202e name.fits")
    assert all(has_control(text) for text in ("a\nb", "\x1b[0m", "\x85", "caf\udce9"))
