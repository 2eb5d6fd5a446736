"""What the user must know about the images of a folder: files left out, maps passed over, other surveys."""

import logging
from pathlib import Path

import pandas as pd

__all__ = ["log_warnings", "other_survey"]

logger = logging.getLogger(__name__)

# Names in the line about maps that are passed over.
MAX_NAMED = 5


def log_warnings(rows: pd.DataFrame, role: str, folder: Path) -> None:
    """Log each file that cannot be used, each kind of maps that are passed over, and images of other surveys.

    Parameters
    ----------
    rows : DataFrame
        Columns of `claran_core.common.tables.IMAGES`.
    role : str
        Role of the survey (`claran_core.common.cutout.Role`).
    folder : Path
        Folder of the images.
    """
    for column in ("reason", "refused"):
        faults = rows[rows[column] != ""]
        for name, reason in zip(faults["name"], faults[column], strict=True):
            logger.warning("%s: left out: %s", folder / name, reason)
    passed = rows[rows["passed_over"] != ""]
    kinds = passed["passed_over"].str.split(" (", regex=False).str[0]
    for kind, some in passed.groupby(kinds):
        named = ", ".join(
            f"{name}: {reason}"
            for name, reason in some[["name", "passed_over"]].head(MAX_NAMED).itertuples(index=False)
        )
        more = f"; and {len(some) - MAX_NAMED} more" if len(some) > MAX_NAMED else ""
        logger.warning("%s: no images, passed over as %s: %s%s", folder, kind, named, more)
    difference = other_survey(rows, role)
    if difference:
        logger.warning("%s: %s", folder, difference)


def other_survey(rows: pd.DataFrame, role: str) -> str:
    """Return one line about the images that say that they show another survey; empty if none does.

    Parameters
    ----------
    rows : DataFrame
        Columns ``name, differs, reason, refused, passed_over`` of `claran_core.common.tables.IMAGES`.
    role : str
        Role of the survey (`claran_core.common.cutout.Role`).
    """
    used = rows[(rows[["reason", "refused", "passed_over"]] == "").all(axis=1)]
    others = used[used["differs"] != ""]
    if not len(others):
        return ""
    return (
        f"{len(others)} of {len(used)} images of survey.{role}.path differ from survey.{role}.name; "
        f"{others['name'].iat[0]}: {others['differs'].iat[0]}; is it the survey that they show?"
    )
