"""Images from a folder: FITS files and large mosaics, found by their WCS.

The headers are read once, when the source is opened; pixels only where a subject needs them.  Where
images overlap, the one that covers a subject best is taken, the finer of equals, then the one whose
middle is nearest, then by name: never by the order in which a file system lists them.
"""

import glob
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from claran_core.errors import ConfigError
from claran_core.flags import Flag
from claran_core.frame import ARCSEC_PER_DEG, Frame
from claran_core.fusion.reprojection import reproject
from claran_core.log import Progress
from claran_core.survey.base import Cutout, NoImage, Survey
from claran_core.survey.fits_image import (
    READ_ERRORS,
    FitsImage,
    UnreadableFile,
    quiet_astropy,
    read_window,
    scan_file,
)
from claran_core.survey.footprint import Footprint, Window, unit_vectors
from claran_core.survey.units import noise_fits, unit_factor

__all__ = ["DirectorySource"]

logger = logging.getLogger(__name__)


class DirectorySource:
    """FITS files below a folder as an image source.

    Parameters
    ----------
    survey : Survey
        What the pixels mean.
    path : Path
        The folder.
    pattern : str
        Which files below it are images.

    Raises
    ------
    ConfigError
        If there is no such folder, or no file in it matches.
    """

    def __init__(self, survey: Survey, path: Path, *, pattern: str = "**/*.fits*") -> None:
        self.survey = survey
        self.path = Path(path)
        self.images: list[FitsImage] = []
        self.unreadable: list[UnreadableFile] = []
        self._scan(_matching_files(survey, self.path, pattern))
        self._image_circles = _Circles(image.footprint for image in self.images)

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Window of the image that covers a subject best, in the survey's unit.

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
        frame = _sampling_frame(width_arcsec, self.survey)
        position = ra_deg, dec_deg
        best, best_coverage, blank, faults = None, 0.0, [], []
        for image, window in self._candidates(frame, *position):
            try:
                cutout = self._read(image, window)
            except READ_ERRORS as error:
                faults.append(UnreadableFile(image.name, " ".join(str(error).split()), image.footprint))
                logger.warning("%s: %s cannot be read: %s", subject_id, image.path, faults[-1].reason)
                continue
            coverage = _coverage(cutout, window, frame, *position)
            if coverage == 0:
                blank.append(image.name)
            if coverage > best_coverage:
                best, best_coverage = cutout, coverage
            if coverage == 1:
                break
        return best or self._why_not(frame, *position, faults, blank)

    def _scan(self, names: list[str]) -> None:
        progress = Progress(f"{self.path}: headers read", len(names))
        for name in names:
            images, unreadable = scan_file(self.path / name, name)
            self.images += images
            self.unreadable += unreadable
            for fault in unreadable:
                logger.warning("%s: left out: %s", self.path / fault.name, fault.reason)
            progress.step()

    def _candidates(self, frame: Frame, ra_deg: float, dec_deg: float) -> list[tuple[FitsImage, Window]]:
        """Images that may show some of a subject, the best of equals first."""
        found = []
        for number in self._image_circles.near(frame, ra_deg, dec_deg):
            image = self.images[number]
            window = image.footprint.window(frame, ra_deg, dec_deg)
            if window is not None:
                # Files of one survey may differ in the last digits of their pixel scale.
                scale = round(image.footprint.pixel_scale_arcsec, 3)
                distance = round(image.footprint.distance_deg(ra_deg, dec_deg), 9)
                found.append(((scale, distance, image.name), image, window))
        return [(image, window) for _, image, window in sorted(found, key=lambda entry: entry[0])]

    def _read(self, image: FitsImage, window: Window) -> Cutout:
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
        self, frame: Frame, ra_deg: float, dec_deg: float, faults: list[UnreadableFile], blank: list[str]
    ) -> NoImage:
        placed = [file for file in self.unreadable if file.footprint is not None]
        near = _Circles(file.footprint for file in placed).near(frame, ra_deg, dec_deg)
        faults += [placed[n] for n in near if placed[n].footprint.window(frame, ra_deg, dec_deg)]
        if faults:
            return NoImage("failed", f"could not read {faults[0].name}, which covers it: {faults[0].reason}")
        unplaced = [file for file in self.unreadable if file.footprint is None]
        if unplaced:
            more = f", and {len(unplaced) - 1} more" if len(unplaced) > 1 else ""
            return NoImage(
                "failed",
                f"not covered by any readable image; could not read {unplaced[0].name}: {unplaced[0].reason} "
                f"(exclude it by survey.{self.survey.band}.pattern if it is none){more}",
            )
        if blank:
            return NoImage("no_coverage", f"only blank pixels there in {blank[0]}")
        return NoImage("no_coverage", f"no image in {self.path} covers it")


class _Circles:
    """Circles around footprints, to look up which of many may touch a subject."""

    def __init__(self, footprints: Iterable[Footprint | None]) -> None:
        known = [footprint for footprint in footprints if footprint is not None]
        self.centres = np.array([footprint.centre for footprint in known]).reshape(-1, 3)
        self.radii_deg = np.array([footprint.radius_deg for footprint in known])

    def near(self, frame: Frame, ra_deg: float, dec_deg: float) -> np.ndarray:
        """Numbers of the footprints whose circle meets that around the subject."""
        reach_deg = frame.width_arcsec / ARCSEC_PER_DEG / np.sqrt(2)
        cosines = self.centres @ unit_vectors(ra_deg, dec_deg)
        return np.flatnonzero(cosines >= np.cos(np.deg2rad(np.minimum(self.radii_deg + reach_deg, 180.0))))


def _matching_files(survey: Survey, path: Path, pattern: str) -> list[str]:
    """Names below `path`, sorted; links are followed."""
    key = f"config: survey.{survey.band}"
    if not path.is_dir():
        raise ConfigError(f"{key}.path: no folder {path}; give the one that holds the FITS files")
    # Path.glob would not follow links to folders, which is how archives are put together on clusters.
    names = glob.glob(pattern, root_dir=path, recursive=True)  # noqa: PTH207
    names = sorted(name for name in names if (path / name).is_file())
    if not names:
        raise ConfigError(f"{key}.path: no file in {path} matches {pattern!r}; see {key[8:]}.pattern")
    return names


def _sampling_frame(width_arcsec: float, survey: Survey) -> Frame:
    """Frame of this width that is sampled about as finely as the survey."""
    size_px = max(1, round(width_arcsec / survey.pixel_scale_arcsec))
    return Frame(size_px=size_px, pixel_scale_arcsec=width_arcsec / size_px)


def _coverage(cutout: Cutout, window: Window, frame: Frame, ra_deg: float, dec_deg: float) -> float:
    """Fraction of the frame's pixels that the cut-out can fill."""
    if window.complete and np.isfinite(cutout.data).all():
        return 1.0
    return float(np.isfinite(reproject(cutout, frame, ra_deg, dec_deg)).mean())
