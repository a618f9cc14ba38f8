"""Verification of a soak from its files: everything is worked out again from the logs, no flag is believed."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from seedbed.change import Kind
from seedbed.change._history import fold
from seedbed.contracts import Outcome
from seedbed.errors import SeedbedError
from seedbed.gate import exposition, gate_metrics
from seedbed.records import digest, read_journal, read_json_with_hash
from seedbed.soak._evidence import Held, Measured, parse_evidence
from seedbed.soak._folder import SoakFolder, unsealed
from seedbed.soak._metrics import soak_metrics
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._readback import SoakReadback, account
from seedbed.soak._reports import judge_soak, post_soak, soak_counts, tuning_report
from seedbed.soak.verify._changes import ChangeWalk
from seedbed.soak.verify._evidence_check import evidence_flaws, handed_flaws
from seedbed.soak.verify._files import (
    METRICS,
    PAGE,
    SNAPSHOT,
    TUNING_REPORT,
    has_ended,
    log_flaws,
    plan_flaws,
    report_flaws,
    settings_flaws,
    summary_flaws,
    text_flaws,
)
from seedbed.soak.verify._outcome import outcome_by_evidence
from seedbed.soak.verify._page import verification_page
from seedbed.soak.verify._segment import segments
from seedbed.soak.verify._verification import Accusation, Flaw, SoakVerification

__all__ = ["examine_soak", "verify_soak"]

_USED = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})

# What reading a record raises that no Seedbed wrote: its seal fits, and a field is missing or of another type.
_FOREIGN = (SeedbedError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def verify_soak(
    folder: SoakFolder,
    assemble: Callable[[SoakPlan], Assembly],
    *,
    strict: bool = False,
    repeat: bool = True,
    anchor: str | None = None,
) -> SoakVerification:
    """Work out again all that a soak's files claim, and say where they differ. Nothing is written.

    `repeat` measures its plant again; without it, samples that were altered everywhere alike go unnoticed. `anchor`
    is the digest that POST_SOAK_SNAPSHOT.json was sealed with, or how it begins, as it was kept elsewhere: only that
    tells this soak from another whole one. A file that cannot be read at all is an accusation too.
    """
    found, core = examine_soak(folder, assemble, strict=strict, repeat=repeat)
    verdict = [] if found is None else _guarded(SNAPSHOT, _verdict(folder, found, core))
    anchored = [] if anchor is None else list(_anchored(folder, anchor))
    return replace(core, accusations=(*core.accusations, *verdict, *anchored))


def examine_soak(
    folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly], *, strict: bool = False, repeat: bool = True
) -> tuple[SoakReadback | None, SoakVerification]:
    """As `verify_soak`, of everything but the verdict, which rests on it. None for logs that cannot be read."""
    problems = list(_unreadable(folder, assemble))
    if not problems:
        plan = folder.plan()
        try:
            found = account(folder, plan, assemble(plan))
        except _FOREIGN as problem:
            problems.append(Accusation(Flaw.LOG, "changes.log against evidence.log", _words(problem)))
    if problems:
        return None, SoakVerification(folder.path.name, tuple(problems), None, False, strict)
    accusations, found = _core(folder, found)
    accusations += list(_repetition(found)) if repeat else []
    return found, SoakVerification(found.plan.soak_id, tuple(accusations), found.tally, repeat, strict)


def _unreadable(folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly]) -> Iterator[Accusation]:
    """The files that hold nothing that could be worked with."""
    reads: tuple[tuple[Flaw, str, Callable[[], object]], ...] = (
        (Flaw.PLAN, folder.plan_path.name, lambda: assemble(folder.plan())),
        (Flaw.LOG, folder.changes_path.name, lambda: fold(read_journal(folder.changes_path))),
        (Flaw.LOG, folder.evidence_path.name, lambda: parse_evidence(read_journal(folder.evidence_path))),
        (
            Flaw.SETTINGS,
            folder.settings_path.name,
            lambda: assemble(folder.plan()).registry.get_all(read_json_with_hash(folder.settings_path)[0]),
        ),
    )
    for flaw, name, read in reads:
        try:
            read()
        except _FOREIGN as problem:
            yield Accusation(flaw, name, _words(problem))
            if flaw is Flaw.PLAN:
                return


def _core(folder: SoakFolder, found: SoakReadback) -> tuple[list[Accusation], SoakReadback]:
    """What is wrong in the logs and in what follows from them; and the account with the end that the logs lead to."""
    ended = has_ended(folder, found)
    told = [*plan_flaws(folder, found), *log_flaws(folder, found, ended=ended), *evidence_flaws(found)]
    walk = ChangeWalk(found)
    told += _guarded("changes.log", _walked(found, walk, ended=ended))
    told += _guarded("changes.log", _outcomes(found, ended=ended))
    states = walk.states_at_end()
    told += settings_flaws(folder, states)
    if found.final_hash not in states:
        found = _ending_in(found, min(states))
    told += _guarded("changes.log", _rests_on_logs(folder, found, ended=ended))
    return told, found


def _rests_on_logs(folder: SoakFolder, found: SoakReadback, *, ended: bool) -> Iterator[Accusation]:
    yield from summary_flaws(folder, found, ended=ended)
    yield from report_flaws(folder, TUNING_REPORT, tuning_report(found), ended=ended)


def _walked(found: SoakReadback, walk: ChangeWalk, *, ended: bool) -> Iterator[Accusation]:
    handed = ""
    for record in found.records:
        if isinstance(record, Measured):
            break
        handed = record.state_hash if isinstance(record, Held) else handed
    for segment in segments(found, ended=ended):
        yield from walk.take(segment)
        yield from handed_flaws(segment, walk.path, handed)
        handed = segment.helds[-1].state_hash if segment.helds else handed
    num_before = found.told[0].measured.changes.sequence if found.told else len(found.changes)
    if num_before:
        yield Accusation(Flaw.PROPOSAL, "changes.log, record 1", "was written before anything was measured")


def _outcomes(found: SoakReadback, *, ended: bool) -> Iterator[Accusation]:
    """How each change ended, by the plant's evidence alone, against what the journal says."""
    measured = [episode.measured for episode in found.told]
    for record in found.history.records:
        expected, first = outcome_by_evidence(record, found.history, measured, found.assembly.registry)
        allowed = {expected}
        if not ended:  # a process may have ended before it noted what the last measurement showed
            allowed.add(outcome_by_evidence(record, found.history, measured[:-1], found.assembly.registry)[0])
            allowed |= {Outcome.UNKNOWN} if record.is_open else set()
        effects = [int(facts["step"]) for kind, facts in record.story if kind is Kind.EFFECTIVE]
        where = f"changes.log, change {record.id} of {record.delta.parameter}"
        if record.outcome not in allowed:
            told = f"the journal says {record.outcome.value}, the evidence {expected.value}"
            yield Accusation(Flaw.OUTCOME, where, told)
        elif record.outcome in _USED and effects != [first]:
            yield Accusation(Flaw.OUTCOME, where, f"noted as used at iterations {effects}, it was at {first}")


def _ending_in(found: SoakReadback, state: str) -> SoakReadback:
    told = (*found.told[:-1], *(replace(last, new_hash=state) for last in found.told[-1:]))
    return replace(found, told=told, final_hash=state)


def _repetition(found: SoakReadback) -> Iterator[Accusation]:
    """The same settings handed to the same plant again must give the same samples."""
    rig = found.assembly.rig(found.plan)
    for number, record in enumerate(found.records, start=1):
        try:
            rig.repeat(record)
        except _FOREIGN as difference:
            yield Accusation(Flaw.REPETITION, f"evidence.log, record {number}", _words(difference))
            return


def _verdict(folder: SoakFolder, found: SoakReadback, core: SoakVerification) -> Iterator[Accusation]:
    """The files that tell what verification found, and what the gate made of it."""
    report = judge_soak(found, verified=core.clean)
    ended = has_ended(folder, found)
    yield from report_flaws(folder, SNAPSHOT, post_soak(found, report, verified=core.clean), ended=ended)
    page = verification_page(replace(core, repeated=True, strict=True))
    yield from text_flaws(folder.path / PAGE, page)
    families = (*soak_metrics(soak_counts(found)), *gate_metrics(report, {"run_id": found.plan.soak_id}))
    yield from text_flaws(folder.path / METRICS, exposition(families))


def _anchored(folder: SoakFolder, anchor: str) -> Iterator[Accusation]:
    try:
        there = digest(unsealed(folder.path / SNAPSHOT))
    except SeedbedError as problem:
        yield Accusation(Flaw.ANCHOR, SNAPSHOT, f"cannot be held against {anchor[:12]}…: {problem}")
        return
    if len(anchor) < 12 or not there.startswith(anchor):
        yield Accusation(Flaw.ANCHOR, SNAPSHOT, f"has the digest {there}, kept elsewhere was {anchor}")


def _guarded(where: str, accusations: Iterator[Accusation]) -> list[Accusation]:
    """All of them; what cannot be worked through to its end is one more."""
    told: list[Accusation] = []
    try:
        told.extend(accusations)
    except _FOREIGN as problem:
        told.append(Accusation(Flaw.LOG, where, _words(problem)))
    return told


def _words(problem: Exception) -> str:
    return str(problem) if isinstance(problem, SeedbedError) else f"it holds what no soak writes: {problem!r}"
