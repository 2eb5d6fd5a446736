"""The image of one subject as FITS: what astropy reads is what the cut-out holds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from claran_core.common.cutout import Beam, Cutout
from claran_core.common.errors import InputError
from claran_core.common.files import write_table
from claran_core.common.flags import Flag
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.paths import Results
from claran_core.common.tables import TARGETS
from claran_core.cutouts.coarse import coarse_cutout
from claran_core.cutouts.cutout_file import cutout_writer
from claran_core.cutouts.fits_export import export_cutout
from claran_core.survey.regular import regular_image
from claran_core.survey.surveys import SURVEYS

CUTOUT = Cutout(
    np.random.default_rng(1).normal(0, 1, (30, 40)).astype(np.float32),
    LinearWCS("SIN", 359.99, -41.25, 3.75, -1000.0, (-4e-4, 1e-5, 1e-5, 4e-4)),
    f"{'deep/' * 30}\u00e9.fits",
    Flag.COADDED,
    unit="mJy/bm",
    beam=Beam(6.5, 5.4, -12.0),
)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    results = Results(tmp_path / "results")
    CUTOUT.data[3, 4] = np.nan
    places = {"ra": 1.0, "dec": 2.0, "scale": 1, "split": "none", "shard": ["00000", "00001", "00001"]}
    write_table(results.targets, pd.DataFrame({"subject_id": ["a", "b", "c"], **places}), TARGETS)
    with cutout_writer(results.cutouts("00001", "radio"), survey="FIRST", unit="Jy/beam") as writer:
        writer.add("b", CUTOUT)
    return results


def test_round_trip(results: Results, tmp_path: Path) -> None:
    path = tmp_path / "b.fits"
    export_cutout(results, "b", "radio", path, overwrite=False)
    with fits.open(path, checksum=True) as hdus:
        hdus.verify("exception")
        data, header = np.array(hdus[0].data, np.float32), hdus[0].header
    np.testing.assert_array_equal(data, CUTOUT.data)
    assert regular_image(data, WCS(header))[1] == CUTOUT.wcs
    x, y = np.array([0.0, 39.0]), np.array([0.0, 29.0])
    expected = CUTOUT.wcs.pixels_to_sky(x, y)
    np.testing.assert_allclose(WCS(header).all_pix2world(x, y, 0), expected, rtol=0, atol=1e-10)
    assert (header["OBJECT"], header["BUNIT"], header["SURVEY"]) == ("b", "Jy/beam", "FIRST")
    assert header["ORIGIN"] == f"{'deep/' * 30}\\xe9.fits" and header["FLAGS"] == Flag.COADDED
    beam = [header["BMAJ"] * 3600, header["BMIN"] * 3600, header["BPA"]]
    assert beam == pytest.approx([6.5, 5.4, -12.0])


def test_coarse_view_has_the_geometry_and_beam_of_the_smoothed_image(
    results: Results, tmp_path: Path
) -> None:
    coarse, path = coarse_cutout(CUTOUT, 2, SURVEYS["FIRST"]), tmp_path / "x2.fits"
    with cutout_writer(results.cutouts("00001", "radio"), survey="FIRST", unit="Jy/beam") as writer:
        writer.add("c", coarse)
    export_cutout(results, "c", "radio", path, overwrite=False)
    header = fits.getheader(path)
    assert [header["BMAJ"] * 3600, header["BMIN"] * 3600, header["BPA"]] == pytest.approx([13.0, 10.8, -12.0])
    # The reference pixel is at 3.75 -1000: blocks start at the odd pixels of x and at the even ones of y.
    place = CUTOUT.wcs.pixels_to_sky(np.array([1.5, 11.5]), np.array([0.5, 6.5]))
    x, y = WCS(header).all_world2pix(*place, 0)
    np.testing.assert_allclose([x, y], [[1, 6], [0, 3]], atol=1e-6)
    np.testing.assert_array_equal(fits.getdata(path), coarse.data)


def test_an_existing_file_is_kept(results: Results, tmp_path: Path) -> None:
    path = tmp_path / "b.fits"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"b\.fits: exists; .*--overwrite"):
        export_cutout(results, "b", "radio", path, overwrite=False)
    assert path.read_text() == "mine"
    export_cutout(results, "b", "radio", path, overwrite=True)
    assert fits.getheader(path)["OBJECT"] == "b"


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("d", r"targets\.parquet: no subject 'd'"),
        ("c", r"c: has no radio image; .*ledger\.parquet says why"),
        ("a", r"radio\.arrow: no such file"),
    ],
)
def test_what_is_not_there_is_one_line(results: Results, tmp_path: Path, subject: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        export_cutout(results, subject, "radio", tmp_path / "out.fits", overwrite=False)
    assert not (tmp_path / "out.fits").exists()
