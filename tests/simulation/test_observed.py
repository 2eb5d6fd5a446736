"""The simulated sources as other surveys see them: one sky, another instrument."""

from dataclasses import replace

import numpy as np
import pytest

from claran_core.common.cutout import Beam
from claran_core.common.errors import ConfigError
from claran_core.evaluation.sky_truth import model_flux_mjy
from claran_core.simulation.geometry import sky_to_cell
from claran_core.simulation.observed import ObservedCell, ObservedPopulation, convolved
from claran_core.simulation.population import DrawnPopulation, RadioCell, RadioSource
from claran_core.survey.description import described_survey
from claran_core.survey.surveys import SURVEYS, Survey

SEED = 11
CELL = sky_to_cell(150.0, 20.0, 128)
SKY = DrawnPopulation(SEED)
# FIRST's instrument under another name, without its smearing, so that the general way is used.
LIKE_FIRST = replace(SURVEYS["FIRST"], name="LIKE_FIRST")


def cell_of(survey: Survey) -> RadioCell:
    return ObservedPopulation(SKY, survey).cell(CELL)


def an_extended_source(cell: RadioCell) -> tuple[int, RadioSource]:
    """Return the first source of several parts that has a core."""
    for number in np.flatnonzero(~cell.is_compact).tolist():
        rows = cell[number].gaussians.rows
        if len(rows) > 8 and (np.hypot(rows[:, 2], rows[:, 3]) < 0.5).any():
            return number, cell[number]
    raise AssertionError("no such source in the cell")


def test_a_beam_along_an_axis_and_across() -> None:
    one = (np.array([2.0]), np.array([3.0]), np.array([4.0]))
    # Axes add in squares where they are parallel: 3 and 4 under 5 x 12 at the same angle.
    peak, major, minor, angle = convolved(one[0], one[2], one[1], np.array([25.0]), Beam(12.0, 5.0, 25.0))[0]
    assert (major, minor, angle) == pytest.approx((np.hypot(4, 12), np.hypot(3, 5), 25.0))
    assert peak == pytest.approx(2.0 * 60 / (major * minor))
    # Across: the long axis of the source adds to the short one of the beam.
    _, major, minor, angle = convolved(one[0], one[2], one[1], np.array([115.0]), Beam(12.0, 5.0, 25.0))[0]
    assert (major, minor, angle) == pytest.approx((np.hypot(3, 12), np.hypot(4, 5), 25.0))


@pytest.mark.parametrize("name", ["VLASS", "LOTSS", "NVSS", "MEERKAT"])
def test_every_survey_has_the_sources_of_first_at_their_places(name: str) -> None:
    first, seen = SKY.cell(CELL), cell_of(SURVEYS[name])
    n = len(first)
    np.testing.assert_array_equal(seen.ra_deg[:n], first.ra_deg)
    np.testing.assert_array_equal(seen.dec_deg[:n], first.dec_deg)
    assert [seen[k].source_id for k in range(n)] == [one.source_id for one in first]
    assert [seen[k].host_magnitude for k in range(n)] == [one.host_magnitude for one in first]


def test_deeper_surveys_see_more_and_the_same() -> None:
    counts = {name: len(cell_of(SURVEYS[name])) for name in ("NVSS", "EMU", "LOTSS", "MEERKAT")}
    assert counts["NVSS"] == len(SKY.cell(CELL)) < counts["EMU"] <= counts["LOTSS"] < counts["MEERKAT"]
    emu, meerkat = cell_of(SURVEYS["EMU"]), cell_of(SURVEYS["MEERKAT"])
    np.testing.assert_array_equal(meerkat.ra_deg[: len(emu)], emu.ra_deg)
    assert meerkat[len(emu) - 1].source_id == emu[len(emu) - 1].source_id


def test_at_firsts_frequency_and_beam_flux_densities_are_firsts() -> None:
    first, seen = SKY.cell(CELL), cell_of(LIKE_FIRST)
    for number in (0, 1, 2, an_extended_source(first)[0]):
        assert model_flux_mjy(seen[number], 5.4) == pytest.approx(
            model_flux_mjy(first[number], 5.4), rel=1e-9
        )
        # Without the smearing of FIRST, 5.87 arcsec for 5.4, points are brighter by its area.
        ratio = seen[number].gaussians.peak.max() / first[number].gaussians.peak.max()
        assert 1.0 <= ratio <= 1.19


def test_flux_densities_follow_the_spectra() -> None:
    seen = {name: cell_of(SURVEYS[name]) for name in ("LOTSS", "VLASS")}
    first = SKY.cell(CELL)
    field = np.flatnonzero(first.is_compact)[:200].tolist()
    for name, cell in seen.items():
        survey = SURVEYS[name]
        index = [
            -np.log(model_flux_mjy(cell[k], survey.beam_arcsec) / model_flux_mjy(first[k], 5.4))
            / np.log((survey.frequency_hz or 0) / 1.4e9)
            for k in field
        ]
        assert np.mean(index) == pytest.approx(0.67, abs=0.08)
    # The index of one source is the same between any two frequencies.
    one, other = (
        -np.log(
            model_flux_mjy(cell[field[3]], SURVEYS[name].beam_arcsec) / model_flux_mjy(first[field[3]], 5.4)
        )
        / np.log((SURVEYS[name].frequency_hz or 0) / 1.4e9)
        for name, cell in seen.items()
    )
    assert one == pytest.approx(other, rel=1e-9)


def test_lotss_sees_more_plasma_and_vlass_less() -> None:
    """The share of the flux density that is in the core falls with the wavelength."""
    number, source = an_extended_source(SKY.cell(CELL))
    core = np.hypot(*source.gaussians.rows[:, 2:4].T) < 0.5
    shares = []
    for name in ("LOTSS", "FIRST", "VLASS"):
        rows = (source if name == "FIRST" else cell_of(SURVEYS[name])[number]).gaussians.rows
        flux = rows[:, 4] * rows[:, 5] * rows[:, 6]
        shares.append(flux[core].sum() / flux.sum())
    assert shares[0] < shares[1] < shares[2]


def test_elliptical_beams() -> None:
    own = {"beam_arcsec": (16.0, 10.0, 30.0), "pixel_scale_arcsec": 2.5, "rms": 1e-4, "frequency_hz": 1.4e9}
    seen = cell_of(described_survey("MINE", "radio", own))
    point = seen[int(np.argmin(np.where(seen.is_compact, seen.compact[:, 0], np.inf)))].gaussians.rows[0]
    assert point[5:] == pytest.approx([16.0, 10.0, 30.0], rel=1e-2)


def test_a_survey_needs_a_frequency() -> None:
    own = {"beam_arcsec": 16.0, "pixel_scale_arcsec": 2.5, "rms": 1e-4}
    with pytest.raises(ConfigError, match="needs the frequency of MINE; write description.frequency_hz"):
        ObservedPopulation(SKY, described_survey("MINE", "radio", own))


def test_noise_and_artefacts_scale_with_the_survey() -> None:
    seen = cell_of(SURVEYS["VLASS"])
    assert isinstance(seen, ObservedCell)
    assert (seen.noisier, seen.artefact_gain) == pytest.approx((140 / 156, 500 / 200))
    n = len(SKY.cell(CELL))
    assert seen.sidelobe_gain[:n] == pytest.approx(2.5 * SKY.cell(CELL).sidelobe_gain)
