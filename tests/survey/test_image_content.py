"""What headers and file names say about an image."""

from typing import Any

import pytest
from astropy.io import fits

from claran_core.survey.image_content import name_words, product_named, product_stated


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({}, ""),
        ({"BTYPE": "Intensity", "EXTNAME": "SCI"}, ""),
        ({"CTYPE4": "STOKES", "CRVAL4": 1.0, "CRPIX4": 1.0, "CDELT4": 1.0}, ""),
        ({"CTYPE3": "STOKES  ", "CRVAL3": 3.0, "CRPIX3": 1.0, "CDELT3": 1.0}, "Stokes U (its STOKES axis)"),
        # The reference pixel lies before the only one: 1 + (1 - 0) * 1 = 2.
        ({"CTYPE4": "STOKES", "CRVAL4": 1.0, "CRPIX4": 0.0, "CDELT4": 1.0}, "Stokes Q (its STOKES axis)"),
        ({"CTYPE4": "STOKES", "CRVAL4": -2.0, "CRPIX4": 1.0, "CDELT4": -1.0}, "Stokes LL (its STOKES axis)"),
        ({"CTYPE4": "STOKES", "CRVAL4": 0.0, "CRPIX4": 1.0}, ""),  # no value of the standard
        ({"BTYPE": "Spectral Index"}, "spectral index (BTYPE = 'Spectral Index')"),
        ({"EXTNAME": "WHT"}, "weights (EXTNAME = 'WHT')"),
        ({"EXTNAME": "VARIANCE"}, "noise (EXTNAME = 'VARIANCE')"),
        ({"EXTNAME": 7}, ""),
    ],
)
def test_maps_by_their_header(cards: dict[str, Any], said: str) -> None:
    assert product_stated(fits.Header(cards)) == said


def test_words_of_a_name() -> None:
    assert [*name_words("deep/SB100.noiseMap.image.i.taylor.1.fits.gz")] == [
        *("deep", "sb100", "noise", "map", "image", "i", "tt1")
    ]
    assert [*name_words("W1_unc-3.FITS[2]")] == ["w1", "unc", "3"]


@pytest.mark.parametrize(
    ("name", "other", "product"),
    [
        ("T12.tt0.rms.fits", "T12.tt0.fits", "noise"),
        ("P7-mosaic-weights.fits", "P7-mosaic-blanked.fits", "weights"),
        ("weights.i.SB9.fits", "image.i.SB9.restored.conv.fits", "weights"),
        ("image.i.SB9.taylor.1.fits", "image.i.SB9.taylor.0.fits", "higher Taylor term"),
        ("rms/T12.fits", "images/T12.fits", "noise"),
        ("field.Q.fits", "field.StokesI.fits", "Stokes Q"),
        ("x-w1-unc-3.fits.gz", "x-w1-int-3.fits.gz", "noise"),
        ("unwise-7-w1-n-m.fits", "unwise-7-w1-img-m.fits", "weights"),
        ("model_of_rms_rms.fits", "model_of_rms.fits", "noise"),
    ],
)
def test_of_two_names_the_one_with_the_word_is_the_map(name: str, other: str, product: str) -> None:
    assert product_named(name, other).startswith(f"{product} (its name says ")
    assert product_named(other, name) == ""


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("rms_field_a.fits", "rms_field_b.fits"),  # both have the word
        ("field_rms.fits", "field_weights.fits"),  # both are maps
        ("Q0957+561.fits", "other.fits"),
        ("v_low.fits", "v_high.fits"),
    ],
)
def test_names_that_do_not_tell(name: str, other: str) -> None:
    assert product_named(name, other) == "" and product_named(other, name) == ""
