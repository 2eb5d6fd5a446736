"""What published files leave out."""

import pytest

from claran_core.common.published import published


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/data/alice/first survey/images", "images"),
        ("~/maps/targets.csv", "targets.csv"),
        ("$HOME/maps", "maps"),
        ("maps/targets.csv", "maps/targets.csv"),
        ("https://alice:pa55@maps.example.org/cutout?size=3", "https://maps.example.org/cutout?size=3"),
        ("https://alice:p@ss@maps.example.org/", "https://maps.example.org/"),
        ("https://token@maps.example.org/", "https://maps.example.org/"),
        (
            "https://maps.example.org/c?api_key=a1b2&size=3&Token=x",
            "https://maps.example.org/c?api_key=(left out)&size=3&Token=(left out)",
        ),
        ("ask alice.b+c@astro.example.edu about it", "ask (e-mail address) about it"),
        ("/scratch/al/a.fits: damaged, see /scratch/al/b.fits", "a.fits: damaged, see b.fits"),
        ("cannot read '/scratch/al/a.fits' (gone)", "cannot read 'a.fits' (gone)"),
        ("4 km/s and 1/2, W/m2/Hz", "4 km/s and 1/2, W/m2/Hz"),
        ("**/*.fits*", "**/*.fits*"),
        ("../images/first", "../images/first"),
        ("", ""),
    ],
)
def test_text(text: str, left: str) -> None:
    assert published(text) == left


def test_nested_facts() -> None:
    facts = {"a": [{"contact": "Alice, room 5", "path": "/srv/al/x"}, 1.5, None, True], "b": ("c@d.org",)}
    assert published(facts) == {
        "a": [{"contact": None, "path": "x"}, 1.5, None, True],
        "b": ["(e-mail address)"],
    }
