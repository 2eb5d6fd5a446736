"""Cut-outs of a shard, and the ledger that records the result for every subject in every survey.

Missing images are data: each (subject, band) is one row with status ``ok``, ``partial``, ``no_coverage`` or
``failed`` and a reason.  A failure of one subject does not stop the others; whether too many rows failed is
checked before the catalogue is built.
"""

import hashlib
import logging
import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from claran_core.common import files
from claran_core.common.cutout import Band, Cutout, NoImage, Provenance
from claran_core.common.errors import TooManyFailures
from claran_core.common.flags import Flag
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.origins import check_run, origins_of
from claran_core.common.paths import Results
from claran_core.common.published import published
from claran_core.common.read_ahead import read_ahead
from claran_core.common.subject import Subject
from claran_core.common.tables import LEDGER, NATIVE_SCALE
from claran_core.cutouts.coarse import coarse_cutout, margin_arcsec
from claran_core.cutouts.cutout_file import CutoutWriter, cutout_writer
from claran_core.cutouts.cutout_rows import row_of
from claran_core.cutouts.journal import CutoutJournal, Entry, LedgerRow
from claran_core.survey.coverage import coverage_of
from claran_core.survey.provider import ImageProvider

__all__ = ["check_failures", "cut_shard", "merge_ledgers"]

logger = logging.getLogger(__name__)

MISSING = {"radio": Flag.RADIO_MISSING, "infrared": Flag.INFRARED_MISSING}
PARTIAL = {"radio": Flag.RADIO_PARTIAL, "infrared": Flag.INFRARED_PARTIAL}

PROVENANCE = tuple(entry.name for entry in fields(Provenance))

# Subjects per worker that may be finished before their turn to be written: bounds the memory of a shard, and
# lets other subjects proceed while one waits for a retry.
AHEAD = 8

# Answer for a band that the run does not use.
RADIO_ONLY = NoImage("no_coverage", "radio only")


def cut_shard(
    targets: pd.DataFrame,
    radio: ImageProvider,
    infrared: ImageProvider | None,
    frame: Frame,
    *,
    results: Results,
    shard: str,
    made_from: Mapping[str, str] | None = None,
) -> None:
    """Take the cut-outs of one shard, and write them and their ledger (the ledger last).

    Parameters
    ----------
    targets : DataFrame
        Rows of the shard, columns of `claran_core.common.tables.TARGETS`.
    radio, infrared : ImageProvider
        Where images come from; None for a run without infrared.
    frame : Frame
        Geometry of the finest subjects.
    results : Results
        File names of the run.
    shard : str
        Name of the shard.
    made_from : mapping of str to str, optional
        Digests that the files record: of the ``targets`` of the shard, and of the ``settings`` that decide
        the pixels (`settings_digest`).
    """
    providers: dict[Band, ImageProvider | None] = {"radio": radio, "infrared": infrared}
    paths = {band: results.cutouts(shard, band) for band in providers}
    rows = []
    progress = Progress(f"shard {shard}: subjects cut out", len(targets))
    with ExitStack() as stack:
        journal = _open_journal(stack, targets, providers, frame, results.journal(shard))
        writers = {
            band: stack.enter_context(_open_writer(paths[band], provider, made_from))
            for band, provider in providers.items()
        }
        cutters = [_BandCutter(band, provider, frame, journal) for band, provider in providers.items()]
        # Closed explicitly, so that an interrupted job stops its requests at once.
        streams = [stack.enter_context(closing(cutter.cut(targets))) for cutter in cutters]
        for pieces in zip(*streams, strict=True):
            for (row, cutout), writer in zip(pieces, writers.values(), strict=True):
                rows.append({**row, "shard": shard})
                if cutout is not None:
                    writer.append(cutout)
            progress.step()
    ledger = pd.DataFrame(rows, columns=LEDGER.names)
    files.write_table(results.ledger(shard), ledger, LEDGER, made_from=made_from)
    if journal is not None:
        kept = {path.name: path for path in (*paths.values(), results.ledger(shard))}
        journal.finish(kept, failed=bool((ledger["status"] == "failed").any()))


def merge_ledgers(ledger_paths: Sequence[Path], output_path: Path) -> pd.DataFrame:
    """Merge the ledgers of all shards, ordered by subject, write the result and log the counts.

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
    for name in ("reason", "origin", "url"):  # this ledger is published with the catalogue
        texts = ledger[name]
        ledger[name] = texts.map(published, na_action="ignore").astype(texts.dtype)
    made_from = check_run({}, [origins_of(ledger=path) for path in ledger_paths])
    files.write_table(output_path, ledger, LEDGER, made_from=made_from)
    for band, rows in ledger.groupby("band", sort=False):
        counts = ", ".join(f"{count} {status}" for status, count in rows["status"].value_counts().items())
        logger.info("%s images of %d subjects: %s", band, len(rows), counts)
    return ledger


def check_failures(ledger: pd.DataFrame, max_failed_fraction: float) -> None:
    """Raise an error if too many rows of a run's ledger are ``failed``.

    Raises
    ------
    TooManyFailures
        In one line: how many failed, why the first did, which shards, and the options that retry only those.
    """
    failed = ledger[ledger["status"] == "failed"]
    if len(failed) <= max_failed_fraction * len(ledger):
        return
    first = failed.iloc[0]
    shards = sorted(failed["shard"].unique())
    # Relative to the folder the workflow runs in, as the workflow names its files.
    retry = " ".join(str(Results().ledger(shard)) for shard in shards)
    raise TooManyFailures(
        f"cut-outs: {len(failed)} of {len(ledger)} (subject, survey) rows failed, more than "
        f"cutouts.max_failed_fraction {max_failed_fraction:g} allows; the first, {first['subject_id']} "
        f"({first['band']}): {first['reason']}; failures are in shards {', '.join(shards)}; fix the cause, "
        f"then retry only these: add to your snakemake command --forcerun {retry}"
    )


def _open_writer(
    path: Path, provider: ImageProvider | None, made_from: Mapping[str, str] | None
) -> AbstractContextManager[CutoutWriter]:
    survey, unit = ("", "") if provider is None else (provider.survey.name, provider.survey.unit)
    return cutout_writer(path, survey=survey, unit=unit, made_from=made_from)


class _BandCutter:
    """Takes the cut-outs of one band: the ledger row and cut-out of each subject.

    Where the provider has an identity, finished rows are journalled, unless they failed, and later read from
    the journal.
    """

    def __init__(
        self,
        band: Band,
        provider: ImageProvider | None,
        frame: Frame,
        journal: CutoutJournal | None,
    ) -> None:
        self.band, self.provider, self.frame = band, provider, frame
        self.journal = journal if provider is not None and provider.identity is not None else None

    def cut(self, targets: pd.DataFrame) -> Generator[Entry, None, None]:
        """Yield ledger row and cut-out of each target, in order."""
        if self.provider is None or self.provider.workers == 1:
            return read_ahead(self._cut_one, targets.itertuples(), ahead=0)
        workers = self.provider.workers
        return read_ahead(
            self._cut_one,
            targets.itertuples(),
            ahead=AHEAD * workers,
            workers=workers,
            stop=self.provider.stop,
        )

    def _cut_one(self, target: Any) -> Entry:
        kept = None if self.journal is None else self.journal.get(target.subject_id, self.band)
        if kept is not None:
            return kept
        cutout, row = _take(self.provider, self.band, Subject.of_target(target, self.frame))
        row["subject_id"] = target.subject_id
        entry = None if cutout is None else row_of(target.subject_id, cutout)
        if self.journal is not None and row["status"] != "failed":
            self.journal.add(row, entry)
        return row, entry


def _open_journal(
    stack: ExitStack,
    targets: pd.DataFrame,
    providers: Mapping[Band, ImageProvider | None],
    frame: Frame,
    folder: Path,
) -> CutoutJournal | None:
    identities = {
        band: provider.identity
        for band, provider in providers.items()
        if provider is not None and provider.identity is not None
    }
    if not identities:
        shutil.rmtree(folder, ignore_errors=True)  # left by a run whose images came from an archive
        return None
    places = targets[["subject_id", "ra", "dec", "scale"]].to_csv(index=False, float_format="%.9f")
    parts = [hashlib.sha256(places.encode()).hexdigest(), f"{frame}", f"{identities}"]
    return stack.enter_context(CutoutJournal(folder, "\n".join(parts)))


def _take(provider: ImageProvider | None, band: Band, subject: Subject) -> tuple[Cutout | None, LedgerRow]:
    """Return the cut-out of one subject and band, if there is one, and its ledger row."""
    place = subject.ra_deg, subject.dec_deg
    coverage = 0.0
    answer: Cutout | NoImage = RADIO_ONLY
    try:
        if provider is not None:
            width_arcsec = subject.frame.width_arcsec + 2 * margin_arcsec(provider.survey, subject.scale)
            answer = provider.cutout(subject.subject_id, *place, width_arcsec)
            if isinstance(answer, Cutout):
                coverage = coverage_of(answer, subject.frame, *place)
                if coverage and subject.scale != NATIVE_SCALE:
                    answer = coarse_cutout(answer, subject.scale, provider.survey)
    except Exception as error:  # any error, because it must not affect the other subjects
        logger.warning("%s: %s image failed", subject.subject_id, band, exc_info=True)
        answer = NoImage("failed", " ".join(f"{type(error).__name__}: {error}".split()))
    if isinstance(answer, Cutout) and coverage == 0:
        answer = NoImage("no_coverage", f"{answer.origin} has only blank pixels there", answer.provenance)
    survey = "none" if provider is None else provider.survey.name
    return _row(answer, band, survey, coverage)


def _row(
    answer: Cutout | NoImage, band: Band, survey: str, coverage: float
) -> tuple[Cutout | None, LedgerRow]:
    row: LedgerRow = {"band": band, "survey": survey, "coverage": coverage, "origin": ""}
    row |= dict.fromkeys(PROVENANCE) if answer.provenance is None else asdict(answer.provenance)
    if isinstance(answer, NoImage):
        return None, row | {"status": answer.status, "reason": answer.reason, "flags": int(MISSING[band])}
    row |= {"origin": answer.origin, "status": "ok", "reason": "", "flags": int(answer.flags)}
    if coverage < 1:
        row |= {"status": "partial", "reason": f"{1 - coverage:.2%} of the pixels have no data"}
        row["flags"] |= int(PARTIAL[band])
    return answer, row
