"""Report: choice of the gallery, numbers, escaping, and a page that needs nothing beside it."""

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from claran_core.catalogue.schema import CATALOGUE
from claran_core.config import load_config
from claran_core.errors import InputError
from claran_core.evaluation import (
    choose_sample,
    evaluate,
    evaluate_sources,
    plot_figures,
    plot_losses,
    published_values,
)
from claran_core.files import write_array, write_json, write_table
from claran_core.flags import Flag
from claran_core.morphology import MORPHOLOGIES, probability_columns
from claran_core.paths import EVALUATION_FIGURES, Results
from claran_core.report import ReportInputs, read_inputs, render_report, write_report
from claran_core.report.gallery import choose_subjects, make_cards, png_data_uri
from claran_core.report.scores import scores
from claran_core.report.summary import band_rows, flag_rows, ledger_problems, probability_bars, sky_cells
from claran_core.tables import FUSED, LABELS, LEDGER, LOSSES, TARGETS

SIZE = 48
SPLITS = ("test", "train")


def box_of(i: int) -> dict[str, float]:
    x, y = 4 + 3 * (i % 7), 6 + 4 * (i % 5)
    return {"box_x1": float(x), "box_y1": float(y), "box_x2": x + 16.0, "box_y2": y + 14.0}


def sources(n: int) -> pd.DataFrame:
    """One source in each of the subjects 0 .. n - 1, classes and probabilities taking turns."""
    rows = []
    for i in range(n):
        name = MORPHOLOGIES[i % 6]
        rows.append(
            {
                "source_id": f"J1000{i:02d}.0+300000",
                "ra": 150.0 + i / 10,
                "dec": 30.0,
                "subject_id": f"S{i:03d}",
                "method": "D4",
                "morphology": name,
                "n_components": int(name[0]),
                "n_peaks": int(name[3]),
                "probability": 0.99 - 0.3 * (i % 4) / 4,
                **{column: 0.1 for column in probability_columns()},
                **box_of(i),
                "angular_size": 20.0,
                "flags": 0,
                "model_id": "compact-D4-0123abcd",
                "pipeline_version": "0.1.0",
            }
        )
    # Through Arrow, so that numbers have the precision they have in a file.
    table = pd.DataFrame(rows, columns=CATALOGUE.names)
    return pa.Table.from_pandas(table, CATALOGUE, preserve_index=False).to_pandas()


def image_of(subject_id: str) -> np.ndarray:
    """Blobs on a warm background, another picture for every subject."""
    seed = int.from_bytes(subject_id.encode()[-4:], "little")
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    image = np.tile(np.array([213, 45, 14], float), (SIZE, SIZE, 1))
    for _ in range(3):
        cx, cy = rng.uniform(10, SIZE - 10, 2)
        image += 200 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 20)[..., None]
    return image.clip(0, 255).astype(np.uint8)


def make_ledger(ids: list[str]) -> pd.DataFrame:
    rows = []
    for i, subject in enumerate(ids):
        for band, survey in (("infrared", "WISE_W1"), ("radio", "FIRST")):
            failed = band == "radio" and i == len(ids) - 1
            outside = band == "infrared" and i in (1, 2)
            status = "failed" if failed else "no_coverage" if outside else "ok"
            reason = "table_not_image.fits: no image" if failed else "outside the survey" if outside else ""
            rows.append(
                [subject, "00000", band, survey, status, reason, float(status == "ok"), 0, "simulated"]
            )
    return pd.DataFrame(rows, columns=LEDGER.names)


def make_labels(n: int) -> pd.DataFrame:
    rows = [
        {
            "subject_id": f"S{i:03d}",
            "label_id": f"L{i:03d}",
            "split": SPLITS[i % 2],
            "ra": 150.0 + i / 10,
            "dec": 30.0,
            **box_of(i),
            "morphology": MORPHOLOGIES[i % 6],
            "n_components": 1,
            "n_peaks": 1,
            "angular_size": 20.0,
            "consensus": np.nan,
            "host_ra": np.nan,
            "host_dec": np.nan,
            "flags": 0,
            "component_ra": [150.0],
            "component_dec": [30.0],
        }
        for i in range(n)
    ]
    return pd.DataFrame(rows, columns=LABELS.names)


def make_inputs(n: int = 24, *, gallery_size: int = 12) -> ReportInputs:
    """Tables of a run of `n` subjects, the last two without a source."""
    ids = [f"S{i:03d}" for i in range(n)]
    targets = pd.DataFrame(
        {
            "subject_id": ids,
            "ra": 150.0 + np.arange(n) / 10,
            "dec": 30.0,
            "split": [SPLITS[i % 2] for i in range(n)],
            "shard": ["00000"] * 3 + ["00001"] * (n - 3),
        }
    )
    flags = np.zeros(n, int)
    flags[1:3] = Flag.INFRARED_MISSING
    fused = targets[["subject_id", "ra", "dec"]].assign(flags=flags)
    return ReportInputs(
        config=load_config({"report": {"gallery_size": gallery_size}}),
        targets=targets,
        ledger=make_ledger(ids),
        fused=fused,
        image_of=image_of,
        catalogue=sources(n - 2),
        date="2026-01-31T12:00:00+00:00",
    )


def with_truth(inputs: ReportInputs, folder: Path) -> ReportInputs:
    """The same run with labels, real metrics and real figures."""
    labels = make_labels(len(inputs.catalogue))
    sample = choose_sample(inputs.targets, labels)
    options = inputs.config.evaluation
    published = published_values("D4")
    metrics = evaluate(inputs.catalogue, labels, sample, options, method="D4", seed=1, published=published)
    sources = evaluate_sources(inputs.catalogue, labels, sample, options)
    figures, losses = Results(folder).evaluation_figures("D4"), folder / "losses.png"
    plot_figures(figures, metrics, sources)
    steps = pd.DataFrame({name: np.linspace(2, 1, 20) for name in LOSSES.names})
    plot_losses(losses, steps.assign(iteration=np.arange(1, 21)))
    return dataclasses.replace(
        inputs,
        labels=labels,
        metrics={"D4": metrics},
        figures={"D4": figures},
        loss_curves={"D4": losses},
    )


class Page(HTMLParser):
    """Checks that every element is closed, and keeps what a page refers to."""

    VOID = {"meta", "img", "br", "link", "hr", "input"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.sources += [values[name] or "" for name in ("src", "srcset", "data") if name in values]
        self.links += [values["href"] or ""] if "href" in values else []
        self.ids += [values["id"] or ""] if "id" in values else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_png_data_uri_holds_the_pixels():
    image = image_of("S001")
    uri = png_data_uri(image)
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    read = matplotlib.image.imread(io.BytesIO(content), format="png")
    np.testing.assert_array_equal((read[..., :3] * 255).round().astype(np.uint8), image)


def test_gallery_is_spread_over_classes_with_test_subjects_first():
    subjects = pd.DataFrame({"subject_id": [f"S{i:03d}" for i in range(40)]})
    subjects["split"] = ["test" if i < 20 else "train" for i in range(40)]
    catalogue = sources(36)
    chosen = choose_subjects(subjects, catalogue, size=14, seed=3)
    groups = [group for _, group in chosen]
    assert groups == [name for name in [*MORPHOLOGIES, "nothing"] for _ in range(2)]
    split = subjects.set_index("subject_id")["split"]
    # Each class has three or four test subjects here; those without a source are all training ones.
    assert {split[name] for name, group in chosen if group != "nothing"} == {"test"}


def test_gallery_is_the_same_for_any_order_of_the_tables():
    inputs = make_inputs()
    subjects = inputs.targets[["subject_id", "split"]]
    first = choose_subjects(subjects, inputs.catalogue, size=10, seed=5)
    again = choose_subjects(
        subjects.sample(frac=1, random_state=1),
        inputs.catalogue.sample(frac=1, random_state=2),
        size=10,
        seed=5,
    )
    assert first == again
    assert first != choose_subjects(subjects, inputs.catalogue, size=10, seed=6)


def test_gallery_takes_all_subjects_where_there_are_few():
    inputs = make_inputs(5, gallery_size=60)
    assert sum(len(cards) for cards in make_cards(inputs).values()) == 5


def test_subject_counts_for_the_class_of_its_best_source():
    catalogue = sources(2).assign(subject_id="S000", probability=[0.4, 0.9])
    subjects = pd.DataFrame({"subject_id": ["S000"], "split": ["none"]})
    assert choose_subjects(subjects, catalogue, size=3, seed=0) == [("S000", "1C_2P")]


def test_boxes_of_a_card_stay_in_the_picture_and_labels_too():
    inputs = make_inputs(3)
    whole = {"box_x1": 0.0, "box_y1": 0.0, "box_x2": float(SIZE), "box_y2": float(SIZE)}
    inputs = dataclasses.replace(inputs, catalogue=sources(1).assign(**whole, flags=int(Flag.EDGE)))
    (card,) = make_cards(inputs)["1C_1P"]
    (box,) = card.found
    assert (box.x, box.y, box.width, box.height) == (0.5, 0.5, SIZE - 1, SIZE - 1)
    assert 0 < box.label_y < SIZE
    assert (box.label_x, box.label_anchor) == (1.5, "start")
    assert box.flags == ("EDGE",)
    assert card.true == ()


def test_labels_of_boxes_at_the_right_border_grow_to_the_left():
    corner = {"box_x1": SIZE - 10.0, "box_y1": 20.0, "box_x2": SIZE - 2.0, "box_y2": 30.0}
    inputs = dataclasses.replace(make_inputs(3), catalogue=sources(1).assign(**corner))
    (box,) = make_cards(inputs)["1C_1P"][0].found
    assert (box.label_x, box.label_y, box.label_anchor) == (SIZE - 2, 18, "end")


def test_flags_of_a_subject_are_not_repeated_with_its_sources():
    inputs = make_inputs(3)
    missing = int(Flag.INFRARED_MISSING)
    catalogue = sources(2).assign(flags=missing | int(Flag.EDGE))
    inputs = dataclasses.replace(inputs, catalogue=catalogue, fused=inputs.fused.assign(flags=missing))
    (card,) = make_cards(inputs)["1C_1P"]
    assert card.flags == ("INFRARED_MISSING",)
    assert card.found[0].flags == ("EDGE",)


def test_ledger_is_summed_per_band_radio_first():
    rows = band_rows(make_inputs(10).ledger)
    assert [(row.band, row.counts) for row in rows] == [("radio", (9, 0, 0, 1)), ("infrared", (8, 0, 2, 0))]
    assert rows[0].mean_coverage == pytest.approx(0.9)


def test_problems_are_grouped_worst_first():
    problems, left_out = ledger_problems(make_inputs(10).ledger)
    assert [(p.status, p.count, p.example) for p in problems] == [
        ("failed", 1, "S009"),
        ("no_coverage", 2, "S001"),
    ]
    assert left_out == 0


def test_long_lists_of_problems_are_cut_and_counted():
    ledger = make_inputs(100).ledger
    ledger = ledger.assign(status="failed", reason=[f"file {i}" for i in range(len(ledger))])
    problems, left_out = ledger_problems(ledger)
    assert len(problems) + left_out == 200
    assert left_out > 0


def test_flags_are_counted_by_subject_and_source():
    inputs = make_inputs(10)
    rows = {row.name: row for row in flag_rows(inputs.fused, sources(4).assign(flags=[1024, 1028, 4, 0]))}
    assert (rows["INFRARED_MISSING"].subjects, rows["INFRARED_MISSING"].sources) == (2, 2)
    assert (rows["EDGE"].subjects, rows["EDGE"].sources) == (0, 2)


def test_probabilities_on_an_edge_count_above_it():
    values = np.array([0.0, 0.05, 0.7, 0.8, 0.8499, 1.0], dtype=np.float32)
    bars = {bar.label: bar.count for bar in probability_bars(pd.DataFrame({"probability": values}))}
    assert {label: count for label, count in bars.items() if count} == {
        "0.00": 1,
        "0.05": 1,
        "0.70": 1,
        "0.80": 2,
        "0.95": 1,
    }


def test_sky_cells_hold_every_target_once():
    targets = pd.DataFrame({"ra": [0.0, 359.99, 360.0, 1.9, 150.0], "dec": [90.0, -90.0, 0.0, 0.5, -0.1]})
    cells = {(cell.ra, cell.dec): cell.count for cell in sky_cells(targets)}
    assert cells == {(0.0, 88.0): 1, (358.0, -90.0): 1, (0.0, 0.0): 2, (150.0, -2.0): 1}
    assert sky_cells(targets.iloc[:0]) == []


def test_published_values_stand_beside_those_of_the_same_method(tmp_path):
    inputs = with_truth(make_inputs(), tmp_path)
    (score,) = scores(inputs.metrics)
    assert score.rows[0].published == 0.8784  # paper Table 5, D4, 1C_1P
    assert score.total.published == 0.836
    assert score.total.ap == 1.0  # every test subject's only source was found where it is
    assert score.n_subjects == 12
    (unknown,) = scores({"D9": {**inputs.metrics["D4"], "published": None}})
    assert not unknown.has_published


def test_page_tells_what_the_evaluation_measured_beside_the_precision(tmp_path):
    inputs = with_truth(make_inputs(), tmp_path)
    text = render_report(inputs)
    # These labels have no consensus level, so Fig. 14 is left out; the losses are the sixth.
    assert text.count("<figure>") == len(EVALUATION_FIGURES) - 1 + 1
    assert "No consensus level is known" in text
    # Of these 11 true sources, S000, S006, S012 and S018 are 1C_1P, S002, S008, S014 and S020 1C_3P.
    row = r"<td>1C</td><td class=\"n\">8</td><td class=\"n\">1.000</td>.*published\">0.905</td>"
    assert re.search(row, text)
    # Of the 12 test subjects, all but the last have one source and one classification; none has two sources.
    assert '<td>all with truth</td><td class="n">11</td><td class="n">1.000</td>' in text
    assert '<td>two or more true sources</td><td class="n">0</td><td class="n">–</td>' in text


def test_page_is_complete_and_needs_nothing_beside_it(tmp_path):
    text = render_report(with_truth(make_inputs(), tmp_path))
    page = Page(text)
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert {link for link in page.links} == {f"#{name}" for name in page.ids}
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in text
    assert not re.search(r"https?://", text)


def test_chapters_follow_the_stages(tmp_path):
    ids = Page(render_report(with_truth(make_inputs(), tmp_path))).ids
    stages = ["targets", "cutouts", "fusion", "training", "inference", "catalogue", "evaluation"]
    assert ids == ["summary", *stages, "gallery", "settings"]


def test_run_without_truth_says_so():
    text = render_report(make_inputs())
    assert "nothing was evaluated" in text
    assert "weights were given" in text
    assert "Mean average precision" not in text
    assert 'class="true"' not in text


def test_true_boxes_are_drawn_where_labels_exist(tmp_path):
    text = render_report(with_truth(make_inputs(), tmp_path))
    assert text.count('class="true"') == 12 - 1  # one of the chosen has no source, and no label


def test_empty_catalogue_and_targets_without_image_still_give_a_page():
    inputs = make_inputs(4)
    inputs = dataclasses.replace(inputs, catalogue=inputs.catalogue.iloc[:0])
    text = render_report(inputs)
    Page(text)
    assert "No source found" in text


def test_methods_that_measured_nothing_have_dashes(tmp_path):
    inputs = with_truth(make_inputs(), tmp_path)
    labels = inputs.labels.iloc[:1]
    sample = choose_sample(inputs.targets, labels)
    metrics = evaluate(inputs.catalogue, labels, sample, inputs.config.evaluation, method="D4", seed=1)
    text = render_report(dataclasses.replace(inputs, metrics={"D4": metrics}))
    assert re.search(r"<td>3C_3P</td><td class=\"n\">0</td>.*<td class=\"n\">–</td>", text)


def test_every_text_from_data_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>\"'&"
    inputs = make_inputs(3)
    inputs = dataclasses.replace(
        inputs,
        ledger=inputs.ledger.assign(reason=evil, status="failed", survey=evil),
        catalogue=inputs.catalogue.assign(source_id=evil, model_id=evil),
        date=evil,
        version=evil,
    )
    text = render_report(inputs)
    page = Page(text)
    assert "script" not in page.tags
    assert text.count("&lt;script&gt;") >= 5


def test_same_run_gives_the_same_bytes(tmp_path):
    inputs = with_truth(make_inputs(), tmp_path)
    write_report(tmp_path / "a.html", inputs)
    write_report(tmp_path / "b.html", inputs)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"<svg onload=...>"])
def test_figures_that_are_no_png_are_refused_by_name(tmp_path, content):
    figure = tmp_path / "losses.png"
    if content is not None:
        figure.write_bytes(content)
    with pytest.raises(InputError, match=r"losses\.png"):
        render_report(dataclasses.replace(make_inputs(3), loss_curves={"D4": figure}))


def write_run(root: Path, inputs: ReportInputs) -> Results:
    """Put the tables of a run where the workflow puts them, in two shards."""
    results = Results(root)
    write_table(results.targets, inputs.targets, TARGETS)
    write_table(results.catalogue_ledger, inputs.ledger, LEDGER)
    write_table(results.catalogue, inputs.catalogue, CATALOGUE)
    filler = {"sigma": 1e-4, "radio_coverage": 1.0, "infrared_coverage": 1.0, "n_contours": 1}
    for shard, ids in inputs.targets.groupby("shard")["subject_id"]:
        rows = inputs.fused[inputs.fused["subject_id"].isin(ids)]
        write_table(results.fused_index("D4", shard), rows.assign(**filler)[FUSED.names], FUSED)
        write_array(results.fused("D4", shard), np.stack([image_of(name) for name in rows["subject_id"]]))
    return results


def test_inputs_are_read_from_the_files_of_a_run(tmp_path):
    made = with_truth(make_inputs(), tmp_path)
    results = write_run(tmp_path / "results", made)
    write_table(results.labels, made.labels, LABELS)
    write_json(results.metrics("D4"), made.metrics["D4"])
    figures = results.evaluation_figures("D4")
    for source, target in (
        *((made.figures["D4"][name], path) for name, path in figures.items()),
        (made.loss_curves["D4"], results.loss_curves("D4")),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    read = read_inputs(results, made.config, date=made.date, evaluated=["D4"], trained=["D4"])
    assert render_report(read) == render_report(made)
    np.testing.assert_array_equal(read.image_of("S004"), image_of("S004"))


def test_missing_metrics_end_in_one_line(tmp_path):
    made = make_inputs()
    results = write_run(tmp_path, made)
    write_table(results.labels, make_labels(22), LABELS)
    with pytest.raises(InputError, match=r"metrics\.json"):
        read_inputs(results, made.config, date=made.date, evaluated=["D4"])
