"""Check rows, files and request limits of `source: archive` against a faulty mock server.

python -m benchmarks.faults.archive --subjects 1000 --into FOLDER

Loopback servers imitate the archives and serve the simulated sky (tests/support/archive_server.py).
The workflow runs to its catalogue twice, without faults and with a fault in a fifth of the answers; then
its cut-outs are made a third time and killed halfway.  No real service is involved.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from claran_core.common.paths import REPOSITORY, Results
from claran_core.cutouts.cutout_file import read_cutouts
from claran_core.settings.config import ArchiveOptions, SurveyOptions
from claran_core.survey.archive.options import FetchOptions

sys.path.insert(0, str(REPOSITORY / "tests" / "support"))

SEED = 20181031  # of the demonstration's sky
DEMO_TARGETS = REPOSITORY / "resources" / "demo" / "targets.csv"
RATES = {"first": 25.0, "irsa": 40.0}
CONNECTIONS = 4
# FIRST ends here for this purpose: some subjects are outside.
NORTHERN_END_DEG = 64.0
ORDER = {"FIRST": ["first"], "WISE_W1": ["irsa"]}
PATIENCE = {"read_timeout_s": 1.0, "request_timeout_s": 2.0, "pause_s": 0.05, "max_pause_s": 2.0}
# What a run may differ in: when it asked, and how the bytes were packed.
OF_THE_RUN = ["fetched_at", "sha256"]
HARMLESS = ("", "gzip")


def covers(band: str, ra_deg: float, dec_deg: float) -> bool:
    """Return whether the surveys of the mock server cover a position."""
    return band == "infrared" or dec_deg < NORTHERN_END_DEG


def serve(pipe: Connection) -> None:
    """Run the mock server in a child process; messages set its share of faults or request its counts."""
    from archive_server import ArchiveServer

    with ArchiveServer(SEED, covers=covers, stuck_s=1.5, retry_after="1") as server:
        pipe.send(server.settings)
        while (message := pipe.recv()) != "stop":
            if isinstance(message, float):
                server.fraction = message
                server.forget()
            pipe.send((server.asked, server.answering_s))


class MockArchive:
    """Handle of the mock server in its child process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other,), daemon=True)
        self.process.start()
        self.settings = self.pipe.recv()

    def begin(self, fraction: float) -> None:
        """Forget what was asked; from now on this share of answers is faulty."""
        self.pipe.send(fraction)
        self.pipe.recv()

    def seen(self) -> tuple[list[Any], float]:
        """Requests since `begin`, and seconds spent on answering them."""
        self.pipe.send("seen")
        return self.pipe.recv()


def prepare(folder: Path, stand_in: MockArchive, n_subjects: int) -> list[str]:
    """Write targets and settings of a run; returns the command that makes its catalogue."""
    folder.mkdir(parents=True)
    targets = pd.read_csv(DEMO_TARGETS).sample(n_subjects, random_state=1)
    targets.assign(split="none").to_csv(folder / "targets.csv", index=False)
    limits = {name: {"requests_per_s": rate, "connections": CONNECTIONS} for name, rate in RATES.items()}
    settings = {
        "targets": {"path": "targets.csv"},
        "shard_size": 250,
        "survey": {
            "radio": {"source": "archive"},
            "infrared": {"source": "archive"},
            "archive": {"order": ORDER, "services": stand_in.settings},
        },
        "cutouts": {"archive": {**PATIENCE, "limits_folder": "limits", "limits": limits}},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(folder), "--cores", "2", "--quiet", "all", "--rerun-incomplete"]
    return [*command, "--configfile", str(folder / "settings.yaml"), "--"]


def run(command: list[str], *targets: str) -> float:
    """Run the workflow; returns the seconds it took."""
    begun = time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *targets], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the workflow failed: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return time.monotonic() - begun


def images(asked: list[Any]) -> list[Any]:
    """Requests for images, not for lists of tiles."""
    return [request for request in asked if "/SIA" not in request.key]


def busiest_second(asked: list[Any], service: str) -> int:
    """Most requests a service got within any second."""
    times = np.sort([request.time for request in asked if request.service == service])
    return int((np.searchsorted(times, times + 1.0, side="left") - np.arange(len(times))).max())


def peak_mb(folder: Path) -> float:
    """Largest memory of a job that made cut-outs."""
    files = sorted((folder / "results" / "benchmarks" / "cut_out").glob("*.tsv"))
    return float(max(pd.read_csv(file, sep="\t")["max_rss"].max() for file in files))


def sound_files(folder: Path) -> int:
    """Number of images in the shards' files that can be read and are finite somewhere."""
    count = 0
    for path in sorted((folder / "results" / "cutouts").glob("*/*.fits")):
        with read_cutouts(path) as cutouts:
            count += sum(bool(np.isfinite(cutout.data).any()) for cutout in cutouts.values())
    return count


def right_rows(ledger: pd.DataFrame, targets: pd.DataFrame) -> int:
    """Count the ledger rows whose status agrees with the sky of the mock server."""
    north = ledger["subject_id"].map(targets.set_index("subject_id")["dec"]) >= NORTHERN_END_DEG
    outside = north & (ledger["band"] == "radio")
    return int(
        np.where(outside, ledger["status"] == "no_coverage", ledger["status"].isin(["ok", "partial"])).sum()
    )


def kill_in_the_middle(command: list[str], stand_in: MockArchive, n_subjects: int) -> None:
    """Start the cut-outs and kill everything when half of the subjects have been asked for."""
    job = subprocess.Popen(
        [*command, "cutouts"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while len(images(stand_in.seen()[0])) < n_subjects and job.poll() is None:
        time.sleep(0.2)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()


def answered_twice(asked: list[Any]) -> int:
    """Images that were served whole more than once."""
    served = Counter(request.key for request in images(asked) if request.fault in HARMLESS)
    return sum(count - 1 for count in served.values() if count > 1)


def overhead_ms(stand_in: MockArchive, n_subjects: int) -> dict[str, float]:
    """Milliseconds per subject that a client alone adds to the server's, one subject after the other."""
    from claran_core.cutouts.providers import open_provider

    targets = pd.read_csv(DEMO_TARGETS).sample(n_subjects, random_state=1).head(200)
    limits = {name: {"requests_per_s": 1000.0, "connections": 1} for name in RATES}
    archive = ArchiveOptions(order=ORDER, services=stand_in.settings)
    with tempfile.TemporaryDirectory() as folder:
        fetch = FetchOptions(limits_folder=folder, limits=limits)
        sources = [
            open_provider(SurveyOptions(name, "archive"), seed=0, archive=archive, fetch=fetch)
            for name in ORDER
        ]

        def ask_all() -> None:
            for target in targets.itertuples():
                for source in sources:
                    source.cutout(target.subject_id, target.ra, target.dec, 181.5)

        stand_in.begin(0.0)
        ask_all()  # lists of tiles, connections and the server's images are there from now on
        stand_in.begin(0.0)
        wall, cpu = time.perf_counter(), time.process_time()
        ask_all()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    _, answering_s = stand_in.seen()
    per_subject = 1000 / len(targets)
    return {"wall": (wall - answering_s) * per_subject, "cpu": cpu * per_subject}


def say(what: str, value: object) -> None:
    """Print a row of the table."""
    print(f"{what:66} {value:.1f}" if isinstance(value, float) else f"{what:66} {value}", flush=True)


def report_cutouts(name: str, folder: Path, asked: list[Any], targets: pd.DataFrame) -> None:
    """Say what came of a run's cut-outs."""
    ledger = pd.read_parquet(Results(folder / "results").catalogue_ledger)
    say(f"{name}: requests (faulty)", f"{len(asked)} ({sum(bool(request.fault) for request in asked)})")
    say(f"{name}: kinds of faults", len({request.fault for request in asked} - {""}))
    say(f"{name}: rows of the ledger right", f"{right_rows(ledger, targets)} of {len(ledger)}")
    say(f"{name}: status", json.dumps(ledger["status"].value_counts().to_dict()))
    say(f"{name}: images that can be read", sound_files(folder))
    for service, rate in RATES.items():
        say(f"{name}: busiest second of {service} (limit {rate:g}/s)", busiest_second(asked, service))
    say(f"{name}: largest memory of a job, MB", peak_mb(folder))


def shard_bytes(folder: Path) -> list[str]:
    """Digests of the shards' files of images."""
    paths = sorted((folder / "results" / "cutouts").glob("*/*.fits"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def main() -> None:
    """Run all of it and print a table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=1000)
    parser.add_argument("--fraction", type=float, default=0.2, help="share of answers that are faulty")
    parser.add_argument("--into", type=Path, required=True, help="folder of the runs; must not exist")
    options = parser.parse_args()
    n, into = options.subjects, options.into
    stand_in = MockArchive()
    commands = {name: prepare(into / name, stand_in, n) for name in ("clean", "faulty", "killed")}
    targets = pd.read_csv(into / "clean" / "targets.csv")
    for name, fraction in (("clean", 0.0), ("faulty", options.fraction)):
        stand_in.begin(fraction)
        say(f"{name}: cut-outs, s", run(commands[name], "cutouts"))
        report_cutouts(name, into / name, stand_in.seen()[0], targets)
    ledgers = {
        name: pd.read_parquet(Results(into / name / "results").catalogue_ledger)
        for name in ("clean", "faulty")
    }
    clean = ledgers["clean"].drop(columns=OF_THE_RUN)
    say(
        "faulty: same ledger, but for time and packing",
        ledgers["faulty"].drop(columns=OF_THE_RUN).equals(clean),
    )
    say("faulty: same files, byte by byte", shard_bytes(into / "faulty") == shard_bytes(into / "clean"))
    stand_in.begin(options.fraction)
    kill_in_the_middle(commands["killed"], stand_in, n)
    before = sum(request.fault in HARMLESS for request in images(stand_in.seen()[0]))
    say("killed: images served before the kill", before)
    run([*commands["killed"][:-1], "--unlock", "--"])
    run(commands["killed"], "cutouts")
    say("killed: images served twice (2 jobs of 8 workers were killed)", answered_twice(stand_in.seen()[0]))
    say("killed: same files, byte by byte", shard_bytes(into / "killed") == shard_bytes(into / "clean"))
    found = min((overhead_ms(stand_in, n) for _ in range(3)), key=lambda found: found["cpu"])
    say("client alone, ms per subject beyond the server's", found["wall"])
    say("client alone, ms of CPU per subject", found["cpu"])
    for name in ("clean", "faulty"):
        say(f"{name}: from cut-outs to the catalogue, s", run(commands[name], "catalogue"))
    tables = [pd.read_parquet(Results(into / name / "results").catalogue) for name in ("clean", "faulty")]
    say("faulty: same catalogue", f"{tables[1].equals(tables[0])} ({len(tables[0])} sources)")


if __name__ == "__main__":
    main()
