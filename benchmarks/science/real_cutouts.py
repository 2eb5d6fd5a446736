"""Read labelled FIRST cut-outs of a folder, for the benchmarks on real images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.wcs import WCS

from claran_core.common.cutout import Cutout
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.components.contour_rule import Components
from claran_core.labels.rgz_table import read_label_table
from claran_core.survey.regular import regular_image


@dataclass(frozen=True)
class RealSubject:
    """A subject, its radio image, and its rows of the label table.

    See `claran_core.labels.rgz_table.read_label_table`.
    """

    subject: Subject
    cutout: Cutout
    rows: pd.DataFrame


def real_subjects(folder: Path) -> Iterator[RealSubject]:
    """Subjects of a folder with ``labels.csv`` (an RGZ label table) and ``radio/<first_id>.fits``.

    Raises
    ------
    InputError
        If the label table is missing or broken.
    """
    for name, rows in read_label_table(folder / "labels.csv").groupby("first_id"):
        with fits.open(folder / "radio" / f"{name}.fits") as hdus:
            header, image = hdus[0].header, hdus[0].data.astype(np.float32)
        first = rows.iloc[0]
        split = "train" if first["training"] == 1 else "test"
        subject = Subject(str(name), first["ra"], first["dec"], split, Frame())
        yield RealSubject(subject, Cutout(*regular_image(image, WCS(header).celestial), str(name)), rows)


def components_at(
    components: Components, cutout: Cutout, ra_deg: Sequence[float], dec_deg: Sequence[float]
) -> list[int]:
    """Indices of the components at positions (deg, ICRS), each once; positions without one are left out."""
    x, y = cutout.wcs.sky_to_pixels(np.asarray(ra_deg), np.asarray(dec_deg))
    return sorted({components.at(*position) for position in zip(x, y, strict=True)} - {None})
