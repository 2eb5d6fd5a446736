"""The report in a real browser, opened from disk, without an error in its console."""

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_inputs import make_inputs, make_labels

from benchmarks.speed.gallery import find_chromium, open_page
from benchmarks.speed.gallery import make_inputs as many_inputs
from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.flags import DESCRIPTIONS, Flag
from claran_core.report.inputs import ReportInputs
from claran_core.report.page import write_report
from claran_core.settings.config import Config

pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium (apt-get install chromium)"),
]

EVIL = "<img src=x onerror=evil()></script>\u2028'\"&#%2B"
N = 30
MANY = 20_000


def write_site(folder: Path, inputs: ReportInputs) -> Path:
    """Write a report and return the path of its page."""
    write_report(folder / "report.html", folder / "report", inputs)
    return folder / "report.html"


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    """Return a run with markup in the name of a source and a subject, an unmeasured source, and flags."""
    made = make_inputs(N + 2, gallery_size=12)
    rows = made.catalogue.assign(flags=np.where(np.arange(N) % 5, 0, int(Flag.BLEND)))
    rows.loc[3, ["integrated_flux", "largest_angular_size"]] = np.nan
    rows.loc[0, "source_id"] = EVIL
    renamed = {name: table.replace({"subject_id": {"S000": EVIL}}) for name, table in _tables(made).items()}
    renamed["catalogue"] = rows.assign(subject_id=renamed["catalogue"]["subject_id"])
    return dataclasses.replace(made, **renamed, labels=make_labels(N))


def _tables(made: ReportInputs) -> dict[str, pd.DataFrame]:
    return {name: getattr(made, name) for name in ("catalogue", "targets", "fused", "ledger")}


@pytest.fixture(scope="module")
def site(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of the run."""
    return write_site(tmp_path_factory.mktemp("site"), inputs)


def count(page: Any) -> int:
    """Return the number of listed sources that the page states."""
    number = re.match(r"[\d\u202f]+", page.locator("#count").inner_text())
    assert number is not None
    return int(number.group().replace("\u202f", ""))


def test_filters_select_the_matching_sources(site: Path, inputs: ReportInputs) -> None:
    rows = inputs.catalogue
    with open_page(site) as page:
        page.wait_for_selector("#lines .card .picture")
        assert count(page) == N
        page.get_by_role("checkbox", name="1C_1P").uncheck()
        assert count(page) == (rows["morphology"] != "1C_1P").sum()
        page.get_by_label("Flux density (mJy), from").fill("5")
        wanted = (rows["morphology"] != "1C_1P") & (rows["integrated_flux"] >= 5)
        assert count(page) == wanted.sum() > 0
        page.locator(".flag-box summary").click()
        page.get_by_label("Flag BLEND").select_option("without")
        wanted &= rows["flags"] == 0
        assert count(page) == wanted.sum() > 0
        page.get_by_label("Infrared host").select_option("seen")
        wanted &= rows["host_reliability"] > 0
        assert count(page) == wanted.sum() > 0
        page.get_by_role("button", name="Reset").click()
        page.locator("#count", has_text=f"{N} of").wait_for()
        page.get_by_label("Source name").fill("j10000")
        assert count(page) == rows["source_id"].str.startswith("J10000").sum()
        page.get_by_label("Source name").fill("nowhere")
        assert count(page) == 0
        assert page.locator("#nothing").is_visible()


def test_doubtful_sources_have_a_badge_a_filter_and_their_next_best_grouping(
    tmp_path: Path, inputs: ReportInputs
) -> None:
    doubtful = np.arange(N) % 6 == 1
    rows = inputs.catalogue.assign(
        flags=np.where(doubtful, int(Flag.DOUBTFUL), 0), second_grouping="0|1 2", second_probability=0.31
    )
    rows.loc[7, "second_grouping"] = ""
    site = write_site(tmp_path, dataclasses.replace(inputs, catalogue=rows))
    with open_page(site) as page:
        page.wait_for_selector("#lines .card .picture")
        page.get_by_label("Grouping").select_option("probable")
        assert count(page) == (~doubtful).sum()
        assert page.locator("#lines .badge").count() == 0
        page.get_by_label("Grouping").select_option("doubtful")
        assert count(page) == doubtful.sum() == page.locator("#lines .badge").count()
        page.evaluate(f"location.hash = '#{rows['source_id'][1]}'")
        page.wait_for_selector(f"#detail[data-source='{rows['source_id'][1]}']")
        text = page.locator("#detail .doubt").inner_text()
        assert "component 0; components 1 and 2 (numbered from 0, as below), probability 0.31" in text
        page.keyboard.press("Escape")
        page.evaluate(f"location.hash = '#{rows['source_id'][7]}'")
        page.wait_for_selector(f"#detail[data-source='{rows['source_id'][7]}']")
        assert "no source at all" in page.locator("#detail .doubt").inner_text()


def test_pictures_of_a_coarse_subject_have_its_scale(tmp_path: Path, inputs: ReportInputs) -> None:
    scale = [1, 4, *[1] * N]
    wide = {name: getattr(inputs, name).assign(scale=scale) for name in ("targets", "fused")}
    site = write_site(tmp_path, dataclasses.replace(inputs, **wide, config=_all_pictures(inputs)))
    name = inputs.catalogue["source_id"][1]
    with open_page(site) as page:
        page.evaluate(f"location.hash = '#{name}'")
        page.wait_for_selector(f"#detail[data-source='{name}'] .picture")
        assert "4.4 arcmin wide, smoothed to 4 beams" in page.locator("#detail-body").inner_text()
        # Of the lengths, the longest below 0.4 of the width of 264 arcsec.
        assert page.locator("#detail .p-radio .scale-all text").text_content() == "60\u2033"


def _all_pictures(inputs: ReportInputs) -> Config:
    return inputs.config.changed(report=inputs.config.report.changed(gallery_size="all"))


def test_lists_are_sorted_with_missing_values_last(site: Path, inputs: ReportInputs) -> None:
    with open_page(site) as page:
        page.get_by_text("Table", exact=True).click()
        head = page.get_by_role("button", name="Flux (mJy)")
        for descending in (True, False):
            head.click()
            flux = inputs.catalogue.sort_values("integrated_flux", ascending=not descending, kind="stable")
            shown = page.locator("#lines .id a").all_inner_texts()
            assert shown[:5] == flux["source_id"].head(5).tolist()
            page.evaluate("document.getElementById('sources').scrollTop = 1e6")
            last = flux["source_id"].iloc[-1]
            page.wait_for_function(
                "id => [...document.querySelectorAll('#lines a')].at(-1).textContent === id", arg=last
            )
            assert np.isnan(flux["integrated_flux"].iloc[-1])


def test_a_click_shows_all_columns_and_pictures_of_a_source(site: Path, inputs: ReportInputs) -> None:
    with open_page(site) as page:
        page.get_by_label("with pictures only").check()
        card = page.locator("#lines .card").nth(1)
        name = card.locator(".name").inner_text()
        card.click()
        page.wait_for_selector("#detail[data-source] .picture")
        row = inputs.catalogue.set_index("source_id", drop=False).loc[name]
        text = page.locator("#detail-body").inner_text()
        assert page.locator("#detail-title").inner_text() == name
        for column in CATALOGUE.names:
            assert column in text or isinstance(row[column], np.ndarray), column
        assert f"{row['ra']:.6f} deg" in text
        assert f"{row['integrated_flux']:.4g} mJy" in text
        assert DESCRIPTIONS[Flag.BLEND] in text if row["flags"] else "none (flags = 0)" in text
        pictures = page.locator("#detail .pictures .picture")
        assert pictures.count() == 3
        assert all(name in pictures.nth(i).get_attribute("aria-label") for i in range(3))
        assert page.locator("#detail .p-infrared .contour").count() > 0
        assert page.locator("#detail .p-radio .true").count() == 1
        images = page.evaluate("[...document.querySelectorAll('#detail image')].map((i) => i.href.baseVal)")
        assert [Path(image).name.split(".")[1] for image in images] == ["radio", "infrared", "fused"]
        assert all((site.parent / image).exists() for image in images)
        page.keyboard.press("Escape")
        assert not page.locator("#detail").is_visible()
        assert "#" not in page.url


def test_the_address_of_a_source_opens_it_and_arrow_keys_step(site: Path, inputs: ReportInputs) -> None:
    names = inputs.catalogue["source_id"]
    with open_page(site) as page:
        page.evaluate(f"location.hash = '#{names[7]}'")
        page.wait_for_selector(f"#detail[data-source='{names[7]}']")
        page.keyboard.press("Escape")
        page.locator("select[name=sort]").select_option("id")
        page.evaluate(f"location.hash = '#{names[8]}'")
        page.wait_for_selector(f"#detail[data-source='{names[8]}']")
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(f"#detail[data-source='{names[9]}']")
        assert page.url.endswith(f"#{names[9].replace('+', '%2B')}")
        page.go_back()
        page.wait_for_selector("#detail:not([open])", state="attached")


def test_a_source_can_be_opened_and_closed_by_keyboard(site: Path) -> None:
    with open_page(site) as page:
        page.locator("#lines .card").first.focus()
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.querySelector('.name').textContent")
        page.keyboard.press("Enter")
        page.wait_for_selector("#detail[data-source]")
        assert page.locator("#detail-title").inner_text() == name
        page.get_by_role("button", name="Close").press("Enter")
        assert not page.locator("#detail").is_visible()


def test_names_with_markup_are_shown_as_text(site: Path) -> None:
    with open_page(site) as page:
        page.evaluate("void (window.evil = () => { window.caught = true; })")
        page.get_by_label("Source name").fill("onerror")
        assert count(page) == 1
        page.locator("#lines a").click()
        page.wait_for_selector("#detail[data-source]")
        assert page.locator("#detail-title").text_content() == EVIL
        assert EVIL in page.locator("#detail-body").text_content()
        assert page.evaluate("window.caught") is None
        assert page.locator("img[src=x]").count() == 0


def test_source_without_pictures_says_how_to_get_them(site: Path) -> None:
    with open_page(site) as page:
        page.locator("select[name=sort]").select_option("turn")
        page.evaluate("document.getElementById('sources').scrollTop = 1e6")
        page.locator("#lines .card:has(.no-picture)").last.click()
        page.wait_for_selector("#detail[data-source]")
        assert "increase report.gallery_size" in page.locator("#detail-body").inner_text()


@pytest.mark.parametrize("width", [360, 1280])
def test_page_fits_its_window(site: Path, width: int) -> None:
    with open_page(site, width, 740) as page:
        page.wait_for_selector("#lines .card .picture")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#lines .card").first.click()
        page.wait_for_selector("#detail[data-source]")
        widths = "(body) => [body.scrollWidth, body.clientWidth]"
        needed, given = page.locator("#detail-body").evaluate(widths)
        assert needed <= given


def test_long_list_keeps_few_lines_in_the_page(tmp_path: Path) -> None:
    site = write_site(tmp_path, many_inputs(MANY, gallery_size=3))
    with open_page(site) as page:
        page.wait_for_selector("#lines .card .picture")
        page.get_by_text("Table", exact=True).click()
        page.locator("select[name=sort]").select_option("id")
        for share in (0.0, 0.5, 1.0):
            to = "(box, share) => { box.scrollTop = box.scrollHeight * share; }"
            page.locator("#sources").evaluate(to, share)
            wanted = str(2 + round(share * (MANY - 1)))
            page.wait_for_selector(f"#lines [aria-rowindex='{wanted}']")
            assert page.locator("#lines > *").count() < 60
        assert "20\u202f000 of 20\u202f000" in page.locator("#count").inner_text()


def test_page_without_its_folder_says_what_is_missing(site: Path, tmp_path: Path) -> None:
    shutil.copy(site, tmp_path / "report.html")
    shutil.copytree(site.parent / "report", tmp_path / "report", ignore=lambda *_: ["sources.js"])
    with pytest.raises(AssertionError, match="sources"), open_page(tmp_path / "report.html") as page:
        page.locator("#gallery-wait", has_text="cannot be loaded").wait_for()
