"""Average precision of subjects of larger scales, by hand."""

import numpy as np
import pandas as pd
from detection_rows import detection

from claran_core.evaluation.by_scale import precision_by_scale

BOX, BESIDE = (10, 10, 30, 30), (60, 60, 90, 90)
TARGETS = pd.DataFrame(
    {"subject_id": ["s", "s_x2", "t_x2", "s_x4"], "scale": [1, 2, 2, 4], "split": ["test"] * 4}
)


def test_each_scale_by_hand() -> None:
    labels = pd.DataFrame(
        [detection("s", BOX), detection("s_x2", BOX), detection("t_x2", BOX, morphology="2C_2P")]
    )
    found = pd.DataFrame(
        [
            detection("s", BESIDE),  # wrong, but of the finest scale
            detection("s_x2", BESIDE, probability=0.9),
            detection("s_x2", BOX, probability=0.8),
            detection("t_x2", BOX, morphology="2C_2P"),
        ]
    )
    table = precision_by_scale(found, labels, TARGETS, 0.5)
    assert list(table) == ["2"]  # nothing is labelled at scale 4
    assert (table["2"]["n_subjects"], table["2"]["n_sources"]) == (2, 2)
    assert (table["2"]["1C_1P"], table["2"]["2C_2P"], table["2"]["mean"]) == (0.5, 1.0, 0.75)
    assert np.isnan(table["2"]["3C_3P"])
