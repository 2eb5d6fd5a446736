"""Labels by the DR1 rule: images with known sources, the label table, and real images with DR1 labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from true_sources import SIZE, Source, gaussian, native_wcs, observe

from benchmarks.science.dr1_labels import measure
from claran_core.common.cutout import Cutout
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.subject import Subject
from claran_core.common.tables import LABELS
from claran_core.labels.dr1_labels import label_from_table, label_simulated
from claran_core.labels.rgz_table import position_of_name, read_label_table
from claran_core.labels.units import truth_box
from claran_core.survey.regular import regular_image

FRAME = Frame()
SUBJECT = Subject("here", 150.0, 20.0, "train", FRAME)


def test_double_and_its_neighbour_are_two_sources() -> None:
    double = gaussian(40, 52, 60) + gaussian(65, 52, 50)
    neighbour = gaussian(80, 80, 30)
    labels = label_simulated(
        SUBJECT, observe(double, neighbour), [Source("a", double), Source("b", neighbour)]
    )
    assert labels.columns.tolist() == LABELS.names
    assert labels.morphology.tolist() == ["2C_2P", "1C_1P"]
    assert labels.angular_size[0] == pytest.approx(25 * 1.8, rel=0.05)
    # Row 52 from the south is just above the central row of 106; the box is centred between the peaks.
    middle = (labels.box_x1[0] + labels.box_x2[0]) / 2
    assert middle == pytest.approx(66 + (52.5 - 52.5) * 1.8 / 1.375, abs=0.5)
    assert labels.box_y1[1] < labels.box_y1[0]  # further north is further up


def test_host_and_consensus_of_simulated_sources() -> None:
    double = gaussian(40, 52, 60) + gaussian(65, 52, 50)
    image = observe(double)
    seen, unseen = (
        label_simulated(SUBJECT, image, [Source("a", double, host_magnitude=magnitude)])
        for magnitude in (15.0, 19.0)
    )
    assert seen[["host_ra", "host_dec"]].to_numpy().tolist() == [[150.001, 20.002]]
    assert 0.6 <= unseen.consensus[0] < seen.consensus[0] <= 1.0
    pd.testing.assert_frame_equal(seen.drop(columns="consensus"), unseen.drop(columns="consensus"))


def test_close_neighbours_lower_the_consensus() -> None:
    double = gaussian(40, 52, 20) + gaussian(60, 52, 20)
    levels = []
    for x in (200, 90, 75):  # outside the image, apart, close
        neighbour = gaussian(x, 52, 40)
        image = observe(double, neighbour)
        labels = label_simulated(SUBJECT, image, [Source("a", double), Source("b", neighbour)])
        levels.append(labels.set_index("label_id").consensus["a"])
    assert levels[0] > levels[1] > levels[2]


def test_faint_sources_and_emission_of_other_origin_have_no_label() -> None:
    faint, elsewhere = gaussian(50, 50, 2), gaussian(30, 30, 40)
    image = observe(faint, elsewhere)
    labels = label_simulated(SUBJECT, image, [Source("faint", faint)])
    assert labels.empty and labels.columns.tolist() == LABELS.names


def test_shared_contour_belongs_to_the_brighter_source() -> None:
    bright, close = gaussian(50, 50, 80), gaussian(53, 50, 30)
    labels = label_simulated(
        SUBJECT, observe(bright, close), [Source("close", close), Source("bright", bright)]
    )
    assert labels.label_id.tolist() == ["bright"]


def test_more_than_three_components_are_clipped_and_flagged() -> None:
    chain = sum(gaussian(20 + 18 * k, 52, 50) for k in range(4))
    labels = label_simulated(SUBJECT, observe(chain), [Source("chain", chain)])
    assert labels.n_components[0] == 4 and labels.morphology[0] == "3C_3P"
    assert labels["flags"][0] == Flag.COUNTS_CLIPPED


def test_no_sources_or_blank_image_give_no_labels() -> None:
    assert label_simulated(SUBJECT, observe(gaussian(5, 5, 0)), []).empty
    blank = Cutout(np.full((SIZE, SIZE), np.nan, np.float32), native_wcs(), "made")
    assert label_simulated(SUBJECT, blank, [Source("a", gaussian(50, 50, 9))]).empty


def test_box_is_clipped_to_the_frame() -> None:
    box = truth_box(SUBJECT, 150.0, 20.0 + 80 / 3600, 60.0)
    assert box[1] == 0.0 and box[3] == pytest.approx((90.75 - 80 + 30) / 1.375, abs=0.01)
    assert box[2] - box[0] == pytest.approx(60 / 1.375)


def table_row(**changes: Any) -> pd.DataFrame:
    """Return one row of the label table, with changed values."""
    row = {
        "catalog_id": 7,
        "first_id": "here",
        "num_cpnts": 2,
        "num_peaks": 3,
        "component_ra": [150.005, 149.995],
        "component_dec": [20.001, 19.999],
        "ang_extent": 40.0,
        "cl": 0.8,
        "source_ra": np.nan,
        "source_dec": np.nan,
        "host_ra": np.nan,
        "host_dec": np.nan,
    }
    return pd.DataFrame([row | changes])


def test_label_table_without_an_image_uses_the_centre_of_the_positions() -> None:
    labels = label_from_table(SUBJECT, None, table_row())
    assert labels.ra[0] == pytest.approx(150.0) and labels.dec[0] == pytest.approx(20.0)
    assert labels.morphology[0] == "2C_3P" and labels.consensus[0] == pytest.approx(0.8)
    assert labels.box_x2[0] - labels.box_x1[0] == pytest.approx(40 / 1.375)


def test_label_table_centre_takes_precedence() -> None:
    labels = label_from_table(SUBJECT, None, table_row(source_ra=150.002, source_dec=20.003))
    assert (labels.ra[0], labels.dec[0]) == (150.002, 20.003)


def test_hosts_of_the_label_table_are_kept() -> None:
    labels = label_from_table(SUBJECT, None, table_row(host_ra=150.003))
    assert labels.host_ra[0] == 150.003 and np.isnan(labels.host_dec[0])


def test_label_table_with_an_image_uses_the_contours() -> None:
    image = observe(gaussian(40, 52, 60), gaussian(65, 52, 50, fwhm=9.0))
    ra, dec = native_wcs().pixels_to_sky(np.array([40, 65]), np.array([52, 52]))
    labels = label_from_table(SUBJECT, image, table_row(component_ra=list(ra), component_dec=list(dec)))
    x, _ = native_wcs().sky_to_pixels(labels.ra[0], labels.dec[0])
    assert x > 54  # the wider blob moves the centre of the boxes, not that of the positions


def test_centre_of_positions_across_ra_zero() -> None:
    labels = label_from_table(
        Subject("zero", 0.0, 0.0, "none", FRAME),
        None,
        table_row(component_ra=[359.995, 0.005], component_dec=[0, 0]),
    )
    assert min(labels.ra[0], 360 - labels.ra[0]) == pytest.approx(0, abs=1e-9)


@pytest.mark.data
def test_dr1_labels_of_real_images_are_reproduced(shared_data: Path) -> None:
    """Component counts >= 99 %, class >= 90 %, extent ratio 1.00 in the median."""
    agreement = measure(shared_data / "first_train")
    assert len(agreement["class"]) == 165
    assert agreement["components"].mean() >= 0.99
    assert agreement["class"].mean() >= 0.90
    assert np.median(agreement["extent_ratio"]) == pytest.approx(1.0, abs=0.005)
    assert np.percentile(agreement["extent_ratio"], [5, 95]) == pytest.approx([1, 1], abs=0.03)


@pytest.mark.data
def test_centres_from_contours_are_those_of_the_labels(shared_data: Path) -> None:
    folder = shared_data / "first_train"
    offsets_arcsec = []
    for name, rows in read_label_table(folder / "labels.csv").groupby("first_id"):
        with fits.open(folder / "radio" / f"{name}.fits") as hdus:
            cutout = Cutout(*regular_image(hdus[0].data.astype(np.float32), WCS(hdus[0].header)), name)
        ra, dec = position_of_name(name)
        labels = label_from_table(
            Subject(name, ra, dec, "train", FRAME), cutout, rows.assign(source_ra=np.nan)
        )
        east = (labels.ra.to_numpy() - rows.source_ra.to_numpy()) * np.cos(np.deg2rad(dec))
        north = labels.dec.to_numpy() - rows.source_dec.to_numpy()
        offsets_arcsec.extend(np.hypot(east, north) * 3600)
    assert len(offsets_arcsec) == 165
    assert np.median(offsets_arcsec) < 0.3
