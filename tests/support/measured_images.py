"""Components around a position of images on disk, each measured as a source of its own."""

from pathlib import Path

import pandas as pd

from claran_core.catalogue.measure.measure_subject import SubjectImage, measured_columns
from claran_core.catalogue.measure.stored_components import stored_components
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.common.tables import NATIVE_SCALE
from claran_core.components.component_table import NOMINAL_LEVEL
from claran_core.components.find import component_tables
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.surveys import Survey

__all__ = ["measured_components"]


def measured_components(
    folder: Path, survey: Survey, ra_deg: float, dec_deg: float, frame: Frame, *, pattern: str = "**/*.fits*"
) -> tuple[Cutout, pd.DataFrame]:
    """Return the cut-out of a subject, and the measured columns of each of its components, if any.

    Parameters
    ----------
    folder, pattern : Path and str
        Where the images are, as for `DirectoryProvider`.
    survey : Survey
        Their survey.
    ra_deg, dec_deg : float
        Centre of the subject.
    frame : Frame
        Its geometry.
    """
    provider = DirectoryProvider(survey, folder, pattern=pattern)
    cutout = provider.cutout("subject", ra_deg, dec_deg, frame.width_arcsec)
    assert isinstance(cutout, Cutout), cutout
    subject = Subject("subject", ra_deg, dec_deg, "none", frame)
    components, noise = component_tables([(subject, cutout, (NOMINAL_LEVEL,))], frame)
    stored = {scale: own for (_, scale), own in stored_components(components).items()}
    image = SubjectImage.of(subject, cutout, stored, float(noise["sigma"].iloc[0]), survey)
    ids = stored[NATIVE_SCALE].ids.tolist() if stored else []
    return cutout, pd.DataFrame([measured_columns(image, [one], [one]) for one in ids])
