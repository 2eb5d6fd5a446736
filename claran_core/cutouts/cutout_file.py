"""The cut-outs of one shard and band on disk: one FITS file with an image extension per subject.

Extensions are written one after the other and read one at a time, so that memory holds one subject
whatever the shard's size.  The number of cut-outs is written into the primary header last of all: a
file that lost its tail is noticed even where the loss falls between two extensions.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag
from claran_core.survey.fits_image import READ_ERRORS, quiet_astropy

__all__ = ["CutoutFile", "CutoutWriter", "read_cutouts"]

# Marks the primary header of our files.
CONTENT = "CLARAN cut-outs"
FITS_BLOCK = 2880


class CutoutWriter:
    """Writes cut-outs one by one; the file is complete after `close`.

    Parameters
    ----------
    handle : binary file
        Open for writing, empty.
    survey, unit : str
        Name of the survey and unit of its pixels; empty where a run goes without the band.
    """

    def __init__(self, handle: BinaryIO, *, survey: str = "", unit: str = "") -> None:
        self.handle, self.survey, self.unit = handle, survey, unit
        self.count = 0
        self._write_primary()

    def add(self, subject_id: str, cutout: Cutout) -> None:
        """Append a cut-out as an image extension named after its subject."""
        self.append(self.extension(subject_id, cutout))

    def append(self, extension: bytes) -> None:
        """Append an image extension that `extension` has made."""
        self.handle.write(extension)
        self.count += 1

    def extension(self, subject_id: str, cutout: Cutout) -> bytes:
        """Bytes of a cut-out as an image extension named after its subject; any thread may ask."""
        with quiet_astropy():
            # relax: distortion terms are kept, although they are not in the standard.
            header = fits.ImageHDU(cutout.data, cutout.wcs.to_header(relax=True)).header
            header["EXTNAME"] = subject_id
            header["BUNIT"] = self.unit
            header["SURVEY"] = self.survey
            # FITS headers are ASCII; names of files need not be.
            header["ORIGIN"] = cutout.origin.encode("ascii", "backslashreplace").decode()
            header["FLAGS"] = (int(cutout.flags), "bit mask, see claran_core.common.flags")
            head = header.tostring().encode("ascii")
        pixels = cutout.data.astype(">f4").tobytes()
        return head + pixels + bytes(-len(pixels) % FITS_BLOCK)

    def close(self) -> None:
        """Record how many cut-outs the file holds."""
        self.handle.seek(0)
        self._write_primary()

    def _write_primary(self) -> None:
        header = fits.PrimaryHDU().header
        header["CONTENT"] = CONTENT
        header["SURVEY"] = self.survey
        header["NCUTOUTS"] = (self.count, "image extensions that follow")
        self.handle.write(header.tostring().encode("ascii"))


class CutoutFile(Mapping[str, Cutout]):
    """The cut-outs of a file by subject; pixels are read when asked for.  Close it, or use ``with``."""

    def __init__(self, path: Path, hdus: fits.HDUList) -> None:
        self._path, self._hdus = path, hdus
        self._numbers = {hdu.header["EXTNAME"]: number for number, hdu in enumerate(hdus) if number > 0}

    def __getitem__(self, subject_id: str) -> Cutout:
        """Cut-out of a subject.

        Raises
        ------
        KeyError
            If the subject has none.
        InputError
            If the file is damaged.
        """
        hdu = self._hdus[self._numbers[subject_id]]
        try:
            with quiet_astropy():
                data = np.array(hdu.data, dtype=np.float32)  # a copy, in native byte order
                wcs = WCS(hdu.header)
            return Cutout(data=data, wcs=wcs, origin=hdu.header["ORIGIN"], flags=Flag(hdu.header["FLAGS"]))
        except READ_ERRORS as error:
            raise InputError(_damaged(self._path, f"{subject_id}: {error}")) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __enter__(self) -> "CutoutFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def extents(self) -> dict[str, tuple[int, int]]:
        """First byte in the file, and length in bytes, of each subject's image extension."""
        places = {subject_id: self._hdus[number].fileinfo() for subject_id, number in self._numbers.items()}
        return {
            subject_id: (place["hdrLoc"], place["datLoc"] + place["datSpan"] - place["hdrLoc"])
            for subject_id, place in places.items()
        }

    def close(self) -> None:
        """Close the file; cut-outs already taken stay valid."""
        self._hdus.close()


def read_cutouts(path: Path) -> CutoutFile:
    """Open the cut-outs of one shard and band.

    Returns
    -------
    CutoutFile
        A mapping from subject id to `Cutout`, in the order of the shard; subjects without an image are
        not in it.

    Raises
    ------
    InputError
        If the file is missing, truncated, or not one of cut-outs.
    """
    hdus = None
    try:
        with quiet_astropy():
            hdus = fits.open(path, memmap=True)
            _check_complete(path, hdus)
            return CutoutFile(path, hdus)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the stage that writes it (cutouts)") from None
    except (*READ_ERRORS, InputError) as error:
        if hdus is not None:
            hdus.close()
        if isinstance(error, InputError):
            raise
        raise InputError(_damaged(path, str(error))) from None


def _check_complete(path: Path, hdus: fits.HDUList) -> None:
    if hdus[0].header.get("CONTENT") != CONTENT:
        raise InputError(_damaged(path, "it was not written by the stage cutouts"))
    expected, found = hdus[0].header["NCUTOUTS"], len(hdus) - 1
    last = hdus[-1].fileinfo()
    if found != expected or last["datLoc"] + last["datSpan"] > path.stat().st_size:
        raise InputError(_damaged(path, f"truncated: {found} cut-outs or fewer of {expected}"))


def _damaged(path: Path, reason: str) -> str:
    return f"{path}: not a complete file of cut-outs ({reason}); remove it and rerun the stage cutouts"
