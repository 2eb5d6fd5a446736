"""The catalogue's columns from hand-made detections, and its independence of shards and row order."""

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.votable.ucd import check_ucd
from astropy.units import Unit

from claran_core import __version__, tables
from claran_core.catalogue import CATALOGUE, build_catalogue
from claran_core.catalogue.build import describe_sources, finish_catalogue
from claran_core.config import CatalogueOptions
from claran_core.errors import InputError
from claran_core.flags import Flag
from claran_core.frame import Frame
from claran_core.morphology import MORPHOLOGIES, probability_columns
from claran_core.overlap import BOX_COLUMNS

OPTIONS = CatalogueOptions(method="D4", min_probability=0.8, one_source_per_field=False)
FRAME = Frame()


def detection(subject: str, box: tuple, *, morphology: str = "1C_1P", probability: float = 0.9) -> dict:
    """One row; its ra and dec are wrong on purpose: positions come from the index and the box."""
    share = {name: 0.0 for name in probability_columns()} | {f"p_{morphology.lower()}": probability}
    corners = dict(zip(BOX_COLUMNS, box, strict=True))
    return {"subject_id": subject, "ra": 1.0, "dec": 1.0, **corners, "morphology": morphology} | {
        "probability": probability,
        **share,
    }


def fused(*rows: tuple) -> pd.DataFrame:
    """Index of (subject, ra, dec, flags)."""
    return pd.DataFrame(rows, columns=["subject_id", "ra", "dec", "flags"])


def build(detections: list[dict] | pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    return build_catalogue(pd.DataFrame(detections), index, OPTIONS, FRAME, method="D4", model_id="compact-1")


def random_run(seed: int, n_subjects: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Detections crowded into one corner of the sky, so that names collide and boxes compete."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_subjects):
        for _ in range(rng.integers(0, 5)):
            x, y = rng.integers(0, 3, 2) * 30.2
            side = float(rng.choice([12.0, 25.0]))
            kind = str(rng.choice(MORPHOLOGIES))
            probability = round(rng.random(), 1)
            box = (x, y, x + side, y + side)
            rows.append(detection(f"s{number:02d}", box, morphology=kind, probability=probability))
    # Pairs of subjects at one position: equal boxes there have equal positions and equal names.
    ra = 359.999 + np.arange(n_subjects) // 2 * 1e-4
    index = fused(*[(f"s{at:02d}", value % 360, 10.0, 0) for at, value in enumerate(ra)])
    return pd.DataFrame(rows), index


def test_a_source_by_hand() -> None:
    # A box of 40 x 20 px whose centre lies 46 px to the left (east) and 6 px up (north) of the subject's.
    boxes = [detection("s", (0, 50, 40, 70), morphology="2C_3P")]
    row = build(boxes, fused(("s", 180.0, 60.0, int(Flag.RADIO_PARTIAL)))).iloc[0]
    centre, source = SkyCoord(180, 60, unit="deg"), SkyCoord(row["ra"], row["dec"], unit="deg")
    east, north = centre.spherical_offsets_to(source)
    assert east.arcsec == pytest.approx(46 * 1.375, abs=0.01)
    assert north.arcsec == pytest.approx(6 * 1.375, abs=0.01)
    assert row["angular_size"] == pytest.approx(30 * 1.375)
    assert (row["n_components"], row["n_peaks"]) == (2, 3)
    assert row["flags"] == Flag.RADIO_PARTIAL | Flag.EDGE
    assert row["source_id"].startswith("J1200") and row["source_id"][9] == "+"
    assert (row["method"], row["model_id"], row["pipeline_version"]) == ("D4", "compact-1", __version__)


@pytest.mark.parametrize(
    ("box", "edge"),
    [((1, 1, 131, 131), False), ((0.4, 9, 20, 20), True), ((9, 9, 20, 132), True), ((9, 0, 20, 20), True)],
)
def test_edge_flag(box: tuple, edge: bool) -> None:
    flags = build([detection("s", box)], fused(("s", 10.0, 0.0, 0)))["flags"].iloc[0]
    assert bool(flags & Flag.EDGE) is edge


def test_flags_of_subject_and_filter_meet() -> None:
    unsure = [detection("s", (10, 10, 20, 20), probability=0.5)]
    flags = build(unsure, fused(("s", 10.0, 0.0, int(Flag.INFRARED_MISSING | Flag.SUSPECT_UNIT))))["flags"]
    assert flags.iloc[0] == Flag.INFRARED_MISSING | Flag.SUSPECT_UNIT | Flag.BELOW_MIN_PROBABILITY


def test_one_source_in_two_subjects_gets_two_names() -> None:
    box = (60, 60, 72, 72)
    catalogue = build(
        [detection("t", box), detection("s", box)], fused(("s", 10.0, 5.0, 0), ("t", 10.0, 5.0, 0))
    )
    assert catalogue["source_id"].tolist() == ["J004000.0+050000a", "J004000.0+050000b"]
    assert catalogue["subject_id"].tolist() == ["s", "t"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_does_not_depend_on_row_order_or_shards(seed: int) -> None:
    detections, index = random_run(seed)
    expected = build(detections, index)
    assert expected["source_id"].str.len().max() > 16  # there are collisions to get wrong
    assert expected["source_id"].is_unique
    shuffled = build(detections.sample(frac=1, random_state=seed), index.sample(frac=1, random_state=seed))
    pd.testing.assert_frame_equal(shuffled, expected)
    shards = [
        detections[detections["subject_id"].str[-1].isin(list(digits))]
        for digits in ("13", "2", "04567", "89")
    ]
    parts = [
        describe_sources(shard, index, OPTIONS, FRAME, method="D4", model_id="compact-1") for shard in shards
    ]
    pd.testing.assert_frame_equal(finish_catalogue(pd.concat(parts, ignore_index=True)), expected)


def test_close_on_the_sky_is_close_in_the_file() -> None:
    ra = [10.0, 200.0, 10.5, 200.5, 10.2]
    index = fused(*[(f"s{at}", value, 5.0, 0) for at, value in enumerate(ra)])
    catalogue = build([detection(f"s{at}", (60, 60, 72, 72)) for at in range(5)], index)
    near = catalogue["ra"].to_numpy() < 100
    assert np.diff(near.astype(int)).tolist().count(0) == 3  # one step from one region to the other


def test_detections_of_a_strange_subject_are_refused() -> None:
    with pytest.raises(InputError, match="subject 'stranger' has detections but no fused image"):
        build([detection("stranger", (1, 1, 5, 5))], fused(("s", 10.0, 0.0, 0)))


def test_nothing_detected_is_an_empty_catalogue() -> None:
    none = tables.DETECTIONS.empty_table().to_pandas()
    for index in (fused(), fused(("s", 10.0, 0.0, 0))):
        catalogue = build(none, index)
        assert len(catalogue) == 0
        assert list(catalogue.columns) == CATALOGUE.names


def test_every_column_explains_itself() -> None:
    for column in CATALOGUE:
        facts = {key.decode(): value.decode() for key, value in column.metadata.items()}
        assert check_ucd(facts["ucd"], check_controlled_vocabulary=True), column.name
        assert Unit(facts["unit"], format="vounit") is not None
        assert len(facts["description"]) > 10
        assert column.name == column.name.lower()
    assert len(set(CATALOGUE.names)) == len(CATALOGUE.names)
