"""Ambiguous pairs: both halves look alike in the radio, and hosts tell them apart."""

import numpy as np
import pytest

from claran_core.common.errors import InputError
from claran_core.simulation.ambiguous_pairs import (
    FAINTEST_HOST,
    SEPARATION_ARCSEC,
    AmbiguousPair,
    ambiguous_pairs,
)
from claran_core.simulation.infrared import peak_of_magnitude
from claran_core.simulation.provider import SimulatedProvider
from claran_core.simulation.regions import PAIRS_DEC_DEG
from claran_core.simulation.subjects import sources_near
from claran_core.survey.surveys import SURVEYS

SEED = 4


@pytest.fixture(scope="module")
def pairs() -> list[AmbiguousPair]:
    return ambiguous_pairs(SEED, 24, PAIRS_DEC_DEG)


def test_halves_are_alike(pairs: list[AmbiguousPair]) -> None:
    assert [pair.is_one_source for pair in pairs] == [True, False] * 12
    for one, two in zip(pairs[::2], pairs[1::2], strict=True):
        assert one.separation_arcsec == pytest.approx(two.separation_arcsec, rel=0.17)
        assert one.ratio == pytest.approx(two.ratio, abs=0.15)
        assert one.peak_snr == pytest.approx(two.peak_snr, rel=0.5)
    assert all(SEPARATION_ARCSEC[0] <= pair.separation_arcsec <= SEPARATION_ARCSEC[1] for pair in pairs)
    assert ambiguous_pairs(SEED, 4, PAIRS_DEC_DEG) == pairs[:4]


def test_sources_and_hosts_are_those_of_the_sky(pairs: list[AmbiguousPair]) -> None:
    infrared = SimulatedProvider(SURVEYS["WISE_W1"], seed=SEED)
    radio = SimulatedProvider(SURVEYS["FIRST"], seed=SEED)
    for pair in pairs[:8]:
        near = [
            one for one in sources_near(SEED, pair.ra_deg, pair.dec_deg, 75.0) if one.peak_jy > 5 * 1.65e-4
        ]
        assert [one.kind for one in near] == (["pair"] if pair.is_one_source else ["field", "field"])
        assert all(one.host_magnitude <= FAINTEST_HOST for one in near)
        for one in near:
            cutout = infrared.cutout("", one.ra_deg, one.dec_deg, 30.0)
            x, y = np.rint(cutout.wcs.sky_to_pixels(one.ra_deg, one.dec_deg)).astype(int)
            background = np.median(cutout.data)
            faintest = 0.6 * float(peak_of_magnitude(np.array(one.host_magnitude)))
            assert cutout.data[y, x] - background > 0.3 * faintest
        cutout = radio.cutout("", pair.ra_deg, pair.dec_deg, 181.5)
        for side in (1, -1):
            place = (
                pair.ra_deg + side * pair.east_arcsec / 3600 / np.cos(np.radians(pair.dec_deg)),
                (pair.dec_deg + side * pair.north_arcsec / 3600),
            )
            x, y = np.rint(cutout.wcs.sky_to_pixels(*place)).astype(int)
            peak = pair.peak_snr * (1.0 if side > 0 else pair.ratio) * 1.65e-4
            assert cutout.data[y - 1 : y + 2, x - 1 : x + 2].max() == pytest.approx(peak, rel=0.2, abs=8e-4)


@pytest.mark.parametrize(
    ("n", "problem"),
    [(3, "3 is not an even number"), (-2, "-2 is not an even number"), (100_000, "of 100000 ambiguous")],
)
def test_impossible_numbers_are_refused(n: int, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=problem):
        ambiguous_pairs(SEED, n, (86.0, 90.0))
