"""Runs of the workflow on folders of real radio images: targets, settings and catalogue."""

import os
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from scipy.spatial import cKDTree

from claran_core.common.errors import InputError
from claran_core.common.frame import Frame
from claran_core.common.paths import REPOSITORY
from claran_core.common.sky import sky_to_offset, unit_vectors
from claran_core.survey.surveys import SURVEYS

__all__ = ["RealRun", "middle_of", "near_centres", "run_workflow"]

# Tiles of real fields are few and mostly blank; jobs of small shards take longer to start than to work.
SHARD_SIZE = 4096

# Largest source of a tile of scale 1, in widths of the frame (docs/mosaics.md).
LARGEST = 0.495


@dataclass(frozen=True)
class RealRun:
    """A run on real radio images.

    Attributes
    ----------
    folder : Path
        Working directory of the run.
    images : Path
        Folder of the images.
    survey : str
        Survey of the images.
    method : str
        Fusion method.
    infrared : Path, optional
        Folder of W1 images.
    """

    folder: Path
    images: Path
    survey: str = "FIRST"
    method: str = "D1"
    infrared: Path | None = None

    @property
    def frame(self) -> Frame:
        """Frame of subjects of scale 1: as many pixels to the beam as for FIRST."""
        beams = SURVEYS[self.survey].beam_arcsec / SURVEYS["FIRST"].beam_arcsec
        return Frame(Frame().size_px, round(Frame().pixel_scale_arcsec * beams, 3))

    @property
    def targets(self) -> Path:
        """Target table."""
        return self.folder / "targets.csv"

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of ``results/catalogue``.

        Raises
        ------
        InputError
            If the run has not made it.
        """
        found = self.optional_table(name)
        if found is None:
            raise InputError(f"{self.folder}: the run has no table {name}; run it first")
        return found

    def optional_table(self, name: str) -> pd.DataFrame | None:
        """Return a table of ``results/catalogue``, or None."""
        path = self.folder / "results" / "catalogue" / f"{name}.parquet"
        return pd.read_parquet(path) if path.exists() else None

    def image_files(self) -> list[Path]:
        """Return the images, sorted by name."""
        return sorted(self.images.glob("**/*.fits*"))

    def images_of(self, places: pd.DataFrame) -> list[Path]:
        """Return the image whose middle is nearest to each place (``ra``, ``dec``, deg)."""
        files = self.image_files()
        middles = np.array([middle_of(path) for path in files])
        tree = cKDTree(unit_vectors(*middles.T))
        nearest = tree.query(unit_vectors(places["ra"].to_numpy(), places["dec"].to_numpy()))[1]
        return [files[k] for k in np.atleast_1d(nearest)]


def middle_of(path: Path) -> tuple[float, float]:
    """Return the position of the middle of a FITS image, deg."""
    with fits.open(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        header = next(hdu for hdu in file if hdu.header.get("NAXIS", 0) >= 2).header
        wcs = WCS(header).celestial
    place = wcs.wcs_pix2world([header["NAXIS1"] / 2], [header["NAXIS2"] / 2], 0)
    return float(place[0][0]), float(place[1][0])


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def near_centres(
    targets: pd.DataFrame, centres: pd.DataFrame, radius_arcsec: float, frame: Frame
) -> pd.DataFrame:
    """Return the subjects that show the middle of a field.

    Parameters
    ----------
    targets : DataFrame
        ``ra``, ``dec`` (deg) of subjects, and ``scale`` if they differ in it.
    centres : DataFrame
        ``ra``, ``dec`` (deg) of the middles of the fields.
    radius_arcsec : float
        Distance from a middle up to which subjects of scale 1 are kept.  Coarser ones are kept if their
        frame contains a middle.
    frame : Frame
        Frame of subjects of scale 1.
    """
    scale = targets["scale"].to_numpy() if "scale" in targets else np.ones(len(targets), int)
    kept = np.zeros(len(targets), bool)
    for ra, dec in zip(centres["ra"], centres["dec"], strict=True):
        near = np.flatnonzero(np.abs(targets["dec"].to_numpy() - dec) < 1)
        place = targets.iloc[near]
        east, north = sky_to_offset(ra, dec, place["ra"].to_numpy(), place["dec"].to_numpy())
        inside = np.maximum(np.abs(east), np.abs(north)) < scale[near] * frame.width_arcsec / 2
        close = np.hypot(east, north) < radius_arcsec
        kept[near[np.where(scale[near] == 1, close, inside)]] = True
    return targets[kept]


def run_workflow(
    run: RealRun,
    weights: Path,
    *,
    cores: int,
    tiled: bool = True,
    centres: pd.DataFrame | None = None,
    radius_arcsec: float = 150.0,
) -> None:
    """Tile the images, and run the workflow as far as the catalogue.

    Parameters
    ----------
    run : RealRun
        The run; its folder is made.
    weights : Path
        Weights for its method.
    cores : int
        Jobs at a time.
    tiled : bool
        Whether to make the target table; else the folder has one.
    centres, radius_arcsec : DataFrame and float, optional
        Keep only these subjects (`near_centres`).
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    settings = run.folder / "settings.yaml"
    radio = {"name": run.survey, "source": "directory", "path": str(run.images.resolve())}
    infrared = {"source": "none"}
    if run.infrared is not None:
        infrared = {"source": "directory", "path": str(run.infrared.resolve())}
    values = {
        "targets": {"path": run.targets.name},
        "shard_size": SHARD_SIZE,
        "survey": {"radio": radio, "infrared": infrared},
        "cutouts": {"max_failed_fraction": 1.0},
        "fusion": {"methods": [run.method], "pixel_scale_arcsec": run.frame.pixel_scale_arcsec},
        "model": {"weights": {run.method: str(weights.resolve())}},
        "catalogue": {"method": run.method},
    }
    settings.write_text(yaml.safe_dump(values))
    if tiled:
        tiles = ["tile", "--images", str(run.images), "--configfile", str(settings), "--overwrite"]
        tiles += ["--largest", f"{LARGEST * run.frame.width_arcsec:.0f}", str(run.targets)]
        subprocess.run(_command("claran_core.cli.commands", *tiles), check=True)
    if centres is not None:
        table = pd.read_csv(run.targets)
        near_centres(table, centres, radius_arcsec, run.frame).to_csv(run.targets, index=False)
    words = ["snakemake", "catalogue", "--snakefile", str(REPOSITORY / "Snakefile"), "--quiet", "all"]
    words += ["--directory", str(run.folder), "--cores", str(cores), "--configfile", str(settings)]
    subprocess.run(_command(*words), check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
