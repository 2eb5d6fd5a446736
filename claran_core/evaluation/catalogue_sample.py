"""Select the part of a run on which its catalogue is evaluated: the test split, or all of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.common.frame import Frame
from claran_core.evaluation.area import count_subjects

__all__ = ["CatalogueSample", "choose_catalogue_sample"]


@dataclass(frozen=True)
class CatalogueSample:
    """The evaluated subjects, with their rows of the catalogue and their components.

    Attributes
    ----------
    name : str
        ``"test"``, or ``"all"`` where the targets have no test split.
    subjects : DataFrame
        Rows of the targets.
    catalogue : DataFrame
        Rows whose centre or a component lies in the frame of one of these subjects.
    outcomes : DataFrame
        Outcome of each component in the frame of one of these subjects.
    """

    name: str
    subjects: pd.DataFrame
    catalogue: pd.DataFrame
    outcomes: pd.DataFrame


def choose_catalogue_sample(
    targets: pd.DataFrame, catalogue: pd.DataFrame, outcomes: pd.DataFrame, frame: Frame
) -> CatalogueSample:
    """Select the test split if the targets have one, else all subjects.

    Parameters
    ----------
    targets, catalogue, outcomes : DataFrame
        Columns of `claran_core.common.tables.TARGETS`, of `CATALOGUE` and of `OUTCOMES`
        (`claran_core.catalogue.product.schema`).
    frame : Frame
        Geometry of the subjects of scale 1.
    """
    is_test = (targets["split"] == "test").to_numpy(bool)
    if not is_test.any():
        return CatalogueSample("all", targets, catalogue.reset_index(drop=True), outcomes)
    subjects = targets[is_test].reset_index(drop=True)
    places = outcomes["ra"].to_numpy(float), outcomes["dec"].to_numpy(float)
    in_sample = count_subjects(*places, subjects, frame) > 0
    rows = catalogue[_touches(catalogue, subjects, frame)]
    return CatalogueSample(
        "test", subjects, rows.reset_index(drop=True), outcomes[in_sample].reset_index(drop=True)
    )


def _touches(catalogue: pd.DataFrame, subjects: pd.DataFrame, frame: Frame) -> np.ndarray:
    """Return whether the centre or a component of each row lies in a frame."""
    ra, dec = catalogue["ra"].to_numpy(float), catalogue["dec"].to_numpy(float)
    touches = count_subjects(ra, dec, subjects, frame) > 0
    row = np.repeat(np.arange(len(catalogue)), [len(one) for one in catalogue["component_ra"]])
    ra, dec = (np.concatenate([np.empty(0), *catalogue[f"component_{axis}"]]) for axis in ("ra", "dec"))
    touches[row[count_subjects(ra, dec, subjects, frame) > 0]] = True
    return touches
