"""Verifies a soak from its files: everything is computed again from the logs, and no stored flag is trusted."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from seedbed.change import Kind
from seedbed.change._history import fold
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput, SeedbedError
from seedbed.records import digest, read_journal, read_json_with_hash
from seedbed.soak._evidence import DeliveryRecord, MeasurementRecord, parse_evidence
from seedbed.soak._folder import SoakFolder
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._readback import SoakReadback, read_soak
from seedbed.soak._sealed import unsealed
from seedbed.soak.reports._drawing import SoakDrawing
from seedbed.soak.reports._reports import tuning_report
from seedbed.soak.verify._changes import ChangeJournalCheck
from seedbed.soak.verify._evidence_check import delivery_flaws, evidence_flaws
from seedbed.soak.verify._files import (
    flaw_of,
    has_ended,
    log_flaws,
    plan_flaws,
    plan_remarks,
    report_flaws,
    settings_flaws,
    stranger_remarks,
    summary_flaws,
)
from seedbed.soak.verify._outcome import outcome_by_evidence
from seedbed.soak.verify._segment import segments
from seedbed.soak.verify._verdict_files import VerdictFiles
from seedbed.soak.verify._verification import Accusation, Flaw, Remark, SoakVerification

__all__ = ["examine_soak", "read_and_verify", "unreadable", "verify_soak"]

_SHORTEST_ANCHOR = 12
_USED = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})

# Raised when a record was not written by Seedbed: its seal fits, but a field is missing or has another type.
_FOREIGN_ERRORS = (SeedbedError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def verify_soak(
    folder: SoakFolder,
    assemble: Callable[[SoakPlan], Assembly],
    *,
    strict: bool = False,
    repeat: bool = True,
    anchor: str | None = None,
    drawing: SoakDrawing | None = None,
) -> SoakVerification:
    """Compute again everything that a soak's files claim, and report all differences. Nothing is written.

    `repeat` measures its plant again; without it, samples altered the same way in all files are not detected. `anchor`
    is the digest that seals POST_SOAK_SNAPSHOT.json, or at least its first 12 digits, kept outside the folder. Only the
    anchor can show that the whole soak was replaced by another one. `drawing` draws `KPIS.svg` again; without it, the
    file is compared with the digest in the snapshot. A file that cannot be read is an accusation too, and a file that
    is not bound, or is none of a soak, a remark. Raises InvalidInput for an anchor of less than 12 digits.
    """
    return read_and_verify(folder, assemble, strict=strict, repeat=repeat, anchor=anchor, drawing=drawing)[1]


def read_and_verify(
    folder: SoakFolder,
    assemble: Callable[[SoakPlan], Assembly],
    *,
    strict: bool,
    repeat: bool,
    anchor: str | None,
    drawing: SoakDrawing | None,
) -> tuple[SoakReadback | None, SoakVerification]:
    """As `verify_soak`, with what was read; that is None when a log cannot be read."""
    if anchor is not None and len(anchor) < _SHORTEST_ANCHOR:
        raise InvalidInput(
            f"the anchor {anchor!r} has {len(anchor)} digits; give at least the first {_SHORTEST_ANCHOR} of the seal"
        )
    readback, core = examine_soak(folder, assemble, strict=strict, repeat=repeat)
    remarks: list[Remark] = []
    if readback is not None:
        files = VerdictFiles(folder, readback, drawing)
        verdict = _collected(folder.snapshot_path.name, files.flaws(core, remarks))
        core = replace(core, accusations=(*core.accusations, *verdict))
    anchored = [] if anchor is None else list(_anchored(folder, anchor))
    remarks += stranger_remarks(folder)
    found = replace(core, accusations=(*core.accusations, *anchored), remarks=(*core.remarks, *remarks))
    return readback, found


def examine_soak(
    folder: SoakFolder,
    assemble: Callable[[SoakPlan], Assembly],
    *,
    strict: bool = False,
    repeat: bool = True,
    resuming: bool = False,
) -> tuple[SoakReadback | None, SoakVerification]:
    """As `verify_soak`, without the files that hold its result. The readback is None when a log cannot be read.

    With `resuming`, the soak is examined as one that was interrupted, even if it has ended.
    """
    problems = list(unreadable(folder, assemble))
    if problems:
        return None, SoakVerification(folder.path.name, tuple(problems), None, False, strict)
    plan = folder.plan()
    readback = read_soak(folder, plan, assemble(plan))
    accusations, readback = _check_logs(folder, readback, ended=not resuming and has_ended(folder, readback))
    accusations += list(_repetition(readback)) if repeat else []
    remarks = tuple(plan_remarks(folder, readback))
    return readback, SoakVerification(
        readback.plan.soak_id, tuple(accusations), readback.tally, repeat, strict, remarks
    )


def unreadable(folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly]) -> Iterator[Accusation]:
    """The files that cannot be read, and logs that contradict each other so that no soak can be read from them."""
    irregular = list(folder.irregular())
    yield from (
        Accusation(flaw_of(folder, path), path.name, f"is {kind}, expected a regular file") for path, kind in irregular
    )
    if irregular:
        return
    reads: tuple[tuple[Flaw, Path, Callable[[], object]], ...] = (
        (Flaw.PLAN, folder.plan_path, lambda: assemble(folder.plan())),
        (Flaw.LOG, folder.changes_path, lambda: fold(read_journal(folder.changes_path))),
        (Flaw.LOG, folder.evidence_path, lambda: parse_evidence(read_journal(folder.evidence_path))),
        (
            Flaw.SETTINGS,
            folder.settings_path,
            lambda: assemble(folder.plan()).registry.get_all(read_json_with_hash(folder.settings_path)[0]),
        ),
    )
    is_whole = True
    for flaw, path, read in reads:
        try:
            read()
        except _FOREIGN_ERRORS as problem:
            yield Accusation(flaw, path.name, _message(problem) if path.exists() else "is missing")
            if flaw is Flaw.PLAN:
                return
            is_whole = False
    if is_whole:
        yield from _contradictions(folder, assemble)


def _contradictions(folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly]) -> Iterator[Accusation]:
    plan = folder.plan()
    try:
        read_soak(folder, plan, assemble(plan))
    except _FOREIGN_ERRORS as problem:
        yield Accusation(Flaw.LOG, "changes.log against evidence.log", _message(problem))


def _check_logs(folder: SoakFolder, readback: SoakReadback, *, ended: bool) -> tuple[list[Accusation], SoakReadback]:
    """Check the logs and what follows from them. Returns the readback with the final state that the logs lead to."""
    accusations = [*plan_flaws(folder, readback), *log_flaws(folder, readback, ended=ended)]
    accusations += _collected("evidence.log", evidence_flaws(readback))
    journal = ChangeJournalCheck(readback)
    accusations += _collected("changes.log", _check_iterations(readback, journal, ended=ended))
    accusations += _collected("changes.log", _outcomes(readback, ended=ended))
    states = journal.states_at_end()
    accusations += settings_flaws(folder, states)
    if readback.final_hash not in states:
        readback = _with_final_state(readback, min(states))
    accusations += _collected("changes.log", _summaries_and_report(folder, readback, ended=ended))
    return accusations, readback


def _summaries_and_report(folder: SoakFolder, readback: SoakReadback, *, ended: bool) -> Iterator[Accusation]:
    yield from summary_flaws(folder, readback, ended=ended)
    yield from report_flaws(folder.tuning_report_path, tuning_report(readback), ended=ended)


def _check_iterations(readback: SoakReadback, journal: ChangeJournalCheck, *, ended: bool) -> Iterator[Accusation]:
    delivered = ""
    for record in readback.evidence_records:
        if isinstance(record, MeasurementRecord):
            break
        delivered = record.state_hash if isinstance(record, DeliveryRecord) else delivered
    for segment in segments(readback, ended=ended):
        yield from journal.check(segment)
        yield from delivery_flaws(segment, journal.states, delivered)
        delivered = segment.deliveries[-1].state_hash if segment.deliveries else delivered
    num_before = readback.iterations[0].measured.changes.sequence if readback.iterations else len(readback.changes)
    if num_before:
        yield Accusation(Flaw.PROPOSAL, "changes.log, record 1", "was written before anything was measured")


def _outcomes(readback: SoakReadback, *, ended: bool) -> Iterator[Accusation]:
    """Compare the outcome of each change in the journal with the one from the plant's evidence alone."""
    measured = [each.measured for each in readback.iterations]
    for record in readback.history.records:
        expected, first = outcome_by_evidence(record, readback.history, measured, readback.assembly.registry)
        allowed = {expected}
        if not ended:  # a process may have ended before it recorded the effects of the last measurement
            allowed.add(outcome_by_evidence(record, readback.history, measured[:-1], readback.assembly.registry)[0])
            allowed |= {Outcome.UNKNOWN} if record.is_open else set()
        effects = [int(facts["step"]) for kind, facts in record.story if kind is Kind.EFFECTIVE]
        where = f"changes.log, change {record.id} of {record.delta.parameter}"
        if record.outcome not in allowed:
            what = f"the journal says {record.outcome.value}, the evidence {expected.value}"
            yield Accusation(Flaw.OUTCOME, where, what)
        elif record.outcome in _USED and effects != [first]:
            yield Accusation(Flaw.OUTCOME, where, f"noted as used at iterations {effects}, it was at {first}")


def _with_final_state(readback: SoakReadback, state: str) -> SoakReadback:
    iterations = (*readback.iterations[:-1], *(replace(last, new_hash=state) for last in readback.iterations[-1:]))
    return replace(readback, iterations=iterations, final_hash=state)


def _repetition(readback: SoakReadback) -> Iterator[Accusation]:
    """The same settings, delivered to the same plant again, must give the same samples."""
    arms = readback.assembly.plant_arms(readback.plan)
    for number, record in enumerate(readback.evidence_records, start=1):
        try:
            arms.repeat(record)
        except _FOREIGN_ERRORS as difference:
            yield Accusation(Flaw.REPETITION, f"evidence.log, record {number}", _message(difference))
            return


def _anchored(folder: SoakFolder, anchor: str) -> Iterator[Accusation]:
    snapshot = folder.snapshot_path
    if snapshot in {path for path, _ in folder.irregular()}:
        yield Accusation(Flaw.ANCHOR, snapshot.name, f"cannot be compared with {anchor[:12]}…: it is no regular file")
        return
    try:
        there = digest(unsealed(snapshot))
    except SeedbedError as problem:
        yield Accusation(Flaw.ANCHOR, snapshot.name, f"cannot be compared with {anchor[:12]}…: {problem}")
        return
    if not there.startswith(anchor):
        yield Accusation(Flaw.ANCHOR, snapshot.name, f"has the digest {there}, the anchor is {anchor}")


def _collected(where: str, accusations: Iterator[Accusation]) -> list[Accusation]:
    """Collect the accusations. An error while they are computed is one more."""
    collected: list[Accusation] = []
    try:
        collected.extend(accusations)
    except _FOREIGN_ERRORS as problem:
        collected.append(Accusation(Flaw.LOG, where, _message(problem)))
    return collected


def _message(problem: Exception) -> str:
    return str(problem) if isinstance(problem, SeedbedError) else f"it holds what no soak writes: {problem!r}"
