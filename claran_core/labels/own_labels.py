"""Read labels of a user: a table of boxes on the sky, or annotations of COCO beside images with a WCS."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from claran_core.common.errors import InputError
from claran_core.labels.box_table import read_box_table
from claran_core.labels.coco_file import CocoAnnotation, read_coco
from claran_core.labels.sky_labels import SkyLabel
from claran_core.survey.celestial import pixels_to_sky
from claran_core.survey.fits_image import FitsImage, quiet_astropy, scan_file

__all__ = ["is_coco", "read_own_labels"]

# Endings under which the FITS file of an annotated picture is searched, such as x.fits for x.png.
FITS_ENDINGS = (".fits", ".fits.gz", ".fit")


def is_coco(path: Path) -> bool:
    """Return whether a file of labels is one of COCO, by its ending."""
    return path.suffix.lower() == ".json"


def read_own_labels(
    path: Path, images: Path | None = None, classes: Sequence[str] | None = None
) -> list[SkyLabel]:
    """Read and check the labels of a user.

    Parameters
    ----------
    path : Path
        A table (`claran_core.labels.box_table.read_box_table`), or annotations of COCO (``.json``,
        `claran_core.labels.coco_file.read_coco`).
    images : Path, optional
        Folder of the images that a file of COCO names; default: its own.  They are FITS images with a WCS of
        the annotated width and height.  For a picture (``x.png``) the FITS image beside it (``x.fits``) is
        read, whose last row is the top row of the picture.
    classes : sequence of str, optional
        Classes of the run; default: any.

    Raises
    ------
    InputError
        In one line, for the first label with a fault, an image that is missing or has no WCS, or a class
        that is not among `classes`.
    """
    labels = _coco_labels(path, images or path.parent) if is_coco(path) else read_box_table(path)
    for label in labels:
        if classes is not None and label.morphology not in classes:
            raise InputError(
                f"{path}: label {label.label_id}: class {label.morphology!r} is not one of model.classes, "
                f"{', '.join(classes)}"
            )
    return labels


def _coco_labels(path: Path, folder: Path) -> list[SkyLabel]:
    opened: dict[str, FitsImage] = {}
    labels = []
    for annotation in read_coco(path):
        name = annotation.image.file_name
        if name not in opened:
            opened[name] = _open_image(path, folder, annotation)
        labels.append(_on_sky(path, annotation, opened[name]))
    return labels


def _open_image(path: Path, folder: Path, annotation: CocoAnnotation) -> FitsImage:
    """Return the FITS image of an annotation, after checking its size."""
    image = annotation.image
    given = folder / image.file_name
    tried = [given, *(given.with_suffix(ending) for ending in FITS_ENDINGS)]
    is_fits = [one for one in tried if one.name.lower().endswith(FITS_ENDINGS) and one.is_file()]
    where = f"{path}: annotation {annotation.name}"
    if not is_fits:
        raise InputError(
            f"{where}: no FITS image {given} or {given.with_suffix('.fits').name}; give the folder of the "
            "images as labels.images"
        )
    images, unreadable = scan_file(is_fits[0], str(is_fits[0]))
    if not images:
        raise InputError(f"{where}: {is_fits[0]}: {unreadable[0].reason}")
    found = images[0]
    height, width = found.footprint.shape
    if (width, height) != (image.width, image.height) or found.transposed:
        raise InputError(
            f"{where}: {is_fits[0]} has {width} x {height} px, but its annotations are for "
            f"{image.width} x {image.height}; annotate the image itself"
        )
    return found


def _on_sky(path: Path, annotation: CocoAnnotation, image: FitsImage) -> SkyLabel:
    x1, y1, x2, y2 = annotation.box
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
    host = _sky(image, np.array([annotation.host]))[0]
    label = SkyLabel(
        annotation.name,
        annotation.category,
        _sky(image, corners),
        outlines=tuple(_sky(image, polygon) for polygon in annotation.polygons),
        host=(float(host[0]), float(host[1])),
    )
    if not all(np.isfinite(places).all() for places in (label.corners, *label.outlines)):
        raise InputError(f"{path}: annotation {annotation.name}: reaches off the sky in {image.name}")
    return label


def _sky(image: FitsImage, pixels: np.ndarray) -> np.ndarray:
    """Return right ascension and declination (n, 2) of COCO's pixels; the top row is the last of FITS."""
    footprint = image.footprint
    known = np.isfinite(pixels).all(axis=1)
    places = np.full(pixels.shape, np.nan)
    if known.any():
        x, y = pixels[known].T
        with quiet_astropy():
            places[known] = np.stack(
                pixels_to_sky(footprint.wcs, x - 0.5, footprint.shape[0] - y - 0.5), axis=-1
            )
    return places
