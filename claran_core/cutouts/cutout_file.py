"""Files of the cut-outs of one shard and band: FITS with an image extension per subject.

Extensions are written and read one at a time, so that memory holds one subject whatever the size of the
shard. The number of cut-outs is written to the primary header last, so that a truncated file is detected
even if it ends between two extensions.
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
from claran_core.survey.regular import regular_image, wcs_cards

__all__ = ["CutoutFile", "CutoutWriter", "read_cutouts"]

# Value of CONTENT in the primary header.
CONTENT = "CLARAN cut-outs"
FITS_BLOCK = 2880


class CutoutWriter:
    """Write cut-outs one by one; the file is complete after `close`.

    Parameters
    ----------
    handle : binary file
        Empty file open for writing.
    survey, unit : str
        Name of the survey and unit of its pixels; empty if the run does not use the band.
    """

    def __init__(self, handle: BinaryIO, *, survey: str = "", unit: str = "") -> None:
        self.handle, self.survey, self.unit = handle, survey, unit
        self.count = 0
        self._write_primary()

    def add(self, subject_id: str, cutout: Cutout) -> None:
        """Append a cut-out as an image extension named after its subject."""
        self.append(self.extension(subject_id, cutout))

    def append(self, extension: bytes) -> None:
        """Append an image extension made by `extension`."""
        self.handle.write(extension)
        self.count += 1

    def extension(self, subject_id: str, cutout: Cutout) -> bytes:
        """Return a cut-out as the bytes of an image extension named after its subject.  Thread-safe."""
        with quiet_astropy():
            header = fits.ImageHDU(cutout.data, fits.Header(wcs_cards(cutout.wcs))).header
            header["EXTNAME"] = subject_id
            header["BUNIT"] = self.unit
            header["SURVEY"] = self.survey
            # FITS headers are ASCII; file names may not be.
            header["ORIGIN"] = cutout.origin.encode("ascii", "backslashreplace").decode()
            header["FLAGS"] = (int(cutout.flags), "bit mask, see claran_core.common.flags")
            head = header.tostring().encode("ascii")
        pixels = cutout.data.astype(">f4").tobytes()
        return head + pixels + bytes(-len(pixels) % FITS_BLOCK)

    def close(self) -> None:
        """Write the number of cut-outs to the header."""
        self.handle.seek(0)
        self._write_primary()

    def _write_primary(self) -> None:
        header = fits.PrimaryHDU().header
        header["CONTENT"] = CONTENT
        header["SURVEY"] = self.survey
        header["NCUTOUTS"] = (self.count, "image extensions that follow")
        self.handle.write(header.tostring().encode("ascii"))


class CutoutFile(Mapping[str, Cutout]):
    """The cut-outs of a file by subject; pixels are read on access.  Close it, or use ``with``."""

    def __init__(self, path: Path, hdus: fits.HDUList) -> None:
        self._path, self._hdus = path, hdus
        self._numbers = {hdu.header["EXTNAME"]: number for number, hdu in enumerate(hdus) if number > 0}

    def __getitem__(self, subject_id: str) -> Cutout:
        """Return the cut-out of a subject.

        Raises
        ------
        KeyError
            If the subject has no cut-out.
        InputError
            If the file is damaged.
        """
        hdu = self._hdus[self._numbers[subject_id]]
        try:
            with quiet_astropy():
                data = np.array(hdu.data, dtype=np.float32)  # a copy, in native byte order
            data, wcs = regular_image(data, WCS(hdu.header))
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
        """Return the offset and length in bytes of each subject's image extension."""
        places = {subject_id: self._hdus[number].fileinfo() for subject_id, number in self._numbers.items()}
        return {
            subject_id: (place["hdrLoc"], place["datLoc"] + place["datSpan"] - place["hdrLoc"])
            for subject_id, place in places.items()
        }

    def close(self) -> None:
        """Close the file; cut-outs already read stay valid."""
        self._hdus.close()


def read_cutouts(path: Path) -> CutoutFile:
    """Open the cut-outs of one shard and band.

    Returns
    -------
    CutoutFile
        A mapping from subject id to `Cutout`, in the order of the shard, without subjects that have no image.

    Raises
    ------
    InputError
        If the file is missing, truncated, or not a file of cut-outs.
    """
    hdus = None
    try:
        with quiet_astropy():
            hdus = fits.open(path, memmap=True)
            _check_complete(path, hdus)
            return CutoutFile(path, hdus)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the stage cutouts, which writes it") from None
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
        raise InputError(_damaged(path, f"truncated: at most {found} of {expected} cut-outs"))


def _damaged(path: Path, reason: str) -> str:
    return f"{path}: not a complete file of cut-outs ({reason}); remove it and rerun the stage cutouts"
