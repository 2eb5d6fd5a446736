"""What is wrong with the pixels of an image, wherever it comes from."""

import numpy as np

from claran_core.common.cutout import Beam
from claran_core.common.flags import Flag
from claran_core.survey.blanks import mask_missing
from claran_core.survey.header_beam import is_far_from_survey
from claran_core.survey.surveys import Survey

__all__ = ["mask_and_flag"]


def mask_and_flag(data: np.ndarray, beam: Beam | None, survey: Survey) -> Flag:
    """Mask missing pixels, and return the flags of an image.

    Parameters
    ----------
    data : (ny, nx) float32 array
        Pixels as the file has them; changed in place (`claran_core.survey.blanks.mask_missing`).
    beam : Beam, optional
        Beam of the image, if its file states one.
    survey : Survey
        Survey that the image is of.

    Returns
    -------
    Flag
        `PIXELS_MASKED` where absurd values were masked, `BEAM_DIFFERS` if the beam is far from the survey's.
    """
    flags = Flag.PIXELS_MASKED if mask_missing(data) else Flag(0)
    return flags | Flag.BEAM_DIFFERS if is_far_from_survey(beam, survey) else flags
