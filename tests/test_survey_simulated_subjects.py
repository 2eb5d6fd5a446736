"""Subjects of the simulated sky: the right number, mix, names and places, and no leak."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.coordinates import SkyCoord

from claran_core.errors import InputError
from claran_core.frame import Frame
from claran_core.morphology import MORPHOLOGIES
from claran_core.survey import SURVEYS
from claran_core.survey.simulated import SimulatedSource, select_subjects
from claran_core.survey.simulated.__main__ import DEFAULT_SEED, main
from claran_core.survey.simulated.geometry import cells_near, sky_to_cell
from claran_core.survey.simulated.population import RADIO_NSIDE, radio_cell
from claran_core.survey.simulated.subjects import REGION_NSIDE, TABLE_3, _shares

REPOSITORY = Path(__file__).resolve().parent.parent
DEMO = REPOSITORY / "resources" / "demo" / "targets.csv"


def test_shares_are_whole_and_sum_up() -> None:
    for n in (0, 1, 7, 900, 6978):
        assert _shares(n, TABLE_3["train"]).total() == n
    assert dict(_shares(6978, TABLE_3["train"])) == dict(TABLE_3["train"])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return select_subjects(seed=3, n_train=60, n_test=30)


def test_selection_is_as_asked(table: pd.DataFrame) -> None:
    assert table.columns.tolist() == ["subject_id", "ra", "dec", "split"]
    assert table.split.value_counts().to_dict() == {"train": 60, "test": 30}
    assert table.subject_id.is_unique
    assert table.subject_id.str.fullmatch(r"FIRSTJ\d{6}\.\d[+-]\d{6}").all()
    pd.testing.assert_frame_equal(table, select_subjects(seed=3, n_train=60, n_test=30))


def nearest_source(ra: float, dec: float):
    """Source one of whose peaks is at a position, and the distance of its middle (arcsec)."""
    near = [s for cell in cells_near(ra, dec, 200.0, RADIO_NSIDE) for s in radio_cell(3, cell)]

    def distance(source) -> float:
        west, south = Frame(0, 1.0).sky_to_frame(source.ra_deg, source.dec_deg, ra, dec)
        return float(np.hypot(*(source.peaks + [west, south]).T).min())

    return min(near, key=distance), min(map(distance, near))


def test_subjects_are_centred_on_a_component_in_the_mix_asked_for(table: pd.DataFrame) -> None:
    classes = []
    for row in table[table.split == "train"].itertuples():
        source, distance = nearest_source(row.ra, row.dec)
        assert distance < 1.6
        assert source.kind != "field"
        classes.append(f"{source.n_components}C_{source.n_peaks}P")
    assert {name: classes.count(name) for name in MORPHOLOGIES} == dict(_shares(60, TABLE_3["train"]))


def test_splits_share_no_region_and_keep_apart(table: pd.DataFrame) -> None:
    regions = {
        split: {sky_to_cell(r.ra, r.dec, REGION_NSIDE) for r in rows.itertuples()}
        for split, rows in table.groupby("split")
    }
    assert regions["train"].isdisjoint(regions["test"])
    train, test = (
        SkyCoord(t.ra, t.dec, unit="deg") for t in (table[table.split == s] for s in ("train", "test"))
    )
    assert train.match_to_catalog_sky(test)[1].arcsec.min() > 600


def test_demo_targets_are_the_sky_of_the_default_configuration() -> None:
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    assert config["seed"] == DEFAULT_SEED
    demo = pd.read_csv(DEMO)
    assert demo.split.value_counts().to_dict() == {"train": 900, "test": 400}
    assert demo.subject_id.is_unique
    sky = SimulatedSource(SURVEYS["FIRST"], seed=DEFAULT_SEED)
    for row in demo.sample(20, random_state=0).itertuples():
        cutout = sky.cutout(row.subject_id, row.ra, row.dec, 20.0)
        x, y = np.rint(cutout.wcs.wcs_world2pix(row.ra, row.dec, 0)).astype(int)
        assert cutout.data[y - 1 : y + 2, x - 1 : x + 2].max() > 5 * 1.56e-4


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"n_train": -1}, "-1"),
        ({"mix": {"train": {"1C_1P": 1}, "test": {"1C_1P": 1}}}, "1C_1P"),
        ({"mix": {s: dict.fromkeys(MORPHOLOGIES, 0) for s in ("train", "test")}}, "not all zero"),
        ({"mix": {s: dict.fromkeys(MORPHOLOGIES, -1) for s in ("train", "test")}}, ">= 0"),
    ],
)
def test_impossible_requests_are_refused_in_one_line(change: dict, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        select_subjects(**({"seed": 1, "n_train": 2, "n_test": 1} | change))
    assert "\n" not in str(caught.value)


def test_no_subjects_is_an_empty_table() -> None:
    table = select_subjects(seed=1, n_train=0, n_test=0)
    assert len(table) == 0 and table.columns.tolist() == ["subject_id", "ra", "dec", "split"]


def test_command_writes_the_table_and_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "targets.csv"
    assert main(["--seed", "3", "--train", "4", "--test", "2", "--output", str(path)]) == 0
    written = pd.read_csv(path)
    assert len(written) == 6 and (written.ra * 1e6 % 1).round(3).isin([0.0, 1.0]).all()
    assert main(["--seed", "-3", "--train", "4", "--test", "2", "--output", str(path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert main(["--train", "-4", "--test", "2", "--output", str(tmp_path / "no.csv")]) == 1
    assert not (tmp_path / "no.csv").exists()
