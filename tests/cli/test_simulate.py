"""`claran simulate`: target lists with their labels, and images of the simulated sky."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from astropy.io import fits

from claran_core.cli.simulate import DEFAULT_SEED
from claran_core.common.files import read_table
from claran_core.common.tables import LABELS
from claran_core.labels.rgz_table import read_label_table
from claran_core.simulation import subjects, survey_views
from claran_core.simulation.subjects import select_subjects
from claran_core.targets.target_table import read_targets

Run = Callable[..., tuple[int, str, str]]

CONFIG = Path(__file__).resolve().parents[2] / "config.yaml"
TARGETS = ("simulate", "targets", "--seed", "3")
DEEP = (
    "survey: {radio: {name: DEEP, description: {beam_arcsec: [12, 9, 30], pixel_scale_arcsec: 2, "
    "rms: 20, unit: uJy/beam, frequency_hz: 8.0e+8}}}"
)
IMAGE = ("simulate", "image", "--seed", "3", "--ra", "150", "--dec", "20")


def test_defaults_are_those_of_the_simulation_and_the_configuration() -> None:
    assert yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["seed"] == DEFAULT_SEED


def test_mosaic_and_its_truth(run: Run, tmp_path: Path) -> None:
    image, truth = tmp_path / "mosaic.fits", tmp_path / "truth.parquet"
    status, out, _ = run(*IMAGE, "--size-px", "300", "--output", image, "--truth", truth)
    assert status == 0 and "300 x 300 px of FIRST, sky 3" in out
    with fits.open(image) as hdus:
        assert hdus[0].data.shape == (300, 300) and hdus[0].header["BUNIT"] == "Jy/beam"
    table = read_table(truth, LABELS.names)
    assert len(table) and table["label_id"].is_unique


def test_mosaics_of_other_surveys(run: Run, tmp_path: Path) -> None:
    image, truth, settings = tmp_path / "mosaic.fits", tmp_path / "truth.parquet", tmp_path / "my.yaml"
    settings.write_text(DEEP)
    status, out, _ = run(*IMAGE, "--survey", "LOTSS", "--size-px", "200", "--output", image, "--truth", truth)
    assert status == 0 and "200 x 200 px of LOTSS, sky 3" in out
    assert len(read_table(truth, LABELS.names)) and fits.getheader(image)["RESTFRQ"] == 1.44e8
    status, out, _ = run(*IMAGE, "--configfile", settings, "--size-px", "90", "--output", image)
    assert status == 0 and "90 x 90 px of DEEP, sky 3" in out
    assert fits.getheader(image)["BMAJ"] * 3600 == pytest.approx(12)
    w1 = (*IMAGE, "--survey", "WISE_W1", "--size-px", "200", "--output", image, "--truth", truth)
    counts = []
    for configfile in ([], ["--configfile", settings]):
        assert run(*w1, *configfile)[0] == 0
        counts.append(len(read_table(truth, LABELS.names)))
    assert counts[0] < counts[1]  # DEEP is deeper than FIRST
    status, _, err = run(*IMAGE, "--survey", "DEEP", "--output", image)
    assert status == 1 and "--survey DEEP: write one of: FIRST, NVSS" in err


def test_target_list_and_label_table_agree(run: Run, tmp_path: Path) -> None:
    targets, labels = tmp_path / "targets.csv", tmp_path / "labels.csv"
    status, out, _ = run(*TARGETS, "--train", 1, "--test", 1, "--output", targets, "--labels", labels)
    assert status == 0 and "2 subjects of FIRST, sky 3, with 2 labelled sources" in out
    # A label table is a target table too, with the same subjects at the same positions.
    pd.testing.assert_frame_equal(
        read_targets(targets), read_targets(labels), check_exact=True, check_dtype=False
    )
    assert read_label_table(labels).num_cpnts.tolist() == [1, 1]


def test_survey_views_and_ambiguous_pairs_are_added(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(survey_views, "VIEWS", {"random": {1: 2, 4: 1}, "large": {8: 2}, "ambiguous": {1: 2}})
    output = tmp_path / "targets.csv"
    options = "--train", 1, "--test", 0, "--survey-views", "--ambiguous", 2
    status, out, _ = run(*TARGETS, *options, "--output", output)
    assert status == 0 and "10 subjects of FIRST, sky 3, with 1 labelled sources" in out
    table = pd.read_csv(output)
    assert table["scale"].tolist() == [1, 1, 1, 4, 8, 8, 1, 1, 1, 1]
    kinds = ["classified", *["random"] * 3, *["large"] * 2, *["ambiguous"] * 2, "one_source", "two_sources"]
    assert table["kind"].tolist() == kinds
    assert table["split"].tolist() == ["train"] * 8 + ["test"] * 2
    assert len(read_targets(output)) == 10


def test_targets_of_another_survey_are_sources_that_it_detects(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "targets.csv"
    settings = tmp_path / "deep.yaml"
    settings.write_text(DEEP)
    numbers = "--train", 2, "--test", 1, "--multi-source-fraction", 0, "--output", output
    for options, name in ((("--survey", "VLASS"), "VLASS"), (("--configfile", settings), "DEEP")):
        status, out, err = run(*TARGETS, *options, *numbers)
        assert status == 0, err
        assert f"3 subjects of {name}, sky 3, with 3 labelled sources" in out
        assert pd.read_csv(output)["subject_id"].str.match(rf"{name}J\d{{6}}\.\d[+-]\d{{6}}$").all()


def test_table_3_sets_the_numbers_of_subjects(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    passed: dict[str, Any] = {}
    empty = select_subjects(seed=1, n_train=0, n_test=0)
    monkeypatch.setattr(subjects, "select_subjects", lambda **options: passed.update(options) or empty)
    assert run(*TARGETS, "--table-3", "--output", tmp_path / "targets.csv")[0] == 0
    assert (passed["n_train"], passed["n_test"]) == (6141, 4603)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([*IMAGE, "--size-px", "-3"], 1, "-3"),
        ([*IMAGE, "--size-px", "wide"], 2, "'wide' is not a valid integer"),
        ([*IMAGE, "--dec", "95", "--size-px", "10"], 1, "95"),
        ([*IMAGE, "--survey", "NVS"], 1, "--survey NVS: write one of: FIRST, NVSS, VLASS"),
        ([*IMAGE, "--seed", "-1", "--size-px", "10"], 1, "-1 is negative"),
        ([*TARGETS, "--train", "-4", "--test", "2"], 1, "-4 is negative"),
        ([*TARGETS, "--train", "four", "--test", "2"], 2, "'four' is not a valid integer"),
        ([*TARGETS, "--train", "4"], 2, "give --train and --test, --table-3"),
        ([*TARGETS, "--train", "4", "--table-3"], 2, "leave them out"),
        ([*TARGETS, "--table-3", "--multi-source-fraction", "0.5"], 2, "leave them out"),
        (
            [*TARGETS, "--train", "1", "--test", "1", "--multi-source-fraction", "1.2"],
            1,
            "1.2 is not a share",
        ),
        (
            [*TARGETS, "--train", "1", "--test", "1", "--multi-source-fraction", "half"],
            2,
            "'half' is not a valid float",
        ),
        ([*TARGETS, "--survey", "NVSS", "--ambiguous", "0"], 1, "--ambiguous is for FIRST only"),
        ([*TARGETS, "--survey", "EMU", "--labels", "l.csv"], 1, "--labels is for FIRST only"),
        ([*TARGETS, "--survey", "WISE_W1", "--train", "1", "--test", "1"], 1, "give a radio survey"),
        ([*TARGETS, "--seed", "-3", "--train", "1", "--test", "1"], 1, "seed -3 is negative"),
        ([*TARGETS, "--train", "1", "--test", "1", "--colour"], 2, "No such option"),
    ],
)
def test_bad_values_end_in_one_line(
    run: Run, arguments: list[str], status: int, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "output"
    actual_status, _, error = run(*arguments, "--output", path)
    assert actual_status == status
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not path.exists()


def test_missing_output_names_the_option(run: Run) -> None:
    status, _, error = run(*IMAGE)
    assert status == 2 and "--output" in error and error.count("\n") == 1


def test_unwritable_output_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, _, error = run(*TARGETS, "--train", 0, "--test", 0, "--output", tmp_path / "file" / "targets.csv")
    assert status == 1 and error.startswith("error: ")
