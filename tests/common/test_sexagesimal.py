"""Sexagesimal angles."""

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import Angle

from claran_core.common.sexagesimal import sexagesimal_values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("07:30:36", 7.51),
        ("07 30 36.0", 7.51),
        (" 7h30m36s ", 7.51),
        ("-0:30:00", -0.5),
        ("-00 30 00.0", -0.5),
        ("+33d57m54s", 33.965),
        ("120:00:00.", 120.0),
    ],
)
def test_three_parts_make_an_angle(text: str, value: float) -> None:
    assert sexagesimal_values(pd.Series([text])) == pytest.approx([value])


@pytest.mark.parametrize("text", ["07:60:00", "07:00:60", "7.5", "07:30", "7:30:36:0", "abc", "", "1:2:3x"])
def test_other_text_is_not_an_angle(text: str) -> None:
    assert np.isnan(sexagesimal_values(pd.Series([text]))).all()


def test_values_agree_with_astropy() -> None:
    rng = np.random.default_rng(5)
    angles = Angle(rng.uniform(-90, 90, 200), u.deg)
    texts = pd.Series([angle.to_string(sep=":", precision=9) for angle in angles])
    np.testing.assert_allclose(sexagesimal_values(texts), angles.deg, rtol=0, atol=1e-12)
