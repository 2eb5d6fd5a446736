"""Write the image of one subject as a plain FITS file."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from claran_core.common.constants import ARCSEC_PER_DEG
from claran_core.common.cutout import Cutout, Role
from claran_core.common.errors import InputError
from claran_core.common.files import atomic_path, read_table
from claran_core.common.paths import Results
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.survey.regular import wcs_cards

__all__ = ["export_cutout", "fits_image"]


def export_cutout(results: Results, subject_id: str, band: Role, path: Path, *, overwrite: bool) -> None:
    """Write the cut-out of a subject as FITS.

    Parameters
    ----------
    results : Results
        Results folder of the run.
    subject_id : str
        Name of the subject.
    band : {"radio", "second_radio", "infrared"}
        Which of its images.
    path : Path
        File to write.
    overwrite : bool
        Whether to replace an existing file.

    Raises
    ------
    InputError
        If `path` exists, the run has no such subject, or the subject has no image in this band.
    """
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists; name another output, or replace it with --overwrite")
    shard = _shard_of(results, subject_id)
    with read_cutouts(results.cutouts(shard, band)) as cutouts:
        cutout = cutouts.get(subject_id)
        if cutout is None:
            ledger = results.second_ledger(shard) if band == "second_radio" else results.ledger(shard)
            raise InputError(f"{subject_id}: has no {band} image; {ledger} says why")
        hdu = fits_image(subject_id, cutout, survey=cutouts.survey, unit=cutouts.unit)
        with atomic_path(path) as temporary:
            hdu.writeto(temporary, overwrite=True, checksum=True)


def fits_image(subject_id: str, cutout: Cutout, *, survey: str, unit: str) -> fits.PrimaryHDU:
    """Return a cut-out as a FITS image.

    Its header has the WCS with all digits, OBJECT, BUNIT, the beam that the survey's file states or that of a
    coarse view (BMAJ, BMIN, BPA), SURVEY, ORIGIN (where the pixels come from) and FLAGS.
    """
    hdu = fits.PrimaryHDU(np.asarray(cutout.data))
    header = hdu.header
    header["OBJECT"] = _ascii(subject_id)
    header.update(wcs_cards(cutout.wcs))
    header["BUNIT"] = unit
    if cutout.beam is not None:
        header["BMAJ"] = (cutout.beam.major_arcsec / ARCSEC_PER_DEG, "[deg] beam, FWHM of the major axis")
        header["BMIN"] = (cutout.beam.minor_arcsec / ARCSEC_PER_DEG, "[deg] FWHM of the minor axis")
        header["BPA"] = (cutout.beam.angle_deg, "[deg] position angle, north to east")
    header["SURVEY"] = survey
    header["ORIGIN"] = _ascii(cutout.origin)
    header["FLAGS"] = (int(cutout.flags), "bit mask, see claran_core.common.flags")
    return hdu


def _ascii(text: str) -> str:
    """Return a text as FITS headers can hold it; file names may contain any characters."""
    return text.encode("ascii", "backslashreplace").decode()


def _shard_of(results: Results, subject_id: str) -> str:
    targets = read_table(results.targets, ["subject_id", "shard"])
    shards = targets.loc[targets["subject_id"] == subject_id, "shard"]
    if shards.empty:
        raise InputError(f"{results.targets}: no subject {subject_id!r}; names are in column subject_id")
    return str(shards.iloc[0])
