"""Images from a folder: FITS files and large mosaics, found by their WCS.

Which images there are is read once, into an index (`claran_core.survey.directory.image_index`); headers
again, and pixels, only where a subject needs them.  Where images overlap, the one that covers a subject best
is taken, the finer of equals, then the one whose middle is nearest, then by name: never by the order in
which a file system lists them.
"""

import logging
from pathlib import Path

import numpy as np

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.reprojection import reproject
from claran_core.survey.directory.image_index import ImageIndex, matching_files
from claran_core.survey.fits_image import (
    READ_ERRORS,
    FitsImage,
    UnreadableFile,
    quiet_astropy,
    read_window,
    scan_file,
)
from claran_core.survey.footprint import PixelWindow, sampling_frame
from claran_core.survey.surveys import Survey
from claran_core.survey.units import noise_fits, unit_factor

__all__ = ["DirectoryProvider"]

logger = logging.getLogger(__name__)


class DirectoryProvider:
    """FITS files below a folder as an image source.

    Parameters
    ----------
    survey : Survey
        What the pixels mean.
    path : Path
        The folder.
    pattern : str
        Which files below it are images.
    index : ImageIndex, optional
        What was found there before; default: the headers of all files are read now.

    Raises
    ------
    ConfigError
        If there is no such folder, or no file in it matches.
    """

    def __init__(
        self, survey: Survey, path: Path, *, pattern: str = "**/*.fits*", index: ImageIndex | None = None
    ) -> None:
        self.survey = survey
        self.path = Path(path)
        self.index = index or ImageIndex.scan(self.path, matching_files(survey, self.path, pattern))
        if index is None:
            self.index.warn(self.path)
        self._scans: dict[str, tuple[list[FitsImage], list[UnreadableFile]]] = {}

    @property
    def workers(self) -> int:
        """One: subjects of a shard share opened files."""
        return 1

    @property
    def identity(self) -> None:
        """None: pixels on disk are cheap to read again."""
        return None

    def stop(self) -> None:
        """Do nothing: no request is ever pending."""

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """PixelWindow of the image that covers a subject best, in the survey's unit.

        Parameters
        ----------
        subject_id : str
            For the log.
        ra_deg, dec_deg : float
            Middle of the subject, deg, ICRS.
        width_arcsec : float
            Width of the subject.

        Returns
        -------
        Cutout or NoImage
            ``no_coverage`` if nothing here shows the position; ``failed`` if a file that shows it, or
            that may show it for all its header tells, cannot be read.
        """
        frame = sampling_frame(width_arcsec, self.survey)
        near = self.index.near(frame, ra_deg, dec_deg)
        best, faults, blank = self._best_of(near, subject_id, frame, ra_deg, dec_deg)
        if best is not None:
            return best
        # What these show nobody knows; since the index was made they may have become readable.
        unplaced = self.index.unplaced()
        best, unread, blank_too = self._best_of(unplaced, subject_id, frame, ra_deg, dec_deg)
        return best or self._why_not(faults, unread, blank + blank_too)

    def _best_of(
        self, names: list[str], subject_id: str, frame: Frame, ra_deg: float, dec_deg: float
    ) -> tuple[Cutout | None, list[UnreadableFile], list[str]]:
        """Best window in some files, what of them is unreadable, and which images are blank there."""
        candidates, faults = self._candidates(names, frame, ra_deg, dec_deg)
        best, best_coverage, blank = None, 0.0, []
        for image, window in candidates:
            try:
                cutout = self._read(image, window)
            except READ_ERRORS as error:
                faults.append(UnreadableFile(image.name, " ".join(str(error).split()), image.footprint))
                logger.warning("%s: %s cannot be read: %s", subject_id, image.path, faults[-1].reason)
                continue
            coverage = _coverage(cutout, window, frame, ra_deg, dec_deg)
            if coverage == 0:
                blank.append(image.name)
            if coverage > best_coverage:
                best, best_coverage = cutout, coverage
            if coverage == 1:
                break
        return best, faults, blank

    def _candidates(
        self, names: list[str], frame: Frame, ra_deg: float, dec_deg: float
    ) -> tuple[list[tuple[FitsImage, PixelWindow]], list[UnreadableFile]]:
        """Images that may show some of a subject, the best of equals first, and what is unreadable of it."""
        found, faults = [], []
        for name in names:
            images, unreadable = self._scanned(name)
            for image in images:
                window = image.footprint.window(frame, ra_deg, dec_deg)
                if window is not None:
                    # Files of one survey may differ in the last digits of their pixel scale.
                    scale = round(image.footprint.pixel_scale_arcsec, 3)
                    distance = round(image.footprint.distance_deg(ra_deg, dec_deg), 9)
                    found.append(((scale, distance, image.name), image, window))
            # Of a file that tells no place, nobody knows what it would show.
            faults += [
                fault
                for fault in unreadable
                if fault.footprint is None or fault.footprint.window(frame, ra_deg, dec_deg)
            ]
        return [(image, window) for _, image, window in sorted(found, key=lambda entry: entry[0])], faults

    def _scanned(self, name: str) -> tuple[list[FitsImage], list[UnreadableFile]]:
        """What is in a file, by its headers as they are now."""
        if name not in self._scans:
            self._scans[name] = scan_file(self.path / name, name)
        return self._scans[name]

    def _read(self, image: FitsImage, window: PixelWindow) -> Cutout:
        data = read_window(image, window)
        factor = unit_factor(image.unit, self.survey)
        flags = Flag(0)
        if factor is not None:
            data *= np.float32(factor)
        if factor is None or not noise_fits(data, self.survey):
            flags |= Flag.SUSPECT_UNIT
        if image.footprint.pixel_scale_arcsec > self.survey.beam_arcsec:
            flags |= Flag.COARSE_PIXELS
        with quiet_astropy():
            wcs = image.footprint.wcs[window.slices]
        return Cutout(data=data, wcs=wcs, origin=image.name, flags=flags)

    def _why_not(
        self, faults: list[UnreadableFile], unplaced: list[UnreadableFile], blank: list[str]
    ) -> NoImage:
        if faults:
            return NoImage("failed", f"could not read {faults[0].name}, which covers it: {faults[0].reason}")
        if unplaced:
            more = f", and {len(unplaced) - 1} more" if len(unplaced) > 1 else ""
            return NoImage(
                "failed",
                f"not covered by any readable image; could not read {unplaced[0].name}: {unplaced[0].reason} "
                f"(exclude it by survey.{self.survey.band}.pattern if it is none){more}",
            )
        if blank:
            return NoImage("no_coverage", f"{blank[0]} has only blank pixels there")
        return NoImage("no_coverage", f"no image in {self.path} covers it")


def _coverage(cutout: Cutout, window: PixelWindow, frame: Frame, ra_deg: float, dec_deg: float) -> float:
    """Fraction of the frame's pixels that the cut-out can fill."""
    if window.complete and np.isfinite(cutout.data).all():
        return 1.0
    return float(np.isfinite(reproject(cutout, frame, ra_deg, dec_deg)).mean())
