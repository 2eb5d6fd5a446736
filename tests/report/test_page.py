"""The page: complete, well-formed, escaped, and self-contained with its folder."""

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest
from report_inputs import Page, make_inputs, outcomes_of, with_truth

from claran_core.common.errors import InputError
from claran_core.common.flags import Flag
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.paths import EVALUATION_FIGURES
from claran_core.evaluation.metrics import choose_sample, evaluate
from claran_core.report.gallery import SCRIPTS
from claran_core.report.page import render_report, write_report
from claran_core.settings.config import load_config

# A service of the user.
MINE = {"survey": "FIRST", "protocol": "first", "dataset": "x", "band": "", "max_size_px": 512}
EVIL = "<script>alert(1)</script>\"'&"


def test_the_page_shows_all_measures_of_the_evaluation(tmp_path: Path) -> None:
    inputs = with_truth(make_inputs(), tmp_path)
    text = render_report(inputs)
    # These labels have no consensus level, so Fig. 14 is left out; the losses are the sixth.
    assert text.count('<img src="data:image/png') == len(EVALUATION_FIGURES) - 1 + 1
    assert "The labels have no consensus levels" in text
    # Of these 11 true sources, S000, S006, S012 and S018 are 1C_1P, S002, S008, S014 and S020 1C_3P.
    row = r"<td>1C</td><td class=\"n\">8</td><td class=\"n\">1.000</td>.*published\">0.905</td>"
    assert re.search(row, text)
    # Of the 12 test subjects, all but the last have one source and one classification; none has two sources.
    assert '<td>with a true source</td><td class="n">11</td><td class="n">1.000</td>' in text
    assert '<td>two or more true sources</td><td class="n">0</td><td class="n">–</td>' in text


def test_the_page_is_complete_and_needs_only_its_folder(tmp_path: Path) -> None:
    text = render_report(with_truth(make_inputs(), tmp_path))
    page = Page(text)
    outside = [source for source in page.sources if not source.startswith("data:image/png;base64,")]
    assert outside == [f"report/{name}" for name in SCRIPTS]
    assert set(page.links) <= {f"#{name}" for name in page.ids}
    assert not {"link", "iframe", "object", "embed"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert "url(" not in text
    # A name of a format, which nothing is loaded from, is the only address there may be.
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert len(set(page.ids)) == len(page.ids)


def test_the_content_security_policy_is_strict() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', render_report(make_inputs(3)))
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.group(1).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' file:"


def test_chapters_are_summary_and_gallery_then_the_stages(tmp_path: Path) -> None:
    sections = Page(render_report(with_truth(make_inputs(), tmp_path))).sections
    stages = ["targets", "cutouts", "fusion", "training", "inference", "catalogue", "evaluation"]
    assert sections == ["summary", "gallery", *stages, "settings"]


def test_the_page_counts_doubtful_sources_and_components_that_are_none() -> None:
    inputs = make_inputs(6)
    flags = [int(Flag.DOUBTFUL), 0, int(Flag.DOUBTFUL | Flag.EDGE), 0]
    outcomes = pd.DataFrame({"outcome": ["source"] * 5 + ["artefact"] * 2 + ["noise"]})
    inputs = dataclasses.replace(inputs, catalogue=inputs.catalogue.assign(flags=flags), outcomes=outcomes)
    text = render_report(inputs)
    assert "<dd>4<small>2 of them doubtful</small>" in text
    assert "<dd>8<small>3 artefacts or noise</small>" in text
    assert "2 have a probability below 0.5 and are flagged" in text
    assert re.search(r'<td class="mono">artefact</td><td class="n">2</td>', text)
    assert text.count('class="limit"') == 1


def test_the_page_names_the_scales_of_the_subjects() -> None:
    inputs = make_inputs(6)
    targets = inputs.targets.assign(scale=[1, 1, 1, 1, 2, 4])
    text = render_report(dataclasses.replace(inputs, targets=targets))
    assert "4 of 1.10 arcmin;" in text
    assert "1 of 4.40 arcmin, smoothed to 4 beams." in text
    assert "The 4 subjects that are not smoothed" in text


def test_the_page_shows_the_precision_of_each_scale(tmp_path: Path) -> None:
    inputs = with_truth(make_inputs(), tmp_path)
    measured = {"n_subjects": 12, "n_sources": 1234, "mean": 0.75, **dict.fromkeys(MORPHOLOGIES, 0.5)}
    metrics = {"D4": {**inputs.metrics["D4"], "by_scale": {"2": measured | {"3C_3P": None}}}}
    text = render_report(dataclasses.replace(inputs, metrics=metrics))
    row = r'<td class="n">2</td><td class="n">12</td><td class="n">1\u202f234</td><td class="n">0.750</td>'
    assert re.search(row + r'(<td class="n">0.500</td>){5}<td class="n">–</td>', text)
    assert "smoothed to several beams" not in render_report(inputs)


def test_run_without_truth_says_so() -> None:
    text = render_report(make_inputs())
    assert "the detections were not evaluated" in text
    assert "No training in this run" in text
    assert "Mean average precision" not in text


def test_figures_of_the_catalogue_are_shown_where_there_are_any(tmp_path: Path) -> None:
    inputs = with_truth(make_inputs(), tmp_path)
    figure = inputs.loss_curves["D4"]
    bare = dataclasses.replace(make_inputs(), catalogue_figures={"comparison": figure})
    text = render_report(bare)
    assert "evaluation.compare_with.path" in text
    assert "the detections were not evaluated" not in text


@pytest.mark.parametrize("n_subjects", [4, 0])
def test_empty_catalogue_still_gives_a_page(n_subjects: int) -> None:
    inputs = make_inputs(4)
    rows = inputs.catalogue.iloc[:0]
    inputs = dataclasses.replace(
        inputs,
        catalogue=rows,
        outcomes=outcomes_of(rows),
        targets=inputs.targets.iloc[:n_subjects],
        fused=inputs.fused.iloc[:n_subjects],
        blank=frozenset(inputs.fused["subject_id"].iloc[:n_subjects]),
    )
    text = render_report(inputs)
    Page(text)
    assert f"{n_subjects}<small>of {n_subjects} subjects" in text


def test_classes_without_truth_have_dashes(tmp_path: Path) -> None:
    inputs = with_truth(make_inputs(), tmp_path)
    labels = inputs.labels.iloc[:1]
    sample = choose_sample(inputs.targets, labels)
    detections = inputs.catalogue.assign(component_ids=[()] * len(inputs.catalogue))
    options = inputs.config.evaluation
    metrics = evaluate(detections, labels, sample, options, min_probability=0.5, method="D4", seed=1)
    text = render_report(dataclasses.replace(inputs, metrics={"D4": metrics}))
    assert re.search(r"<td>3C_3P</td><td class=\"n\">0</td>.*<td class=\"n\">–</td>", text)


def test_every_text_from_data_and_settings_is_escaped() -> None:
    inputs = make_inputs(3)
    inputs = dataclasses.replace(
        inputs,
        config=load_config({"survey": {"radio": {"path": EVIL, "pattern": EVIL}}}),
        notices=[EVIL],
        ledger=inputs.ledger.assign(reason=EVIL, status="failed", survey=EVIL, subject_id=EVIL),
        catalogue=inputs.catalogue.assign(source_id=EVIL, model_id=EVIL),
        date=EVIL,
        version=EVIL,
    )
    text = render_report(inputs)
    page = Page(text)
    assert page.tags.count("script") == len(SCRIPTS)
    assert text.count("&lt;script&gt;alert") >= 8
    assert "<script>alert" not in text


def test_page_and_folder_are_written_and_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    inputs = with_truth(make_inputs(), tmp_path)
    for name in ("a", "b"):
        write_report(tmp_path / name / "report.html", tmp_path / name / "report", inputs)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > len(SCRIPTS) + 3
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


@pytest.mark.parametrize("content", [None, b"", b"<svg onload=...>"])
def test_invalid_png_figures_are_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    figure = tmp_path / "losses.png"
    if content is not None:
        figure.write_bytes(content)
    with pytest.raises(InputError, match=r"losses\.png"):
        write_report(
            tmp_path / "report.html",
            tmp_path / "report",
            dataclasses.replace(make_inputs(3), loss_curves={"D4": figure}),
        )
    assert not (tmp_path / "report").exists()


def test_the_page_names_no_folder_person_or_password(tmp_path: Path) -> None:
    inputs = make_inputs()
    config = load_config(
        {
            "targets": {"path": "/srv/alice/targets.csv"},
            "survey": {
                "radio": {"source": "directory", "path": "/data/alice/first"},
                "infrared": {"source": "none"},
                "archive": {"services": {"mine": {**MINE, "url": "https://alice:pa55@maps.example.org/c"}}},
            },
            "cutouts": {"archive": {"contact": "alice@astro.example.edu"}},
        }
    )
    ledger = inputs.ledger.assign(status="failed", reason="/data/alice/first/a.fits: damaged")
    notices = [
        "1 of 9 files of survey.radio.path cannot be used; b: see /data/alice/first/b.fits",
        "No subject has a radio image; s: https://alice:pa55@maps.example.org/x: ask alice@astro.example.org",
    ]
    text = render_report(dataclasses.replace(inputs, config=config, ledger=ledger, notices=notices))
    assert "cannot be used; b: see b.fits" in text and "ask (e-mail address)" in text
    assert "path: targets.csv" in text and "a.fits: damaged" in text and "https://maps.example.org/c" in text
    assert not re.search("alice|pa55|/srv|/data/", text)
