"""Sources with infrared images and known hosts, for fits and tests of host reliability.

The grouping of components is taken from the truth, so errors of the detector do not matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from claran_core.catalogue.measure.host import RadioPosition
from claran_core.catalogue.measure.infrared_sources import InfraredSources, find_infrared_sources
from claran_core.catalogue.measure.measure_subject import SubjectImage, measured_columns
from claran_core.catalogue.measure.stored_components import stored_components
from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.components.component_table import (
    NO_COMPONENTS,
    NOMINAL_LEVEL,
    SubjectComponents,
    nominal_components,
)
from claran_core.components.find import component_tables
from claran_core.labels.dr1_labels import label_simulated
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.surveys import SURVEYS

FIRST, W1 = SURVEYS["FIRST"], SURVEYS["WISE_W1"]
FRAME = Frame()

# A host is detected if a source lies this close to it that is at most this much brighter (by blending) or
# fainter (bright hosts are resolved).
SEEN_ARCSEC, SEEN_BRIGHTER, SEEN_FAINTER = 3.0, 1.0, 2.0


@dataclass(frozen=True)
class HostSample:
    """One labelled source of the simulated sky.

    Attributes
    ----------
    morphology : str
        Class of its label.
    radio : RadioPosition
        Measurements of the radio source.
    infrared : InfraredSources
        Infrared sources of its subject.
    host_ra_deg, host_dec_deg, host_magnitude : float
        The true host.
    """

    morphology: str
    radio: RadioPosition
    infrared: InfraredSources
    host_ra_deg: float
    host_dec_deg: float
    host_magnitude: float

    @property
    def seen(self) -> int | None:
        """Index of the infrared source that is the host; None where it is not seen."""
        ra, dec = self.infrared.ra, self.infrared.dec
        apart = np.hypot(*sky_offsets(self.host_ra_deg, self.host_dec_deg, ra, dec))
        fainter = self.infrared.magnitude - self.host_magnitude
        like = (fainter >= -SEEN_BRIGHTER) & (fainter <= SEEN_FAINTER)
        apart = np.where(like & (apart <= SEEN_ARCSEC), apart, np.inf)
        return int(apart.argmin()) if np.isfinite(apart).any() else None


def sky_offsets(
    ra_deg: float, dec_deg: float, other_ra_deg: np.ndarray | float, other_dec_deg: np.ndarray | float
) -> np.ndarray:
    """Return offsets to west and south of a position, arcsec; ``(2, ...)``."""
    frame = Frame(size_px=0, pixel_scale_arcsec=1.0)
    return np.array(frame.sky_to_frame(ra_deg, dec_deg, other_ra_deg, other_dec_deg))


def simulated_samples(targets: pd.DataFrame, seed: int) -> Iterator[HostSample]:
    """Yield the labelled sources of some subjects of the simulated sky."""
    skies = SimulatedProvider(FIRST, seed=seed), SimulatedProvider(W1, seed=seed)
    for target in targets.itertuples():
        subject = Subject.of_target(target, FRAME)
        window = target.ra, target.dec, FRAME.width_arcsec
        radio, infrared = (sky.cutout(target.subject_id, *window) for sky in skies)
        sources = skies[0].truth(*window)
        truth = {source.source_id: source for source in sources}
        found = find_infrared_sources(infrared, W1)
        for label, columns in measured_labels(subject, radio, label_simulated(subject, radio, sources)):
            yield HostSample(
                label.morphology,
                RadioPosition.from_columns(columns, FIRST.beam_arcsec),
                found,
                label.host_ra,
                label.host_dec,
                truth[label.label_id].host_magnitude,
            )


def measured_labels(subject: Subject, radio: Cutout, labels: pd.DataFrame) -> Iterator[tuple]:
    """Yield the labels of a subject with the measured columns of their components."""
    components, subject_image = subject_image_of(subject, radio)
    for label in labels.itertuples():
        at = subject.frame.sky_to_frame(
            subject.ra_deg, subject.dec_deg, np.array(label.component_ra), np.array(label.component_dec)
        )
        apart = np.hypot(*(components.peaks.T[:, :, None] - np.array(at)[:, None]))
        ids = np.unique(components.ids[apart.argmin(axis=0)]).tolist()
        yield label, measured_columns(subject_image, ids, ids)


def subject_image_of(subject: Subject, radio: Cutout) -> tuple[SubjectComponents, SubjectImage]:
    """Return the components of a subject by the contour rule, and the subject with them."""
    table, noise = component_tables([(subject, radio, (NOMINAL_LEVEL,))], subject.frame)
    stored = {scale: own for (_, scale), own in stored_components(table).items()}
    subject_image = SubjectImage.of(subject, radio, stored, float(noise["sigma"].iloc[0]), FIRST)
    return nominal_components(table).get(subject.subject_id, NO_COMPONENTS), subject_image
