"""Targets outside all images are refused with both places; everything else passes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from claran_core.common.errors import ConfigError
from claran_core.common.sky import unit_vectors
from claran_core.survey.directory.image_index import ImageIndex
from claran_core.survey.directory.target_check import CHUNK, check_targets
from claran_core.survey.surveys import SURVEYS

FIRST = SURVEYS["FIRST"]
FOLDER = Path("mosaics")


def index_of(*places: tuple[float, float], radius_deg: float = 0.5, passed_over: str = "") -> ImageIndex:
    x, y, z = unit_vectors(*np.array(places).T).T
    rows = {"x": x, "y": y, "z": z, "radius_deg": radius_deg, "passed_over": passed_over}
    return ImageIndex(pd.DataFrame(rows))


def check(index: ImageIndex, ra_deg: list[float], dec_deg: list[float], width_arcsec: float = 180.0) -> None:
    check_targets(index, FIRST, FOLDER, np.array(ra_deg), np.array(dec_deg), width_arcsec=width_arcsec)


def test_one_target_inside_is_enough() -> None:
    index = index_of((150.0, 2.0), (151.0, 2.0))
    check(index, [10.0, 151.3], [-30.0, 2.2])
    check(index, [10.0] * (2 * CHUNK) + [150.0], [-30.0] * (2 * CHUNK) + [2.0])
    # The centre is 0.52 deg from the middle of the image; the corner of the subject reaches inside.
    check(index, [150.0], [1.48], width_arcsec=150.0)
    check(index, [], [])


def test_targets_elsewhere_are_refused_with_both_places() -> None:
    with pytest.raises(ConfigError) as refused:
        check(index_of((150.0, 2.0), (151.5, 2.5)), [210.25, 211.0], [54.0, 54.125])
    assert str(refused.value) == (
        "config: survey.radio.path: none of the 2 targets lies in an image of mosaics; targets: RA 210.250 "
        "to 211.000, Dec +54.000 to +54.125 deg; images: RA 150.000 to 151.500, Dec +2.000 to +2.500 deg; "
        "is ra in deg, not in hours?"
    )


def test_right_ascensions_in_hours_are_recognised() -> None:
    with pytest.raises(ConfigError, match=r"in hours, they lie in images: multiply ra by 15"):
        check(index_of((150.0, 2.0)), [10.01], [2.1])  # 10.01 h are 150.15 deg


def test_a_map_that_is_no_image_does_not_count() -> None:
    with pytest.raises(ConfigError, match="none of the 1 targets"):
        check(
            ImageIndex(
                pd.concat(
                    [index_of((9.0, 9.0)).rows, index_of((150.0, 2.0), passed_over="weights").rows],
                    ignore_index=True,
                )
            ),
            [150.0],
            [2.0],
        )


def test_files_of_unknown_position_may_show_the_targets() -> None:
    check(index_of((150.0, 2.0), (np.nan, np.nan), radius_deg=np.nan), [30.0], [2.0])
