"""UCDs of a file name the bands of its surveys, in the words of the IVOA's list."""

import pytest
from astropy.io.votable.ucd import check_ucd

from claran_core.catalogue.product.bands import BANDS, BANDS_KEY, catalogue_schema, radio_band
from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.survey.surveys import SURVEYS


@pytest.mark.parametrize(
    ("frequency_hz", "word"),
    [
        (None, "em.radio"),
        (1e6, "em.radio"),
        (1.44e8, "em.radio.100-200MHz"),
        (7.5e8, "em.radio.750-1500MHz"),
        (1.4e9, "em.radio.750-1500MHz"),
        (3.0e9, "em.radio.3-6GHz"),
        (2e11, "em.radio"),
    ],
)
def test_bands(frequency_hz: float | None, word: str) -> None:
    assert radio_band(frequency_hz) == word


def test_words_are_in_the_list_of_ucds() -> None:
    for word in BANDS.values():
        assert check_ucd(f"phot.flux.density;{word}", check_controlled_vocabulary=True), word


def test_columns_have_the_bands_of_their_surveys() -> None:
    bands = {
        "radio": radio_band(SURVEYS["FIRST"].frequency_hz),
        "second_radio": radio_band(SURVEYS["VLASS"].frequency_hz),
    }
    schema = catalogue_schema({BANDS_KEY: bands})
    ucds = {field.name: field.metadata[b"ucd"].decode() for field in schema}
    assert ucds["peak_flux"] == "phot.flux.density;em.radio.750-1500MHz;stat.max"
    assert ucds["second_radio_flux"] == "phot.flux.density;em.radio.3-6GHz"
    assert ucds["spectral_index"] == "spect.index;em.radio"
    assert schema.names == CATALOGUE.names and schema.types == CATALOGUE.types
    for ucd in ucds.values():
        assert check_ucd(ucd, check_controlled_vocabulary=True)
    assert catalogue_schema({}).equals(CATALOGUE, check_metadata=True)
