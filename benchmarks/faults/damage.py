"""Faults of files: damaged ones, and those of another shard in the place of the right one."""

import os

from benchmarks.faults.trial import Trial, error_message

__all__ = ["EXCHANGED", "INTERMEDIATE", "exchange", "flip", "garble", "truncate"]

# One file of each kind that one rule writes and another reads, and the rule that reads it.
INTERMEDIATE = {
    "targets/00000.parquet": "cut_out",
    "cutouts/00000/radio.arrow": "find_components",
    "cutouts/00000/infrared.arrow": "fuse",
    "cutouts/00000/ledger.parquet": "gather_ledger",
    "components/00000.parquet": "infer",
    "components/00000.noise.parquet": "fuse",
    "labels/00000.parquet": "gather_labels",
    "fused/D4/00000.npy": "infer",
    "fused/D4/00000.parquet": "infer",
    "model/D4/weights.safetensors": "infer",
    "detections/D4/00000.parquet": "measure_sources",
    "catalogue/sources/00000.parquet": "build_catalogue",
    "catalogue/catalogue.parquet": "write_report",
}
# Those of a shard that must not be exchanged with those of another.
EXCHANGED = tuple(name for name in INTERMEDIATE if "00000" in name and not name.startswith("targets"))


def truncate(trial: Trial, name: str) -> str:
    """Remove the second half of an intermediate file."""
    whole = (trial.results / name).read_bytes()
    return replaced(trial, name, whole[: len(whole) // 2])


def garble(trial: Trial, name: str) -> str:
    """Overwrite 64 bytes in the middle of a file."""
    content = bytearray((trial.results / name).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = b"\xa5" * len(content[middle : middle + 64])
    return replaced(trial, name, content)


def flip(trial: Trial, name: str) -> str:
    """Change one bit in the middle of a file."""
    content = bytearray((trial.results / name).read_bytes())
    content[len(content) // 2] ^= 0x04
    return replaced(trial, name, content)


def exchange(trial: Trial, name: str) -> str:
    """Put the file of another shard in the place of a file."""
    return replaced(trial, name, (trial.results / name.replace("00000", "00001")).read_bytes())


def replaced(trial: Trial, name: str, content: bytes) -> str:
    """Replace the content of a file, but not its date; return the message of the rule that reads it."""
    path = trial.results / name
    then = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    status, output = trial.run("-R", INTERMEDIATE[name], "--until", INTERMEDIATE[name], "--keep-incomplete")
    message = error_message(trial, output) if status else "not noticed"
    path.unlink()
    return message
