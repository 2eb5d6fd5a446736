"""The catalogue as a table: positions, sizes, counts, flags and names of the selected detections.

One row per source and subject.  A source seen in two overlapping subjects is still listed twice;
merging those is the next step of the catalogue and works on this table.
"""

import numpy as np
import pandas as pd
from astropy import units as u
from astropy_healpix import HEALPix

from claran_core import __version__
from claran_core.catalogue.postfilter import select_sources
from claran_core.catalogue.schema import CATALOGUE
from claran_core.config import CatalogueOptions
from claran_core.errors import InputError
from claran_core.flags import Flag
from claran_core.frame import Frame
from claran_core.morphology import MORPHOLOGIES
from claran_core.names import source_names
from claran_core.overlap import BOX_COLUMNS, box_array

__all__ = ["build_catalogue", "describe_sources", "finish_catalogue"]

# Rows are sorted by nested HEALPix pixel of this order (3.4 arcmin, about one subject), so that what is
# close on the sky is close in the file.
HEALPIX_ORDER = 10

# A box ending within half a pixel of the border touches it: the detector clips boxes to the frame.
EDGE_PX = 0.5


def build_catalogue(
    detections: pd.DataFrame,
    fused_index: pd.DataFrame,
    options: CatalogueOptions,
    frame: Frame,
    *,
    method: str,
    model_id: str,
) -> pd.DataFrame:
    """Turn the detections of any number of subjects into a catalogue.

    Parameters
    ----------
    detections : DataFrame
        Columns of `claran_core.tables.DETECTIONS`.
    fused_index : DataFrame
        Columns ``subject_id``, ``ra``, ``dec`` and ``flags`` of `claran_core.tables.FUSED`, one row per
        subject: where each image is centred, and what is known to be odd about it.
    options : CatalogueOptions
        What to keep (paper section 6.1.1).
    frame : Frame
        Geometry of the subjects.
    method : str
        Fusion method of the images the detections come from.
    model_id : str
        Names the weights.

    Returns
    -------
    DataFrame
        Columns of `claran_core.catalogue.schema.CATALOGUE`, sorted by HEALPix pixel and ``source_id``;
        the same whatever the order of the rows given.

    Raises
    ------
    InputError
        If a detection belongs to no fused subject.
    """
    sources = describe_sources(detections, fused_index, options, frame, method=method, model_id=model_id)
    return finish_catalogue(sources)


def describe_sources(
    detections: pd.DataFrame,
    fused_index: pd.DataFrame,
    options: CatalogueOptions,
    frame: Frame,
    *,
    method: str,
    model_id: str,
) -> pd.DataFrame:
    """All columns of the catalogue but the name: what can be said from one shard alone.

    Parameters and errors as `build_catalogue`.  Rows come in no particular order.
    """
    sources = select_sources(detections, options)
    boxes = box_array(sources)
    subjects = _subjects_of(sources, fused_index)
    x, y = boxes[:, [0, 2]].mean(axis=1), boxes[:, [1, 3]].mean(axis=1)
    ra, dec = frame.frame_to_sky(subjects["ra"].to_numpy(), subjects["dec"].to_numpy(), x, y)
    flags = sources["flags"].to_numpy() | subjects["flags"].to_numpy() | _edge_flags(boxes, frame)
    return sources.assign(
        ra=ra,
        dec=dec,
        method=method,
        n_components=_count(sources["morphology"], 0),
        n_peaks=_count(sources["morphology"], 1),
        angular_size=_mean_side(boxes) * frame.pixel_scale_arcsec,
        flags=flags.astype(np.int32),
        model_id=model_id,
        pipeline_version=__version__,
    )


def finish_catalogue(sources: pd.DataFrame) -> pd.DataFrame:
    """Name the sources of all shards and put them in the catalogue's order.

    Parameters
    ----------
    sources : DataFrame
        Result of `describe_sources`, of one shard or of many together.
    """
    # A unique order first: letters of equal names must not depend on how the sky was cut into shards.
    keys = ["ra", "dec", "subject_id", *BOX_COLUMNS, "morphology"]
    ordered = sources.sort_values(keys, kind="stable", ignore_index=True)
    named = ordered.assign(source_id=source_names(ordered["ra"].to_numpy(), ordered["dec"].to_numpy()))
    pixel = _healpix(named["ra"].to_numpy(), named["dec"].to_numpy())
    order = np.lexsort((named["source_id"].to_numpy(dtype=str), pixel))
    return named.iloc[order][CATALOGUE.names].reset_index(drop=True)


def _subjects_of(sources: pd.DataFrame, fused_index: pd.DataFrame) -> pd.DataFrame:
    """Row of the index for each source."""
    index = fused_index.set_index("subject_id")[["ra", "dec", "flags"]]
    known = sources["subject_id"].isin(index.index).to_numpy()
    if not known.all():
        stranger = sources["subject_id"].to_numpy()[~known][0]
        raise InputError(
            f"subject {stranger!r} has detections but no fused image; remove them and rerun inference"
        )
    return index.loc[sources["subject_id"].to_numpy()]


def _edge_flags(boxes: np.ndarray, frame: Frame) -> np.ndarray:
    outside = (boxes[:, :2] <= EDGE_PX) | (boxes[:, 2:] >= frame.size_px - EDGE_PX)
    return np.where(outside.any(axis=1), int(Flag.EDGE), 0)


def _mean_side(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).mean(axis=1)


def _count(morphology: pd.Series, position: int) -> np.ndarray:
    """Number before the C (position 0) or the P (position 1) of a class name."""
    counts = {name: int(name.split("_")[position][0]) for name in MORPHOLOGIES}
    return morphology.map(counts).to_numpy(np.int32)


def _healpix(ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    grid = HEALPix(nside=2**HEALPIX_ORDER, order="nested")
    return grid.lonlat_to_healpix(ra_deg * u.deg, dec_deg * u.deg)
