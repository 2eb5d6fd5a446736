"""Speed of the gallery of the report in a browser: open, filter, sort and scroll a random catalogue.

python -m benchmarks.speed.gallery --sources 100000 --into FOLDER

It needs the extra `browser` and Chromium (``apt-get install chromium``).  The page is opened from disk.
Times are measured by the clock of the browser, from an event to the frame that shows its effect.
"""

import argparse
import json
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from claran_core.catalogue.product.schema import CATALOGUE
from claran_core.common.flags import Flag
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.common.names import source_names
from claran_core.fusion.render import Planes
from claran_core.report.inputs import ReportInputs
from claran_core.report.page import write_report
from claran_core.report.pictures import SubjectImages
from claran_core.settings.config import load_config

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZE = 132
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
COUNTS = [(int(name[0]), int(name[3])) for name in MORPHOLOGIES]

# Run a command, and return the time until the frame that shows its effect, ms.
TIMED = """() => new Promise((done) => {
  const start = performance.now();
  %s;
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})"""
SCROLL = """async () => {
  const box = document.getElementById("sources");
  const times = [];
  for (let i = 0; i <= 60; i++) {
    const start = performance.now();
    box.scrollTop = (box.scrollHeight - box.clientHeight) * i / 60;
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - start);
  }
  return times;
}"""


def find_chromium() -> str | None:
    """Return the path of a Chromium on this machine, or None."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@contextmanager
def open_page(path: Path, width: int = 1280, height: int = 900) -> Iterator["Page"]:
    """Open a page from disk in headless Chromium, and check at the end that the browser logged no error."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, in a container, Chromium starts only without its sandbox; it opens only this page.
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            logged: list[str] = []
            page.on("console", lambda message: logged.append(message.text))
            page.on("pageerror", lambda error: logged.append(str(error)))
            page.on("requestfailed", lambda request: logged.append(request.url))
            page.goto(path.resolve().as_uri())
            yield page
            assert not logged, logged
        finally:
            browser.close()


def random_catalogue(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return a catalogue of `n` random sources, one per subject, with values in every column."""
    kind = rng.integers(0, len(MORPHOLOGIES), n)
    lengths = np.array(COUNTS)[kind, 0]
    columns: dict[str, Any] = {}
    for field in CATALOGUE:
        if pa.types.is_list(field.type):
            columns[field.name] = np.split(rng.lognormal(1, 1, lengths.sum()), np.cumsum(lengths)[:-1])
        elif pa.types.is_string(field.type):
            columns[field.name] = [field.name] * n
        elif pa.types.is_integer(field.type):
            columns[field.name] = rng.integers(0, 3, n)
        else:
            columns[field.name] = rng.lognormal(1, 1.2, n).astype(np.float32)
    ra, dec = rng.uniform(0, 360, n), np.rad2deg(np.arcsin(rng.uniform(-0.1, 0.9, n)))
    box = {"box_x1": 40.0, "box_y1": 50.0, "box_x2": 80.0, "box_y2": 90.0}
    return pd.DataFrame(columns).assign(
        **box,
        ra=ra,
        dec=dec,
        source_id=source_names(ra, dec),
        subject_id=[f"subject{i:07d}" for i in range(n)],
        morphology=np.array(MORPHOLOGIES, dtype=object)[kind],
        probability=rng.uniform(0.8, 1, n),
        host_reliability=rng.choice([0.0, 0.3, 0.9], n),
        flags=rng.choice([0, 0, 0, int(Flag.EDGE), int(Flag.BLEND | Flag.LOW_SNR)], n),
    )


def images_of(subject_ids: Collection[str]) -> Iterator[SubjectImages]:
    """Yield an image of noise and a blob for each subject."""
    y, x = np.mgrid[:SIZE, :SIZE]
    for number, name in enumerate(sorted(subject_ids)):
        radio, infrared = np.random.default_rng(number).normal(0, 1, (2, SIZE, SIZE)).astype(np.float32)
        radio += 40 * np.exp(-((x - 60) ** 2 + (y - 70) ** 2) / 40)
        yield SubjectImages(name, Planes(radio, infrared, 1.0), np.zeros((SIZE, SIZE, 3), np.uint8))


def make_inputs(n: int, *, gallery_size: int = 60) -> ReportInputs:
    """Return the inputs of a report on `n` subjects with one source each."""
    catalogue = random_catalogue(n, np.random.default_rng(1))
    targets = catalogue[["subject_id", "ra", "dec"]].assign(scale=1, split="none", shard="00000")
    row = {"shard": "00000", "band": "radio", "survey": "FIRST", "status": "ok", "reason": ""}
    ledger = targets[["subject_id"]].assign(**row, coverage=1.0, flags=0, origin="made up")
    return ReportInputs(
        config=load_config({"report": {"gallery_size": gallery_size}}),
        targets=targets,
        ledger=ledger,
        fused=targets[["subject_id", "scale", "ra", "dec"]].assign(flags=0),
        images_of=images_of,
        catalogue=catalogue,
        outcomes=pd.DataFrame({"outcome": ["source"] * len(catalogue)}),
        blank=frozenset(),
        date="2026-01-31T12:00:00+00:00",
    )


def measure(path: Path, *, width: int = 1280) -> dict[str, float]:
    """Return times in ms, and the memory of the scripts of the page in MB."""
    start = time.perf_counter()
    with open_page(path, width) as page:
        page.wait_for_selector("#lines .card .picture")
        times = {"open_ms": 1000 * (time.perf_counter() - start)}
        form = 'document.getElementById("filters")'
        changed = '.dispatchEvent(new Event("input", { bubbles: true }))'
        for name, act in {
            "filter_text_ms": f'{form}.elements.text.value = "J12"; {form}{changed}',
            "filter_flux_ms": f'{form}.elements.flux_min.value = "5"; {form}{changed}',
            "reset_ms": f"{form}.reset(); {form}{changed}",
            "sort_flux_ms": f'claran.gallery.listing.sort.value = "flux"; {form}{changed}',
            "sort_name_ms": f'claran.gallery.listing.sort.value = "id"; {form}{changed}',
            "sort_again_ms": f'claran.gallery.listing.sort.value = "flux"; {form}{changed}',
            "table_ms": f'claran.gallery.listing.view.value = "table"; {form}{changed}',
        }.items():
            times[name] = page.evaluate(TIMED % act)
        frames = sorted(page.evaluate(SCROLL))
        times["scroll_median_ms"], times["scroll_most_ms"] = frames[len(frames) // 2], frames[-1]
        start = time.perf_counter()
        page.locator("#lines a").nth(8).click()
        page.wait_for_selector("#detail[data-source]")
        times["detail_ms"] = 1000 * (time.perf_counter() - start)
        times["heap_mb"] = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
    return {name: round(value, 1) for name, value in times.items()}


def main() -> None:
    """Write a report, open it, and print times and sizes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sources", type=int, default=100_000, help="number of sources (default: 100,000)")
    parser.add_argument("--into", type=Path, required=True, help="folder for the report")
    arguments = parser.parse_args()
    page, folder = arguments.into / "report.html", arguments.into / "report"
    inputs = make_inputs(arguments.sources)
    start = time.perf_counter()
    write_report(page, folder, inputs)
    files = [path for path in (page, *folder.rglob("*")) if path.is_file()]
    written = {
        "write_s": round(time.perf_counter() - start, 1),
        "files": len(files),
        "total_mb": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "index_mb": round((folder / "sources.js").stat().st_size / 1e6, 1),
    }
    print(json.dumps({"sources": arguments.sources, **written, **measure(page)}, indent=2))


if __name__ == "__main__":
    main()
