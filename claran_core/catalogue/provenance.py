"""Collect the provenance of a catalogue: facts about the run that made it."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from claran_core import __version__
from claran_core.catalogue.product.bands import BANDS_KEY, radio_band
from claran_core.catalogue.product.sky_order import HEALPIX_ORDER
from claran_core.common.flags import DESCRIPTIONS
from claran_core.common.published import published
from claran_core.settings.config import Config

__all__ = ["catalogue_provenance", "ledger_counts"]

# Packages whose version can change a number in the catalogue: those that calculate among the imports of the
# stages before it (tests/catalogue/test_provenance.py).  Reproject combines images, and pandas
# parses positions.
PACKAGES = (
    "astropy",
    "astropy-healpix",
    "numba",
    "numpy",
    "pandas",
    "reproject",
    "scipy",
    "torch",
)


def catalogue_provenance(
    config: Config, *, ledger: pd.DataFrame, weights: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the facts about a run, JSON-serialisable, for the metadata of the catalogue's file.

    Catalogues are published: folders, e-mail addresses and passwords are left out.

    Parameters
    ----------
    config : Config
        Merged settings of the run.
    ledger : DataFrame
        Columns ``subject_id``, ``band`` and ``status`` of `claran_core.common.tables.LEDGER`, all shards.
    weights : mapping, optional
        Facts about the weights: hash, architecture and training.

    Returns
    -------
    dict
    """
    return {
        "pipeline": "claran-survey",
        "pipeline_version": __version__,
        "versions": {"python": platform.python_version(), **_package_versions()},
        "config": published(config.as_dict()),
        "weights": published(dict(weights or {})),
        BANDS_KEY: {
            role: radio_band(getattr(config.survey, role).survey.frequency_hz)
            for role in ("radio", "second_radio")
            if getattr(config.survey, role).source != "none"
        },
        "n_subjects": int(ledger["subject_id"].nunique()),
        "ledger": ledger_counts(ledger),
        "sorted_by": f"HEALPix nested order {HEALPIX_ORDER}, source_id",
        "flags": {
            str(flag.name).lower(): {"bit": flag.value, "means": DESCRIPTIONS[flag]} for flag in DESCRIPTIONS
        },
    }


def ledger_counts(ledger: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count the rows of the ledger per band and status: ``{"radio": {"ok": 98, "failed": 2}, ...}``."""
    counts: dict[str, dict[str, int]] = {}
    rows = ledger.groupby(["band", "status"]).size().reset_index(name="rows")
    for band, status, number in rows.itertuples(index=False):
        counts.setdefault(str(band), {})[str(status)] = int(number)
    return counts


def _package_versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # the catalogue can be built without PyTorch
            continue
    return versions
