"""The beam of an image in its pixels, at the place of a subject.

The beam is the one that the image states, or else the survey's.  On the pixels of an image it is a Gaussian
with elliptical contours: because it is elliptical itself, and because pixels may be oblong or stretched by
the projection.
"""

from dataclasses import dataclass

import numpy as np

from claran_core.common.cutout import Cutout
from claran_core.survey.surveys import Survey

__all__ = ["ROUND", "THOUSANDTHS", "PixelBeam", "Shape"]

# Form of an ellipse ``xx xy yy``, in thousandths: a pixel at x, y from the centre has the squared distance
# (xx x^2 + 2 xy x y + yy y^2) / 1000 in units of the mean radius.  Rounded, so that images of about the same
# geometry have the same discs of pixels.
Shape = tuple[int, int, int]
THOUSANDTHS = 1000
ROUND: Shape = (THOUSANDTHS, 0, THOUSANDTHS)


@dataclass(frozen=True)
class PixelBeam:
    """A beam in the pixels of an image.

    Attributes
    ----------
    fwhm_px : float
        Geometric mean of the FWHM along both axes, pixels.
    shape : Shape
        Form of its contours.
    """

    fwhm_px: float
    shape: Shape = ROUND

    @classmethod
    def of(cls, cutout: Cutout, survey: Survey) -> "PixelBeam":
        """Return the beam of a cut-out, at its middle; that of the survey where the cut-out states none."""
        beam = cutout.beam or survey.beam
        fwhm_px = beam.fwhm_arcsec / cutout.pixel_scale_arcsec
        angle = np.deg2rad(beam.angle_deg)
        # Along the axes of the beam, east and north.
        axes = np.array([[np.sin(angle), np.cos(angle)], [np.cos(angle), -np.sin(angle)]]) @ cutout.sky_matrix
        axes /= np.array([[beam.major_arcsec], [beam.minor_arcsec]])
        form = fwhm_px**2 * (axes.T @ axes)
        xx, xy, yy = np.rint(THOUSANDTHS * form[[0, 0, 1], [0, 1, 1]]).astype(int).tolist()
        return cls(fwhm_px, (xx, xy, yy))

    @property
    def major_px(self) -> float:
        """FWHM along the major axis, pixels."""
        return float(self.fwhm_px / np.sqrt(np.linalg.eigvalsh(self.form)[0]))

    @property
    def form(self) -> np.ndarray:
        """`shape` as a matrix ``(2, 2)`` in units of 1."""
        xx, xy, yy = self.shape
        return np.array([[xx, xy], [xy, yy]]) / THOUSANDTHS
