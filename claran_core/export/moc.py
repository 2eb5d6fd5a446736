"""Export the area that a run searched as a multi-order coverage map (MOC 2.0, FITS).

A subject is searched if its radio image has data, at least in part.  Its whole square frame belongs to the
area, including missing pixels.  Needs mocpy (optional dependency `export`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from astropy import units as u

from claran_core.common.errors import InputError
from claran_core.common.files import atomic_path, read_table
from claran_core.common.frame import SCALES, Frame
from claran_core.common.optional_packages import import_optional
from claran_core.common.paths import Results

if TYPE_CHECKING:
    from mocpy import MOC

__all__ = ["DEFAULT_ORDER", "run_area", "searched_area", "searched_subjects", "write_moc"]

# Cells of 6.4 arcsec.  A MOC holds every cell that the area touches: isolated frames of 3 arcmin become 10 %
# too large at this order, 21 % at order 14 and 5 % at order 16 (measured on 20 000 of them).
DEFAULT_ORDER = 15
SEARCHED = ("ok", "partial")
# Number of boxes per union; larger unions are slower per box.
BLOCK = 10_000


def write_moc(results: Results, frame: Frame, path: Path, *, order: int = DEFAULT_ORDER) -> None:
    """Write the area that a run searched.

    Parameters
    ----------
    results : Results
        Results of the run, with its targets and its ledger.
    frame : Frame
        Geometry of subjects of scale 1.
    path : Path
        Output file.
    order : int
        HEALPix order of the smallest cells.

    Raises
    ------
    InputError
        If a file of the run is missing, or mocpy is not installed.
    """
    moc = run_area(results, frame, order=order)
    with atomic_path(path) as temporary:
        moc.save(str(temporary), format="fits", overwrite=True)


def run_area(results: Results, frame: Frame, *, order: int = DEFAULT_ORDER) -> "MOC":
    """Return the area that a run searched; arguments and errors are those of `write_moc`."""
    subjects = searched_subjects(results)
    areas = [
        searched_area(part["ra"].to_numpy(), part["dec"].to_numpy(), frame.at_scale(scale), order=order)
        for scale in SCALES
        if len(part := subjects[subjects["scale"] == scale])
    ]
    nothing = import_optional("mocpy").MOC.new_empty(order)
    return nothing.union(nothing, *areas)


def searched_subjects(results: Results) -> pd.DataFrame:
    """Return the subjects (subject_id, ra, dec, scale) with radio data, in the order of the targets.

    Raises
    ------
    InputError
        If the targets or the ledger are missing, or a subject of the ledger is not a target.
    """
    ledger = read_table(results.catalogue_ledger, ["subject_id", "band", "status"])
    found = ledger[(ledger["band"] == "radio") & ledger["status"].isin(SEARCHED)]["subject_id"]
    targets = read_table(results.targets, ["subject_id", "ra", "dec", "scale"])
    stray = found[~found.isin(targets["subject_id"])]
    if len(stray):
        raise InputError(
            f"{results.targets}: subject {stray.iloc[0]!r} of {results.catalogue_ledger} is not in it; "
            "use the files of one run"
        )
    return targets[targets["subject_id"].isin(found)].reset_index(drop=True)


def searched_area(ra_deg: np.ndarray, dec_deg: np.ndarray, frame: Frame, *, order: int) -> "MOC":
    """Return the union of the frames centred at these positions.

    Parameters
    ----------
    ra_deg, dec_deg : (N,) float arrays
        Centres, ICRS; it is fastest when consecutive ones are close on the sky.
    frame : Frame
        Geometry of the subjects.
    order : int
        HEALPix order of the smallest cells; every cell that a frame touches is included.
    """
    mocpy = import_optional("mocpy")
    half = frame.width_arcsec / 2 * u.arcsec
    blocks = [
        mocpy.MOC.from_boxes(
            lon=ra_deg[start : start + BLOCK] * u.deg,
            lat=dec_deg[start : start + BLOCK] * u.deg,
            a=half,
            b=half,
            angle=0 * u.deg,
            max_depth=order,
            union_strategy="small_boxes",
        )
        for start in range(0, len(ra_deg), BLOCK)
    ]
    nothing = mocpy.MOC.new_empty(order)
    return nothing.union(nothing, *blocks)
