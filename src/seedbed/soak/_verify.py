"""Verification of a soak from its files: everything is worked out again from the logs, no flag is believed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from seedbed.change import ROLLBACK, ChangeHistory, ChangeRecord, Delta, Kind, Planned, Rules, plan, rollback_deltas
from seedbed.contracts import Outcome
from seedbed.errors import NotFound, SeedbedError, StoreCorrupt
from seedbed.records import read_json_with_hash
from seedbed.soak._account import Account, account, iteration_summaries
from seedbed.soak._evidence import Ending, Held, Measured
from seedbed.soak._folder import SoakFolder, unsealed
from seedbed.soak._outcome import outcome_by_evidence, was_made
from seedbed.soak._plan import Assembly, SoakPlan
from seedbed.soak._reports import judge_soak, post_soak, tuning_report
from seedbed.soak._tally import SoakTally

__all__ = ["Accusation", "Flaw", "SoakVerification", "verify_soak"]

STRICT_RATIO, PLAIN_RATIO = 0.95, 0.90


class Flaw(StrEnum):
    """What may be wrong with a soak's files."""

    PLAN = "plan"
    LOG = "log"
    EVIDENCE = "evidence"
    STATE = "state"
    PROPOSAL = "proposal"
    GUARD = "guard"
    OUTCOME = "outcome"
    SUMMARY = "summary"
    SETTINGS = "settings"
    REPORT = "report"
    REPETITION = "repetition"


@dataclass(frozen=True, slots=True)
class Accusation:
    """One flaw: where it is, and what was expected against what was found, in plain words."""

    flaw: Flaw
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class SoakVerification:
    """What verification found. `repeated` says whether the plant was measured again; `tally` is None without logs."""

    soak_id: str
    accusations: tuple[Accusation, ...]
    tally: SoakTally | None
    repeated: bool
    strict: bool

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.accusations

    @property
    def threshold(self) -> float:
        """The least share of proposals that must have been seen in use whole."""
        return STRICT_RATIO if self.strict else PLAIN_RATIO

    @property
    def passes(self) -> bool:
        """Whether it is clean and enough of what was let through was seen in use; nothing let through is enough."""
        ratio = None if self.tally is None else self.tally.ratio
        return self.clean and (ratio is None or ratio >= self.threshold)


def verify_soak(
    folder: SoakFolder, assemble: Callable[[SoakPlan], Assembly], *, strict: bool = False, repeat: bool = True
) -> SoakVerification:
    """Work out again all that a soak's files claim, and say where they differ. `repeat` measures its plant again.

    Nothing is written. A file that cannot be read at all is an accusation too.
    """
    try:
        plan_read = folder.plan()
        found = account(folder, plan_read, assemble(plan_read))
    except SeedbedError as problem:
        flaw = Flaw.PLAN if folder.plan_path.name in str(problem) else Flaw.LOG
        return SoakVerification(
            folder.path.name, (Accusation(flaw, folder.path.name, str(problem)),), None, False, strict
        )
    accusations = [*_core(folder, found), *(_repetition(found) if repeat else ())]
    accusations += _snapshot(folder, found, verified=not accusations)
    return SoakVerification(plan_read.soak_id, tuple(accusations), found.tally, repeat, strict)


def _core(folder: SoakFolder, found: Account) -> Iterator[Accusation]:
    yield from _plan(folder, found)
    yield from _tails(folder, found)
    yield from _evidence(found)
    yield from _proposals(found)
    yield from _outcomes(found)
    yield from _summaries(folder, found)
    yield from _settings(folder, found)
    yield from _report(folder, "TUNING_REPORT.json", lambda: tuning_report(found).model_dump(mode="json"), found)


def _plan(folder: SoakFolder, found: Account) -> Iterator[Accusation]:
    if found.plan.soak_id != folder.path.name:
        yield Accusation(Flaw.PLAN, "soak.json", f"is of soak {found.plan.soak_id}, the folder is {folder.path.name}'s")


def _tails(folder: SoakFolder, found: Account) -> Iterator[Accusation]:
    """A finished soak has whole logs; one that goes on may have been cut by a crash."""
    if not found.is_finished:
        return
    for path, entries in ((folder.changes_path, found.changes), (folder.evidence_path, found.evidence)):
        data = path.read_bytes()
        lines = data.count(b"\n")
        if lines != len(entries) or data[-1:] not in {b"\n", b""}:
            yield Accusation(Flaw.LOG, path.name, f"holds {lines} lines, of which {len(entries)} are whole records")


def _evidence(found: Account) -> Iterator[Accusation]:
    """The plant's log in itself, and against the state that the changes lead to."""
    registry = found.assembly.registry
    values: dict[str, float] = dict(found.assembly.plant().initial)
    by_step: dict[int, list[ChangeRecord]] = {}
    for record in found.history.records:
        by_step.setdefault(record.step, []).append(record)
    iteration = 0
    for number, item in enumerate(found.records, start=1):
        match item:
            case Held() if item.state_hash != registry.state_hash(item.handed):
                yield Accusation(
                    Flaw.EVIDENCE, f"evidence.log, record {number}", "its hash is not that of its settings"
                )
            case Measured():
                iteration += 1
                where = f"iteration {item.iteration}"
                if item.iteration != iteration:
                    yield Accusation(Flaw.EVIDENCE, where, f"expected iteration {iteration} here")
                expected = registry.state_hash(values)
                if item.state_hash != expected:
                    yield Accusation(
                        Flaw.STATE,
                        where,
                        f"began in state {item.state_hash[:12]}…, the changes lead to {expected[:12]}…",
                    )
                values.update(
                    {each.delta.parameter: each.after for each in by_step.get(iteration, ()) if was_made(each)}
                )
            case Ending() if item.length < iteration:
                yield Accusation(Flaw.EVIDENCE, f"evidence.log, record {number}", "ends before what was measured")
    if found.final_hash != registry.state_hash(values):
        yield Accusation(
            Flaw.SETTINGS,
            "runtime_overrides.json",
            f"holds state {found.final_hash[:12]}…, the changes lead to {registry.state_hash(values)[:12]}…",
        )


def _proposals(found: Account) -> Iterator[Accusation]:
    """Every proposal, planned again on the history before it, against what the journal holds of it."""
    history = ChangeHistory()
    decisions = {episode.measured.iteration: episode.decision for episode in found.told}
    standing = {record.id for record in found.history.records}
    seen: dict[int, list[tuple[bool, list[Delta]]]] = {}
    at = 0
    while at < len(found.changes):
        entry = found.changes[at]
        if entry.kind != Kind.PROPOSED:
            history.advance(entry)
            at += 1
            continue
        batch = _batch(found.changes, at)
        records = _records(batch)
        first = records[0]
        decision = decisions.get(first.step)
        is_rollback = first.delta.proposer == ROLLBACK
        where = f"iteration {first.step}"
        if decision is None:
            yield Accusation(Flaw.PROPOSAL, where, f"change {first.id} was proposed, though nothing was measured then")
        else:
            live = _live(history, found)
            wanted = rollback_deltas(history, live) if is_rollback else decision.deltas
            if first.id not in standing:  # a crash may have cut short what was noted of it
                wanted = wanted[: len(records)]
            else:
                seen.setdefault(first.step, []).append((is_rollback, [record.delta for record in records]))
            if [record.delta for record in records] != list(wanted):
                yield Accusation(
                    Flaw.PROPOSAL, where, f"{_told([r.delta for r in records])} was proposed, expected {_told(wanted)}"
                )
            else:
                rules = Rules(found.assembly.registry, guards=()) if is_rollback else decision.rules
                ids = [(record.id, record.delta) for record in records]
                yield from _rulings(where, records, plan(ids, first.step, live, history, rules))
        for each in batch:
            history.advance(each)
        at += len(batch)
    yield from _missing(found, seen)


def _missing(found: Account, seen: Mapping[int, Sequence[tuple[bool, Sequence[Delta]]]]) -> Iterator[Accusation]:
    for episode in found.told:
        step, decision = episode.measured.iteration, episode.decision
        tuned = [deltas for is_rollback, deltas in seen.get(step, ()) if not is_rollback]
        is_last_of_unfinished = episode is found.told[-1] and not found.is_finished
        if len(tuned) != bool(decision.deltas) and not is_last_of_unfinished:
            yield Accusation(
                Flaw.PROPOSAL, f"iteration {step}", f"{len(tuned)} proposals stand, expected {_told(decision.deltas)}"
            )


def _rulings(where: str, records: Sequence[ChangeRecord], planned: Sequence[Planned]) -> Iterator[Accusation]:
    for record, again in zip(records, planned, strict=True):
        if (record.before, record.wanted) != (again.move.before, again.move.after):
            yield Accusation(
                Flaw.STATE,
                where,
                f"change {record.id} of {record.delta.parameter} moves {record.before:g} -> {record.wanted:g}, "
                f"expected {again.move.before:g} -> {again.move.after:g}",
            )
        if record.ruling is not None and record.ruling != again.ruling:
            yield Accusation(
                Flaw.GUARD,
                where,
                f"change {record.id} of {record.delta.parameter} was judged {_ruled(record.ruling)}, "
                f"the guards say {_ruled(again.ruling)}",
            )


def _outcomes(found: Account) -> Iterator[Accusation]:
    measured = [episode.measured for episode in found.told]
    for record in found.history.records:
        expected, first = outcome_by_evidence(record, found.history, measured, found.assembly.registry)
        effects = [int(facts["step"]) for kind, facts in record.story if kind is Kind.EFFECTIVE]
        where = f"change {record.id} of {record.delta.parameter}"
        if record.outcome is not expected:
            yield Accusation(
                Flaw.OUTCOME, where, f"the journal says {record.outcome.value}, the evidence {expected.value}"
            )
        elif expected in {Outcome.EFFECTIVE, Outcome.CLAMPED} and effects != [first]:
            yield Accusation(Flaw.OUTCOME, where, f"noted as used at iterations {effects}, it was at {first}")


def _summaries(folder: SoakFolder, found: Account) -> Iterator[Accusation]:
    expected = {folder.summary_path(each.iteration).name: each for each in iteration_summaries(found)}
    there = {path.name for path in folder.path.glob("ITER_SUMMARY_*")}
    if not found.is_finished:  # those of the last iterations wait for their changes to be settled
        expected = {name: each for name, each in expected.items() if name in there}
    for name in sorted(there - expected.keys()):
        yield Accusation(Flaw.SUMMARY, name, "tells of an iteration that the logs do not hold")
    for name, summary in expected.items():
        yield from _document(folder, name, summary.model_dump(mode="json"), Flaw.SUMMARY)


def _settings(folder: SoakFolder, found: Account) -> Iterator[Accusation]:
    try:
        found.assembly.registry.get_all(read_json_with_hash(folder.settings_path)[0])
    except SeedbedError as problem:
        yield Accusation(Flaw.SETTINGS, folder.settings_path.name, str(problem))


def _repetition(found: Account) -> Iterator[Accusation]:
    """The same settings handed to the same plant again must give the same samples."""
    rig = found.assembly.rig(found.plan)
    for record in found.records:
        try:
            rig.repeat(record)
        except StoreCorrupt as difference:
            yield Accusation(Flaw.REPETITION, "evidence.log", str(difference))
            return


def _snapshot(folder: SoakFolder, found: Account, *, verified: bool) -> list[Accusation]:
    def again() -> Mapping[str, Any]:
        report = judge_soak(found, verified=verified)
        return post_soak(found, report, verified=verified).model_dump(mode="json")

    if not (folder.path / "POST_SOAK_SNAPSHOT.json").exists():
        return []
    return list(_report(folder, "POST_SOAK_SNAPSHOT.json", again, found))


def _report(
    folder: SoakFolder, name: str, again: Callable[[], Mapping[str, Any]], found: Account
) -> Iterator[Accusation]:
    if found.is_finished:
        yield from _document(folder, name, again(), Flaw.REPORT)


def _document(folder: SoakFolder, name: str, expected: Mapping[str, Any], flaw: Flaw) -> Iterator[Accusation]:
    try:
        there = unsealed(folder.path / name)
    except NotFound:
        yield Accusation(flaw, name, "is missing")
        return
    except StoreCorrupt as problem:
        yield Accusation(flaw, name, str(problem))
        return
    difference = _difference(expected, there, "")
    if difference:
        yield Accusation(flaw, name, f"is not what the logs give: {difference}")


def _difference(expected: object, found: object, path: str) -> str:
    """The first place in which two JSON values differ; empty when there is none."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in sorted({*expected, *found}):
            if key not in expected or key not in found:
                return f"{path}/{key} is {'not expected' if key in found else 'missing'}"
            if difference := _difference(expected[key], found[key], f"{path}/{key}"):
                return difference
        return ""
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return next((told for at, (e, f) in pairs if (told := _difference(e, f, f"{path}/{at}"))), "")
    return "" if expected == found and type(expected) is type(found) else f"{path} is {found!r}, expected {expected!r}"


def _batch(changes: Sequence[Any], at: int) -> list[Any]:
    """The entries of one proposal, from its first `proposed` on: proposed, judged, intended."""
    first = changes[at].payload["id"]
    end = at
    while end < len(changes) and changes[end].kind == Kind.PROPOSED and changes[end].payload["batch"] == first:
        end += 1
    while end < len(changes) and changes[end].kind in {Kind.GUARDED, Kind.INTENT}:
        end += 1
    return list(changes[at:end])


def _records(batch: Sequence[Any]) -> list[ChangeRecord]:
    """The changes of a proposal as they stood when it was judged."""
    history = ChangeHistory()
    for entry in batch:
        history.advance(entry)
    return list(history.records)


def _live(history: ChangeHistory, found: Account) -> dict[str, float]:
    """Every value that the settings file held after these changes."""
    values = dict(found.assembly.plant().initial)
    for record in history.records:
        if was_made(record):
            values[record.delta.parameter] = record.after
    return values


def _told(deltas: Sequence[Delta]) -> str:
    return ", ".join(f"{delta.parameter} {delta.op}" for delta in deltas) or "nothing"


def _ruled(ruling: Any) -> str:
    return f"{ruling.decision.value} by {ruling.guard} to {ruling.after:g}"
