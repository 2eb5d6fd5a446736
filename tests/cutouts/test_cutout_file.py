"""Cut-outs on disk: what is written is read, and damage is noticed."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from sky_images import FRAME, image_header, positions, sky_pixels

from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.flags import Flag
from claran_core.common.reprojection import reproject
from claran_core.cutouts.cutout_file import CutoutWriter, read_cutouts
from claran_core.survey.fits_image import quiet_astropy
from claran_core.survey.regular import regular_image

NO_FLAGS = Flag(0)


def cutout(
    ra: float, dec: float, projection: str = "SIN", origin: str = "a.fits", flags: Flag = NO_FLAGS
) -> Cutout:
    header = image_header(ra, dec, size_px=60, projection=projection)
    with quiet_astropy():
        data = sky_pixels(header, (60, 60), ra, dec)[:, :55]
        return Cutout(*regular_image(data, WCS(header)), origin, flags)


def write(path: Path, cutouts: dict[str, Cutout]) -> Path:
    with path.open("wb") as handle:
        writer = CutoutWriter(handle, survey="FIRST", unit="Jy/beam")
        for name, entry in cutouts.items():
            writer.add(name, entry)
        writer.close()
    return path


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return write(
        tmp_path / "radio.fits",
        {
            "Mixed-case_Id.1": cutout(30.0, 10.0, flags=Flag.SUSPECT_UNIT),
            "x" * 100: cutout(0.0, 45.0, "NCP", origin=f"{'deep/' * 30}\u00e9.fits"),
            "mixed-case_id.1": cutout(200.0, -80.0, "TAN"),
        },
    )


def test_round_trip(example: Path) -> None:
    with read_cutouts(example) as cutouts:
        assert list(cutouts) == ["Mixed-case_Id.1", "x" * 100, "mixed-case_id.1"]
        assert [entry.flags for entry in cutouts.values()] == [Flag.SUSPECT_UNIT, Flag(0), Flag(0)]
        assert cutouts["x" * 100].origin == f"{'deep/' * 30}\\xe9.fits"
        for name, place in zip(cutouts, [(30.0, 10.0), (0.0, 45.0), (200.0, -80.0)], strict=True):
            entry = cutouts[name]
            assert entry.data.dtype == np.float32 and entry.data.shape == (60, 55)
            np.testing.assert_allclose(reproject(entry, FRAME, *place), positions(), atol=0.2)
        assert cutouts.get("unknown") is None


def test_cut_outs_outlive_the_file(example: Path) -> None:
    with read_cutouts(example) as cutouts:
        taken = cutouts["mixed-case_id.1"]
    assert np.isfinite(taken.data).all()


def test_nan_and_values_are_kept_bit_for_bit(tmp_path: Path) -> None:
    entry = cutout(30.0, 10.0)
    entry.data[3:9] = np.nan
    with read_cutouts(write(tmp_path / "radio.fits", {"a": entry})) as cutouts:
        np.testing.assert_array_equal(cutouts["a"].data, entry.data)


def test_other_programs_can_read_it(example: Path) -> None:
    with fits.open(example) as hdus:
        hdus.verify("exception")
        assert len(hdus[0].shape) == 0 and hdus[0].header["NCUTOUTS"] == 3
        assert hdus[1].header["EXTNAME"] == "Mixed-case_Id.1" and hdus[1].header["BUNIT"] == "Jy/beam"
        assert hdus[1].header["ORIGIN"] == "a.fits" and hdus[1].header["BITPIX"] == -32


def test_a_file_without_cutouts(tmp_path: Path) -> None:
    with read_cutouts(write(tmp_path / "infrared.fits", {})) as cutouts:
        assert len(cutouts) == 0


def test_every_truncation_is_noticed(example: Path) -> None:
    whole = example.read_bytes()
    for size in range(0, len(whole), 1440):
        example.write_bytes(whole[:size])
        with pytest.raises(InputError) as error:
            read_cutouts(example)
        assert str(example) in str(error.value) and "\n" not in str(error.value)


def test_foreign_and_missing_files_are_refused(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "other.fits")
    with pytest.raises(InputError, match="was not written by the stage cutouts"):
        read_cutouts(tmp_path / "other.fits")
    (tmp_path / "text.fits").write_text("hello")
    with pytest.raises(InputError, match="not a complete file of cut-outs"):
        read_cutouts(tmp_path / "text.fits")
    with pytest.raises(InputError, match="no such file"):
        read_cutouts(tmp_path / "none.fits")
