"""Fusing a shard: rows and images follow the targets, also for missing images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from claran_core.common.cutout import Band, Cutout, NoImage
from claran_core.common.errors import InputError
from claran_core.common.files import content_of, read_array, read_table, write_table
from claran_core.common.flags import Flag
from claran_core.common.noise import noise_sigma
from claran_core.common.origins import check_together, origin_of
from claran_core.common.paths import Results
from claran_core.common.tables import FUSED, LEDGER
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.cutouts.shard import cut_shard
from claran_core.fusion.fused_images import check_images, open_shard
from claran_core.fusion.shard import fuse_shard
from claran_core.settings.config import load_config
from claran_core.survey.surveys import SURVEYS

OPTIONS = load_config({"fusion": {"size_px": 48}}).fusion
TARGETS = pd.DataFrame(
    {
        "subject_id": ["good", "empty", "no_infrared", "blank", "odd"],
        "ra": [10.0, 20.0, 30.0, 40.0, 50.0],
        "dec": 5.0,
        "scale": 1,
        "split": "none",
        "shard": "00000",
    }
)


class MadeProvider:
    """Provider of images with one source in the centre; the subject's name selects a defect."""

    workers, identity = 1, None

    def __init__(self, band: Band) -> None:
        self.survey = SURVEYS["FIRST" if band == "radio" else "WISE_W1"]
        self.band = band

    def stop(self) -> None:
        """Do nothing."""

    def cutout(self, subject_id: str, ra_deg: float, dec_deg: float, width_arcsec: float) -> Cutout | NoImage:
        if subject_id == "empty" or (subject_id == "no_infrared" and self.band == "infrared"):
            return NoImage("no_coverage", "outside")
        wcs = OPTIONS.frame.wcs(ra_deg, dec_deg)
        data = np.random.default_rng(len(subject_id)).normal(0, 1e-4, (48, 48))
        data[22:26, 22:26] += 5e-3
        if subject_id == "blank" and self.band == "radio":
            data[:] = 0.0
        flags = Flag.SUSPECT_UNIT if subject_id == "odd" else Flag(0)
        return Cutout(data.astype(np.float32), wcs, "made", flags)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Return the results of a run with the cut-outs of one shard."""
    results = Results(tmp_path_factory.mktemp("shard"))
    cut_shard(
        TARGETS,
        MadeProvider("radio"),
        MadeProvider("infrared"),
        OPTIONS.frame,
        results=results,
        shard="00000",
    )
    return results


def fuse(results: Results, method: str = "D4", shard: str = "00000") -> tuple[np.ndarray, pd.DataFrame]:
    """Fuse the shard; return its images and index."""
    with (
        read_cutouts(results.cutouts(shard, "radio")) as radio,
        read_cutouts(results.cutouts(shard, "infrared")) as infrared,
    ):
        noise = {
            name: noise_sigma(radio[name].data) if name in radio else np.nan for name in TARGETS.subject_id
        }
        fuse_shard(
            TARGETS,
            method,
            radio,
            infrared,
            noise,
            frame=OPTIONS.frame,
            drawing=OPTIONS.drawing,
            ledger_path=results.ledger(shard),
            images_path=results.fused(method, shard),
            index_path=results.fused_index(method, shard),
            made_from={"radio": radio.digest, "infrared": infrared.digest},
        )
    return read_array(results.fused(method, shard)), read_table(results.fused_index(method, shard))


def test_rows_and_images_follow_the_targets(results: Results) -> None:
    images, index = fuse(results)
    assert images.shape == (5, 48, 48, 3) and images.dtype == np.uint8
    assert index.columns.tolist() == FUSED.names
    assert index.subject_id.tolist() == TARGETS.subject_id.tolist()
    flags = dict(zip(index.subject_id, map(Flag, index["flags"]), strict=True))
    assert flags["good"] == Flag(0)
    assert flags["empty"] == Flag.RADIO_MISSING | Flag.INFRARED_MISSING
    assert flags["no_infrared"] == Flag.INFRARED_MISSING
    assert flags["blank"] == Flag.RADIO_BLANK | Flag.NO_CONTOUR
    assert flags["odd"] == Flag.SUSPECT_UNIT
    good = index.set_index("subject_id").loc["good"]
    assert good.sigma == pytest.approx(1e-4, rel=0.1) and good.n_contours >= 1
    assert good.radio_coverage == 1.0 and good.infrared_coverage == 1.0
    assert np.isnan(index.sigma[1])
    assert (images[1] == OPTIONS.hull_fill).all() and (images[0] != OPTIONS.hull_fill).any()


def test_views_have_the_frames_of_their_scales(tmp_path: Path) -> None:
    """A wide source of scale 1 looks at scale 2 like one of half the width at scale 1."""
    frame, files = OPTIONS.frame, Results(tmp_path)
    targets = TARGETS.head(2).assign(scale=[1, 2], ra=10.0)
    cutouts = {}
    for name, scale in zip(targets["subject_id"], targets["scale"], strict=True):
        data = np.random.default_rng(1).normal(0, 1e-4, (48, 48)).astype(np.float32)
        data[20:28, 12:26] += 5e-3
        cutouts[name] = Cutout(data, frame.at_scale(scale).wcs(10.0, 5.0), "made")
    write_table(files.ledger("0"), pd.DataFrame(columns=LEDGER.names), LEDGER)
    fuse_shard(
        targets,
        "D4",
        cutouts,
        {},
        dict.fromkeys(cutouts, 1e-4),
        frame=frame,
        drawing=OPTIONS.drawing,
        ledger_path=files.ledger("0"),
        images_path=files.fused("D4", "0"),
        index_path=files.fused_index("D4", "0"),
    )
    images, index = open_shard(files.fused("D4", "0"), files.fused_index("D4", "0"))
    assert index["scale"].tolist() == [1, 2] and (index["radio_coverage"] == 1).all()
    assert images.shape == (2, 48, 48, 3) and index["n_contours"][0] > 0
    np.testing.assert_array_equal(images[0], images[1])


def test_index_has_the_checksums_of_the_images(results: Results) -> None:
    fuse(results)
    path = results.fused("D4", "00000")
    images, index = open_shard(path, results.fused_index("D4", "00000"))
    check_images(images, index, range(5), path)
    damaged = np.array(images)
    damaged[3, 10, 11, 2] ^= 1
    check_images(damaged, index, [0, 1, 2, 4], path)
    with pytest.raises(InputError, match=r"00000\.npy: the image of blank is damaged .* rerun fusion"):
        check_images(damaged, index, range(5), path)


def test_index_says_what_it_was_made_from(results: Results) -> None:
    fuse(results)
    path = results.fused_index("D4", "00000")
    with read_cutouts(results.cutouts("00000", "radio")) as radio:
        assert content_of(path)[1]["radio"] == radio.digest
        with pytest.raises(InputError, match=r"00000\.parquet: made from other infrared .* fusion"):
            check_together({"fused": origin_of(path), "infrared": radio.origin})


def test_same_input_gives_the_same_bytes(results: Results) -> None:
    images, _ = fuse(results, "D3")
    first = np.array(images)
    again, _ = fuse(results, "D3")
    assert np.array_equal(first, again)


def test_truncated_cutout_file_is_refused_without_output(results: Results, tmp_path: Path) -> None:
    broken = Results(tmp_path)
    for path in (
        results.cutouts("00000", "radio"),
        results.cutouts("00000", "infrared"),
        results.ledger("00000"),
    ):
        copy = tmp_path / path.relative_to(results.root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    radio = broken.cutouts("00000", "radio")
    radio.write_bytes(radio.read_bytes()[:-5000])
    with pytest.raises(InputError, match="radio.arrow"):
        fuse(broken)
    assert not broken.fused("D4", "00000").exists()
