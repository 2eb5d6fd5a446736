"""Cut-outs of a shard, and the ledger that says what became of every subject in every survey.

Missing images are data: each (subject, band) is one row, ``ok``, ``partial``, ``no_coverage`` or
``failed`` with a reason.  Nothing one subject meets stops another; whether too much has failed is
asked before the catalogue is built.
"""

import hashlib
import logging
import shutil
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from claran_core.common import files
from claran_core.common.cutout import Band, Cutout, NoImage, Provenance
from claran_core.common.errors import TooManyFailures
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.paths import Results
from claran_core.common.reprojection import reproject
from claran_core.common.tables import LEDGER
from claran_core.cutouts.cutout_file import CutoutFile, CutoutWriter, read_cutouts
from claran_core.cutouts.journal import CutoutJournal
from claran_core.survey.surveys import ImageProvider

__all__ = ["CutoutFile", "check_failures", "cut_shard", "merge_ledgers", "read_cutouts"]

logger = logging.getLogger(__name__)

MISSING = {"radio": Flag.RADIO_MISSING, "infrared": Flag.INFRARED_MISSING}
PARTIAL = {"radio": Flag.RADIO_PARTIAL, "infrared": Flag.INFRARED_PARTIAL}

PROVENANCE = tuple(entry.name for entry in fields(Provenance))

# Subjects per worker that may be finished before their turn to be written: bounds the memory of a shard, and
# lets others go on while one waits for another try.
AHEAD = 8

# Answer for a band the run goes without.
RADIO_ONLY = NoImage("no_coverage", "radio only")


def cut_shard(
    targets: pd.DataFrame,
    radio: ImageProvider,
    infrared: ImageProvider | None,
    frame: Frame,
    *,
    results: Results,
    shard: str,
) -> None:
    """Take the cut-outs of one shard, and write them and their ledger (the ledger last).

    Parameters
    ----------
    targets : DataFrame
        Rows of the shard, columns of `claran_core.common.tables.TARGETS`.
    radio, infrared : ImageProvider
        Where images come from; None for a run without infrared.
    frame : Frame
        Geometry of the subjects.
    results : Results
        File names of the run.
    shard : str
        Name of the shard.
    """
    sources: dict[Band, ImageProvider | None] = {"radio": radio, "infrared": infrared}
    paths = {band: results.cutouts(shard, band) for band in sources}
    rows = []
    progress = Progress(f"shard {shard}: subjects cut out", len(targets))
    with ExitStack() as stack:
        journal = _open_journal(stack, targets, sources, frame, results.journal(shard))
        writers = {band: _open_writer(stack, paths[band], source) for band, source in sources.items()}
        takers = [_Taker(band, source, frame, writers[band], journal) for band, source in sources.items()]
        # Closed at once when the job is interrupted, so that nothing is waited for.
        streams = [stack.enter_context(closing(_extensions(targets, take))) for take in takers]
        for pieces in zip(*streams, strict=True):
            for (row, extension), writer in zip(pieces, writers.values(), strict=True):
                rows.append({**row, "shard": shard})
                if extension:
                    writer.append(extension)
            progress.step()
        for writer in writers.values():
            writer.close()
    ledger = pd.DataFrame(rows, columns=LEDGER.names)
    files.write_table(results.ledger(shard), ledger, LEDGER)
    if journal is not None:
        kept = {path.name: path for path in (*paths.values(), results.ledger(shard))}
        journal.finish(kept, failed=bool((ledger["status"] == "failed").any()))


def merge_ledgers(ledger_paths: Sequence[Path], output_path: Path) -> pd.DataFrame:
    """Join the ledgers of all shards, by subject, write the result and log how it stands.

    Returns
    -------
    DataFrame
        Columns of `claran_core.common.tables.LEDGER`, radio before infrared for each subject.

    Raises
    ------
    InputError
        If a ledger cannot be read.
    """
    ledger = pd.concat([files.read_table(path, LEDGER.names) for path in ledger_paths], ignore_index=True)
    ledger = ledger.sort_values(["subject_id", "band"], ascending=[True, False], ignore_index=True)
    files.write_table(output_path, ledger, LEDGER)
    for band, rows in ledger.groupby("band", sort=False):
        counts = ", ".join(f"{count} {status}" for status, count in rows["status"].value_counts().items())
        logger.info("%s images of %d subjects: %s", band, len(rows), counts)
    return ledger


def check_failures(ledger: pd.DataFrame, max_failed_fraction: float) -> None:
    """Refuse to go on if too many rows of a run's ledger are ``failed``.

    Raises
    ------
    TooManyFailures
        In one line: how many, why the first one, which shards, and the options that retry only those.
    """
    failed = ledger[ledger["status"] == "failed"]
    if len(failed) <= max_failed_fraction * len(ledger):
        return
    first = failed.iloc[0]
    shards = sorted(failed["shard"].unique())
    # The workflow runs in the folder above its results: these are the names it knows its files by.
    retry = " ".join(str(Results().ledger(shard)) for shard in shards)
    raise TooManyFailures(
        f"cut-outs: {len(failed)} of {len(ledger)} (subject, survey) rows failed, more than "
        f"cutouts.max_failed_fraction {max_failed_fraction:g} allows; the first, {first['subject_id']} "
        f"({first['band']}): {first['reason']}; failures are in shards {', '.join(shards)}; when the cause "
        f"is gone, retry only these: add to your snakemake command --forcerun {retry}"
    )


def _open_writer(stack: ExitStack, path: Path, source: ImageProvider | None) -> CutoutWriter:
    handle = stack.enter_context(stack.enter_context(files.atomic_path(path)).open("wb"))
    if source is None:
        return CutoutWriter(handle)
    return CutoutWriter(handle, survey=source.survey.name, unit=source.survey.unit)


class _Taker:
    """Takes the cut-outs of one band: ledger row and image extension of a subject.

    What a source from an archive gives is journalled, unless it failed, and taken from there another time.
    """

    def __init__(
        self,
        band: Band,
        source: ImageProvider | None,
        frame: Frame,
        writer: CutoutWriter,
        journal: CutoutJournal | None,
    ) -> None:
        self.band, self.source, self.frame, self.writer = band, source, frame, writer
        self.journal = journal if _is_remote(source) else None

    @property
    def workers(self) -> int:
        """How many subjects may be worked on at a time."""
        return getattr(self.source, "workers", 1)

    def abandon(self) -> None:
        """Nobody waits for cut-outs any more."""
        if hasattr(self.source, "abandon"):
            self.source.abandon()

    def __call__(self, target: Any) -> tuple[dict[str, Any], bytes]:
        kept = None if self.journal is None else self.journal.get(target.subject_id, self.band)
        if kept is not None:
            return kept
        cutout, row = _take(self.source, self.band, target.subject_id, target.ra, target.dec, self.frame)
        row["subject_id"] = target.subject_id
        extension = b"" if cutout is None else self.writer.extension(target.subject_id, cutout)
        if self.journal is not None and row["status"] != "failed":
            self.journal.add(row, extension)
        return row, extension


def _is_remote(source: ImageProvider | None) -> bool:
    """Whether a source's images come from far away, so that they are journalled."""
    return hasattr(source, "identity")


def _open_journal(
    stack: ExitStack,
    targets: pd.DataFrame,
    sources: Mapping[Band, ImageProvider | None],
    frame: Frame,
    folder: Path,
) -> CutoutJournal | None:
    remote = {band: source.identity for band, source in sources.items() if _is_remote(source)}
    if not remote:
        shutil.rmtree(folder, ignore_errors=True)  # of a run whose images did come from an archive
        return None
    places = targets[["subject_id", "ra", "dec"]].to_csv(index=False, float_format="%.9f")
    parts = [hashlib.sha256(places.encode()).hexdigest(), f"{frame}", f"{remote}"]
    return stack.enter_context(CutoutJournal(folder, "\n".join(parts)))


def _extensions(targets: pd.DataFrame, take: _Taker) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What `take` gives for each target, in order; several at a time where the source allows it."""
    if take.workers == 1:
        yield from map(take, targets.itertuples())
        return
    with ThreadPoolExecutor(take.workers) as pool:
        waiting: deque[Future] = deque()
        try:
            for target in targets.itertuples():
                waiting.append(pool.submit(take, target))
                if len(waiting) > AHEAD * take.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:  # the job is interrupted: it should not have to wait for slow servers
            take.abandon()
            raise
        finally:
            for future in waiting:
                future.cancel()


def _take(
    source: ImageProvider | None, band: Band, subject_id: str, ra_deg: float, dec_deg: float, frame: Frame
) -> tuple[Cutout | None, dict[str, Any]]:
    """Cut-out of one subject and band, if there is one, and its ledger row."""
    coverage = 0.0
    try:
        answer = RADIO_ONLY
        if source is not None:
            answer = source.cutout(subject_id, ra_deg, dec_deg, frame.width_arcsec)
        if isinstance(answer, Cutout):
            coverage = float(np.isfinite(reproject(answer, frame, ra_deg, dec_deg)).mean())
    except Exception as error:  # whatever it is, the other subjects must not suffer
        logger.warning("%s: %s image failed", subject_id, band, exc_info=True)
        answer = NoImage("failed", " ".join(f"{type(error).__name__}: {error}".split()))
    if isinstance(answer, Cutout) and coverage == 0:
        reason = f"only blank pixels there in {answer.origin}"
        answer = NoImage("no_coverage", reason, answer.provenance)
    survey = "none" if source is None else source.survey.name
    return _row(answer, band, survey, coverage)


def _row(
    answer: Cutout | NoImage, band: Band, survey: str, coverage: float
) -> tuple[Cutout | None, dict[str, Any]]:
    row = {"band": band, "survey": survey, "coverage": coverage, "origin": ""}
    row |= dict.fromkeys(PROVENANCE) if answer.provenance is None else asdict(answer.provenance)
    if isinstance(answer, NoImage):
        return None, row | {"status": answer.status, "reason": answer.reason, "flags": int(MISSING[band])}
    row |= {"origin": answer.origin, "status": "ok", "reason": "", "flags": int(answer.flags)}
    if coverage < 1:
        row |= {"status": "partial", "reason": f"{1 - coverage:.2%} of the pixels have no data"}
        row["flags"] |= int(PARTIAL[band])
    return answer, row
