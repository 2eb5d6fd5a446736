"""What an image shows, as its header and its name say: the sky, or a map that belongs to such an image.

Programs write noise, weights, spectral indices, residuals, models and other Stokes parameters on the pixels
of an image and beside it.  Such a map has a valid WCS, and often the unit of the image.
"""

import re
from collections import Counter

from astropy.io import fits

from claran_core.survey.header_values import finite_number

__all__ = ["name_words", "product_named", "product_stated"]

# Values of a STOKES axis (FITS standard 4.0, table 29).  0 and values beyond the table state nothing.
STOKES = {
    **{1: "I", 2: "Q", 3: "U", 4: "V"},
    **{-1: "RR", -2: "LL", -3: "RL", -4: "LR", -5: "XX", -6: "YY", -7: "XY", -8: "YX"},
}

# Words of file names, of EXTNAME and of BTYPE that name a map which is not an image of the sky.
PRODUCTS = {
    word: product
    for product, words in {
        "noise": "rms noise noisemap rmsmap rmsd std stddev sigma unc uncert uncertainty err error errors "
        "var variance",
        "weights": "weight weights weightmap wht wt wgt invvar cov coverage exposure expmap sensitivity sens "
        "pb pbeam nmean",
        "spectral index": "alpha spindex spix spidx spectralindex spectralcurvature curvature",
        "residual": "residual residuals resid res",
        "model": "model mod",
        "background": "bkg background bg",
        "mask": "mask msk flag flags dq bitmask context ctx",
        "point-spread function": "psf dirtybeam",
        "higher Taylor term": "tt1 tt2 tt3",
        "polarisation": "pola polangle polint rm fdf",
    }.items()
    for word in words.split()
}
# Words that name a map only beside an image whose name has the other word instead: ``x.Q`` and ``x.I``,
# unWISE's ``n-m`` (number of exposures) and ``img-m``.
PAIRED = {
    "q": ("i", "Stokes Q"),
    "u": ("i", "Stokes U"),
    "v": ("i", "Stokes V"),
    "n": ("img", "weights"),
}
WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")
ENDING = re.compile(r"\.fi?ts?(\.\w+)?(\[\d+\])?$", re.I)
# Cards that give the value of an axis at its only pixel, and what a missing one means; highest axis.
AXIS = (("CRVAL", 0.0), ("CRPIX", 1.0), ("CDELT", 1.0))
MAX_AXES = 9
TAYLOR = re.compile(r"taylor[._-]?(?=\d)", re.I)


def product_stated(header: fits.Header) -> str:
    """Return what a header says the image is instead of an image of the sky, with the card; else "".

    A header that says nothing, or that says "Intensity", is no proof of an image: programs copy the header of
    an image to its noise map.
    """
    stokes = _stokes(header)
    if stokes not in (None, "I"):
        return f"Stokes {stokes} (its STOKES axis)"
    for card in ("BTYPE", "EXTNAME"):
        text = header.get(card)
        words = [*name_words(text).elements()] if isinstance(text, str) else []
        for word in (*words, "".join(words)):
            if word in PRODUCTS:
                return f"{PRODUCTS[word]} ({card} = {text.strip()!r})"
    return ""


def name_words(name: str) -> Counter[str]:
    """Return the words of a file's name and folders without the ending, in lower case, with their numbers.

    ``x.noiseMap.image.i.fits`` has the words x, noise, map, image and i.
    """
    stem = TAYLOR.sub("tt", ENDING.sub("", name))
    return Counter(word.lower() for word in WORD.findall(stem))


def product_named(name: str, other: str = "") -> str:
    """Return which map a file name tells, compared with the name of another image of the same area.

    A word that both names have says nothing: ``rms_field.fits`` is the image of ``rms_field_rms.fits``.

    Returns
    -------
    str
        The map, with the word; empty if the name tells none, or if the other name tells one as well.
    """
    ours, theirs = name_words(name), name_words(other)
    extra, missing = ours - theirs, theirs - ours
    if any(word in PRODUCTS for word in missing):
        return ""
    for word in extra:
        if word in PRODUCTS:
            return f"{PRODUCTS[word]} (its name says {word!r})"
        instead, product = PAIRED.get(word, ("", ""))
        if product and other and (instead in missing or not missing):
            return f"{product} (its name says {word!r})"
    return ""


def _stokes(header: fits.Header) -> str | None:
    """Return the Stokes parameter of an image with a STOKES axis of one pixel; None without one."""
    for axis in range(1, MAX_AXES + 1):  # also axes that the pixels lack
        if str(header.get(f"CTYPE{axis}", "")).strip().upper() != "STOKES":
            continue
        if header.get(f"NAXIS{axis}", 1) != 1:
            return None
        value, reference, step = (
            (finite_number(header, f"{key}{axis}") or 0.0) if f"{key}{axis}" in header else default
            for key, default in AXIS
        )
        return STOKES.get(round(value + (1 - reference) * step))
    return None
