"""The image-provider protocol: what the cut-outs stage requires of anything that delivers survey images."""

from typing import Protocol, runtime_checkable

from claran_core.common.cutout import Cutout, NoImage
from claran_core.survey.surveys import Survey

__all__ = ["ImageProvider"]


@runtime_checkable
class ImageProvider(Protocol):
    """Where the pixels of a survey come from: the simulated sky, files on disk, or archives."""

    @property
    def survey(self) -> Survey:
        """Survey whose pixels it delivers."""
        ...

    @property
    def workers(self) -> int:
        """Number of threads that may request cut-outs at the same time; 1: only the caller's thread."""
        ...

    @property
    def identity(self) -> str | None:
        """Description of everything that determines the pixels; None if cut-outs are not journalled.

        Cut-outs that are slow to fetch are kept in the journal of an unfinished shard, and reused as long as
        the identity stays the same.
        """
        ...

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        """Return the survey pixels that cover a square on the sky, or the reason why they are missing.

        The cut-out holds every native pixel needed to interpolate anywhere in the north-up square.  A failure
        of one subject is returned as a `NoImage`, not raised.

        Parameters
        ----------
        subject_id : str
            Name of the subject, for log messages.
        ra_deg, dec_deg : float
            Centre of the square, deg, ICRS.
        width_arcsec : float
            Width of the square.
        """
        ...

    def stop(self) -> None:
        """End pending requests early: the job was interrupted and no longer needs the cut-outs."""
        ...
