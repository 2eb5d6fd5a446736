"""One cut-out from several, for a subject that no single image covers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from astropy.wcs import WCS
from scipy.ndimage import distance_transform_edt

from claran_core.common.cutout import Cutout, Provenance
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.reprojection import reproject
from claran_core.survey.footprint import WINDOW_MARGIN_PX, frame_vectors
from claran_core.survey.regular import astropy_wcs

__all__ = ["coadd"]

# Pixels two images must share before the difference of their backgrounds is measured.
MIN_SHARED_PIXELS = 50
# Weights of an image rise from 0 outside its data to 1 at this depth: values extrapolated at its rim count
# little beside another image's, and seams are smooth.
FADE_PX = 5.0
# Least sum of the weights of an output pixel with data.  Data reach half a pixel beyond the outermost pixel
# centres, as in `claran_core.common.reprojection.reproject`.
MIN_WEIGHT = 0.5 / FADE_PX - 1e-6
# Width of the output grid, in subjects, beyond which an image's projection is not extended.
MAX_STRETCH = 2.0
# Largest ratio of the solid angles of beams that count as one: flux densities are off by as much.
MAX_BEAM_AREA_RATIO = 1.05


def coadd(
    cutouts: Sequence[Cutout], frame: Frame, ra_deg: float, dec_deg: float, *, match_backgrounds: bool
) -> Cutout:
    """Combine cut-outs of one subject into one that covers more of it.

    The output has the pixel grid of the cut-out that covers most of the subject, so that its pixels are not
    resampled.  The others are added in order of their coverage, each only if it covers something that those
    before it do not.  Where several have data, the output is their mean, with lower weights near the rim of
    each.  Values are interpolated across a border that two images share.

    Parameters
    ----------
    cutouts : sequence of Cutout
        Cut-outs in the same unit, the preferred one of equal coverage first.
    frame : Frame
        Geometry of the subject, sampled about as finely as the cut-outs.
    ra_deg, dec_deg : float
        Centre of the subject, deg, ICRS.
    match_backgrounds : bool
        Whether to shift each image by the median difference to those before it, where they overlap.

    Returns
    -------
    Cutout
        Flagged `COADDED`, with the origins of all images used, unit and beam of the first; also flagged
        `BEAM_DIFFERS` if the others have another beam.  If one image suffices, that cut-out unchanged.
    """
    if len(cutouts) == 1:
        return cutouts[0]
    chosen = _choose(cutouts, frame, ra_deg, dec_deg, match_backgrounds=match_backgrounds)
    if len(chosen) == 1:
        return chosen[0]
    wcs, shape = _output_grid(chosen[0], frame, ra_deg, dec_deg)
    flags = Flag.COADDED
    for cutout in chosen:
        flags |= cutout.flags
    if not _have_one_beam(chosen):
        flags |= Flag.BEAM_DIFFERS
    return Cutout(
        data=_weighted_mean(chosen, wcs, shape),
        wcs=wcs,
        origin=" + ".join(dict.fromkeys(cutout.origin for cutout in chosen)),
        flags=flags,
        provenance=_joined_provenance(chosen),
        unit=chosen[0].unit,
        beam=chosen[0].beam,
    )


def _choose(
    cutouts: Sequence[Cutout], frame: Frame, ra_deg: float, dec_deg: float, *, match_backgrounds: bool
) -> list[Cutout]:
    """Return the cut-outs that each cover pixels of their own, the best first, with matched backgrounds."""
    images = [reproject(cutout, frame, ra_deg, dec_deg) for cutout in cutouts]
    by_coverage = sorted(range(len(images)), key=lambda number: np.isnan(images[number]).sum())
    chosen = [cutouts[by_coverage[0]]]
    mosaic = images[by_coverage[0]]
    for number in by_coverage[1:]:
        cutout, image = cutouts[number], images[number]
        fresh, shared = np.isnan(mosaic) & np.isfinite(image), np.isfinite(mosaic) & np.isfinite(image)
        if not fresh.any():
            continue
        if match_backgrounds and np.count_nonzero(shared) >= MIN_SHARED_PIXELS:
            offset = np.float32(np.median(mosaic[shared] - image[shared]))
            cutout, image = replace(cutout, data=cutout.data + offset), image + offset
        mosaic[fresh] = image[fresh]
        chosen.append(cutout)
    return chosen


def _output_grid(
    cutout: Cutout, frame: Frame, ra_deg: float, dec_deg: float
) -> tuple[LinearWCS, tuple[int, int]]:
    """Return system and shape of a cut-out's pixel grid, extended or trimmed to the subject and a margin.

    Where the projection of the cut-out cannot show the subject without tearing or stretching it, this is the
    subject's own tangent plane.
    """
    x, y = cutout.wcs.vectors_to_pixels(frame_vectors(frame, ra_deg, dec_deg))
    if np.isfinite(x).all() and np.isfinite(y).all():
        x0, y0 = (int(np.floor(axis.min())) - WINDOW_MARGIN_PX for axis in (x, y))
        x1, y1 = (int(np.ceil(axis.max())) + 1 + WINDOW_MARGIN_PX for axis in (x, y))
        if max(np.ptp(x), np.ptp(y)) <= MAX_STRETCH * frame.width_arcsec / cutout.pixel_scale_arcsec:
            return cutout.wcs.window(x0, y0), (y1 - y0, x1 - x0)
    wide = replace(frame, size_px=frame.size_px + 2 * WINDOW_MARGIN_PX)
    return wide.wcs(ra_deg, dec_deg), (wide.size_px, wide.size_px)


def _weighted_mean(cutouts: Sequence[Cutout], wcs: LinearWCS, shape: tuple[int, int]) -> np.ndarray:
    # Imported here: it takes half a second, and few subjects need it.
    from reproject import reproject_interp
    from reproject.mosaicking import reproject_and_coadd

    images, weights = zip(*map(_without_gaps, cutouts), strict=True)
    mean, weight = reproject_and_coadd(
        images,
        astropy_wcs(wcs),
        shape_out=shape,
        input_weights=weights,
        reproject_function=reproject_interp,
        combine_function="mean",
    )
    return np.where(weight >= MIN_WEIGHT, mean, np.nan).astype(np.float32)


def _without_gaps(cutout: Cutout) -> tuple[tuple[np.ndarray, WCS], np.ndarray]:
    """Return pixels and WCS of a cut-out with a margin of a pixel, and weights: 0 where it has no data.

    Pixels without data take the value of the nearest one with data, which keeps interpolation from blanking
    their neighbours.
    """
    padded = np.pad(cutout.data, 1, constant_values=np.nan)
    valid = np.isfinite(padded)
    nearest = distance_transform_edt(~valid, return_distances=False, return_indices=True)
    weights = np.minimum(distance_transform_edt(valid) / FADE_PX, 1.0)
    return (padded[tuple(nearest)], astropy_wcs(cutout.wcs.window(-1, -1))), weights


def _have_one_beam(cutouts: Sequence[Cutout]) -> bool:
    """Return whether the beams that cut-outs state have about the same solid angle."""
    areas = [cut.beam.major_arcsec * cut.beam.minor_arcsec for cut in cutouts if cut.beam is not None]
    return not areas or max(areas) <= MAX_BEAM_AREA_RATIO * min(areas)


def _joined_provenance(cutouts: Sequence[Cutout]) -> Provenance | None:
    parts = [cutout.provenance for cutout in cutouts if cutout.provenance is not None]
    if not parts:
        return None
    return Provenance(
        parts[0].service,
        " ".join(part.url for part in parts),
        " ".join(part.sha256 for part in parts),
        max(part.fetched_at for part in parts),
    )
