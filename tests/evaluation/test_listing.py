"""The evaluation lists detections by the same rule as the catalogue."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from detection_rows import detection

from claran_core.catalogue.shard_sources import describe_shard
from claran_core.common import tables
from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.frame import Frame
from claran_core.components.component_groups import dr1_boxes
from claran_core.components.component_table import NOMINAL_LEVEL, SubjectComponents, nominal_components
from claran_core.evaluation.listing import Listing
from claran_core.settings.config import load_config
from claran_core.survey.surveys import SURVEYS

FRAME = Frame()


def components(*centres: tuple[float, float]) -> pd.DataFrame:
    """Return rows of components of 6 px at positions in the frame."""
    rows = pd.DataFrame(0.0, index=range(len(centres)), columns=tables.COMPONENTS.names)
    for name in (name for name in rows if name.startswith("secondary_")):
        rows[name] = [np.empty(0)] * len(rows)
    rows[BOX_COLUMNS] = [(x - 3, y - 3, x + 3, y + 3) for x, y in centres]
    rows[["peak_x", "peak_y"]] = centres
    return rows.assign(component_id=rows.index, subject_id="s", level=NOMINAL_LEVEL, n_peaks=1, n_pixels=20)


def box_of(found: SubjectComponents, *members: int) -> tuple[float, ...]:
    """Return the box that DR1's rule gives to a group of components."""
    return tuple(dr1_boxes(found.boxes[[list(members)]], np.ones((1, len(members)), bool))[0])


@pytest.mark.parametrize("post_filter", ["survey", "paper"])
def test_lists_what_the_catalogue_keeps(post_filter: str) -> None:
    table = components((40, 60), (80, 60), (110, 110))
    found = nominal_components(table)["s"]
    double: dict[str, Any] = {"p_2c_2p": 0.4, "p_2c_3p": 0.3, "component_ids": [0, 1]}
    detections = pd.DataFrame(
        [
            detection(
                "s", box_of(found, 0), probability=0.6, component_ids=[0]
            ),  # a lobe: shares a component with the double
            detection("s", box_of(found, 0, 1), morphology="2C_2P", probability=0.4, **double),
            detection("s", box_of(found, 2), probability=0.9, component_ids=[2]),
            detection("blank", (10, 10, 30, 30), probability=0.45),
        ],
        columns=tables.DETECTIONS.names,
    )
    options = load_config({"catalogue": {"post_filter": post_filter}}).catalogue
    index = pd.DataFrame({"subject_id": ["s", "blank"], "ra": 10.0, "dec": 10.0, "flags": 0})
    surveys = {"survey": SURVEYS["FIRST"], "infrared_survey": SURVEYS["WISE_W1"]}
    catalogue = describe_shard(
        detections, index, table, {}, {}, {}, shard="00000", options=options, frame=FRAME, **surveys
    )
    listed = Listing.of(detections, options).listed()
    kept = detections.index.isin(catalogue.sources["detection"])
    pd.testing.assert_frame_equal(listed, detections[kept].reset_index(drop=True))
    expected = {"survey": [1, 2], "paper": [2, 3]}[post_filter]
    assert np.flatnonzero(kept).tolist() == expected


def test_a_threshold_replaces_the_minimum_probability_of_the_catalogue() -> None:
    detections = pd.DataFrame([detection("s", (10, 10, 30, 30), probability=0.6)])
    listing = Listing.of(detections, load_config().catalogue)
    assert len(listing.listed()) == len(listing.listed(0.55)) == 1
    assert len(listing.listed(0.65)) == 0
    assert len(listing.classified(0.65)) == 1  # the paper keeps the best of each subject
