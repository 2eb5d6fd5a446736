"""Faults on one machine: the error messages, and a comparison of the products with a run without faults.

    # all faults; the full and the read-only disk need root
    python -m benchmarks.faults.pipeline
    python -m benchmarks.faults.pipeline --only kill      # faults whose name starts with "kill"

The reference is a small run on the simulated sky.  Each fault is applied to a copy of it: the stages
concerned run again, the message is printed, the cause is removed, and the workflow is started again.  Lost
and doubled rows are counted in ledger, detections and catalogue.  Faults of a cluster (lost nodes,
preemption, scancel) are in tests/workflow/test_slurm.py.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks.faults.damage import EXCHANGED, INTERMEDIATE, exchange, flip, garble, truncate
from benchmarks.faults.trial import Trial, error_message
from claran_core.common.paths import REPOSITORY

__all__ = ["FAULTS", "main"]

N_TRAIN, N_TEST, SHARD_SIZE = 16, 8, 8
SETTINGS = {
    "shard_size": SHARD_SIZE,
    "model": {"weights": {"D4": None}},
    "training": {"epochs": 2},
    "evaluation": {"bootstrap": 20},
    "report": {"gallery_size": 4},
}
TABLES = {
    "catalogue/ledger.parquet": ["subject_id", "band"],
    "catalogue/outcomes.parquet": None,
    "catalogue/catalogue.parquet": ["source_id"],
}
KILLED = (
    "assign_shards",
    "cut_out",
    "find_components",
    "label_shard",
    "fuse",
    "train",
    "infer",
    "associate",
    "measure_sources",
    "build_catalogue",
    "evaluate",
    "write_report",
)


def compare(trial: Trial, reference: Trial) -> tuple[int, int]:
    """Return the numbers of lost and doubled rows in all tables; a changed row counts as lost."""
    lost = doubled = 0
    for name, key in TABLES.items():
        found, expected = (one_table(run, name) for run in (trial, reference))
        doubled += int(found.duplicated(key).sum()) - int(expected.duplicated(key).sum())
        merged = expected.astype(str).merge(found.astype(str).drop_duplicates(), how="left", indicator=True)
        lost += int((merged["_merge"] == "left_only").sum())
    return lost, doubled


def one_table(trial: Trial, name: str) -> pd.DataFrame:
    """Return one product, without the columns that differ between runs."""
    table = pd.read_parquet(trial.results / name)
    return table.drop(columns=["model_id", "pipeline_version"], errors="ignore")


def worker_of(process: subprocess.Popen, script: str) -> int | None:
    """Return the process of a workflow that runs the script of a rule, or None."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if any(word.endswith(f".{script}.py") for word in words) and descends(parent, process.pid):
            return int(folder.name)
    return None


def descends(pid: int, ancestor: int) -> bool:
    """Return whether a process is `ancestor` or one of its descendants."""
    while pid > 1 and pid != ancestor:
        try:
            pid = int((Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            return False
    return pid == ancestor


def kill(trial: Trial, rule: str) -> str:
    """Send SIGKILL to the job of a rule."""
    process = trial.start("-R", rule)
    log = trial.results / "logs"
    began = time.time()
    while process.poll() is None:
        worker = worker_of(process, rule)
        written = [path for path in log.rglob("*.log") if path.stat().st_mtime > began and rule in str(path)]
        if worker and written:
            time.sleep(0.3)
            os.kill(worker, signal.SIGKILL)
            break
        time.sleep(0.02)
    output = process.communicate(timeout=1800)[0]
    return f"workflow ended with {process.returncode}: {error_message(trial, output)[:90]}"


def kill_workflow(trial: Trial, rule: str) -> str:
    """Send SIGKILL to Snakemake; its job continues as an orphan, or ends."""
    process = trial.start("-R", rule)
    while process.poll() is None and not (worker := worker_of(process, rule)):
        time.sleep(0.02)
    process.kill()
    process.wait()
    while worker and (Path("/proc") / str(worker)).exists():
        time.sleep(0.1)
    status, output = trial.run("--dry-run", "--quiet")
    trial.run("--unlock")
    return f"restart: {'continues' if not status else 'locked until --unlock'}"


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a disk of a given size, in memory."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def on_disk(trial: Trial, before: str, after: str) -> str:
    """Run the workflow on a full or read-only disk, repair the disk, and run it again."""
    shutil.rmtree(trial.results)
    shutil.rmtree(trial.folder / ".snakemake")
    trial.results.mkdir()
    with small_disk(trial.results, before.removeprefix("size=") if before.startswith("size=") else "200m"):
        if before == "ro":
            (trial.results / "logs").mkdir()
            subprocess.run(["mount", "-o", "remount,ro", str(trial.results)], check=True)
        status, output = trial.run()
        message = f"workflow ended with {status}: {error_message(trial, output)[:120]}"
        subprocess.run(["mount", "-o", f"remount,{after}", str(trial.results)], check=True)
        finish(trial)
        shutil.copytree(trial.results, trial.folder / "copied")
    shutil.rmtree(trial.results)
    (trial.folder / "copied").rename(trial.results)
    return message


def finish(trial: Trial) -> None:
    """Start the workflow again, as a user does after a fault."""
    status, output = trial.run()
    if status:
        raise SystemExit(f"{trial.folder}: another run does not repair it:\n{output[-3000:]}")


def two_at_once(trial: Trial, name: str) -> str:
    """Start a second workflow in the folder while one is running."""
    first = trial.start("-R", "infer")
    while first.poll() is None and not worker_of(first, "infer"):
        time.sleep(0.02)
    status, output = trial.run()
    first.communicate(timeout=1800)
    return f"second: {status}, {error_message(trial, output)[:60]}; first: {first.returncode}"


def clock(trial: Trial, hours: str) -> str:
    """Shift the dates of the files of the first shard, as on a node with a wrong clock."""
    for path in (trial.results / "cutouts" / "00000").iterdir():
        then = path.stat().st_mtime + 3600 * float(hours)
        os.utime(path, (then, then))
    status, output = trial.run()
    jobs = sum(line.startswith("Finished jobid") for line in output.splitlines())
    message = f": {error_message(trial, output)[:80]}" if status else ""
    return f"workflow ended with {status}, {jobs} jobs repeated{message}"


FAULTS: dict[str, tuple[Callable[[Trial, str], str], list[str]]] = {
    "kill": (kill, list(KILLED)),
    "kill-workflow": (kill_workflow, ["train", "infer"]),
    "truncate": (truncate, list(INTERMEDIATE)),
    "garble": (garble, list(INTERMEDIATE)),
    "flip": (flip, list(INTERMEDIATE)),
    "exchange": (exchange, list(EXCHANGED)),
    "two-at-once": (two_at_once, ["infer"]),
    "clock": (clock, ["+24", "-24"]),
}


def make_reference(folder: Path) -> Trial:
    """Make the run without faults."""
    targets = pd.read_csv(REPOSITORY / "resources/demo/targets.csv").sample(frac=1, random_state=0)
    parts = [targets[targets.split == split].head(n) for split, n in (("train", N_TRAIN), ("test", N_TEST))]
    folder.mkdir(parents=True)
    pd.concat(parts).to_csv(folder / "targets.csv", index=False)
    settings: dict[str, Any] = {**SETTINGS, "targets": {"path": str(folder / "targets.csv")}}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    trial = Trial(folder)
    finish(trial)
    return trial


def bad_shard(root: Path, fault: str) -> None:
    """Run with a shard whose subjects have no image, or a damaged one; compare with a run without it."""
    centres = {"good": 150.0, "bad": 160.0}
    for name, ra in centres.items():
        command = [
            sys.executable,
            "-m",
            "claran_core.cli.commands",
            "simulate",
            "image",
            "--ra",
            str(ra),
            "--dec",
            "20",
        ]
        image = root / name / "images" / f"{name}.fits"
        image.parent.mkdir(parents=True)
        subprocess.run(
            [*command, "--size-px", "500", "--output", str(image)], check=True, capture_output=True
        )
    images = root / "bad" / "images"
    if fault == "no image":
        (images / "bad.fits").unlink()
    else:
        damaged = (images / "bad.fits").read_bytes()
        (images / "bad.fits").write_bytes(damaged[:6000])
    shutil.copy(root / "good" / "images" / "good.fits", images)
    offsets = [(i - 3.5) * 0.01 for i in range(SHARD_SIZE)]
    for name, places in (("good", ["good"]), ("bad", ["good", "bad"])):
        rows = [(centres[place] + offset, 20 + offset / 2) for place in places for offset in offsets]
        pd.DataFrame(rows, columns=["ra", "dec"]).to_csv(root / name / "targets.csv", index=False)
        settings = {
            "shard_size": SHARD_SIZE,
            "targets": {"path": str(root / name / "targets.csv")},
            "survey": {
                "radio": {"source": "directory", "path": str(root / name / "images")},
                "infrared": {"source": "none"},
            },
            "cutouts": {"max_failed_fraction": 1.0},
            "fusion": {"methods": ["D1"]},
            "catalogue": {"method": "D1"},
        }
        (root / name / "settings.yaml").write_text(yaml.safe_dump(settings))
        finish(Trial(root / name))
    ledger = one_table(Trial(root / "bad"), "catalogue/ledger.parquet")
    statuses = ledger[ledger["band"] == "radio"].groupby("shard")["status"].value_counts().to_dict()
    lost, doubled = compare(Trial(root / "bad"), Trial(root / "good"))
    print(f"| shard with {fault} | {statuses} | {lost} | {doubled} |", flush=True)


def run_trial(reference: Trial, folder: Path, name: str, detail: str, apply: Callable[[], str]) -> None:
    """Apply a fault to a copy, repair it, and print a row of the table."""
    try:
        message = apply()
        finish(Trial(folder))
        lost, doubled = compare(Trial(folder), reference)
        print(f"| {name} {detail} | {message} | {lost} | {doubled} |", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Run all trials, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="start of the names of the faults (default: all)")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    reference = make_reference(root / "reference")
    trials = [(name, detail, fault) for name, (fault, details) in FAULTS.items() for detail in details]
    disks = [("full disk", "size=300k", "size=200m"), ("read-only disk", "ro", "rw")]
    print("| Fault | Result | Lost rows | Doubled rows |\n|---|---|---|---|", flush=True)
    for name, detail, fault in trials:
        if name.startswith(options.only):
            trial = Trial(root / "trial")
            shutil.copytree(reference.folder, trial.folder)
            run_trial(reference, trial.folder, name, detail, lambda f=fault, t=trial, d=detail: f(t, d))
    for name, before, after in disks:
        if name.startswith(options.only) and os.geteuid() == 0:
            trial = Trial(root / "trial")
            shutil.copytree(reference.folder, trial.folder)
            run_trial(
                reference, trial.folder, name, before, lambda t=trial, b=before, a=after: on_disk(t, b, a)
            )
    for fault in ("no image", "a damaged image"):
        if "bad shard".startswith(options.only):
            bad_shard(root / fault, fault)
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
