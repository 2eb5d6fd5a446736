"""Creator, rights and citation of a catalogue."""

from claran_core.catalogue.product.data_origin import PAPER, data_origin


def test_what_the_settings_state() -> None:
    stated = {"creator": "A survey", "rights": "CC BY 4.0", "citation": "A et al. 2030"}
    assert data_origin({"config": {"catalogue": stated}}) == stated


def test_without_settings_the_paper_is_cited() -> None:
    for facts in ({}, {"config": {"catalogue": {"creator": None, "citation": None}}}):
        assert data_origin(facts) == {"citation": PAPER}
