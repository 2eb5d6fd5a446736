"""What the user of a run must know before using it: said at its end and at the top of the report."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from claran_core.common.cutout import ROLES
from claran_core.common.files import read_metadata, read_table
from claran_core.common.flags import Flag
from claran_core.common.paths import Results
from claran_core.components.contour_rule import COMPONENT_SIGMA
from claran_core.survey.directory.image_warnings import other_survey

__all__ = ["notices", "read_notices"]

# Largest fraction of images with a flag that needs no notice.  Problems of units and pixels concern single
# images; the rim of an area leaves a tenth of its images without some of their pixels.
USUAL_IMAGES = {
    Flag.SUSPECT_UNIT: 0.02,
    Flag.COARSE_PIXELS: 0.02,
    Flag.RADIO_PARTIAL: 0.1,
    Flag.INFRARED_PARTIAL: 0.1,
    Flag.SECOND_RADIO_PARTIAL: 0.1,
    Flag.RADIO_MISSING: 0.1,
    Flag.INFRARED_MISSING: 0.1,
}
# The same for sources.
USUAL_SOURCES = {Flag.EDGE: 0.1, Flag.ARTEFACT: 0.2, Flag.DOUBTFUL: 0.5}
# Few images or sources have large fractions by chance.
MIN_COUNT = 3
# Emission of this many sigma is no noise, so it should be in a row of the catalogue.
BRIGHT_SNR = 30.0

# States of the ledger without an image.
NO_IMAGE = ["no_coverage", "failed"]

LEDGER_COLUMNS = ["subject_id", "band", "survey", "status", "reason", "flags"]
CATALOGUE_COLUMNS = ["flags"]
OUTCOME_COLUMNS = ["ra", "dec", "snr", "outcome"]
IMAGE_COLUMNS = ["name", "differs", "reason", "refused", "passed_over"]


def read_notices(results: Results) -> list[str]:
    """Return the notices of a run from its files.

    Raises
    ------
    InputError
        If a table is damaged.
    """

    def table(path: Path, columns: list[str]) -> pd.DataFrame:
        return read_table(path, columns) if path.exists() else pd.DataFrame(columns=columns)

    doubt = str(read_metadata(results.targets).get("doubt", "")) if results.targets.exists() else ""
    return ([doubt] if doubt else []) + notices(
        table(results.catalogue_ledger, LEDGER_COLUMNS),
        table(results.catalogue, CATALOGUE_COLUMNS) if results.catalogue.exists() else None,
        table(results.outcomes, OUTCOME_COLUMNS),
        {role: table(results.images(role), IMAGE_COLUMNS) for role in ROLES},
    )


def notices(
    ledger: pd.DataFrame,
    catalogue: pd.DataFrame | None,
    outcomes: pd.DataFrame,
    images: Mapping[str, pd.DataFrame],
) -> list[str]:
    """Return what is unusual about a run, the worst first, one line each.

    Parameters
    ----------
    ledger : DataFrame
        Columns ``subject_id, band, survey, status, reason, flags`` of `claran_core.common.tables.LEDGER`.
    catalogue : DataFrame or None
        Column ``flags`` of the catalogue; None if the run did not get there.
    outcomes : DataFrame
        Columns ``ra, dec, snr, outcome`` of `claran_core.catalogue.product.schema.OUTCOMES`.
    images : mapping of str to DataFrame
        By role of the survey, columns ``name, differs, reason, refused, passed_over`` of
        `claran_core.common.tables.IMAGES`.
    """
    found = [*_missing(ledger), *_apart(ledger)]
    if catalogue is not None:
        found += [*_empty(catalogue, outcomes), *_bright(outcomes), *_source_flags(catalogue)]
    return found + [*_image_flags(ledger), *_other_surveys(images), *_unused(images)]


def _missing(ledger: pd.DataFrame) -> Iterator[str]:
    radio = ledger[ledger["band"] == "radio"]
    if len(radio) and radio["status"].isin(NO_IMAGE).all():
        yield f"No subject has a radio image; the first, {_example(radio)}"
    for band, rows in ledger.groupby("band", sort=False):
        failed = rows[rows["status"] == "failed"]
        if len(failed):
            yield f"{len(failed)} of {len(rows)} {band} images could not be obtained; {_example(failed)}"


def _apart(ledger: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each survey that shows none of the subjects that the radio survey shows."""
    shown = ledger[~ledger["status"].isin(NO_IMAGE)]
    of_radio = set(shown.loc[shown["band"] == "radio", "subject_id"])
    for role, rows in ledger[ledger["survey"] != "none"].groupby("band", sort=False):
        beside = rows[rows["subject_id"].isin(of_radio)]
        outside = beside[beside["status"] == "no_coverage"]
        if not len(outside) or not beside["status"].isin(NO_IMAGE).all():
            continue
        first = ledger.loc[ledger["band"] == "radio", "survey"].iat[0]
        yield (
            f"No subject has an image of both {first} (survey.radio) and {rows['survey'].iat[0]} "
            f"(survey.{role}); do the surveys overlap at the targets? {_example(outside)}"
        )


def _example(rows: pd.DataFrame) -> str:
    return f"{rows['subject_id'].iat[0]}: {rows['reason'].iat[0]}"


def _empty(catalogue: pd.DataFrame, outcomes: pd.DataFrame) -> Iterator[str]:
    if not len(catalogue):
        yield (
            f"The catalogue is empty: {len(outcomes)} components of {COMPONENT_SIGMA} sigma were found, and "
            "none is in a source; check positions, units and noise of the images"
        )


def _bright(outcomes: pd.DataFrame) -> Iterator[str]:
    lost = outcomes[(outcomes["outcome"] != "source") & (outcomes["snr"] >= BRIGHT_SNR)]
    if len(lost):
        first = lost.sort_values("snr").iloc[-1]
        yield (
            f"{len(lost)} components of more than {BRIGHT_SNR:.0f} sigma are in no source; the brightest, "
            f"of {first['snr']:.0f} sigma at RA {first['ra']:.5f}, Dec {first['dec']:.5f} deg: "
            f"{first['outcome']}"
        )


def _source_flags(catalogue: pd.DataFrame) -> Iterator[str]:
    yield from _unusual(catalogue["flags"], USUAL_SOURCES, "sources")


def _image_flags(ledger: pd.DataFrame) -> Iterator[str]:
    for band, rows in ledger[ledger["survey"] != "none"].groupby("band", sort=False):
        yield from _unusual(rows["flags"], USUAL_IMAGES, f"{band} images")


def _unusual(flags: pd.Series, usual: Mapping[Flag, float], what: str) -> Iterator[str]:
    values = flags.to_numpy(int)
    for flag, most in usual.items():
        n = int(np.count_nonzero(values & int(flag)))
        if n >= MIN_COUNT and n > most * len(values):
            yield (
                f"{n / len(values):.0%} of the {what} ({n} of {len(values)}) have the flag {flag.name}; "
                f"usual are at most {most:.0%}"
            )


def _other_surveys(images: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    yield from filter(None, (other_survey(rows, band) for band, rows in images.items()))


def _unused(images: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    for band, rows in images.items():
        reasons = rows["reason"].where(rows["reason"] != "", rows["refused"])
        unused = rows.assign(reason=reasons)[reasons != ""]
        if len(unused):
            yield (
                f"{len(unused)} of {len(rows)} files or images of survey.{band}.path cannot be used; "
                f"{unused['name'].iat[0]}: {unused['reason'].iat[0]}"
            )
