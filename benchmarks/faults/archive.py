"""The image provider `archive` against a mock server with faults: ledger rows, files, rate limits.

python -m benchmarks.faults.archive --subjects 1000 --into FOLDER

Mock servers on this machine implement the protocols of the archives and serve the simulated sky
(tests/support/archive_server.py).  The workflow runs to its catalogue twice, without faults and with a fault
in a fifth of the responses.  A third run is killed in the middle of the cut-outs, and resumed.  It was tested
only against these mock servers, not against the real services.
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
from claran_core.settings.config import load_config

sys.path.insert(0, str(REPOSITORY / "tests" / "support"))

SEED = 20181031  # seed of the sky of the demonstration
DEMO_TARGETS = REPOSITORY / "resources" / "demo" / "targets.csv"
RATES = {"first": 25.0, "irsa": 40.0}
CONNECTIONS = 4
# Northern limit of the mock FIRST, so that some subjects are outside.
NORTHERN_END_DEG = 64.0
ORDER = {"FIRST": ["first"], "WISE_W1": ["irsa"]}
PATIENCE = {"read_timeout_s": 1.0, "request_timeout_s": 2.0, "pause_s": 0.05, "max_pause_s": 2.0}
# Ledger columns that differ between runs: time of the request, digest of the bytes as transferred.
RUN_COLUMNS = ["fetched_at", "sha256"]
HARMLESS = ("", "gzip")


def covers(band: str, ra_deg: float, dec_deg: float) -> bool:
    """Return whether the mock surveys cover a position."""
    return band == "infrared" or dec_deg < NORTHERN_END_DEG


def serve(pipe: Connection) -> None:
    """Run the mock server in a separate process; messages set its faults, or return its requests."""
    from archive_server import ArchiveServer

    with ArchiveServer(SEED, covers=covers, stuck_s=1.5, retry_after="1") as server:
        pipe.send(server.settings)
        while (message := pipe.recv()) != "stop":
            if isinstance(message, float):
                server.fraction = message
                server.forget()
            pipe.send((server.asked, server.answering_s))


class MockServer:
    """Client side of the mock server process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other,), daemon=True)
        self.process.start()
        self.settings = self.pipe.recv()

    def begin(self, fraction: float) -> None:
        """Clear the list of requests, and set the fraction of responses with a fault."""
        self.pipe.send(fraction)
        self.pipe.recv()

    def seen(self) -> tuple[list[Any], float]:
        """Return the requests since `begin`, and the time spent on responses, s."""
        self.pipe.send("seen")
        return self.pipe.recv()


def prepare(folder: Path, server: MockServer, n_subjects: int) -> list[str]:
    """Write targets and settings of a run; return the command of the workflow."""
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
            "archive": {"order": ORDER, "services": server.settings},
        },
        "cutouts": {"archive": {**PATIENCE, "limits_folder": "limits", "limits": limits}},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(folder), "--cores", "2", "--quiet", "all"]
    return [*command, "--configfile", str(folder / "settings.yaml"), "--"]


def run(command: list[str], *targets: str) -> float:
    """Run the workflow; return its wall time, s."""
    begun = time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *targets], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the workflow failed: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return time.monotonic() - begun


def images(asked: list[Any]) -> list[Any]:
    """Return the requests for images, without those for lists of tiles."""
    return [request for request in asked if "/SIA" not in request.key]


def busiest_second(asked: list[Any], service: str) -> int:
    """Return the largest number of requests to a service within one second."""
    times = np.sort([request.time for request in asked if request.service == service])
    return int((np.searchsorted(times, times + 1.0, side="left") - np.arange(len(times))).max())


def peak_mb(folder: Path) -> float:
    """Return the largest memory of a cut-out job, MB."""
    files = sorted((folder / "results" / "benchmarks" / "cut_out").glob("*.tsv"))
    return float(max(pd.read_csv(file, sep="\t")["max_rss"].max() for file in files))


def sound_files(folder: Path) -> int:
    """Return the number of readable images with finite pixels in the files of all shards."""
    count = 0
    for path in sorted((folder / "results" / "cutouts").glob("*/*.arrow")):
        with read_cutouts(path) as cutouts:
            count += sum(bool(np.isfinite(cutout.data).any()) for cutout in cutouts.values())
    return count


def right_rows(ledger: pd.DataFrame, targets: pd.DataFrame) -> int:
    """Return the number of ledger rows with the correct status: no coverage, or an image."""
    north = ledger["subject_id"].map(targets.set_index("subject_id")["dec"]) >= NORTHERN_END_DEG
    outside = north & (ledger["band"] == "radio")
    return int(
        np.where(outside, ledger["status"] == "no_coverage", ledger["status"].isin(["ok", "partial"])).sum()
    )


def kill_in_the_middle(command: list[str], server: MockServer, n_subjects: int) -> None:
    """Start the cut-outs, and kill all processes after requests for half of the images."""
    job = subprocess.Popen(
        [*command, "cutouts"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while len(images(server.seen()[0])) < n_subjects and job.poll() is None:
        time.sleep(0.2)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()


def answered_twice(asked: list[Any]) -> int:
    """Return the number of images that were served completely more than once."""
    served = Counter(request.key for request in images(asked) if request.fault in HARMLESS)
    return sum(count - 1 for count in served.values() if count > 1)


def overhead_ms(server: MockServer, n_subjects: int) -> dict[str, float]:
    """Return the overhead of one client in ms per subject, beyond the time of the server."""
    from claran_core.cutouts.providers import open_provider

    targets = pd.read_csv(DEMO_TARGETS).sample(n_subjects, random_state=1).head(200)
    limits = {name: {"requests_per_s": 1000.0, "connections": 1} for name in RATES}
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(
            {
                "survey": {
                    "radio": {"source": "archive"},
                    "infrared": {"source": "archive"},
                    "archive": {"order": ORDER, "services": server.settings},
                },
                "cutouts": {"archive": {"limits_folder": folder, "limits": limits}},
            }
        )
        survey, fetch = config.survey, config.cutouts.archive
        sources = [
            open_provider(options, seed=0, archive=survey.archive, fetch=fetch)
            for options in (survey.radio, survey.infrared)
        ]

        def request_all() -> None:
            for target in targets.itertuples():
                for source in sources:
                    source.cutout(target.subject_id, target.ra, target.dec, 181.5)

        server.begin(0.0)
        request_all()  # warm-up: lists of tiles, connections, images of the server
        server.begin(0.0)
        wall, cpu = time.perf_counter(), time.process_time()
        request_all()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    _, answering_s = server.seen()
    per_subject = 1000 / len(targets)
    return {"wall": (wall - answering_s) * per_subject, "cpu": cpu * per_subject}


def print_row(label: str, value: object) -> None:
    """Print a row of the table."""
    print(f"{label:66} {value:.1f}" if isinstance(value, float) else f"{label:66} {value}", flush=True)


def report_cutouts(name: str, folder: Path, asked: list[Any], targets: pd.DataFrame) -> None:
    """Print the rows of the table for the cut-outs of a run."""
    ledger = pd.read_parquet(Results(folder / "results").catalogue_ledger)
    print_row(f"{name}: requests (faulty)", f"{len(asked)} ({sum(bool(request.fault) for request in asked)})")
    print_row(f"{name}: kinds of faults", len({request.fault for request in asked} - {""}))
    print_row(f"{name}: correct rows of the ledger", f"{right_rows(ledger, targets)} of {len(ledger)}")
    print_row(f"{name}: status", json.dumps(ledger["status"].value_counts().to_dict()))
    print_row(f"{name}: readable images", sound_files(folder))
    for service, rate in RATES.items():
        print_row(f"{name}: busiest second of {service} (limit {rate:g}/s)", busiest_second(asked, service))
    print_row(f"{name}: largest memory of a job, MB", peak_mb(folder))


def shard_bytes(folder: Path) -> list[str]:
    """Return the digests of the image files of all shards."""
    paths = sorted((folder / "results" / "cutouts").glob("*/*.arrow"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def main() -> None:
    """Run all trials, and print a table row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=1000, help="number of subjects (default: 1000)")
    parser.add_argument(
        "--fraction", type=float, default=0.2, help="fraction of responses with a fault (default: 0.2)"
    )
    parser.add_argument("--into", type=Path, required=True, help="folder of the runs, which must not exist")
    options = parser.parse_args()
    n, into = options.subjects, options.into
    server = MockServer()
    commands = {name: prepare(into / name, server, n) for name in ("clean", "faulty", "killed")}
    targets = pd.read_csv(into / "clean" / "targets.csv")
    for name, fraction in (("clean", 0.0), ("faulty", options.fraction)):
        server.begin(fraction)
        print_row(f"{name}: cut-outs, s", run(commands[name], "cutouts"))
        report_cutouts(name, into / name, server.seen()[0], targets)
    ledgers = {
        name: pd.read_parquet(Results(into / name / "results").catalogue_ledger)
        for name in ("clean", "faulty")
    }
    clean = ledgers["clean"].drop(columns=RUN_COLUMNS)
    print_row(
        "faulty: same ledger, except for time and compression",
        ledgers["faulty"].drop(columns=RUN_COLUMNS).equals(clean),
    )
    print_row("faulty: same files, byte by byte", shard_bytes(into / "faulty") == shard_bytes(into / "clean"))
    server.begin(options.fraction)
    kill_in_the_middle(commands["killed"], server, n)
    before = sum(request.fault in HARMLESS for request in images(server.seen()[0]))
    print_row("killed: images served before the kill", before)
    run([*commands["killed"][:-1], "--unlock", "--"])
    run(commands["killed"], "cutouts")
    print_row(
        "killed: images served twice (2 jobs of 8 workers were killed)", answered_twice(server.seen()[0])
    )
    print_row("killed: same files, byte by byte", shard_bytes(into / "killed") == shard_bytes(into / "clean"))
    found = min((overhead_ms(server, n) for _ in range(3)), key=lambda found: found["cpu"])
    print_row("one client: ms per subject beyond the time of the server", found["wall"])
    print_row("one client: ms of CPU time per subject", found["cpu"])
    for name in ("clean", "faulty"):
        print_row(f"{name}: from cut-outs to the catalogue, s", run(commands[name], "catalogue"))
    tables = [pd.read_parquet(Results(into / name / "results").catalogue) for name in ("clean", "faulty")]
    print_row("faulty: same catalogue", f"{tables[1].equals(tables[0])} ({len(tables[0])} sources)")


if __name__ == "__main__":
    main()
