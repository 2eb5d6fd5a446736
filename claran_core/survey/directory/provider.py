"""Image provider for a folder: FITS files and large mosaics, found by their WCS.

An index (`claran_core.survey.directory.image_index`) lists the images of the folder; pixels are read only
where a subject needs them.  Where images overlap, the one with the best coverage of a subject is used; of
equal ones, the one with the finest pixels, then the one whose centre is nearest, then the first by name.  If
none covers the whole subject, several are combined.  Images of the same pixels that contradict each other are
refused, and maps of noise and the like are passed over (`claran_core.survey.directory.image_choice`).
"""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from claran_core.common.cutout import Cutout, NoImage
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.survey.coadd import coadd
from claran_core.survey.coverage import coverage_of
from claran_core.survey.directory.image_files import matching_files
from claran_core.survey.directory.image_index import MISNAMED, ImageIndex
from claran_core.survey.directory.image_warnings import log_warnings
from claran_core.survey.fits_image import (
    READ_ERRORS,
    FitsImage,
    UnreadableFile,
    read_window,
    scan_file,
)
from claran_core.survey.footprint import PixelWindow, sampling_frame
from claran_core.survey.pixel_flags import mask_and_flag
from claran_core.survey.surveys import Survey
from claran_core.survey.units import check_background, check_stated, noise_fits, unit_factor

__all__ = ["DirectoryProvider"]

logger = logging.getLogger(__name__)

# Cut-outs of one subject kept for combining them, those with the best coverage: bounds the memory.
MAX_COADDED = 32
# Flags of images that do not mix with others.
UNMIXABLE = Flag.SUSPECT_UNIT | Flag.COARSE_PIXELS


@dataclass
class _Found:
    """Result of looking for one subject in some files.

    Attributes
    ----------
    cutouts : list of (float, Cutout)
        Coverage of the subject and cut-out, the best first.
    blank : list of str
        Images with blank pixels only.
    faults : list of UnreadableFile
        Images that show the subject, or may do so, but cannot be read.
    """

    cutouts: list[tuple[float, Cutout]] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    faults: list[UnreadableFile] = field(default_factory=list)

    def add(self, coverage: float, cutout: Cutout) -> None:
        """Add a cut-out behind those of at least its coverage."""
        self.cutouts.append((coverage, cutout))
        self.cutouts.sort(key=lambda entry: -entry[0])
        del self.cutouts[MAX_COADDED:]


class DirectoryProvider:
    """Images of a survey from the FITS files below a folder (an `ImageProvider`).

    Parameters
    ----------
    survey : Survey
        Survey whose pixels the files hold.
    path : Path
        The folder.
    pattern : str
        Glob pattern of the image files, relative to the folder.
    index : ImageIndex, optional
        Index of the folder; default: the headers of all files are read now.

    Raises
    ------
    ConfigError
        If the folder does not exist, or contains no file that matches.
    """

    def __init__(
        self, survey: Survey, path: Path, *, pattern: str = "**/*.fits*", index: ImageIndex | None = None
    ) -> None:
        self.survey = survey
        self.path = Path(path)
        self.index = index or ImageIndex.scan(survey, self.path, matching_files(survey, self.path, pattern))
        if index is None:
            log_warnings(self.index.rows, survey.role, self.path)
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
        """Return the pixels of the image that covers a subject best, in the survey's unit.

        Parameters
        ----------
        subject_id : str
            Name of the subject, for log messages.
        ra_deg, dec_deg : float
            Centre of the subject, deg, ICRS.
        width_arcsec : float
            Width of the subject.

        Returns
        -------
        Cutout or NoImage
            A cut-out of one image; of several, flagged `COADDED`, where these cover more of the subject.
            ``no_coverage`` if no image shows the position; ``failed`` if a file that shows it cannot be
            read, or a file whose header does not tell where it lies.
        """
        frame = sampling_frame(width_arcsec, self.survey)
        near = self._search(self.index.near(frame, ra_deg, dec_deg), subject_id, frame, ra_deg, dec_deg)
        if near.cutouts:
            return self._best(near.cutouts, frame, ra_deg, dec_deg)
        # Files without a known position may show anything, and may be readable by now.
        unplaced = self._search(self.index.unplaced(), subject_id, frame, ra_deg, dec_deg)
        if unplaced.cutouts:
            return self._best(unplaced.cutouts, frame, ra_deg, dec_deg)
        return self._why_not(near.faults, unplaced.faults, near.blank + unplaced.blank)

    def _search(
        self, names: list[str], subject_id: str, frame: Frame, ra_deg: float, dec_deg: float
    ) -> _Found:
        """Look for a subject in some files, until one image covers all of it."""
        candidates, faults = self._candidates(names, frame, ra_deg, dec_deg)
        found = _Found(faults=faults)
        for image, window in candidates:
            try:
                cutout = self._read(image, window, frame, ra_deg, dec_deg)
            except READ_ERRORS as error:
                found.faults.append(UnreadableFile(image.name, " ".join(str(error).split()), image.footprint))
                logger.warning("%s: cannot read %s: %s", subject_id, image.path, found.faults[-1].reason)
                continue
            coverage = coverage_of(cutout, frame, ra_deg, dec_deg)
            if coverage == 0:
                found.blank.append(image.name)
            else:
                found.add(coverage, cutout)
            if coverage == 1:
                break
        return found

    def _best(
        self, cutouts: list[tuple[float, Cutout]], frame: Frame, ra_deg: float, dec_deg: float
    ) -> Cutout:
        """Return the cut-out with the best coverage, or several combined if that covers more."""
        coverage, best = cutouts[0]
        sound = [cutout for _, cutout in cutouts if not cutout.flags & UNMIXABLE]
        if coverage == 1 or len(sound) < 2:
            return best
        # Infrared images have a sky background, which differs from image to image.
        match_backgrounds = self.survey.band == "infrared"
        combined = coadd(sound, frame, ra_deg, dec_deg, match_backgrounds=match_backgrounds)
        return combined if coverage_of(combined, frame, ra_deg, dec_deg) > coverage else best

    def _candidates(
        self, names: list[str], frame: Frame, ra_deg: float, dec_deg: float
    ) -> tuple[list[tuple[FitsImage, PixelWindow]], list[UnreadableFile]]:
        """Return the images that may show part of a subject, in order of preference, and unreadable ones."""
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
            # A file without a known position may show any subject.
            faults += [
                fault
                for fault in unreadable
                if fault.footprint is None or fault.footprint.window(frame, ra_deg, dec_deg)
            ]
        return [(image, window) for _, image, window in sorted(found, key=lambda entry: entry[0])], faults

    def _scanned(self, name: str) -> tuple[list[FitsImage], list[UnreadableFile]]:
        """Return what a file holds according to its current headers, without images that are not used."""
        if name in self.index.misnamed:
            return [], [UnreadableFile(name, MISNAMED)]
        if name not in self._scans:
            images, faults = scan_file(self.path / name, name)
            unused = self.index.unused
            self._scans[name] = (
                [image for image in images if image.name not in unused],
                [
                    *faults,
                    *(
                        UnreadableFile(image.name, unused[image.name], image.footprint)
                        for image in images
                        if unused.get(image.name)
                    ),
                ],
            )
        return self._scans[name]

    def _read(
        self, image: FitsImage, window: PixelWindow, frame: Frame, ra_deg: float, dec_deg: float
    ) -> Cutout:
        data = read_window(image, window)
        factor = unit_factor(image.unit, self.survey, image.beam)
        flags = mask_and_flag(data, image.beam, self.survey)
        if factor is not None:
            data *= np.float32(factor)
        check_stated(image.unit, data, self.survey)
        check_background(data, self.survey)
        if factor is None or not noise_fits(data, self.survey):
            flags |= Flag.SUSPECT_UNIT
        data, wcs = image.footprint.regular(data, window, frame, ra_deg, dec_deg)
        cutout = Cutout(data=data, wcs=wcs, origin=image.name, flags=flags, unit=image.unit, beam=image.beam)
        if cutout.pixel_scale_arcsec > self.survey.beam_arcsec:
            return replace(cutout, flags=flags | Flag.COARSE_PIXELS)
        return cutout

    def _why_not(
        self, faults: list[UnreadableFile], unplaced: list[UnreadableFile], blank: list[str]
    ) -> NoImage:
        if faults:
            return NoImage("failed", f"cannot use {faults[0].name}, which covers it: {faults[0].reason}")
        if unplaced:
            more = f", and {len(unplaced) - 1} more" if len(unplaced) > 1 else ""
            return NoImage(
                "failed",
                f"no readable image covers it; cannot read {unplaced[0].name}: {unplaced[0].reason} (if it "
                f"is not an image of the survey, exclude it with survey.{self.survey.role}.pattern){more}",
            )
        if blank:
            return NoImage("no_coverage", f"{blank[0]} has only blank pixels there")
        return NoImage("no_coverage", f"no image in {self.path} covers it")
