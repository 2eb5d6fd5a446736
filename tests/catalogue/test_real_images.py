"""Real images of LoTSS, VLASS and FIRST, from the file to flux densities and to rows of a catalogue."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table
from measured_images import measured_components
from real_catalogues import catalogue_of

from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.survey.surveys import SURVEYS

pytestmark = pytest.mark.data

# Middle and width (px of 1.5 arcsec) of the two LoTSS images.
LOTSS = {"P205+55": (205.0553, 54.8985, 410), "P218+55": (218.5775, 54.9730, 205)}

# Two Quick Look images of the same sky, 2 arcmin apart, and a source in both.
VLASS_PAIR, VLASS_MIDDLE, VLASS_SOURCE = ("V009", "V043"), (313.0148, -6.9912), (313.01216, -7.01583)


def offsets(rows: pd.DataFrame, ra: float, dec: float) -> np.ndarray:
    """Return the distances of rows from a position, arcsec."""
    across = (rows["centroid_ra"] - ra) * np.cos(np.deg2rad(dec))
    return 3600 * np.hypot(across, rows["centroid_dec"] - dec).to_numpy()


def holds(rows: pd.DataFrame, ra: float, dec: float) -> np.ndarray:
    """Return which rows have a contour whose box reaches within 6 arcsec of a position."""
    across = 3600 * np.abs(rows["tight_ra"] - ra) * np.cos(np.deg2rad(dec)) < rows["tight_width"] / 2 + 6
    return (across & (3600 * np.abs(rows["tight_dec"] - dec) < rows["tight_height"] / 2 + 6)).to_numpy()


def test_lotss_images_give_the_flux_densities_of_the_published_catalogue(shared_data: Path) -> None:
    published = Table.read(shared_data / "lotss" / "catalogue.ecsv").to_pandas()
    found = {}
    for name, (ra, dec, size_px) in LOTSS.items():
        cutout, rows = measured_components(
            shared_data / "lotss" / "radio",
            SURVEYS["LOTSS"],
            ra,
            dec,
            Frame(size_px, 1.5),
            pattern=f"{name}.fits",
        )
        assert cutout.flags == 0 and cutout.unit == "JY/BEAM" and cutout.beam is not None
        assert cutout.beam.fwhm_arcsec == pytest.approx(6.0)
        found[name] = rows
    bright = published[published["Peak_flux"] > 10 * published["Isl_rms"]]
    ratios, errors = [], []
    for row in bright.itertuples():
        rows = found[row.image]
        apart = offsets(rows, row.RA, row.DEC)
        ours = rows.loc[np.argmin(apart)]
        assert apart.min() < max(0.5, 3 * np.hypot(row.E_RA, row.E_DEC))
        if row.S_Code == "S":  # one Gaussian: the sum of several depends on what else is fitted
            assert ours["peak_flux"] == pytest.approx(row.Peak_flux, rel=0.03)
            ratios.append(ours["integrated_flux"] / row.Total_flux)
            errors.append(np.hypot(ours["integrated_flux_err"], row.E_Total_flux) / row.Total_flux)
    assert len(bright) == 8 and len(ratios) == 5
    assert np.all(np.abs(np.array(ratios) - 1) < 2 * np.array(errors))
    weights = np.array(errors) ** -2
    assert np.average(ratios, weights=weights) == pytest.approx(1.0, abs=2 / np.sqrt(weights.sum()))


def test_two_vlass_images_with_different_beams_agree_on_a_source(shared_data: Path) -> None:
    folder, flux, error, area = shared_data / "vlass" / "radio", [], [], []
    for name in VLASS_PAIR:
        with fits.open(folder / f"{name}.fits.fz") as hdus:
            header = hdus[1].header
            assert header["NAXIS"] == 4 and header["BUNIT"] == "Jy/beam"
        cutout, rows = measured_components(
            folder, SURVEYS["VLASS"], *VLASS_MIDDLE, Frame(500, 1.0), pattern=f"{name}.*"
        )
        # Their beams are far from the 2.5 arcsec of a usual image.
        assert cutout.flags == Flag.BEAM_DIFFERS and cutout.beam is not None
        stated = [3600 * header["BMAJ"], 3600 * header["BMIN"], header["BPA"]]
        assert list(vars(cutout.beam).values()) == pytest.approx(stated)
        apart = offsets(rows, *VLASS_SOURCE)
        assert apart.min() < 0.3
        ours = rows.loc[np.argmin(apart)]
        flux.append(ours["integrated_flux"])
        error.append(ours["integrated_flux_err"])
        area.append(stated[0] * stated[1])
    assert abs(flux[0] - flux[1]) < 2 * np.hypot(*error)
    # With one beam for both images they would disagree: the solid angles differ by a third.
    assert abs(flux[0] * area[0] - flux[1] * area[1]) > 3 * np.hypot(error[0] * area[0], error[1] * area[1])


@pytest.mark.parametrize(
    ("file", "ra", "dec", "size_arcsec"),
    [
        ("F152p395+04p297.fits.fz", 152.395, 4.297, 67.02),
        ("F138p690+41p621.fits.fz", 138.69, 41.621, 73.24),
        ("F126p269+12p735.fits.fz", 126.269, 12.735, 111.43),
    ],
)
def test_a_radio_galaxy_that_astronomers_sized_is_one_row(
    shared_data: Path, tmp_path: Path, file: str, ra: float, dec: float, size_arcsec: float
) -> None:
    rows = catalogue_of(tmp_path, shared_data / "large" / "radio", file, [(ra, dec, 1), (ra, dec, 2)])
    [row] = rows[holds(rows, ra, dec)].itertuples()
    # Sizes of FR II galaxies are those from hotspot to hotspot, of contours one to three beams larger.
    assert size_arcsec < row.largest_angular_size < size_arcsec + 25
    assert row.n_peaks > 1 and row.source_probability > 0.5


@pytest.mark.parametrize(
    ("file", "ra", "dec", "morphology"),
    [
        ("200_239.251+041.520_0.0847_0066.27.fits", 239.24995, 41.51904, "2C_3P"),
        ("200_224.024+016.449_0.2871_0109.25.fits", 224.0229, 16.44754, "2C_3P"),
        ("100_230.642+031.153_0.2379_0025.94.fits", 230.64248, 31.15212, "1C_2P"),
        ("100_230.642+031.153_0.2379_0025.94.fits", 230.66749, 31.14917, "1C_1P"),
    ],
)
def test_sources_of_a_wide_field_have_the_class_of_radio_galaxy_zoo(
    shared_data: Path, tmp_path: Path, file: str, ra: float, dec: float, morphology: str
) -> None:
    rows = catalogue_of(tmp_path, shared_data / "wide", file, [(ra, dec, 1)])
    assert rows.loc[holds(rows, ra, dec), "morphology"].tolist() == [morphology]
