"""Cut-outs of a shard, and the ledger that records the result for every subject in every survey.

Missing images are data: each (subject, survey) is one row with status ``ok``, ``partial``, ``no_coverage`` or
``failed`` and a reason.  A failure of one subject does not stop the others; whether too many rows failed is
checked before the catalogue is built.

The images of a second radio survey have files of their own, so that a run to which it is added keeps all
others.
"""

import hashlib
import logging
import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from claran_core.common import files
from claran_core.common.cutout import ROLES, Cutout, NoImage, Provenance, Role
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
from claran_core.cutouts.journal import KEPT_LEDGER, CutoutJournal, Entry, LedgerRow
from claran_core.survey.coverage import coverage_of
from claran_core.survey.provider import ImageProvider

__all__ = ["check_failures", "cut_second_radio", "cut_shard", "merge_ledgers"]

logger = logging.getLogger(__name__)

MISSING: Mapping[Role, Flag] = {
    "radio": Flag.RADIO_MISSING,
    "second_radio": Flag.SECOND_RADIO_MISSING,
    "infrared": Flag.INFRARED_MISSING,
}
PARTIAL: Mapping[Role, Flag] = {
    "radio": Flag.RADIO_PARTIAL,
    "second_radio": Flag.SECOND_RADIO_PARTIAL,
    "infrared": Flag.INFRARED_PARTIAL,
}

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
    written = _ShardFiles(shard, results, results.ledger(shard), results.journal(shard), made_from)
    _cut({"radio": radio, "infrared": infrared}, targets, frame, written)


def cut_second_radio(
    targets: pd.DataFrame,
    provider: ImageProvider,
    frame: Frame,
    *,
    results: Results,
    shard: str,
    made_from: Mapping[str, str] | None = None,
) -> None:
    """Take the images of the second radio survey for one shard, and write them and their ledger.

    Parameters
    ----------
    provider : ImageProvider
        Where its images come from.
    targets, frame, results, shard, made_from
        As for `cut_shard`; the name of the digest of the settings is ``second_settings``.
    """
    ledger, journal = results.second_ledger(shard), results.second_journal(shard)
    written = _ShardFiles(shard, results, ledger, journal, made_from)
    _cut({"second_radio": provider}, targets, frame, written)


@dataclass(frozen=True)
class _ShardFiles:
    """Files of the cut-outs of one shard, and the digests that they record."""

    shard: str
    results: Results
    ledger: Path
    journal: Path
    made_from: Mapping[str, str] | None


def _cut(
    providers: Mapping[Role, ImageProvider | None], targets: pd.DataFrame, frame: Frame, written: _ShardFiles
) -> None:
    """Take the cut-outs of some surveys for one shard, and write them and their ledger (the ledger last)."""
    shard, made_from = written.shard, written.made_from
    paths = {role: written.results.cutouts(shard, role) for role in providers}
    rows = []
    progress = Progress(f"shard {shard}: subjects cut out", len(targets))
    with ExitStack() as stack:
        journal = _open_journal(stack, targets, providers, frame, written.journal)
        writers = {
            role: stack.enter_context(_open_writer(paths[role], provider, made_from))
            for role, provider in providers.items()
        }
        cutters = [_Cutter(role, provider, frame, journal) for role, provider in providers.items()]
        # Closed explicitly, so that an interrupted job stops its requests at once.
        streams = [stack.enter_context(closing(cutter.cut(targets))) for cutter in cutters]
        for pieces in zip(*streams, strict=True):
            for (row, cutout), writer in zip(pieces, writers.values(), strict=True):
                rows.append({**row, "shard": shard})
                if cutout is not None:
                    writer.append(cutout)
            progress.step()
    ledger = pd.DataFrame(rows, columns=LEDGER.names)
    files.write_table(written.ledger, ledger, LEDGER, made_from=made_from)
    if journal is not None:
        kept = {path.name: path for path in paths.values()} | {KEPT_LEDGER: written.ledger}
        journal.finish(kept, failed=bool((ledger["status"] == "failed").any()))


def merge_ledgers(
    ledger_paths: Sequence[Path], output_path: Path, *, second_paths: Sequence[Path] = ()
) -> pd.DataFrame:
    """Merge the ledgers of all shards, ordered by subject, write the result and log the counts.

    Parameters
    ----------
    ledger_paths : sequence of Path
        Ledgers of `cut_shard`.
    output_path : Path
        File to write.
    second_paths : sequence of Path, optional
        Ledgers of `cut_second_radio` for the same shards; none without a second radio survey.

    Returns
    -------
    DataFrame
        Columns of `claran_core.common.tables.LEDGER`; for each subject in the order of the roles.

    Raises
    ------
    InputError
        If a ledger cannot be read.
    """
    paths = [*ledger_paths, *second_paths]
    ledger = pd.concat([files.read_table(path, LEDGER.names) for path in paths], ignore_index=True)
    ledger = ledger.assign(place=ledger["band"].map(ROLES.index))
    ledger = ledger.sort_values(["subject_id", "place"], ignore_index=True).drop(columns="place")
    for name in ("reason", "origin", "url"):  # this ledger is published with the catalogue
        texts = ledger[name]
        ledger[name] = texts.map(published, na_action="ignore").astype(texts.dtype)
    shards = [{"ledger": path} for path in ledger_paths]
    for shard, path in zip(shards, second_paths, strict=bool(second_paths)):
        shard["second_ledger"] = path
    made_from = check_run({}, [origins_of(**shard) for shard in shards])
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
    retry = " ".join(_ledgers_of(failed))
    raise TooManyFailures(
        f"cut-outs: {len(failed)} of {len(ledger)} (subject, survey) rows failed, more than "
        f"cutouts.max_failed_fraction {max_failed_fraction:g} allows; the first, {first['subject_id']} "
        f"({first['band']}): {first['reason']}; failures are in shards {', '.join(shards)}; fix the cause, "
        f"then retry only these: add to your snakemake command --forcerun {retry}"
    )


def _ledgers_of(rows: pd.DataFrame) -> list[str]:
    """Return the files of the shards that rows of a run's ledger come from."""
    is_second = rows["band"] == "second_radio"
    names = [Results().ledger(shard) for shard in sorted(rows["shard"][~is_second].unique())]
    names += [Results().second_ledger(shard) for shard in sorted(rows["shard"][is_second].unique())]
    return [str(name) for name in names]


def _open_writer(
    path: Path, provider: ImageProvider | None, made_from: Mapping[str, str] | None
) -> AbstractContextManager[CutoutWriter]:
    survey, unit = ("", "") if provider is None else (provider.survey.name, provider.survey.unit)
    return cutout_writer(path, survey=survey, unit=unit, made_from=made_from)


class _Cutter:
    """Takes the cut-outs of one survey: the ledger row and cut-out of each subject.

    Where the provider has an identity, finished rows are journalled, unless they failed, and later read from
    the journal.
    """

    def __init__(
        self,
        role: Role,
        provider: ImageProvider | None,
        frame: Frame,
        journal: CutoutJournal | None,
    ) -> None:
        self.role, self.provider, self.frame = role, provider, frame
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
        kept = None if self.journal is None else self.journal.get(target.subject_id, self.role)
        if kept is not None:
            return kept
        cutout, row = _take(self.provider, self.role, Subject.of_target(target, self.frame))
        row["subject_id"] = target.subject_id
        entry = None if cutout is None else row_of(target.subject_id, cutout)
        if self.journal is not None and row["status"] != "failed":
            self.journal.add(row, entry)
        return row, entry


def _open_journal(
    stack: ExitStack,
    targets: pd.DataFrame,
    providers: Mapping[Role, ImageProvider | None],
    frame: Frame,
    folder: Path,
) -> CutoutJournal | None:
    identities = {
        role: provider.identity
        for role, provider in providers.items()
        if provider is not None and provider.identity is not None
    }
    if not identities:
        shutil.rmtree(folder, ignore_errors=True)  # left by a run whose images came from an archive
        return None
    places = targets[["subject_id", "ra", "dec", "scale"]].to_csv(index=False, float_format="%.9f")
    parts = [hashlib.sha256(places.encode()).hexdigest(), f"{frame}", f"{identities}"]
    return stack.enter_context(CutoutJournal(folder, "\n".join(parts)))


def _take(provider: ImageProvider | None, role: Role, subject: Subject) -> tuple[Cutout | None, LedgerRow]:
    """Return the cut-out of one subject and survey, if there is one, and its ledger row."""
    place = subject.ra_deg, subject.dec_deg
    coverage = 0.0
    answer: Cutout | NoImage = RADIO_ONLY
    try:
        if provider is not None:
            margin = margin_arcsec(provider.survey, subject.frame, subject.scale)
            width_arcsec = subject.frame.width_arcsec + 2 * margin
            answer = provider.cutout(subject.subject_id, *place, width_arcsec)
            if isinstance(answer, Cutout):
                coverage = coverage_of(answer, subject.frame, *place)
                if coverage and subject.scale != NATIVE_SCALE:
                    answer = coarse_cutout(answer, subject.scale, provider.survey)
    except Exception as error:  # any error, because it must not affect the other subjects
        logger.warning("%s: %s image failed", subject.subject_id, role, exc_info=True)
        answer = NoImage("failed", " ".join(f"{type(error).__name__}: {error}".split()))
    if isinstance(answer, Cutout) and coverage == 0:
        answer = NoImage("no_coverage", f"{answer.origin} has only blank pixels there", answer.provenance)
    survey = "none" if provider is None else provider.survey.name
    return _row(answer, role, survey, coverage)


def _row(
    answer: Cutout | NoImage, role: Role, survey: str, coverage: float
) -> tuple[Cutout | None, LedgerRow]:
    row: LedgerRow = {"band": role, "survey": survey, "coverage": coverage, "origin": ""}
    row |= dict.fromkeys(PROVENANCE) if answer.provenance is None else asdict(answer.provenance)
    if isinstance(answer, NoImage):
        return None, row | {"status": answer.status, "reason": answer.reason, "flags": int(MISSING[role])}
    row |= {"origin": answer.origin, "status": "ok", "reason": "", "flags": int(answer.flags)}
    if coverage < 1:
        row |= {"status": "partial", "reason": f"{1 - coverage:.2%} of the pixels have no data"}
        row["flags"] |= int(PARTIAL[role])
    return answer, row
